"""Rounding in BatchNormalization: statistics of the batch carry errors of every row."""

from __future__ import annotations

import numpy as np

from bridge.bounds.repeats import ColumnGroups
from bridge.bounds.rounding import PLAIN_BLOCK, Cotangent, Pulled, Rounding, Site
from core_numpy.contract import Array


class BatchNormalizationRule:
    """y = (x - mean) s + beta, s = gamma / sqrt(variance + epsilon); mean and variance perhaps of the batch."""

    def forward(self, rounding: Rounding, site: Site) -> Array:
        _, cache = site.layer.forward(site.params, site.state, site.x, site.context)
        normalized, inverse, mean, _, of_batch = cache
        gamma = site.params.get("gamma", np.ones_like(inverse))
        scale = inverse * gamma
        # (n, ..., c) -> (rows, c)
        x, variance, y = (value.reshape(normalized.shape) for value in (site.x, site.x_variance, site.y))
        carried = np.square(scale) * variance
        # Computed as x s + (beta - mean s): the parts may cancel, and each of them is rounded
        local = 4 * np.square(x * scale) + 4 * np.square(mean * scale) + 2 * np.square(y)
        # The root and its argument
        local = local + 8 * np.square(normalized * gamma) + np.square(site.params.get("beta", 0.0))
        if of_batch:
            groups = ColumnGroups.of(x)
            carried = carried + np.square(scale) * self._mean_variance(rounding, groups, x, variance)
            relative = self._deviation_variance(rounding, groups, x - mean, variance, inverse)
            carried = carried + np.square(normalized * gamma) * relative
        return (carried + rounding.unit * local).reshape(site.x.shape)

    @staticmethod
    def _mean_variance(rounding: Rounding, groups: ColumnGroups, x: Array, variance: Array) -> Array:
        count = len(x)
        squares = np.square(x).sum(axis=0)
        collected = rounding.sum_of(squares, x.sum(axis=0), count, PLAIN_BLOCK, groups.largest)
        return (groups.carried(variance) + collected) / count**2

    @staticmethod
    def _deviation_variance(
        rounding: Rounding, groups: ColumnGroups, centred: Array, variance: Array, inverse: Array
    ) -> Array:
        """Relative variance of sqrt(var + epsilon): a fourth of that of its square."""
        count = len(centred)
        carried = groups.carried(variance, 2 * centred)
        squares = np.square(centred)
        collected = rounding.sum_of((squares**2).sum(axis=0), squares.sum(axis=0), count, PLAIN_BLOCK, groups.largest)
        return (carried + collected) / count**2 * inverse**4 / 4

    def backward(self, rounding: Rounding, site: Site, cotangent: Cotangent, dx: Array) -> Pulled:
        _, cache = site.layer.forward(site.params, site.state, site.x, site.context)
        normalized, inverse, mean, _, of_batch = cache
        count = len(normalized)
        gamma = site.params.get("gamma", np.ones_like(inverse))
        squared_scale = np.square(inverse * gamma)
        # (n, ..., c) -> (rows, c)
        dy, variance, kink, y_variance, x_variance = (
            value.reshape(normalized.shape)
            for value in (cotangent.value, cotangent.variance, cotangent.kink, site.y_variance, site.x_variance)
        )
        normalized_variance = y_variance / np.square(gamma) + rounding.unit * np.square(mean * inverse)
        # sum(dy) and sum(dy * normalized): the gradients of beta and gamma, and in training parts of dx
        sums = {"beta": dy.sum(axis=0), "gamma": (dy * normalized).sum(axis=0)}
        of_dy, of_x = ColumnGroups.of(dy), ColumnGroups.of(normalized)
        carried_sums = {
            "beta": of_dy.carried(variance),
            "gamma": of_dy.carried(variance, normalized) + of_x.carried(normalized_variance, dy),
        }
        equal = {"beta": of_dy.largest, "gamma": np.minimum(of_dy.largest, of_x.largest)}
        squares = {"beta": np.square(dy).sum(axis=0), "gamma": np.square(dy * normalized).sum(axis=0)}
        # Some implementations sum dy * x before they centre it
        squares["gamma"] = squares["gamma"] + squares["beta"] * np.square(mean * inverse)
        sum_variances = {
            name: carried_sums[name] + rounding.sum_of(squares[name], sums[name], count, PLAIN_BLOCK, equal[name])
            for name in sums
        }
        sum_kinks = {"beta": of_dy.carried(kink), "gamma": of_dy.carried(kink, normalized)}
        carried, carried_kink, local = squared_scale * variance, squared_scale * kink, 4 * np.square(dy)
        if of_batch:
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
            relative = self._deviation_variance(rounding, of_x, normalized / inverse, x_variance, inverse)
            carried = carried + np.square(dx.reshape(normalized.shape)) * relative
        return Pulled(
            (carried + rounding.unit * squared_scale * local).reshape(dx.shape),
            carried_kink.reshape(dx.shape),
            {name: sum_variances[name] for name in site.params},
            {name: sum_kinks[name] for name in site.params},
        )
