"""Random networks as a campaign of tasks: chunks of cases to compare, and findings to shrink."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from bridge.fuzzing.fuzz import Finding, examine, gives_zeros, kind_of_row, run
from bridge.fuzzing.random_cases import Case
from bridge.fuzzing.saved_cases import SavedCase
from bridge.fuzzing.shrink import shrink
from bridge.fuzzing.task_runner import Task, source_version
from bridge.judge.backends import DTYPES, FAST, Prepare
from bridge.judge.report import ParityReport
from bridge.judge.tensor import TIE, VACUOUS

CHUNK = 20
"""Cases a task: some seconds of work."""

EVERY = 20
"""Each so many cases one is compared on Keras' compiled paths too, which takes a hundred times as long."""

_COMPILED = ("eager", FAST, "graph", "xla")


class Planting(NamedTuple):
    """A fault to plant, and the function that plants it, by name: tasks travel to other processes as plain text.

    Attributes:
        function: "module:function", which takes the fault's name and gives what :func:`bridge.compare` takes as
            ``prepare``.
        fault: the fault's name.
    """

    function: str
    fault: str

    def load(self) -> Prepare:
        """What plants the fault."""
        module, _, name = self.function.partition(":")
        prepare: Prepare = getattr(import_module(module), name)(self.fault)
        return prepare


def chunk_tasks(count: int, seed: int, planting: Planting | None = None) -> list[Task]:
    """The tasks that compare ``count`` random cases; a longer campaign of this seed begins with the same tasks."""
    return [
        Task(
            "bridge.fuzzing.tasks:compare_chunk",
            {"seed": seed, "chunk": chunk, "count": min(CHUNK, count - chunk * CHUNK), "planting": planting},
            source_version(),
        )
        for chunk in range(-(-count // CHUNK))
    ]


def shrink_task(finding: dict[str, Any], seconds: float, planting: Planting | None = None) -> Task:
    """The task that shrinks one finding of :func:`compare_chunk`."""
    arguments = {"finding": finding, "seconds": seconds, "planting": planting}
    return Task("bridge.fuzzing.tasks:shrink_finding", arguments, source_version())


def compare_chunk(seed: int, chunk: int, count: int, planting: Sequence[str] | None = None) -> dict[str, Any]:
    """Draw and compare one chunk of cases.

    Returns:
        {"networks": one entry a case, "findings": one entry a case that differs: a :class:`SavedCase` as a dict, with
        its kind and the seed that draws it}. A network's entry has "figures" (the error/bound of every tensor by
        ``kind_of_row``), the numbers of "ties" and "vacuous" tensors, which have none, whether its output "gives_zeros"
        alone, and whether the fault was "planted".
    """
    networks, findings = [], []
    prepare, fault = _planted(planting)
    for number in range(chunk * CHUNK + 1, chunk * CHUNK + count + 1):
        # Within one drawing Hypothesis repeats itself: it begins with the simplest case, and changes earlier ones
        case_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        paths = _COMPILED if number % EVERY == 0 else ("eager", FAST)

        def show(_: int, case: Case, report: ParityReport | None) -> None:
            networks.append(figures_of(report))

        for finding in run(1, case_seed, show, prepare=prepare, paths=paths, locate=False, skip=1):
            findings.append({"kind": finding.kind, "seed": case_seed, **_saved(finding, paths, fault).to_dict()})
    return {"networks": networks, "findings": findings}


def _planted(planting: Sequence[str] | None) -> tuple[Prepare | None, str | None]:
    return (None, None) if planting is None else (Planting(*planting).load(), planting[1])


def shrink_finding(finding: dict[str, Any], seconds: float, planting: Sequence[str] | None = None) -> dict[str, Any]:
    """Shrink one finding to the smallest case of its kind, and look for its culprit.

    Returns:
        a :class:`SavedCase` as a dict, with its kind and its report as "text".
    """
    kind = finding["kind"]
    prepare, fault = _planted(planting)
    saved = SavedCase.from_dict({name: value for name, value in finding.items() if name not in ("kind", "seed")})
    dtypes, paths = (DTYPES, saved.paths) if saved.error else ((kind.split()[0],), (kind.split()[1],))

    def differs(case: Case) -> bool:
        _, again = examine(case, dtypes, prepare, paths, locate=False)
        return again is not None and again.kind == kind

    smallest = shrink(saved.case, differs, 2, finding["seed"], seconds)
    _, again = examine(smallest, DTYPES, prepare, saved.paths)
    if again is None:
        raise ValueError(f"a finding of kind {kind!r} did not differ again: {saved.case.to_dict()}")
    return {"kind": kind, "text": str(again), **_saved(again, saved.paths, fault).to_dict()}


def _saved(finding: Finding, paths: Sequence[str], fault: str | None) -> SavedCase:
    report = None if finding.report is None else finding.report.to_dict()
    return SavedCase(finding.case, DTYPES, paths, fault, report, finding.error)


def figures_of(report: ParityReport | None) -> dict[str, Any]:
    """One network's entry of :func:`compare_chunk`."""
    rows = [] if report is None else report.rows
    figures: dict[str, list[float]] = {}
    for row in rows:
        if report is not None and row.verdict not in (TIE, VACUOUS):
            # Three digits are enough for a histogram
            figures.setdefault(kind_of_row(report.spec, row), []).append(float(f"{row.error_over_bound:.3g}"))
    return {
        "figures": figures,
        "ties": sum(row.verdict == TIE for row in rows),
        "gives_zeros": report is not None and gives_zeros(report),
        "planted": report is not None and report.prepared is not None,
        "vacuous": sum(row.verdict == VACUOUS for row in rows),
    }
