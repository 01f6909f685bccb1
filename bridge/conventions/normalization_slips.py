"""Slips in batch normalization: epsilon and momentum solved for, other statistics, parts of backward left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bridge.conventions.backward_slips import Back, Grads, behind
from bridge.conventions.batch_normalization import UnbiasedBatchNormalization
from bridge.conventions.outcome import Change, Given, Outcome
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.batch_normalization import BatchNormalization
from model_spec import layers as specs

EPSILON = "its epsilon is"


def _epsilon(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """The epsilon, solved for from y."""
    spec, y = given.layer.spec, found["y"]
    if not isinstance(spec, specs.BatchNormalization) or y.shape != given.x.shape:
        return None
    layer = given.layer
    _, cache = layer.forward(given.params, given.state, given.x, Context(given.training))
    # (n, ..., c) -> (rows, c)
    centred = given.x.reshape(-1, given.x.shape[-1]) - cache.mean
    shifted = y.reshape(centred.shape) - given.params.get("beta", 0.0)
    scaled = centred * given.params.get("gamma", 1.0)
    with np.errstate(all="ignore"):
        inverse = (shifted * scaled).sum(axis=0) / np.square(scaled).sum(axis=0)
        roots = 1 / inverse
        outside = type(layer).__name__ == "OutsideEpsilonBatchNormalization"
        found_each = roots - np.sqrt(cache.variance) if outside else np.square(roots) - cache.variance
    # The channel with the smallest variance says it most exactly
    at = int(np.argmin(np.where(np.isfinite(found_each), cache.variance, np.inf)))
    epsilon = float(found_each[at])
    if not np.isfinite(epsilon) or not 0 <= epsilon < 1e3:
        epsilon = 0.0 if abs(epsilon) < 1e-12 else -1.0
    if epsilon < 0 or abs(epsilon - spec.epsilon) <= 1e-6 * spec.epsilon:
        return None
    simple = float(f"{epsilon:.3g}")
    epsilon = simple if abs(simple - epsilon) <= 1e-3 * max(epsilon, 1e-30) or epsilon < 1e-13 else epsilon
    if epsilon < 1e-13:
        return "its epsilon is left out", given.with_layer(_with_epsilon(layer, 1e-300))
    words = f"{EPSILON} {epsilon:.6g} in place of {spec.epsilon:g}"
    return words, given.with_layer(_with_epsilon(layer, epsilon))


def _with_epsilon(layer: Layer, epsilon: float) -> Layer:
    return type(layer)(replace(layer.spec, epsilon=epsilon))  # type: ignore[call-arg]


class _VarianceForRoot(BatchNormalization):
    """Divides by variance + epsilon."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        _, cache = super().forward(params, state, x, context)
        normalized = cache.normalized * cache.inverse
        y = normalized * params.get("gamma", 1.0) + params.get("beta", 0.0)
        return y.reshape(x.shape), cache._replace(normalized=normalized)


def _variance_for_root(given: Given, found: Outcome) -> tuple[str, Given] | None:
    if type(given.layer) is not BatchNormalization:
        return None
    return "it divides by the variance: the root is missing", given.with_layer(_VarianceForRoot(given.layer.spec))


class _RowNormalization(BatchNormalization):
    """Statistics of each example in place of the batch: layer normalization."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        axes = tuple(range(1, x.ndim))
        mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
        normalized = (x - mean) / np.sqrt(variance + self.spec.epsilon)
        _, cache = super().forward(params, state, x, context)
        return normalized * params.get("gamma", 1.0) + params.get("beta", 0.0), cache


def _over_examples(given: Given, found: Outcome) -> tuple[str, Given] | None:
    if type(given.layer) is not BatchNormalization or not given.training:
        return None
    words = "it normalizes each example by itself (layer normalization), not each feature over the batch"
    return words, given.with_layer(_RowNormalization(given.layer.spec))


class _PlaceNormalization(BatchNormalization):
    """Statistics of each place over the batch, in place of each channel over batch and places."""

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        _, cache = super().forward(params, state, x, context)
        normalized = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + self.spec.epsilon)
        return normalized * params.get("gamma", 1.0) + params.get("beta", 0.0), cache


def _over_places(given: Given, found: Outcome) -> tuple[str, Given] | None:
    if type(given.layer) is not BatchNormalization or not given.training or given.x.ndim < 3:
        return None
    words = (
        "its statistics are those of every place, over the batch alone (axis=0): take them over all axes but the last"
    )
    return words, given.with_layer(_PlaceNormalization(given.layer.spec))


def _momentum(given: Given, found: Outcome) -> tuple[str, Given] | None:
    """The momentum of the moving statistics, solved for."""
    spec: Any = given.layer.spec
    if not isinstance(spec, specs.BatchNormalization) or "moving_mean" not in found or not given.training:
        return None
    _, cache = given.layer.forward(given.params, given.state, given.x, Context(True))
    old, batch = given.state["moving_mean"], cache.mean
    if found["moving_mean"].shape != old.shape:
        return None
    momentum = float(np.vdot(old - batch, found["moving_mean"] - batch) / np.vdot(old - batch, old - batch))
    if not np.isfinite(momentum) or abs(momentum - spec.momentum) < 1e-9 or not -0.5 <= momentum <= 1.5:
        return None
    momentum = float(f"{momentum:.9g}")
    if not 0 <= momentum < 1:
        if abs(momentum - 1) > 1e-9:
            return None
        return "its moving statistics never change", given.with_layer(_Kept(given.layer.spec))
    kind = type(given.layer)
    words = f"its moving statistics keep {momentum:.6g} of the past, {spec.momentum:g} was claimed"
    if abs(momentum - np.float32(spec.momentum)) < 1e-12:
        words = f"its momentum is {spec.momentum:g} rounded to float32, {momentum:.12g}"
    elif abs(momentum - (1 - spec.momentum)) < 1e-9:
        words = (
            f"its momentum is the other way round, as PyTorch's: the moving statistics keep {momentum:.6g} of the past "
            f"and take {1 - momentum:.6g} of the batch"
        )
    return words, given.with_layer(kind(replace(spec, momentum=momentum)))


class _Kept(BatchNormalization):
    def next_state(self, state: Variables, cache: Any) -> Variables:
        return state


class _UnbiasedMoving(BatchNormalization):
    """The batch's variance goes into the moving one times n / (n - 1), as in PyTorch and in Keras' fused kernel."""

    def next_state(self, state: Variables, cache: Any) -> Variables:
        count = len(cache.normalized)
        return super().next_state(state, cache._replace(variance=cache.variance * count / max(count - 1, 1)))


class _Unbiased(UnbiasedBatchNormalization):
    """Normalizes by the unbiased variance, with the textbook's backward or a biased moving variance beside it."""

    def __init__(self, spec: Any, textbook: bool, biased_moving: bool) -> None:
        super().__init__(spec)
        object.__setattr__(self, "_own", (textbook, biased_moving))

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        textbook, _ = self._own  # type: ignore[attr-defined]
        return (BatchNormalization if textbook else UnbiasedBatchNormalization).backward(
            self, params, cache, dy, need_dx
        )

    def next_state(self, state: Variables, cache: Any) -> Variables:
        _, biased = self._own  # type: ignore[attr-defined]
        count = len(cache.normalized)
        share = (count - 1) / count if biased else 1.0
        return super().next_state(state, cache._replace(variance=cache.variance * share))


