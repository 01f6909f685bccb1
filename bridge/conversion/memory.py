"""How much memory it takes to judge one example of a conversion, foreseen by the shapes alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy import NumpyModel
from core_numpy.network import Network
from model_spec import Conv2DTranspose

LARGEST = 4 << 30
"""Bytes that judging one example of a network from a file may take; VGG16 on 224 x 224 pixels takes half of it."""


def bytes_of_one(model: NumpyModel) -> int:
    """Memory it takes to judge one example.

    For each value of the input and of every step the truth keeps its float64 value and variance, and both sides theirs;
    a convolution lays out its windows. Measured, the estimate is right within a factor of 2.
    """
    spec = model.spec
    kept, laid_out = 40 * int(np.prod(spec.input_shape)), 0
    for at in (step.index for step in Network.of(spec).steps):
        size = int(np.prod(spec.output_shapes[at]))
        kept += 40 * size
        windows = _windows(spec.layers[at], spec.input_shapes[at], spec.output_shapes[at])
        laid_out = max(laid_out, 80 * size, windows)
    return kept + laid_out


def _windows(layer: Any, before: Any, after: Any) -> int:
    """Bytes of the windows that a convolution lays out for one example; 0 of another layer."""
    window = getattr(layer, "kernel_size", None)
    if window is None:
        return 0
    # A transposed one has a window of its output for each place of its input
    at, of = (before, after) if isinstance(layer, Conv2DTranspose) else (after, before)
    count = int(np.prod(at[:-1])) * int(np.prod(window)) * int(of[-1])
    # The values, their squares and their variances; groups come one after the other
    return count * (24 if getattr(layer, "groups", None) == 1 else 12)
