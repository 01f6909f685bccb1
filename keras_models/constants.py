"""Numbers handed to Keras so that float64 models compute with float64 constants."""

from __future__ import annotations

from typing import Any

import numpy as np


def exact(value: Any, dtype: str) -> Any:
    """Return a Python float in the form that keeps all its digits in a model of ``dtype``; others as they are.

    ``keras.ops.cast(0.9, "float64")`` and ``keras.ops.convert_to_tensor(0.9)`` go through float32 on TensorFlow and
    give 0.8999999761581421, whatever floatx is; Keras treats momenta, decay rates, penalties and scales so. A NumPy
    float64 keeps its width there. In a float32 model it would widen the arithmetic, so there the Python float stays.
    """
    if dtype == "float64" and isinstance(value, float):
        return np.float64(value)
    if isinstance(value, tuple):
        return [exact(part, dtype) for part in value]
    return value
