"""Right variants at kinks and ties: any convex combination of the one-sided derivatives is a subgradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Declarations
from bridge.selftest.faults.parts import KeptInput, is_activation, is_layer, keeping_input
from bridge.selftest.variants.variant import Variant
from core_numpy.contract import Array, Layer, Variables
from core_numpy.layers.global_pooling import GlobalMaxPooling2D
from core_numpy.layers.pooling import MaxPooling2D
from model_spec.activations import LEAKY_RELU_SLOPE


def _slope_at_zero(below: float, at_zero: float) -> Any:
    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        x = cache.x
        kind = dy.dtype.type
        return dy * np.where(x > 0, kind(1), np.where(x < 0, kind(below), kind(at_zero))), {}

    return backward


def _shares(equal: Array, how: str) -> Array:
    """Shares that add up to one of a window's cells (the first axis): True cells may take the gradient."""
    if how == "last":
        from_behind = equal[::-1]
        return (from_behind & (np.cumsum(from_behind, axis=0) == 1))[::-1].astype(float)
    if how == "first":
        return (equal & (np.cumsum(equal, axis=0) == 1)).astype(float)
    weights = np.ones(equal.shape) if how == "shared" else np.random.default_rng(0).random(equal.shape)
    if how == "any":
        weights = weights == np.where(equal, weights, -1).max(axis=0)
    kept = equal * weights
    return kept / kept.sum(axis=0)


def _pooling(how: str) -> Any:
    def backward(inner: MaxPooling2D, params: Variables, cache: KeptInput, dy: Array, need_dx: bool) -> Any:
        windows = cache.inner.windows
        padded = windows.pad(cache.x, -np.inf)
        equal = np.stack([padded[seen] == cache.y for _, _, seen in windows.taps()])
        shares = _shares(equal, how).astype(dy.dtype)
        dpadded = np.zeros_like(padded)
        for share, (_, _, seen) in zip(shares, windows.taps(), strict=True):
            dpadded[seen] += dy * share
        return windows.crop(dpadded), {}

    return backward


def _global_pooling(how: str) -> Any:
    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        x, y = cache.x, cache.y
        n, height, width, channels = x.shape
        # (n, h, w, c) -> (h * w, n, c)
        equal = (x == y[:, None, None, :]).reshape(n, -1, channels).transpose(1, 0, 2)
        shares = _shares(equal, how).astype(dy.dtype) * dy
        return np.ascontiguousarray(shares.transpose(1, 0, 2)).reshape(x.shape), {}

    return backward


TIES = {
    "first": "the first takes the gradient",
    "last": "the last takes the gradient",
    "any": "some one takes the gradient",
    "shared": "all share it evenly",
    "unevenly": "all share it unevenly",
}

variants = Declarations(Variant)
backward = variants.of("backward", shows="subgradients")

# On "ties" and "kinks" the data themselves are equal; on the computed ones rounding could have decided
for name, below, probes, slopes in (
    ("relu", 0.0, ("ties", "computed-ties"), (0.5, 1.0)),
    ("leaky_relu", LEAKY_RELU_SLOPE, ("kinks", "computed-kinks"), (0.6, 1.0)),
):
    for probe in probes:
        for slope in slopes:
            backward(
                f"{name.replace('_', '-')}-{probe}-slope-{slope:g}",
                f"{name}: the derivative at zero is {slope:g}",
                is_activation(name),
                probe=probe,
            )(_slope_at_zero(below, slope))

for probe in ("ties", "computed-ties"):
    for how, text in TIES.items():
        backward(
            f"pooling-{probe}-{how}",
            f"max pooling: of equal maxima, {text}",
            is_layer(MaxPooling2D),
            forward=keeping_input,
            probe=probe,
        )(_pooling(how))

for probe in ("global-ties", "computed-ties"):
    for how, text in TIES.items():
        backward(
            f"global-pooling-{probe}-{how}",
            f"global max pooling: of equal maxima, {text}",
            is_layer(GlobalMaxPooling2D),
            probe=probe,
        )(_global_pooling(how))
