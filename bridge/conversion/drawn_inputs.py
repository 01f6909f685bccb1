"""Inputs a conversion is compared on where none are given: drawn until they reach every unit of the network, if any do.

A unit whose output is the same for all inputs shows nothing of its weights. Inputs of the range the network is made for
(see ``core_numpy.input_range``) come first, and beside them some of both signs: what starts at zero shows there alone.
Where both leave units unmoved, inputs of other scales and offsets are tried, each value for itself and whole examples
brighter and darker, and those that move the most more units are added.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core_numpy import NumpyModel
from core_numpy.contract import Array
from core_numpy.input_range import input_range
from model_spec import ModelSpec

SAMPLES = 64
"""Generated inputs where none are given and memory allows."""

_ADDED = 3
"""Kinds of inputs that may be added to the first."""

_TRIED_ROWS = 16

_SCALES = (1.0, 16.0, 256.0, 4096.0)


@dataclass(frozen=True)
class DrawnInputs:
    """Inputs with their origin.

    Attributes:
        x: (examples, *input shape), whole numbers where the network takes whole numbers.
        ranges: what they were drawn from, e.g. ("0..1", "-16..16, bright and dark").
    """

    x: Array
    ranges: tuple[str, ...]


@dataclass(frozen=True)
class _Kind:
    """One way of drawing: uniform in [low, high), or such values times a brightness of each example's own."""

    low: float
    high: float
    by_example: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}" + (", bright and dark" if self.by_example else "")

    def draw(self, spec: ModelSpec, random: np.random.Generator, count: int) -> Array:
        values = random.random((count, *spec.input_shape))
        if self.by_example:
            # (count, ...) * (count, 1, ...)
            values *= random.random((count,) + (1,) * len(spec.input_shape))
        values = self.low + values * (self.high - self.low)
        if spec.input_dtype in (None, "float16"):
            return values
        if spec.input_dtype == "bool":
            return np.rint(values) != 0
        reach = np.iinfo(str(spec.input_dtype))
        # Rounded, so that the largest value comes up too
        return np.clip(np.rint(values), reach.min, reach.max)


def draw(spec: ModelSpec, seed: int, count: int = SAMPLES, weights: dict[str, Array] | None = None) -> Array:
    """Inputs of the range the network is made for, (count, *input shape); whole numbers where it takes such."""
    return _first(spec, weights).draw(spec, np.random.default_rng(seed), count)


def draw_for(model: NumpyModel, seed: int, count: int, rows: int) -> DrawnInputs:
    """Inputs that move as many units of the model as those of any kind tried do.

    Args:
        model: the network.
        seed: of the inputs.
        count: how many.
        rows: how many may be computed at once.
    """
    spec, weights = model.spec, model.weights
    first = _first(spec, weights)
    kinds = [first, _Kind(-first.high, first.high)] if count > 1 and _takes_signs(spec) else [first]
    tried = min(rows, _TRIED_ROWS)
    x = _sample(first, spec, seed, max(tried, 2) if count > 1 else 1)
    start = model.activations(x[:1])
    moved = _moved(model, x, start, tried)
    for kind in kinds[1:]:
        more = _moved(model, _sample(kind, spec, seed, tried), start, tried)
        moved = [old | new for old, new in zip(moved, more, strict=True)]
    if not _all(moved):
        found = [(kind, _moved(model, _sample(kind, spec, seed, tried), start, tried)) for kind in _others(first)]
        most = min(len(kinds) + _ADDED, count)
        while len(kinds) < most:
            gains = [sum(int((new & ~old).sum()) for new, old in zip(more, moved, strict=True)) for _, more in found]
            best = int(np.argmax(gains))
            if not gains[best]:
                break
            kinds.append(found[best][0])
            moved = [old | new for old, new in zip(moved, found[best][1], strict=True)]
    # The first kind gets what does not divide
    shares = [count - count // len(kinds) * (len(kinds) - 1)] + [count // len(kinds)] * (len(kinds) - 1)
    parts = [_sample(kind, spec, seed, share) for kind, share in zip(kinds, shares, strict=True)]
    return DrawnInputs(np.concatenate(parts), tuple(str(kind) for kind in kinds))


def _takes_signs(spec: ModelSpec) -> bool:
    """Whether inputs below zero come through the cast in front of the network."""
    return spec.input_dtype in (None, "float16") or str(spec.input_dtype).startswith("int")


def unmoved_layers(model: NumpyModel, x: Array, rows: int) -> list[str]:
    """Names of the layers whose outputs are the same for all inputs x, or all zero for a single one."""
    start = model.activations(x[:1])
    still = [name for name, values in start.items() if len(x) > 1 or not values.any()]
    for at in range(0, len(x), rows):
        if not still:
            break
        moved = dict(zip(start, _moved(model, x[at : at + rows], start, rows), strict=True))
        still = [name for name in still if not moved[name].any()]
    return still


def _first(spec: ModelSpec, weights: dict[str, Array] | None) -> _Kind:
    return _Kind(0.0, input_range(spec, weights).largest)


def _sample(kind: _Kind, spec: ModelSpec, seed: int, count: int) -> Array:
    return kind.draw(spec, np.random.default_rng(seed), count)


def _others(first: _Kind) -> Iterator[_Kind]:
    yield _Kind(first.low, first.high, by_example=True)
    for scale in _SCALES:
        for low, high in ((0.0, scale), (-scale, scale), (-scale, 0.0)):
            for by_example in (False, True):
                yield _Kind(low, high, by_example)


def _moved(model: NumpyModel, x: Array, start: dict[str, Array], rows: int) -> list[Array]:
    """Of every layer: which units (entries of the last axis) differ from ``start`` anywhere in any example."""
    found: list[Array] | None = None
    for at in range(0, len(x), rows):
        outputs = model.activations(x[at : at + rows])
        now = [
            # (n, ..., units) -> (units,)
            (np.abs(outputs[name] - first) > 1e-5 * np.abs(first)).reshape(-1, first.shape[-1]).any(axis=0)
            for name, first in start.items()
        ]
        found = now if found is None else [old | new for old, new in zip(found, now, strict=True)]
    return found or []


def _all(moved: list[Array]) -> bool:
    return all(bool(units.all()) for units in moved)
