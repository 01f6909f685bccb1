"""The certificate of a conversion: every layer's output on both sides, by slices that fit in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bridge.conversion.drawn_inputs import SAMPLES, draw_for, unmoved_layers
from bridge.conversion.memory import bytes_of_one
from bridge.conversion.repeatable import Repeatable
from bridge.judge.bounds import Expected, RoundingModel, value_name
from bridge.judge.layers.convolution_by_tiles import goes_by_tiles
from bridge.judge.tensor import BUG, DIVERGED, EXACT, ROUNDING, TIE, VACUOUS, Place, Row, bound, judge
from bridge.judge.truth import truth_of
from core_numpy import NumpyModel
from core_numpy.contract import Array
from core_numpy.verification import PREDICTION
from model_spec.inputs import check_inputs, check_x
from model_spec.several import row_of_inputs, row_of_outputs
from model_spec.verdict import ShownInShort, Verdict, combine, largest, plain

MEMORY = 1 << 30
"""Bytes the truth of one slice may take."""

FEWEST = 4
"""Generated inputs of a network so large that more than these would not fit into one slice."""

_GRAVITY = (VACUOUS, EXACT, ROUNDING, TIE, DIVERGED, BUG)
"""Verdicts, from one that says nothing to the worst."""


@dataclass(frozen=True, repr=False)
class Certificate(ShownInShort):
    """What a conversion was judged by.

    Attributes:
        rows: one for each layer's output, and for the folded network's; VACUOUS where it is the same for all inputs.
        samples: number of inputs.
        drawn_from: where the inputs come from.
        facts: versions, date, names and hashes.
        weighted: names of the layers with variables: agreement that none of them has a share in proves nothing.
        unmoved: {layer: (units that are the same for all inputs, units)} where some are.
        notes: what is not kept of the source, a sentence each.
        repeatable: what a file keeps for repeating it.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> import tempfile
        >>> from pathlib import Path
        >>> from bridge import convert
        >>> from keras_models import KerasModel
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     certificate = convert(KerasModel(spec).keras_model, Path(directory) / "net.npz")
        >>> certificate.passed, [row.tensor for row in certificate.rows]
        (True, ['dense', 'prediction of the folded network'])
    """

    rows: tuple[Row, ...]
    samples: int
    drawn_from: str
    facts: dict[str, Any]
    weighted: frozenset[str] = frozenset()
    unmoved: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    repeatable: Repeatable = field(default_factory=Repeatable)

    @property
    def failing(self) -> list[Row]:
        """The rows that differ by more than rounding; those that are vacuous do not."""
        return [row for row in self.rows if not row.agrees and row.verdict != VACUOUS]

    @property
    def vacuous(self) -> list[str]:
        """Names of the outputs that were the same for all inputs, so that their agreement says nothing."""
        return [row.tensor for row in self.rows if row.verdict == VACUOUS]

    @property
    def passed(self) -> bool:
        """True where every layer agrees within rounding, and one with variables does by more than never changing."""
        return any(row.agrees and row.layer in (self.weighted or {row.layer}) for row in self.rows) and not self.failing

    @property
    def verdict(self) -> Verdict:
        """AGREE, DIFFER, or NOTHING COMPARED where no input moved any output."""
        if self.failing:
            return combine(row.conclusion for row in self.failing)
        return Verdict.AGREE if self.passed else Verdict.NOTHING_COMPARED

    @property
    def worst(self) -> Row:
        """The row with the largest error over bound."""
        return max(self.rows, key=lambda row: largest([row.error_over_bound]))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {
            "verdict": self.verdict,
            "largest_error_over_bound": plain(self.worst.error_over_bound),
            "worst_tensor": self.worst.tensor,
            "largest_error_over_scale": plain(largest(row.error_over_scale for row in self.rows)),
            "samples": self.samples,
            "drawn_from": self.drawn_from,
            "vacuous": self.vacuous,
            "unmoved_units": {name: list(units) for name, units in self.unmoved.items()},
            "not_kept": list(self.notes),
            **self.facts,
            **self.repeatable.facts,
            "layers": {
                row.tensor: {"verdict": row.verdict, "error_over_bound": plain(row.error_over_bound)}
                for row in self.rows
            },
        }

    def __str__(self) -> str:
        compared = f"{len(self.rows)} outputs compared on {self.samples} samples, {self.drawn_from}"
        if self.vacuous:
            compared += f"; VACUOUS, the same for every sample: {_listed(self.vacuous)}"
        lines = [
            f"{self.verdict}: {compared}",
            f"largest error/bound {self.worst.error_over_bound:.3g} at {self.worst.tensor} (at most 1 is rounding)",
        ]
        some = {name: units for name, units in self.unmoved.items() if name not in self.vacuous}
        if some:
            units = [f"{name} {dead} of {count}" for name, (dead, count) in some.items()]
            lines.append(f"units that no sample moves: {_listed(units)}")
        lines += [f"  {row.tensor}: {row.verdict}, error/bound {row.error_over_bound:.3g}" for row in self.failing]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _listed(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def certify(ours: NumpyModel, theirs: Any, samples: Any, seed: int, facts: dict[str, Any]) -> Certificate:
    """Compare every layer's output in inference mode, and the folded network's output, with Keras'.

    Args:
        ours: the NumPy side.
        theirs: the Keras side, with ``activations`` and ``predict``.
        samples: inputs, or None to draw some; those that leave whole layers unmoved get drawn ones beside them.
        seed: of the inputs that are drawn.
        facts: what the certificate is to say besides.
    """
    rows = slice_rows(ours)
    if samples is None:
        x, drawn_from = _drawn(ours, seed, rows)
    else:
        # Keras casts what its inputs are cast to by itself
        x, drawn_from = check_x(row_of_inputs(samples, ours.spec), ours.spec.input_shape, ours.dtype), "given"
        check_inputs(x, ours.spec, ours.dtype)
        still = unmoved_layers(ours, x, rows)
        if still:
            more, origin = _drawn(ours, seed, rows)
            x = np.concatenate([x, more])
            drawn_from = f"given, which do not move {_listed(still)}, and {len(more)} {origin}"
    comparison = _Comparison(ours, theirs, x, rows)
    for at in range(0, len(x), rows):
        comparison.compare(slice(at, at + rows))
    found, unmoved = comparison.result()
    notes = tuple(facts.pop("not_kept", ()))
    weighted = frozenset(name.partition("/")[0] for name in ours.spec.variable_shapes)
    return Certificate(tuple(found), len(x), drawn_from, facts, weighted, unmoved, notes, comparison.repeatable)


def _drawn(model: NumpyModel, seed: int, rows: int) -> tuple[Array, str]:
    """Inputs that reach the units of a network, and where they come from."""
    count = min(SAMPLES, max(FEWEST, rows))
    drawn = draw_for(model, seed, count, min(rows, count))
    origin = f"drawn with seed {seed} from {' and '.join(drawn.ranges)}"
    if count < SAMPLES:
        origin += f" (as many as a network of this size leaves memory for, not {SAMPLES})"
    return check_x(drawn.x, model.spec.input_shape, model.dtype), origin


def slice_rows(model: NumpyModel) -> int:
    """How many examples of a network can be judged at once in ``MEMORY`` bytes."""
    return max(1, MEMORY // max(1, bytes_of_one(model)))


@dataclass
class _Moving:
    """Which units of an output change from one input to another by more than rounding does."""

    first: Array
    units: Array

    @classmethod
    def of(cls, value: Array) -> _Moving:
        return cls(value[:1].copy(), np.zeros(value.shape[-1], bool))

    def see(self, expected: Expected, dtype: str) -> None:
        changes = np.abs(expected.value - self.first) > bound(expected, dtype)
        # (n, ..., units) -> (units,)
        self.units |= changes.reshape(-1, changes.shape[-1]).any(axis=0)


class _Comparison:
    """Both sides on slice after slice of the inputs."""

    def __init__(self, ours: NumpyModel, theirs: Any, x: Array, rows: int) -> None:
        self.ours, self.theirs, self.x = ours, theirs, x
        self.predicting = NumpyModel(ours.spec, dtype=ours.dtype, weights=ours.weights)
        self.predicting.fold_for_inference()
        self.repeatable = Repeatable.of(ours, x, rows)
        self.rows: dict[str, list[Row]] = {}
        self.moving: dict[str, _Moving] = {}
        # The others hand on what they get
        self.computing = {layer.name for layer in ours.spec.layers if hasattr(layer, "activation")}

    def compare(self, part: slice) -> None:
        """Judge one slice."""
        x, dtype = self.x[part], self.ours.dtype
        truth = self._truth(x)
        place = Place(dtype, "inference", "eager", "forward")
        mine, others = self.ours.activations(x, preactivations=True), self.theirs.activations(x)
        expected = truth.forward()
        self.repeatable.keep(expected, mine, part, dtype)
        last = truth.network.steps[-1]
        for step in truth.network.steps:
            if step.ends_layer:
                name = step.name
                self._judge(mine.pop(name), others.pop(name), expected[value_name(step)], place, name, name, part)
        spec = self.ours.spec
        folded, other = (row_of_outputs(side.predict(x), spec) for side in (self.predicting, self.theirs))
        output, place = expected[value_name(last)], replace(place, path="graph")
        if goes_by_tiles(self.ours.network):
            # What predicts is the fast tier, which rounds more than the layers that were judged above
            output = list(self._truth(x, by_tiles=True).forward().values())[-1]
        self._judge(folded, other, output, place, PREDICTION, last.name, part)
        self.repeatable.keep_outputs(other, output, part, dtype)

    def _truth(self, x: Array, by_tiles: bool = False) -> RoundingModel:
        return truth_of(self.ours, check_inputs(x, self.ours.spec, self.ours.dtype), training=False, by_tiles=by_tiles)

    def _judge(
        self, mine: Array, other: Array, expected: Expected, place: Place, tensor: str, layer: str, part: slice
    ) -> None:
        row = judge(mine, other, expected, place, tensor, layer)
        # The index counts all inputs, not those of the slice
        row = replace(row, index=(row.index[0] + part.start, *row.index[1:])) if row.index else row
        self.rows.setdefault(tensor, []).append(row)
        self.moving.setdefault(tensor, _Moving.of(expected.value)).see(expected, place.dtype)

    def result(self) -> tuple[list[Row], dict[str, tuple[int, int]]]:
        """One row for each tensor, and the units no input has moved."""
        found, unmoved = [], {}
        for tensor, rows in self.rows.items():
            row, units = combined(rows), self.moving[tensor].units
            if len(self.x) > 1 and not units.all() and tensor in self.computing:
                unmoved[tensor] = (int((~units).sum()), len(units))
            if len(self.x) > 1 and row.agrees and not units.any():
                row = replace(row, verdict=VACUOUS)
            found.append(row)
        return found, unmoved


def combined(rows: list[Row]) -> Row:
    """One row for the slices of a tensor: the worst of all of them."""
    worst = max(rows, key=lambda row: (_GRAVITY.index(row.verdict), row.error_over_bound))
    scales = [row.error_over_scale for row in rows if np.isfinite(row.error_over_scale)]
    return replace(
        worst,
        error=max(row.error for row in rows),
        error_over_scale=max(scales, default=worst.error_over_scale),
        failing=sum(row.failing for row in rows),
        size=sum(row.size for row in rows),
    )
