"""Slips in layer normalization: epsilon solved for, epsilon outside the root, the unbiased variance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bridge.conventions.outcome import Change, Given, Outcome
from core_numpy.contract import Array, Context, Variables
from core_numpy.layers.layer_normalization import LayerNormalization, LayerNormalizationCache


class _OtherVariance(LayerNormalization):
    """(x - mean) / sqrt(variance + epsilon) or / (sqrt(variance) + epsilon), the variance of n or of n - 1.

    ``textbook`` keeps the backward of the claimed layer, as one who copies the formula does.
    """

    def __init__(self, spec: Any, outside: bool, missing: int, textbook: bool) -> None:
        super().__init__(spec)
        object.__setattr__(self, "_own", (outside, missing, textbook))

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        outside, missing, _ = self._own  # type: ignore[attr-defined]
        axes = self.spec.axes(x.ndim)
        mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, ddof=missing, keepdims=True)
        epsilon = self.spec.epsilon
        inverse = 1 / (np.sqrt(variance) + epsilon) if outside else 1 / np.sqrt(variance + epsilon)
        normalized = (x - mean) * inverse
        y = normalized * self.along_axes(params["gamma"], x.ndim) if "gamma" in params else normalized
        y = y + self.along_axes(params["beta"], x.ndim) if "beta" in params else y
        return y, LayerNormalizationCache(normalized, inverse, mean)

    def backward(
        self, params: Variables, cache: LayerNormalizationCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        outside, missing, textbook = self._own  # type: ignore[attr-defined]
        dx, grads = super().backward(params, cache, dy, need_dx)
        if dx is None or textbook:
            return dx, grads
        axes, normalized = self.spec.axes(dy.ndim), cache.normalized
        scaled = dy * self.along_axes(params["gamma"], dy.ndim) if "gamma" in params else dy
        share = normalized * (scaled * normalized).mean(axis=axes, keepdims=True) * cache.inverse
        count = normalized.size / cache.inverse.size
        # The derivative of 1 / (sqrt(v) + e) has sqrt(v) where that of 1 / sqrt(v + e) has the whole denominator
        more = 1 / (cache.inverse * (1 / cache.inverse - self.spec.epsilon)) if outside else 1.0
        return dx - share * (more * count / (count - missing) - 1), grads


def _other(words: str, outside: bool, missing: int, textbook: bool) -> Change:
    """The change with the epsilon that y shows."""

    def change(given: Given, found: Outcome) -> tuple[str, Given] | None:
        layer = given.layer
        if type(layer) is not LayerNormalization or found["y"].shape != given.x.shape:
            return None
        spec, said = layer.spec, words
        epsilon = _epsilon(layer, given, found["y"], outside, missing)
        if epsilon < 0:
            return None
        if abs(epsilon - spec.epsilon) > 1e-3 * spec.epsilon:
            other = f"its epsilon is {epsilon:g} in place of {spec.epsilon:g}" if epsilon else "its epsilon is left out"
            said = f"{words}; {other}" if words else other
            spec = replace(spec, epsilon=epsilon or 1e-300)
        elif not words:
            return None
        return said, given.with_layer(_OtherVariance(spec, outside, missing, textbook))

    return change


def _epsilon(layer: LayerNormalization, given: Given, y: Array, outside: bool, missing: int) -> float:
    """The epsilon that gives this y, rounded as far as it is known; -1 where none does."""
    axes, rank = layer.spec.axes(y.ndim), y.ndim
    shifted = y - layer.along_axes(given.params["beta"], rank) if "beta" in given.params else y
    scaled = given.x - given.x.mean(axis=axes, keepdims=True)
    scaled = scaled * layer.along_axes(given.params["gamma"], rank) if "gamma" in given.params else scaled
    variance = given.x.var(axis=axes, ddof=missing, keepdims=True)
    root = np.square(scaled).sum(axis=axes, keepdims=True) / (shifted * scaled).sum(axis=axes, keepdims=True)
    each = root - np.sqrt(variance) if outside else np.square(root) - variance
    # Where the variance is smallest it shows most
    epsilon = float(each.flat[int(np.argmin(np.where(np.isfinite(each), variance, np.inf)))])
    simple = float(f"{epsilon:.2g}")
    if abs(epsilon) < 1e-12:
        return 0.0
    if not 0 < epsilon < 1e3:
        return -1.0
    return simple if abs(simple - epsilon) <= 1e-3 * epsilon + 1e-13 else epsilon


_OUTSIDE = "its epsilon stands outside the root, sqrt(variance) + epsilon"
_UNBIASED = "it divides by the unbiased variance, n - 1 (ddof=1), where Keras takes n"

SLIPS: tuple[Change, ...] = tuple(
    _other(words, outside, missing, textbook)
    for words, outside, missing in (("", False, 0), (_OUTSIDE, True, 0), (_UNBIASED, False, 1))
    for textbook in (False, True)
)
"""Tried in this order, each with its own derivative and with that of the claimed layer."""
