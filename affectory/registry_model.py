"""The file that MLflow copies into a registered model and runs to load it (models-from-code)."""

from affectory.serving import declare_model

declare_model()
