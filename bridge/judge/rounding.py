"""The rounding model: how large the error of a correct implementation may be.

Every rounded operation adds an independent error of relative variance u**2 / 3 (u = 2**-24 in float32, 2**-53 in
float64: uniform within half a unit in the last place). Errors already there go on through the derivative of each
layer. A sum collects, besides the rounding of each term, that of its partial sums s_k: u**2 / 3 * sum(s_k**2). Where
the terms are few, the order is any: over random orders of K terms t with the sum s this is about

    u**2 / 3 * (sum(t**2) * (1 + K'/6) + s**2 * (1 + K'/3)),    K' = min(K, 384)

(384: so many products OpenBLAS adds up in registers before it adds them to the result; the cells of a window get 1024),
the first part from terms that cancel, the second from terms of one sign. Sums over the positions of a whole batch
(gradients of kernels and biases, statistics) go through partial sums that may be far larger than what is left in the
end; these are computed, in the order of the batch (:meth:`Rounding.running_sum`). All values are those of a float64
run. Variances are carried, not worst cases: a worst case explodes with depth and would prove nothing.

The tolerance of one value is ``SAFETY * sqrt(variance)``, and ``SAFETY * sqrt(2 * variance)`` for the difference of
two implementations, each of which rounds in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.build import Step

UNIT_ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}

UNDERFLOW = {"float32": 2.0**-126, "float64": 1e-150}
"""Smaller numbers may be flushed to zero; in float64 it is the variances, being squares, that reach no further down."""

PRODUCT_BLOCK, PLAIN_BLOCK = 384, 1024
"""Terms a matrix product, or a sum over a window, adds up in one go before it adds up the partial sums."""

SAFETY = 8.0
"""The model's one constant: how many standard deviations an error may reach."""

KINK_SAFETY = 4.0
"""How many root-sum-squares of switched subgradients a TIE may explain: only a handful of kinks switch at once."""


@dataclass(frozen=True)
class Rounding:
    """The judged implementations' arithmetic.

    Attributes:
        unit_roundoff: half the distance from 1 to the next number.
        underflow: the largest number that may be flushed to zero.
        by_tiles: whether one of them takes the gradients of convolutions by Winograd's tiles.
        by_moments: whether one of them takes a variance as the mean of squares less the square of the mean.
    """

    unit_roundoff: float
    underflow: float = 0.0
    by_tiles: bool = False
    by_moments: bool = False

    @classmethod
    def of(cls, dtype: str, by_tiles: bool = False) -> Rounding:
        """The arithmetic of "float32" or "float64"."""
        return cls(UNIT_ROUNDOFF[dtype], UNDERFLOW[dtype], by_tiles)

    @property
    def floor(self) -> float:
        """Variance of what any operation may lose to underflow."""
        return self.underflow**2

    @property
    def unit(self) -> float:
        """Relative variance of one rounding, u**2 / 3."""
        return self.unit_roundoff**2 / 3

    def sum_of(self, squares: Array, total: Array, length: int, block: int = PRODUCT_BLOCK) -> Array:
        """Variance a sum of ``length`` terms collects: ``squares`` = sum(t**2), ``total`` = sum(t)."""
        partial = min(length, block)
        return self.unit * (squares * (1 + partial / 6) + np.square(total) * (1 + partial / 3))

    def running_sum(self, squares: Array, reached: Array, drifting: Array | float) -> Array:
        """Variance a sum of many terms collects when it is added term after term, in one go.

        So TensorFlow's filter gradient is summed, over all positions of the batch. ``squares`` = sum(t**2);
        ``reached`` = mean square of the partial sums; ``drifting`` = sum of n**2 over the groups of n equal terms,
        which is the number of terms where all are different.
        """
        return self.unit * (squares + drifting * reached)

    def column_sum(self, terms: Array, drifting: Array) -> Array:
        """:meth:`running_sum` down each column of terms, (rows, columns) -> (columns,)."""
        return self.running_sum(np.square(terms).sum(axis=0), partial_sums(terms), drifting)

    def moments(self, x: Array, drifting: Array) -> Array | float:
        """Variance of what E(x^2) - E(x)^2 rounds down each column, beyond the sum of centred squares; 0 if not used.

        Both means are rounded sums and quotients, of terms that are far larger than what is left of them; the error of
        the mean m goes into m^2 as 2 m, and the square and the difference are rounded.
        """
        if not self.by_moments:
            return 0.0
        mean, of_squares = x.mean(axis=0), np.square(x).mean(axis=0)
        left = self.column_sum(np.square(x), drifting) / len(x) ** 2 + self.unit * np.square(of_squares)
        right = 4 * np.square(mean) * (self.column_sum(x, drifting) / len(x) ** 2 + self.unit * np.square(mean))
        return np.asarray(left + right + self.unit * (mean**4 + np.square(of_squares - np.square(mean))))

    def function(self, y: Array) -> Array:
        """Variance of a library function (exp, tanh, ...) whose result is within about two units of y's last place."""
        return 12 * self.unit * np.square(y)

    def uncertain(self, distance: Array, variance: Array) -> Array:
        """True where rounding may carry a value across a kink that is ``distance`` away, or where it stands on it."""
        return np.abs(distance) <= SAFETY * np.sqrt(2 * variance)