def _unbiased(textbook: bool, biased_moving: bool) -> Change:
    words = "it divides by the unbiased variance of the batch, n - 1 (ddof=1), where Keras takes n"
    if biased_moving:
        words += "; its moving variance is the biased one, as Keras'"

    def change(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if type(given.layer) is not BatchNormalization or not given.training or given.x.size == given.x.shape[-1]:
            return None
        return words, given.with_layer(_Unbiased(given.layer.spec, textbook, biased_moving))

    return change


class _DeviationMoving(BatchNormalization):
    def next_state(self, state: Variables, cache: Any) -> Variables:
        return super().next_state(state, cache._replace(variance=np.sqrt(cache.variance)))


def _moving(kind: type[BatchNormalization], words: str) -> Change:
    def change(given: Given, found: Outcome) -> tuple[str, Given] | None:
        if type(given.layer) is not BatchNormalization or not given.training:
            return None
        return words, given.with_layer(kind(given.layer.spec))

    return change


def _normalization(mean: float, variance: float, gamma: bool = True, count: float = 1.0) -> Back:
    """dx = inverse gamma (dy - mean share - variance share), parts of it left out or scaled."""

    def back(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
        _, own = cache
        _, grads = inner.backward(params, own, dy)
        rows = dy.reshape(own.normalized.shape)
        dbeta, dgamma = rows.sum(axis=0), (rows * own.normalized).sum(axis=0)
        scale = own.inverse * (params.get("gamma", 1.0) if gamma else 1.0)
        share = (mean * dbeta + variance * own.normalized * dgamma) / len(rows) * count
        return (scale * (rows - share)).reshape(dy.shape), grads

    return back


def _gamma_of(what: str) -> Back:
    def back(inner: Layer, params: Variables, cache: Any, dy: Array) -> tuple[Array | None, Grads]:
        x, own = cache
        dx, grads = inner.backward(params, own, dy)
        rows, values = dy.reshape(own.normalized.shape), x.reshape(own.normalized.shape)
        values = values - own.mean if what == "centred" else values
        if what == "output":
            values = own.normalized * params.get("gamma", 1.0) + params.get("beta", 0.0)
        return dx, {**grads, "gamma": (rows * values).sum(axis=0)} if "gamma" in grads else grads

    return back


_BN = (specs.BatchNormalization,)

SLIPS: tuple[Change, ...] = (
    _epsilon,
    _variance_for_root,
    _over_examples,
    _over_places,
    _momentum,
    _unbiased(True, False),
    _unbiased(True, True),
    _unbiased(False, True),
    _moving(_UnbiasedMoving, "the moving variance takes the unbiased variance, n - 1, as PyTorch's"),
    _moving(_DeviationMoving, "the moving variance takes the standard deviation"),
    _moving(_Kept, "its moving statistics never change"),
    behind("backward lacks the share of the mean", _BN, _normalization(0, 1)),
    behind("backward lacks the share of the variance", _BN, _normalization(1, 0)),
    behind("backward treats mean and variance as constants", _BN, _normalization(0, 0)),
    behind("backward lacks gamma", _BN, _normalization(1, 1, gamma=False)),
    behind("backward has the share of the variance twice", _BN, _normalization(1, 2)),
    behind("backward has half of the share of the variance", _BN, _normalization(1, 0.5)),
    behind("backward has the share of the variance with the other sign", _BN, _normalization(1, -1)),
    behind("the gradient of gamma takes x in place of the normalized x", _BN, _gamma_of("input")),
    behind("the gradient of gamma takes x - mean in place of the normalized x", _BN, _gamma_of("centred")),
    behind("the gradient of gamma takes y in place of the normalized x", _BN, _gamma_of("output")),
)
"""Tried in this order."""
