"""Rounding in layers that move values (Reshape, Flatten, ZeroPadding2D) or scale them (Rescaling, Dropout)."""

from __future__ import annotations

import numpy as np

from bridge.judge.bounds.rounding import Cotangent, Pulled, Rounding, Site
from core_numpy.contract import Array


class MovingRule:
    """Values only move, and so do their errors."""

    def forward(self, rounding: Rounding, site: Site) -> Array:
        return site.run(site.x_variance)

    def backward(self, rounding: Rounding, site: Site, cotangent: Cotangent, dx: Array) -> Pulled:
        return Pulled(site.pull(cotangent.variance), site.pull(cotangent.kink))


class ScalingRule:
    """Each value is multiplied by a known number (Dropout: 0 or 1 / (1 - rate)), and perhaps shifted."""

    def forward(self, rounding: Rounding, site: Site) -> Array:
        factor = site.pull(np.ones_like(site.y))
        if site.y is site.x:
            return site.x_variance
        # The factor itself is rounded, and so are product and sum
        local = 2 * np.square(factor * site.x) + np.square(site.y)
        return np.square(factor) * site.x_variance + rounding.unit * local

    def backward(self, rounding: Rounding, site: Site, cotangent: Cotangent, dx: Array) -> Pulled:
        factor = np.square(site.pull(np.ones_like(site.y)))
        local = 0.0 if site.y is site.x else 2 * rounding.unit * np.square(dx)
        return Pulled(factor * cotangent.variance + local, factor * cotangent.kink)
