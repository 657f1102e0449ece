"""Models as others use them: the registry model over Python and REST, and a raw video scored in one call.

This is the one room of affectory that imports mlflow.
"""

from __future__ import annotations

from affectory.serving.pyfunc import EmotionModel, declare_model, predict
from affectory.serving.registry import ModelError, load, log_model, save_model

__all__ = ["EmotionModel", "ModelError", "declare_model", "load", "log_model", "predict", "save_model"]
