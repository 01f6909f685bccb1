"""How Keras computes a network of model_spec: real Keras layers, compile and fit behind the common interface."""

from keras_models.model import KerasModel
from keras_models.read import ReadModel, read
from keras_models.runtime import environment, floatx, set_threads

__all__ = ["KerasModel", "ReadModel", "environment", "floatx", "read", "set_threads"]
