"""Random architectures, drawn by Hypothesis and compared on both backends: for faults no table thought of.

``run(200, seed=0)`` draws 200 networks with their data and returns those that differ. A :class:`Case` is all it takes
to see a difference again: ``check(Case.from_dict(entry))``. Hypothesis is imported only where cases are drawn, so a
case can be checked again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.comparison import DTYPES, compare
from bridge.faults import Fault
from bridge.random_networks import Draw, need_hypothesis, specs
from bridge.report import ParityReport
from bridge.verdict import VACUOUS, Row
from model_spec import ModelSpec, losses, model_from_dict, serialization, to_dict
from model_spec.shapes import Shape
from model_spec.validation import non_negative_integer, one_of, positive_integer

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

Array = np.ndarray

DATA = ("normal", "integers", "background")
"""Kinds of inputs: normal numbers; whole numbers 0..2 (ties); one constant with a few normal cells (images have it)."""

_BATCH = 5


@dataclass(frozen=True)
class Case:
    """One network with the recipe of its data.

    Attributes:
        spec: the network; its output is a row of classes.
        batch: number of examples.
        seed: of inputs, targets, weights, cotangents and dropout masks.
        loss: what is differentiated besides the random cotangent.
        data: kind of inputs, one of ``DATA``.
        one_hot: True where targets of a categorical cross-entropy are rows, False where they are integer classes.
    """

    spec: ModelSpec
    batch: int
    seed: int
    loss: losses.Loss
    data: str = "normal"
    one_hot: bool = False

    def __post_init__(self) -> None:
        positive_integer("batch", self.batch)
        non_negative_integer("seed", self.seed)
        one_of("data", self.data, DATA)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {
            "spec": to_dict(self.spec),
            "batch": self.batch,
            "seed": self.seed,
            "loss": to_dict(self.loss),
            "data": self.data,
            "one_hot": self.one_hot,
        }

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> Case:
        """Build the case that :meth:`to_dict` wrote."""
        known = {"spec", "batch", "seed", "loss", "data", "one_hot"}
        if not isinstance(entry, dict) or set(entry) != known:
            found = sorted(entry) if isinstance(entry, dict) else repr(entry)
            raise ValueError(f"a case must be a table with {', '.join(sorted(known))}, got {found}")
        built = {"spec": model_from_dict(entry["spec"]), "loss": serialization.from_dict(entry["loss"])}
        return cls(**{**entry, **built})

    def arrays(self) -> tuple[Array, Array]:
        """Inputs and targets, the same for the same case."""
        random = np.random.default_rng([self.seed, 2])
        x = random_inputs(self.data, (self.batch, *self.spec.input_shape), random)
        return x, random_targets(self.loss, (self.batch, *self.spec.output_shape), self.one_hot, random)


@dataclass(frozen=True)
class Finding:
    """A case on which the backends differ: the report, or the error one of them raised."""

    case: Case
    report: ParityReport | None = None
    error: str | None = None

    def __str__(self) -> str:
        return f"{self.case.spec.summary()}\n{self.error or self.report}"


def random_inputs(kind: str, shape: Shape, random: np.random.Generator) -> Array:
    """Inputs of this kind and shape (examples, ...), float64; ``kind`` is one of ``DATA``."""
    one_of("data", kind, DATA)
    if kind == "integers":
        return random.integers(0, 3, shape).astype(np.float64)
    x = random.standard_normal(shape)
    return np.where(random.random(shape) < 0.3, x, 0.5) if kind == "background" else x


def random_targets(loss: losses.Loss, shape: Shape, one_hot: bool, random: np.random.Generator) -> Array:
    """Targets for an output of this shape (examples, ...), in the form the loss takes."""
    if losses.takes_classes(loss):
        labels = random.integers(0, shape[-1], shape[0])
        return np.eye(shape[-1])[labels] if one_hot else labels
    if isinstance(loss, losses.BinaryCrossentropy):
        return random.integers(0, 2, shape).astype(np.float64)
    return random.standard_normal(shape)


def cases(max_layers: int = 8) -> SearchStrategy[Case]:
    """Strategy for cases: a network, its loss, and the recipe of its data."""
    need_hypothesis()
    from hypothesis import strategies

    networks = specs(max_layers)

    @strategies.composite
    def draw_case(draw: DrawFn) -> Case:
        spec = draw(networks)
        some = Draw(draw)
        batch, data, one_hot = some.integer(1, _BATCH), some.of(DATA), some.boolean()
        return Case(spec, batch, some.integer(0, 2**16), _draw_loss(some, spec), data, one_hot)

    return draw_case()


def check(case: Case, dtypes: str | Sequence[str] = DTYPES, fault: str | Fault | None = None) -> ParityReport:
    """Compare both backends on the case; see :func:`failures` for what counts as a difference here."""
    x, y = case.arrays()
    return compare(case.spec, x, y, seed=case.seed, dtype=dtypes, loss=case.loss, fault=fault)


def failures(report: ParityReport) -> list[Row]:
    """The rows that differ. A network drawn at random may be dead: where both sides and the truth are zero, that is so.

    The forward pass must prove something nevertheless: a zero output of the network's last layer is a failure.
    """
    last = report.spec.layers[-1].name
    return [row for row in report.failures if row.verdict != VACUOUS or row.tensor == last]


def run(
    count: int,
    seed: int,
    show: Callable[[int, Case, ParityReport | None], None] | None = None,
    *,
    max_layers: int = 8,
    dtypes: str | Sequence[str] = DTYPES,
    most: int | None = None,
) -> list[Finding]:
    """Draw ``count`` cases and return those on which the backends differ; the same seed draws the same cases.

    Args:
        count: number of cases.
        seed: of the drawing.
        show: called after each case with its number, the case, and its report (None where a backend raised).
        max_layers: of each network.
        dtypes: one precision or several.
        most: stop comparing after this many findings.
    """
    need_hypothesis()
    import hypothesis

    positive_integer("count", count)
    findings: list[Finding] = []
    done = 0

    @hypothesis.seed(non_negative_integer("seed", seed))
    @hypothesis.settings(
        max_examples=count,
        database=None,
        derandomize=False,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(cases(max_layers))
    def collect(case: Case) -> None:
        nonlocal done
        if most is not None and len(findings) >= most:
            return
        report, error = None, None
        try:
            report = check(case, dtypes)
        except Exception as raised:  # whatever a backend raises on a valid network is a finding
            error = f"{type(raised).__name__}: {raised}"
        if report is None or failures(report):
            findings.append(Finding(case, report, error))
        done += 1
        if show is not None:
            show(done, case, report)

    collect()
    return findings


def _draw_loss(some: Draw, spec: ModelSpec) -> losses.Loss:
    last = spec.layers[-1].activation  # type: ignore[attr-defined]
    smoothing = some.of((0.0, 0.0, 0.1))
    kind = some.of(("categorical", "binary", "squared", "half"))
    if kind == "categorical":
        return losses.CategoricalCrossentropy(from_logits=last == "linear", label_smoothing=smoothing)
    if kind == "binary":
        return losses.BinaryCrossentropy(from_logits=last == "linear", label_smoothing=smoothing)
    return losses.MeanSquaredError() if kind == "squared" else losses.HalfSumSquaredError()
