"""What is free: the algorithm of a convolution, and the choice at a kink or tie, between the one-sided derivatives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bridge.judge.bounds import Expected
from core_numpy.contract import Array
from model_spec import Activation, Conv2D, MaxPooling2D
from model_spec.activations import LEAKY_RELU_SLOPE

_TILE = 4.0
"""How much larger the variance of a convolution by tiles is: its transforms add and subtract whole tiles first."""


def of_any_algorithm(layer: Any, expected: Expected) -> Expected:
    """Convolutions by tiles (Winograd) round what a whole tile adds up: the largest variance around each place."""
    if not isinstance(layer, Conv2D) or max(layer.strides) > 1 or max(layer.kernel_size) == 1:
        return expected
    around = np.pad(expected.variance, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    # (n, h, w, c, 3, 3) -> (n, h, w, c)
    largest = sliding_window_view(around, (3, 3), (1, 2)).max(axis=(4, 5))
    return replace(expected, variance=_TILE * largest)


def beyond_any_choice(layer: Any, x: Array, dy: Array, dx: Array) -> str | None:
    """Words for shares of the gradient that no choice at a kink or tie gives, or None.

    Args:
        layer: the claim.
        x: the inputs.
        dy: gradient of the output.
        dx: what the layer made of it.
    """
    if isinstance(layer, Activation) and layer.activation in ("relu", "leaky_relu"):
        at, lowest = x == 0, LEAKY_RELU_SLOPE if layer.activation == "leaky_relu" else 0.0
    elif isinstance(layer, MaxPooling2D) and layer.strides == layer.pool_size and layer.padding == "valid":
        rows, columns = (dy.shape[axis] * layer.pool_size[axis - 1] for axis in (1, 2))
        # (n, out h, out w, c) -> (n, h, w, c): every window's gradient in each of its cells
        dy = dy.repeat(layer.pool_size[0], axis=1).repeat(layer.pool_size[1], axis=2)
        dx, at, lowest = dx[:, :rows, :columns], np.ones_like(dy, bool), 0.0
    else:
        return None
    share = np.asarray(dx, np.float64)[at] / dy[at]
    beyond = (share < lowest - 1e-6) | (share > 1 + 1e-6) | np.isnan(share)
    if not beyond.any():
        return None
    worst = float(share[beyond][0])
    return f"{int(beyond.sum())} cells take {worst:.3g} of the gradient, right is {lowest:.1g} .. 1"