@dataclass(frozen=True)
class LayerTrace:
    """One layer in one forward pass: float64 values, and variances of the error a correct implementation has there.

    ``x`` and ``x_variance`` of a merge are tuples with an array for each input. ``shares_errors`` is True where two of
    these inputs depend on one tensor that has an error.
    """

    layer: Layer
    params: Variables
    state: Variables
    context: Context
    x: Array
    x_variance: Array
    y: Array
    y_variance: Array
    shares_errors: bool = False

    @property
    def exact(self) -> LayerTrace:
        """The same, its input and output taken as exact."""
        return replace(self, x_variance=zeros_like(self.x), y_variance=np.zeros_like(self.y))

    def run(self, x: Array, params: Variables | None = None) -> Array:
        """The layer's output for another input (and other parameters)."""
        return self.layer.forward(self.params if params is None else params, self.state, x, self.context)[0]

    def pull(self, dy: Array) -> Array:
        """The layer's dx for another cotangent."""
        _, cache = self.layer.forward(self.params, self.state, self.x, self.context)
        dx, _ = self.layer.backward(self.params, cache, dy)
        return np.asarray(dx)


def zeros_like(x: Any) -> Any:
    """Zeros of the shape of an array, or of each array of a tuple."""
    return tuple(np.zeros_like(part) for part in x) if isinstance(x, tuple) else np.zeros_like(x)


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

    @classmethod
    def given(cls, value: Array) -> Cotangent:
        """A gradient without an error."""
        return cls(value, np.zeros_like(value), np.zeros_like(value))

    def plus(self, other: Cotangent, rounding: Rounding) -> Cotangent:
        """The sum of the gradients that two readers of one tensor give it.

        Both come from one error at the end of the network, so deviations add up in absolute value; the sum is rounded.
        """
        value = self.value + other.value
        variance = np.square(np.sqrt(self.variance) + np.sqrt(other.variance)) + rounding.unit * np.square(value)
        return Cotangent(value, variance, np.square(np.sqrt(self.kink) + np.sqrt(other.kink)))


@dataclass(frozen=True)
class BackwardError:
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

    def cotangents(self, step: Step, dx: Any, floor: float = 0.0) -> list[Cotangent]:
        """What goes on to each source of a step."""
        parts = (step.parts(np.asarray(of) if not step.merges else of) for of in (dx, self.variance, self.kink))
        return [
            Cotangent(np.asarray(value), variance + floor, kink) for value, variance, kink in zip(*parts, strict=True)
        ]


@dataclass(frozen=True)
class Mode:
    """One error that many values share: ``pattern * error``, the error with this variance.

    ``pattern`` and ``variance`` broadcast to the tensor's shape; the variance's shape says how many errors there are.
    """

    pattern: Array
    variance: Array


def partial_sums(terms: Array) -> Array:
    """Mean square of the partial sums down each column; on the way they may reach far more than is left in the end."""
    return np.asarray(np.square(np.cumsum(terms, axis=0)).mean(axis=0))


class Rule(Protocol):
    """How one kind of layer carries and adds error."""

    def forward(self, rounding: Rounding, trace: LayerTrace) -> Array:
        """Variance of the error of y (``trace.y_variance`` is not known yet)."""

    def backward(self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Any) -> BackwardError:
        """Error of dx and of the parameter gradients, from the cotangent of y; of a merge, dx is a tuple."""


@runtime_checkable
class SharingRule(Rule, Protocol):
    """A rule of a layer whose values share errors: those of a mean or a deviation that all of them are taken by."""

    def forward_modes(self, rounding: Rounding, trace: LayerTrace) -> tuple[Mode, ...]:
        """The errors that values of y share."""

    def backward_modes(
        self, rounding: Rounding, trace: LayerTrace, cotangent: Cotangent, dx: Array
    ) -> tuple[Mode, ...]:
        """The errors that values of dx share."""
