"""What a converted file keeps of its certificate: a few inputs, what Keras gave for them, and the bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bridge.bounds import Expected
from bridge.verdict import bound
from core_numpy import NumpyModel
from core_numpy.verification import PREDICTION
from model_spec.inputs import check_inputs

Array = np.ndarray

KEPT = 4
"""Inputs at most."""

_SHARE, _FREE = 0.02, 1 << 14
"""Of the bytes of the weights, what the inputs may take, and how many bytes they may take in any case."""

_PLACES = 32
"""Values of every layer that are looked at."""


@dataclass
class Repeatable:
    """Collects, slice by slice, what :func:`core_numpy.verification.verify` repeats.

    Attributes:
        x: the inputs that are kept, (kept, *input shape), or None where nothing is.
        rows: where they stand among all inputs.
        outputs, output_bounds: Keras' predictions for them, and how far rounding may carry another implementation.
        spots: {layer: (places in the flat outputs for all of x, Keras' values there, bounds)}.
    """

    x: Array | None = None
    rows: tuple[int, ...] = ()
    outputs: list[Array] = field(default_factory=list)
    output_bounds: list[Array] = field(default_factory=list)
    spots: dict[str, list[tuple[Array, Array, Array]]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: NumpyModel, x: Array) -> Repeatable:
        """For inputs x, from first to last: those drawn in different ways lie behind each other."""
        weights = sum(value.nbytes for value in model.weights.values())
        fitting = int(max(_SHARE * weights, _FREE) // max(1, x[0].nbytes))
        count = min(len(x), max(1, min(KEPT, fitting)))
        rows = np.unique(np.linspace(0, len(x) - 1, count).astype(int))
        return cls(check_inputs(x[rows], model.spec, model.dtype), tuple(int(row) for row in rows))

    def keep(self, tensor: str, mine: Array, other: Array, expected: Expected, part: slice) -> None:
        """Take over what belongs to the kept inputs in the slice ``part`` of all inputs."""
        for place, row in enumerate(self.rows):
            if part.start <= row < part.stop:
                at = row - part.start
                self._keep_one(tensor, place, mine[at], other[at], _of_example(expected, at, mine[at], other[at]))

    def _keep_one(self, tensor: str, place: int, mine: Array, other: Array, expected: Expected) -> None:
        bounds = bound(expected, str(mine.dtype))
        if tensor == PREDICTION:
            self.outputs.append(other)
            # Rounded up, so that no bound becomes smaller
            self.output_bounds.append(np.nextafter(bounds.astype(np.float32), np.float32(np.inf)))
            return
        flat = np.flatnonzero(expected.value)
        flat = flat if flat.size else np.arange(expected.value.size)
        picked = np.random.default_rng(place).permutation(flat)[: max(1, _PLACES // len(self.rows))]
        self.spots.setdefault(tensor, []).append(
            (
                picked + place * expected.value.size,
                other.reshape(-1)[picked],
                np.nextafter(bounds.reshape(-1)[picked].astype(np.float32), np.float32(np.inf)),
            )
        )

    @property
    def facts(self) -> dict[str, Any]:
        """What the certificate says of it: how many values of each layer are looked at."""
        if self.x is None:
            return {}
        return {"looked_at": {name: sum(len(one[0]) for one in spots) for name, spots in self.spots.items()}}

    @property
    def arrays(self) -> dict[str, Array]:
        """What goes into the file beside the weights."""
        if self.x is None:
            return {}
        places, values, bounds = zip(*(one for spots in self.spots.values() for one in spots), strict=True)
        return {
            "x": self.x,
            "outputs": np.stack(self.outputs),
            "output_bounds": np.stack(self.output_bounds),
            "places": np.concatenate(places),
            "values": np.concatenate(values),
            "bounds": np.concatenate(bounds),
        }


def _of_example(expected: Expected, at: int, mine: Array, other: Array) -> Expected:
    """The expectation for one example, with correlations only where its difference needs them."""
    one = Expected(expected.value[at], expected.variance[at], expected.kink[at])
    if expected.correlated is None or (np.abs(mine.astype(np.float64) - other) <= bound(one, str(mine.dtype))).all():
        return one
    wider = expected.with_correlations()
    return Expected(wider.value[at], wider.variance[at], wider.kink[at])
