"""What a converted file keeps of its certificate: a few inputs, what they have to give, and the bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bridge.judge.bounds import Expected
from bridge.judge.tensor import bound
from core_numpy import NumpyModel
from core_numpy.contract import Array
from core_numpy.verification import signed_sum
from model_spec.inputs import check_inputs

KEPT = 4
"""Inputs at most."""

_SHARE, _FREE = 0.02, 1 << 15
"""Of the bytes of the weights, what the inputs may take, and how many bytes they may take in any case."""


@dataclass
class Repeatable:
    """Collects, slice by slice, what :func:`core_numpy.verification.verify` repeats.

    Attributes:
        x: the inputs that are kept, (kept, *input shape), or None where nothing is.
        rows: where they stand among all inputs.
        outputs, output_bounds: Keras' predictions for them, and how far rounding may carry another implementation.
        sums: {layer or "layer/preactivation": [(true signed sum, its bound) of each kept input]}.
    """

    x: Array | None = None
    rows: tuple[int, ...] = ()
    outputs: list[Array] = field(default_factory=list)
    output_bounds: list[Array] = field(default_factory=list)
    sums: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: NumpyModel, x: Array, slice_rows: int) -> Repeatable:
        """Choose among inputs x those that together switch on the most units: a weight shows only behind such a one."""
        weights = sum(value.nbytes for value in model.weights.values())
        fitting = int(max(_SHARE * weights, _FREE) // max(1, x[0].nbytes))
        on = np.concatenate([_switched_on(model, x[at : at + slice_rows]) for at in range(0, len(x), slice_rows)])
        rows: list[int] = []
        seen = np.zeros(on.shape[1], bool)
        for _ in range(min(len(x), max(1, min(KEPT, fitting)))):
            gains = (on & ~seen).sum(axis=1)
            gains[rows] = -1
            rows.append(int(gains.argmax()))
            seen |= on[rows[-1]]
        rows.sort()
        return cls(check_inputs(x[rows], model.spec, model.dtype), tuple(rows))

    def keep(self, expected: dict[str, Expected], mine: dict[str, Array], part: slice, dtype: str) -> None:
        """Take over what every step gives for the kept inputs in the slice ``part`` of all inputs."""
        for row in self.rows:
            if part.start <= row < part.stop:
                for name, value in expected.items():
                    at = row - part.start
                    one = _sum(value, mine[name][at], at, dtype)
                    self.sums.setdefault(name, []).append(one)

    def keep_outputs(self, theirs: Array, expected: Expected, part: slice, dtype: str) -> None:
        """Take over what Keras predicts for them."""
        for row in self.rows:
            if part.start <= row < part.stop:
                at = row - part.start
                allowed = bound(_example(expected, at), dtype).astype(np.float32)
                self.outputs.append(theirs[at])
                # Rounded up, so that no bound becomes smaller
                self.output_bounds.append(np.nextafter(allowed, np.float32(np.inf)))

    @property
    def facts(self) -> dict[str, Any]:
        """What the certificate says of it: the names of what is repeated, in the order of the sums."""
        return {} if self.x is None else {"repeated": list(self.sums)}

    @property
    def arrays(self) -> dict[str, Array]:
        """What goes into the file beside the weights; the sums are (tensors, kept inputs, [value, bound])."""
        if self.x is None:
            return {}
        return {
            "x": self.x,
            "outputs": np.stack(self.outputs),
            "output_bounds": np.stack(self.output_bounds),
            "sums": np.array(list(self.sums.values())),
        }


def _switched_on(model: NumpyModel, x: Array) -> Array:
    """Which units give something else than zero anywhere, (n, units of all layers)."""
    outputs = model.activations(x).values()
    # (n, ..., units) -> (n, units)
    return np.concatenate([(values != 0).reshape(len(x), -1, values.shape[-1]).any(axis=1) for values in outputs], 1)


def _example(expected: Expected, at: int) -> Expected:
    return Expected(expected.value[at], expected.variance[at], expected.kink[at])


def _sum(expected: Expected, mine: Array, at: int, dtype: str) -> tuple[float, float]:
    """(the true signed sum of one example, how far an implementation's may be from it)."""
    one = _example(expected, at)
    value = signed_sum(one.value)
    allowed = _of_sum(one, dtype)
    if abs(signed_sum(mine) - value) > allowed:
        # Larger than independent errors explain: errors that many positions share
        allowed = max(allowed, _of_sum(_example(expected.with_correlations(), at), dtype))
    return value, allowed


def _of_sum(expected: Expected, dtype: str) -> float:
    # Errors with random signs add up by their variances, whatever they have in common; and float64's own rounding
    own = np.abs(expected.value).sum() * np.finfo(np.float64).eps * np.log2(2 + expected.value.size)
    total = Expected(np.zeros(()), np.asarray(expected.variance.sum()), np.zeros(()))
    return float(bound(total, dtype) + own)
