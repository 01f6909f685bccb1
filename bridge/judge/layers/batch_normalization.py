"""Rounding in BatchNormalization: statistics of the batch carry errors of every row."""

from __future__ import annotations

import numpy as np

from bridge.judge.layers.form import Some
from bridge.judge.repeats import ColumnGroups
from bridge.judge.rounding import BackwardError, Cotangent, LayerTrace, Mode, Rounding
from core_numpy.contract import Array
from model_spec import BatchNormalization
from model_spec.shapes import Shape


class BatchNormalizationRule:
    """y = (x - mean) s + beta, s = gamma / sqrt(variance + epsilon); mean and variance perhaps of the batch."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
        normalized, inverse, mean = cache.normalized, cache.inverse, cache.mean
        gamma = trace.params.get("gamma", np.ones_like(inverse))
        scale = inverse * gamma
        # (n, ..., c) -> (rows, c)
        x, variance, y = (value.reshape(normalized.shape) for value in (trace.x, trace.x_variance, trace.y))
        carried = np.square(scale) * variance
        # Computed as x s + (beta - mean s): the parts may cancel, and each of them is rounded
        local = 4 * np.square(x * scale) + 4 * np.square(mean * scale) + 2 * np.square(y)
        # The root and its argument
        local = local + 8 * np.square(normalized * gamma) + np.square(trace.params.get("beta", 0.0))
        if cache.uses_batch:
            groups = ColumnGroups.of(x)
            carried = carried + np.square(scale) * self._mean_variance(rounding, groups, x, variance)
            relative = self._deviation_variance(rounding, groups, x - mean, variance, inverse, mean)
            carried = carried + np.square(normalized * gamma) * relative
        return (carried + rounding.unit * local).reshape(trace.x.shape)

    @staticmethod
    def _mean_variance(rounding: Rounding, groups: ColumnGroups, x: Array, variance: Array) -> Array:
        collected = rounding.column_sum(x, groups.drifting(x))
        return (groups.carried(variance) + collected) / len(x) ** 2

    @staticmethod
    def _deviation_variance(
        rounding: Rounding, groups: ColumnGroups, centred: Array, variance: Array, inverse: Array, mean: Array
    ) -> Array:
        """Relative variance of sqrt(var + epsilon): a fourth of that of its square."""
        count = len(centred)
        carried = groups.carried(variance, 2 * centred)
        collected = rounding.column_sum(np.square(centred), groups.drifting(centred))
        own = (carried + collected) / count**2 + rounding.moments(centred + mean, groups.drifting(centred))
        return own * inverse**4 / 4

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array) -> BackwardError:
        _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
        normalized, inverse, mean = cache.normalized, cache.inverse, cache.mean
        count = len(normalized)
        gamma = trace.params.get("gamma", np.ones_like(inverse))
        squared_scale = np.square(inverse * gamma)
        # (n, ..., c) -> (rows, c)
        dy, variance, kink, y_variance, x_variance = (
            value.reshape(normalized.shape)
            for value in (cotangent.value, cotangent.variance, cotangent.kink, trace.y_variance, trace.x_variance)
        )
        normalized_variance = y_variance / np.square(gamma) + rounding.unit * np.square(mean * inverse)
        of_dy, of_x = ColumnGroups.of(dy), ColumnGroups.of(normalized)
        sums, sum_variances = self._sums(rounding, trace, cotangent)
        sum_kinks = {"beta": of_dy.carried(kink), "gamma": of_dy.carried(kink, normalized)}
        carried, carried_kink, local = squared_scale * variance, squared_scale * kink, 4 * np.square(dy)
        if cache.uses_batch:
            # dx = s (dy - (sum(dy) + normalized sum(dy normalized)) / count)
            carried = carried + squared_scale / count**2 * (
                sum_variances["beta"]
                + np.square(normalized) * sum_variances["gamma"]
                + normalized_variance * np.square(sums["gamma"])
            )
            carried_kink = carried_kink + squared_scale / count**2 * (
                sum_kinks["beta"] + np.square(normalized) * sum_kinks["gamma"]
            )
            local = local + 4 * (np.square(sums["beta"]) + np.square(normalized * sums["gamma"])) / count**2
            relative = self._deviation_variance(rounding, of_x, normalized / inverse, x_variance, inverse, mean)
            carried = carried + np.square(dx.reshape(normalized.shape)) * relative
        return BackwardError(
            (carried + rounding.unit * squared_scale * local).reshape(dx.shape),
            carried_kink.reshape(dx.shape),
            {name: sum_variances[name] for name in trace.params},
            {name: sum_kinks[name] for name in trace.params},
        )

    def _sums(
        self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Values and variances of sum(dy) and sum(dy * normalized), per channel.

        They are the gradients of beta and gamma, and in training parts of dx.
        """
        _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
        normalized, inverse, mean = cache.normalized, cache.inverse, cache.mean
        gamma = trace.params.get("gamma", np.ones_like(inverse))
        # (n, ..., c) -> (rows, c)
        dy, variance, y_variance, x, x_variance = (
            value.reshape(normalized.shape)
            for value in (cotangent.value, cotangent.variance, trace.y_variance, trace.x, trace.x_variance)
        )
        normalized_variance = y_variance / np.square(gamma) + rounding.unit * np.square(mean * inverse)
        sums = {"beta": dy.sum(axis=0), "gamma": (dy * normalized).sum(axis=0)}
        of_dy, of_x = ColumnGroups.of(dy), ColumnGroups.of(normalized)
        carried = {
            "beta": of_dy.carried(variance),
            "gamma": of_dy.carried(variance, normalized) + of_x.carried(normalized_variance, dy),
        }
        if cache.uses_batch:
            # Every row has the same error of the mean and of the deviation
            of_mean = self._mean_variance(rounding, of_x, x, x_variance)
            relative = self._deviation_variance(rounding, of_x, x - mean, x_variance, inverse, mean)
            carried["gamma"] += np.square(sums["beta"] * inverse) * of_mean + np.square(sums["gamma"]) * relative
        drifting = of_dy.drifting(dy)
        own = {
            "beta": rounding.column_sum(dy, drifting),
            "gamma": rounding.column_sum(dy * normalized, np.minimum(drifting, of_x.drifting(normalized))),
        }
        # Some implementations sum dy * x, and take mean * sum(dy) off afterwards
        own["gamma"] += 2 * np.square(mean * inverse) * own["beta"]
        return sums, {name: carried[name] + own[name] for name in sums}

    def forward_modes(self, rounding: Rounding, trace: LayerTrace) -> tuple[Mode, ...]:
        """What all rows of a channel share: the errors of its mean and of its deviation."""
        _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
        normalized, inverse, mean = cache.normalized, cache.inverse, cache.mean
        if not cache.uses_batch:
            return ()
        gamma = trace.params.get("gamma", np.ones_like(inverse))
        x, variance = trace.x.reshape(normalized.shape), trace.x_variance.reshape(normalized.shape)
        groups = ColumnGroups.of(x)
        return (
            Mode(inverse * gamma, self._mean_variance(rounding, groups, x, variance)),
            Mode(
                (normalized * gamma).reshape(trace.x.shape),
                self._deviation_variance(rounding, groups, x - mean, variance, inverse, mean),
            ),
        )

    def backward_modes(
        self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array
    ) -> tuple[Mode, ...]:
        """What all rows of dx share: the errors of both sums, and of the deviation."""
        _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
        normalized, inverse, mean = cache.normalized, cache.inverse, cache.mean
        if not cache.uses_batch:
            return ()
        count = len(normalized)
        scale = inverse * trace.params.get("gamma", np.ones_like(inverse))
        x, variance = trace.x.reshape(normalized.shape), trace.x_variance.reshape(normalized.shape)
        _, sum_variances = self._sums(rounding, trace, cotangent)
        relative = self._deviation_variance(rounding, ColumnGroups.of(x), x - mean, variance, inverse, mean)
        return (
            Mode(scale / count, sum_variances["beta"]),
            Mode((scale * normalized / count).reshape(dx.shape), sum_variances["gamma"]),
            Mode(dx, relative),
        )


def draw(some: Some, shape: Shape) -> BatchNormalization:
    """With or without scale and center, frozen now and then."""
    return BatchNormalization(
        epsilon=some.of((1e-3, 1e-5)),
        center=not some.rarely(),
        scale=not some.rarely(),
        trainable=not some.rarely(),
    )
