"""How large the inputs of a foreign layer may be before a textbook form of it gives no number."""

from __future__ import annotations

import numpy as np

from bridge.outside.adapters import AdaptedLayer
from bridge.outside.edge_cases import MODERATE
from model_spec.shapes import Shape

_SIZES = (700.0, 350.0, 88.0, 44.0)
"""exp overflows beyond 709 in float64 and 88 in float32; a difference of two inputs reaches twice their size."""


def finite_up_to(layer: AdaptedLayer, shape: Shape, with_backward: bool, dtype: str) -> float:
    """The largest of some sizes at which all that a copy of the layer gives is finite.

    Args:
        layer: what is asked; inputs are all of one size, of either sign and of both in turns.
        shape: of one example.
        with_backward: whether the gradients count.
        dtype: of the inputs.
    """
    turns = np.ones(shape, dtype)
    turns.reshape(-1)[::2] = -1
    inputs = np.stack([np.ones(shape, dtype), -np.ones(shape, dtype), turns])[:, None]

    def is_finite(size: float) -> bool:
        trial = layer.on_copy()
        for x in inputs:
            if not np.isfinite(trial.forward(x * x.dtype.type(size))).all():
                return False
            if with_backward and not np.isfinite(trial.backward(np.ones_like(x))).all():
                return False
        return True

    return next((size for size in _SIZES if is_finite(size)), MODERATE)
