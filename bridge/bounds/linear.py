"""Rounding in Dense and Conv2D: the layer itself, run on squares, adds up the squares of its products."""

from __future__ import annotations

import numpy as np

from bridge.bounds.rounding import PLAIN_BLOCK, PRODUCT_BLOCK, Cotangent, Pulled, Rounding, Site
from core_numpy.contract import Array


class LinearRule:
    """y = sum(x k) + bias."""

    def forward(self, rounding: Rounding, site: Site) -> Array:
        kernel = site.params["kernel"]
        squared = {"kernel": np.square(kernel)}
        has_bias = "bias" in site.params
        total = site.y - site.params["bias"] if has_bias else site.y
        # var(y) = sum(var(x) k**2) + what the sum of products collects + the rounding of adding the bias
        carried = site.run(site.x_variance, squared)
        squares = site.run(np.square(site.x), squared)
        added = rounding.unit * np.square(site.y) if has_bias else 0.0
        return carried + rounding.sum_of(squares, total, kernel.size // kernel.shape[-1]) + added

    def backward(self, rounding: Rounding, site: Site, cotangent: Cotangent, dx: Array) -> Pulled:
        layer, kernel, dy = site.layer, site.params["kernel"], cotangent.value
        squared = {name: np.square(value) for name, value in site.params.items()}
        _, cache = layer.forward(site.params, site.state, site.x, site.context)
        _, of_squares = layer.forward(squared, site.state, np.square(site.x), site.context)
        _, of_variance = layer.forward(squared, site.state, site.x_variance, site.context)
        # With every factor squared, backward gives sum(k**2 v) for x, sum(x**2 v) for the kernel, sum(v) for the bias
        carried_dx, carried = layer.backward(squared, of_squares, cotangent.variance)
        squares_dx, squares = layer.backward(squared, of_squares, np.square(dy))
        if cotangent.kink.any():
            kink_dx, kinks = layer.backward(squared, of_squares, cotangent.kink)
        else:
            kink_dx, kinks = np.zeros_like(dx), {name: np.zeros_like(value) for name, value in carried.items()}
        _, from_x = layer.backward(squared, of_variance, np.square(dy), need_dx=False)
        _, totals = layer.backward(site.params, cache, dy, need_dx=False)
        positions = dy.size // dy.shape[-1]
        blocks = {"kernel": PRODUCT_BLOCK, "bias": PLAIN_BLOCK}
        variances = {
            name: carried[name] + rounding.sum_of(squares[name], totals[name], positions, blocks[name])
            for name in site.params
        }
        variances["kernel"] = variances["kernel"] + from_x["kernel"]
        # dx sums over every filter and window cell
        local = rounding.sum_of(np.asarray(squares_dx), dx, kernel.size // kernel.shape[-2])
        return Pulled(np.asarray(carried_dx) + local, np.asarray(kink_dx), variances, kinks)
