"""The functions Keras takes as ``activation=``: its own by name, and the step function, which it lacks."""

from __future__ import annotations

from typing import Any

from keras_models.runtime import keras


@keras.saving.register_keras_serializable(package="keras_models")
def step(x: Any) -> Any:
    """1 where x > 0, else 0, in x's shape and dtype; it has no gradient."""
    return keras.ops.cast(x > 0, x.dtype)


def keras_activation(name: str) -> Any:
    """Return what Keras takes as ``activation=``: its own name of the function, or :func:`step`."""
    return step if name == "step" else name
