"""The file that MLflow copies into a registered model and runs to load it (models-from-code); serving.py holds the model."""

from affectory.serving import declare_model

declare_model()
