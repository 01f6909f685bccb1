"""Rounding in GroupNormalization: that of a LayerNormalization of the groups, then of a product and a sum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.layers.layer_normalization import LayerNormalizationRule
from bridge.judge.repeats import ColumnGroups
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Mode, Rounding
from core_numpy.contract import Array
from core_numpy.layers.group_normalization import GroupNormalization as FromScratch
from model_spec import Activation, GroupNormalization
from model_spec.shapes import Shape, element_count


class GroupNormalizationRule:
    """y = gamma z + beta, z the normalized groups."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        of_groups = LayerNormalizationRule().forward(rounding, _of_groups(trace)).reshape(trace.x.shape)
        gamma, beta = trace.params.get("gamma", 1.0), trace.params.get("beta", 0.0)
        # Computed as x s + (beta - mean s): the parts may cancel, and each of them is rounded; those of x s and mean s
        # are among the rounding of z
        return np.square(gamma) * of_groups + 2 * rounding.unit * (np.square(trace.y) + np.square(beta))

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        layer = _layer(trace)
        scaled = _scaled(rounding, trace, cotangent)
        error = LayerNormalizationRule().backward(rounding, _of_groups(trace), scaled, layer.grouped(dx))
        variances, kinks = self._parameters(rounding, trace, cotangent)
        return BackwardError(error.variance.reshape(dx.shape), error.kink.reshape(dx.shape), variances, kinks)

    @staticmethod
    def _parameters(
        rounding: Rounding, trace: LayerTrace, cotangent: Cotangent
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
        of_groups = LayerNormalizationRule().forward(rounding, _of_groups(trace))
        # (n, ..., c) -> (rows, c)
        dy, variance, kink, normalized, of_normalized = (
            value.reshape(-1, trace.x.shape[-1])
            for value in (cotangent.value, cotangent.variance, cotangent.kink, cache.normalized, of_groups)
        )
        by_dy, by_x = ColumnGroups.of(dy), ColumnGroups.of(normalized)
        own = rounding.column_sum(dy, by_dy.drifting(dy))
        # Some implementations sum dy * x, and take mean * sum(dy) off afterwards
        scale = np.square(cache.of_groups.mean * cache.of_groups.inverse).max()
        found = {
            "beta": by_dy.carried(variance) + own,
            "gamma": by_dy.carried(variance, normalized)
            + by_x.carried(of_normalized, dy)
            + rounding.column_sum(dy * normalized, by_dy.drifting(dy))
            + 2 * scale * own,
        }
        kinks = {"beta": by_dy.carried(kink), "gamma": by_dy.carried(kink, normalized)}
        return {name: found[name] for name in trace.params}, {name: kinks[name] for name in trace.params}

    def forward_modes(self, rounding: Rounding, trace: LayerTrace) -> tuple[Mode, ...]:
        """What all values of a group share: the errors of its mean and of its deviation."""
        modes = LayerNormalizationRule().forward_modes(rounding, _of_groups(trace))
        return _group_by_group(trace, modes, np.asarray(trace.params.get("gamma", 1.0)))

    def backward_modes(
        self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array
    ) -> tuple[Mode, ...]:
        """What all values of dx in a group share: the errors of both sums, and of the deviation."""
        scaled = _scaled(rounding, trace, cotangent)
        grouped = _layer(trace).grouped(dx)
        modes = LayerNormalizationRule().backward_modes(rounding, _of_groups(trace), scaled, grouped)
        return _group_by_group(trace, modes, np.ones(1))


def _layer(trace: LayerTrace) -> FromScratch:
    layer = trace.layer
    if not isinstance(layer, FromScratch):
        raise TypeError(f"a GroupNormalization was expected, got {type(layer).__name__}")
    return layer


def _of_groups(trace: LayerTrace) -> LayerTrace:
    """The normalization of the groups in this pass."""
    layer = _layer(trace)
    x, x_variance = layer.grouped(trace.x), layer.grouped(trace.x_variance)
    inner = layer.of_groups(trace.x.ndim)
    y, _ = inner.forward({}, {}, x, trace.context)
    return replace(
        trace, layer=inner, params={}, state={}, x=x, x_variance=x_variance, y=y, y_variance=np.zeros_like(y)
    )


def _scaled(rounding: Rounding, trace: LayerTrace, cotangent: Cotangent) -> Cotangent:
    """The gradient of the normalized groups, gamma dy."""
    gamma, grouped = np.asarray(trace.params.get("gamma", 1.0)), _layer(trace).grouped
    value = cotangent.value * gamma
    variance = np.square(gamma) * cotangent.variance + rounding.unit * np.square(value)
    return Cotangent(grouped(value), grouped(variance), grouped(np.square(gamma) * cotangent.kink))


def _group_by_group(trace: LayerTrace, modes: tuple[Mode, ...], gamma: Array) -> tuple[Mode, ...]:
    """Modes of groups as modes of x, one for each group: zero in the channels of the others."""
    found = []
    for mode in modes:
        # (n, ..., groups, channels of each)
        pattern = np.broadcast_to(mode.pattern, _layer(trace).grouped(trace.x).shape)
        for group in range(pattern.shape[-2]):
            own = np.zeros_like(pattern)
            own[..., group, :] = pattern[..., group, :]
            found.append(Mode(own.reshape(trace.x.shape) * gamma, mode.variance[..., group, :]))
    return tuple(found)


def draw(some: Some, shape: Shape) -> GroupNormalization | Activation:
    """One group, some, or a group for each channel, where that leaves anything but 0, 1 and -1."""
    channels, count = shape[-1], element_count(shape)
    groups = [number for number in (1, 2, -1) if channels % number == 0 and count // (number % (channels + 1)) > 2]
    if not groups:
        return Activation("linear")
    return GroupNormalization(
        some.of(groups),
        some.of((1e-3, 1e-2)),
        center=not some.rarely(),
        scale=not some.rarely(),
        trainable=not some.rarely(),
    )
