"""ReLU from scratch: a slope up to a threshold, x itself beyond it, and a constant from a largest value on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class ReLUCache(NamedTuple):
    """Where the gradient passes as it is, and where times the slope."""

    passing: Array
    damped: Array


class ReLU(Layer):
    """``min(x, max_value)`` where x > threshold, else ``slope * (x - threshold)``.

    Source: keras/src/activations/activations.py, which makes float32 numbers of max_value and of the threshold that x
    is compared with, in float64 networks too.
    At max_value the gradient passes, but for a max_value of 6 without a threshold, which is TensorFlow's own operation.
    At the threshold it does not pass; a slope alone is TensorFlow's leaky ReLU, whose gradient at 0 is the slope.
    """

    spec: specs.ReLU

    @property
    def is_leaky(self) -> bool:
        """True where Keras takes TensorFlow's leaky ReLU."""
        return self.spec.negative_slope != 0 and self.spec.max_value is None and self.spec.threshold == 0

    def kept(self, value: float, dtype: np.dtype) -> Any:
        """A constant as Keras keeps it: rounded to float32, in float64 networks too."""
        return dtype.type(np.float32(value))

    def slope(self, dtype: np.dtype) -> Any:
        """The slope, which TensorFlow's leaky ReLU keeps as a float32 attribute in float64 networks too."""
        slope = self.spec.negative_slope
        return self.kept(slope, dtype) if self.is_leaky else dtype.type(slope)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        kind, largest = x.dtype.type, self.spec.max_value
        exact, threshold = kind(self.spec.threshold), self.kept(self.spec.threshold, x.dtype)
        passing = x > threshold
        y = np.where(passing, x, kind(0)) if threshold else np.maximum(x, 0)
        if largest is not None:
            limit = self.kept(largest, x.dtype)
            y = np.minimum(y, limit)
            passing &= x < limit if largest == 6 and not threshold else x <= limit
        if self.spec.negative_slope:
            y = y - self.slope(x.dtype) * np.maximum(exact - x, 0)
        return y, ReLUCache(passing, x <= exact if self.is_leaky else x < exact)

    def backward(
        self, params: Variables, cache: ReLUCache, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        return np.where(cache.passing, dy, np.where(cache.damped, self.slope(dy.dtype) * dy, dy.dtype.type(0))), {}
