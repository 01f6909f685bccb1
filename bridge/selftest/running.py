"""Runs the selftest's tasks one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from bridge.progress import Show, silent
from bridge.selftest.comparisons import Entry
from bridge.selftest.elsewhere_tasks import judge_slip, judge_twin
from bridge.selftest.faults import FAULTS
from bridge.selftest.faults.probes import PROBES
from bridge.selftest.report import SelftestReport
from bridge.selftest.tasks import judge_fault, judge_probe, judge_variant
from bridge.selftest.variants import VARIANTS
from bridge.selftest.workbench import Workbench
from bridge.selftest.written_elsewhere import PARTS

TASKS: dict[str, Callable[[str, Workbench | None], Entry]] = {
    "fault": judge_fault,
    "variant": judge_variant,
    "probe": judge_probe,
    "slip": judge_slip,
    "twin": judge_twin,
}
"""What is run by kind; each depends on nothing but the name."""


def tasks(only: Collection[str] | None = None) -> list[tuple[str, str]]:
    """(kind, name) of every task, or of those with these names.

    Raises:
        ValueError: a name that nothing has.
    """
    everything = [("fault", name) for name in FAULTS]
    everything += [("variant", name) for name in VARIANTS]
    everything += [("probe", name) for name in PROBES]
    everything += [(kind, name) for name in PARTS for kind in ("slip", "twin")]
    if only is None:
        return everything
    unknown = sorted(set(only) - {name for _, name in everything})
    if unknown:
        known = ", ".join(name for _, name in everything)
        raise ValueError(f"no fault, variant, probe or slip is called {', '.join(unknown)}; known are {known}")
    return [(kind, name) for kind, name in everything if name in only]


def report_of(results: Iterable[tuple[str, Entry]], whole: bool = True, seconds: float = 0.0) -> SelftestReport:
    """The report of (kind, what its task gave)."""
    report = SelftestReport(whole=whole, seconds=seconds)
    owners = {"fault": report.faults, "variant": report.variants, "probe": report.probes}
    owners |= {"slip": report.faults, "twin": report.variants}
    for kind, entry in results:
        owners[kind].append(entry)
    return report


def run(show: Show = silent, only: Collection[str] | None = None) -> SelftestReport:
    """Judge the judge: plant every fault and slip, try every right variant, and take away every comparison.

    Args:
        show: called before each task.
        only: names of faults, variants, probes or slips; all by default, and only then are comparisons taken away.
    """
    started = time.perf_counter()
    workbench = Workbench()
    chosen = tasks(only)
    results = []
    for number, (kind, name) in enumerate(chosen, start=1):
        show(f"{kind} {name}", number, len(chosen))
        results.append((kind, TASKS[kind](name, workbench)))
    return report_of(results, only is None, time.perf_counter() - started)
