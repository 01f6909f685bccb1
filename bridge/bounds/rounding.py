"""The rounding model: how large the error of a correct implementation may be.

Every rounded operation adds an independent error of relative variance u**2 / 3 (u = 2**-24 in float32, 2**-53 in
float64: uniform within half a unit in the last place). Errors already there go on through the derivative of each
layer. A sum of K products ``s = sum(t)`` collects, besides the rounding of each product, that of its partial sums;
over random orders these add up to about

    u**2 / 3 * (sum(t**2) * (1 + K'/6) + s**2 * (1 + K'/3)),    K' = min(K, 64)

(64: linear algebra libraries sum products in blocks; plain sums, such as a bias gradient's, get 1024), the first part
from terms that cancel, the second from terms of one sign. All values are those of a float64 run. Variances are
carried, not worst cases: a worst case explodes with depth and would prove nothing.

The tolerance of one value is ``SAFETY * sqrt(variance)``, and ``SAFETY * sqrt(2 * variance)`` for the difference of
two implementations, each of which rounds in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables

UNIT_ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}

PRODUCT_BLOCK, PLAIN_BLOCK = 64, 1024
"""Terms a matrix product, or a plain sum, adds up in one go before it adds up the partial sums."""

EQUAL_BLOCK, PRODUCT_EQUAL_BLOCK = 8192, 512
"""Equal terms that a plain sum, or a matrix product, adds up one by one; beyond, threads and blocks share the sum."""

SAFETY = 32.0
"""The model's one constant: how many standard deviations an error may reach."""

KINK_SAFETY = 4.0
"""How many root-sum-squares of switched subgradients a TIE may explain: only a handful of kinks switch at once."""


@dataclass(frozen=True)
class Rounding:
    """The judged implementations' arithmetic; ``unit_roundoff`` is half the distance from 1 to the next number."""

    unit_roundoff: float

    @property
    def unit(self) -> float:
        """Relative variance of one rounding, u**2 / 3."""
        return self.unit_roundoff**2 / 3

    def sum_of(
        self, squares: Array, total: Array, length: int, block: int = PRODUCT_BLOCK, equal: Array | float = 1
    ) -> Array:
        """Variance a sum of ``length`` terms collects: ``squares`` = sum(t**2), ``total`` = sum(t).

        ``equal`` is the largest number of terms that are equal to each other; they drift together (see ``repeats``).
        """
        partial = min(length, block)
        scattered = squares * (1 + partial / 6) + np.square(total) * (1 + partial / 3)
        # The partial sums of n equal terms reach n t, and n t**2 = squares
        drift = np.square(np.minimum(equal, EQUAL_BLOCK)) / 16 * (np.square(total) + equal * squares)
        return self.unit * (scattered + np.where(np.asarray(equal) > 1, drift, 0))

    def function(self, y: Array) -> Array:
        """Variance of a library function (exp, tanh, ...) whose result is within about two units of y's last place."""
        return 12 * self.unit * np.square(y)

    def uncertain(self, distance: Array, variance: Array) -> Array:
        """True where rounding may carry a value across a kink that is ``distance`` away."""
        return np.abs(distance) < SAFETY * np.sqrt(2 * variance)


@dataclass(frozen=True)
class Site:
    """One layer in one forward pass: float64 values, and variances of the error a correct implementation has there."""

    layer: Layer
    params: Variables
    state: Variables
    context: Context
    x: Array
    x_variance: Array
    y: Array
    y_variance: Array

    def run(self, x: Array, params: Variables | None = None) -> Array:
        """The layer's output for another input (and other parameters)."""
        return self.layer.forward(self.params if params is None else params, self.state, x, self.context)[0]

    def pull(self, dy: Array) -> Array:
        """The layer's dx for another cotangent."""
        _, cache = self.layer.forward(self.params, self.state, self.x, self.context)
        dx, _ = self.layer.backward(self.params, cache, dy)
        return np.asarray(dx)


@dataclass(frozen=True)
class Cotangent:
    """A gradient on its way back.

    Attributes:
        value: the float64 gradient.
        variance: of its rounding error.
        kink: sum of squares of what other valid subgradients, at kinks and ties behind it, could change.
    """

    value: Array
    variance: Array
    kink: Array


@dataclass(frozen=True)
class Pulled:
    """Error of a layer's dx and of its parameter gradients.

    Attributes:
        variance, kink: of dx, as in :class:`Cotangent`.
        parameter_variances, parameter_kinks: the same for each parameter gradient.
        uncertain: number of kinks and ties whose side rounding may decide.
    """

    variance: Array
    kink: Array
    parameter_variances: dict[str, Array] = field(default_factory=dict)
    parameter_kinks: dict[str, Array] = field(default_factory=dict)
    uncertain: int = 0


@dataclass(frozen=True)
class Mode:
    """One error that many values share: ``pattern * error``, the error with this variance.

    ``pattern`` and ``variance`` broadcast to the tensor's shape; the variance's shape says how many errors there are.
    """

    pattern: Array
    variance: Array


class Rule(Protocol):
    """How one kind of layer carries and adds error."""

    def forward(self, rounding: Rounding, site: Site) -> Array:
        """Variance of the error of y (``site.y_variance`` is not known yet)."""

    def backward(self, rounding: Rounding, site: Site, cotangent: Cotangent, dx: Array) -> Pulled:
        """Error of dx and of the parameter gradients, from the cotangent of y."""
