"""Random architectures, drawn by Hypothesis and compared on both backends: for faults no table thought of.

``run(200, seed=0)`` draws 200 networks with their data and returns those that differ. A :class:`Case` is all it takes
to see a difference again: ``check(Case.from_dict(entry))``. Long campaigns stand in ``bridge.fuzzing.tasks``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.conventions.comparison import compare
from bridge.fuzzing.random_cases import DATA, Case, cases, random_inputs, random_targets
from bridge.fuzzing.random_networks import need_hypothesis, specs
from bridge.judge.backends import DTYPES, Prepare
from bridge.judge.report import ParityReport
from bridge.judge.tensor import VACUOUS, Row
from core_numpy import NumpyModel
from core_numpy.contract import Array
from model_spec import ModelSpec
from model_spec.validation import non_negative_integer, positive_integer

__all__ = [
    "DATA",
    "Case",
    "Finding",
    "cases",
    "check",
    "examine",
    "failures",
    "gives_zeros",
    "kind_of_row",
    "random_inputs",
    "random_targets",
    "run",
    "specs",
]


@dataclass(frozen=True)
class Finding:
    """A case on which the backends differ: the report, or the error one of them raised."""

    case: Case
    report: ParityReport | None = None
    error: str | None = None

    def __str__(self) -> str:
        return f"{self.case.spec.summary()}\n{self.error or self.report}"

    @property
    def kind(self) -> str:
        """What differs first, in a few words: findings of one kind most likely have one cause."""
        if self.report is None:
            return str(self.error).partition(":")[0]
        return kind_of_row(self.case.spec, failures(self.report)[0])


def kind_of_row(spec: ModelSpec, row: Row) -> str:
    """Precision, path, direction, and the layer's class with its variable: "float32 eager gradient Dense bias"."""
    classes = {str(layer.name): type(layer).__name__ for layer in spec.layers}
    direction = "forward" if row.stage == "forward" else "gradient"
    variable = row.tensor.partition("/")[2] if row.tensor.startswith("gradient of ") else ""
    words = (row.dtype, row.path, direction, classes.get(row.layer, row.layer), variable)
    return " ".join(word for word in words if word)


def check(
    case: Case,
    dtypes: str | Sequence[str] = DTYPES,
    prepare: Prepare | None = None,
    paths: str | Sequence[str] = ("eager",),
    locate: bool = True,
    arrays: tuple[Array, Array | None] | None = None,
) -> ParityReport:
    """Compare both backends on the case; see :func:`failures` for what counts as a difference here.

    Args:
        case: the network and its data.
        dtypes: one precision or several.
        prepare: changes the NumPy side; where it raises a ValueError the network has nothing it fits, and stays.
        paths: Keras' numeric paths, see :func:`bridge.compare`.
        locate: search for the culprit where they differ; takes seconds.
        arrays: inputs and targets; the case's own where None.
    """
    x, y = case.arrays() if arrays is None else arrays
    prepare = prepare if prepare is not None and _fits(prepare, case.spec) else None
    return compare(
        case.spec, x, y, seed=case.seed, dtype=dtypes, loss=case.loss, prepare=prepare, paths=paths, locate=locate
    )


def _fits(prepare: Prepare, spec: ModelSpec) -> bool:
    try:
        prepare(NumpyModel(spec))
    except ValueError:
        return False
    return True


def failures(report: ParityReport) -> list[Row]:
    """The rows that differ. A network drawn at random may be dead: where both sides and the truth are zero, that is so.

    Networks whose whole output is zero are told apart by :func:`gives_zeros`.
    """
    return [row for row in report.failures if row.verdict != VACUOUS]


def gives_zeros(report: ParityReport) -> bool:
    """True where the network's output is zero in inference, on both sides and in truth: its forward proves nothing.

    (In training, BatchNormalization of a single example gives zeros, rightly.)
    """
    last = report.spec.layers[-1].name
    return any(row.verdict == VACUOUS and row.tensor == last and row.mode == "inference" for row in report.rows)


def examine(
    case: Case,
    dtypes: str | Sequence[str] = DTYPES,
    prepare: Prepare | None = None,
    paths: str | Sequence[str] = ("eager",),
    locate: bool = True,
    arrays: tuple[Array, Array | None] | None = None,
) -> tuple[ParityReport | None, Finding | None]:
    """:func:`check` the case; whatever a backend raises on a valid network is a finding too."""
    try:
        report = check(case, dtypes, prepare, paths, locate, arrays)
    except Exception as raised:
        return None, Finding(case, None, f"{type(raised).__name__}: {raised}")
    return report, Finding(case, report) if failures(report) else None


def run(
    count: int,
    seed: int,
    show: Callable[[int, Case, ParityReport | None], None] | None = None,
    *,
    max_layers: int = 8,
    dtypes: str | Sequence[str] = DTYPES,
    most: int | None = None,
    prepare: Prepare | None = None,
    paths: str | Sequence[str] = ("eager",),
    locate: bool = True,
    skip: int = 0,
) -> list[Finding]:
    """Draw ``count`` cases and return those on which the backends differ; the same seed draws the same cases.

    Args:
        count: number of cases.
        seed: of the drawing.
        show: called after each case with its number, the case, and its report (None where a backend raised).
        max_layers: of each network.
        dtypes: one precision or several.
        most: stop comparing after this many findings.
        prepare: changes the NumPy side of every network it fits; see :func:`check`.
        paths: Keras' numeric paths, see :func:`bridge.compare`.
        locate: search for the culprit of each finding; takes seconds.
        skip: draw so many cases before those that are compared; the first of a drawing is always the simplest.
    """
    need_hypothesis()
    import hypothesis

    positive_integer("count", count)
    findings: list[Finding] = []
    done = -non_negative_integer("skip", skip)

    @hypothesis.seed(non_negative_integer("seed", seed))
    @hypothesis.settings(
        max_examples=count + skip,
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
        done += 1
        if done < 1:
            return
        report, finding = examine(case, dtypes, prepare, paths, locate)
        if finding is not None:
            findings.append(finding)
        if show is not None:
            show(done, case, report)

    collect()
    return findings
