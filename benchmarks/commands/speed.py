"""``crosscheck speed``: NumPy beside TensorFlow; the table, or one of the studies around it."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.commands.common import (
    AGREE,
    CANNOT_COMPARE,
    DIFFER,
    INTERRUPTED,
    note_turns,
    progress,
    typed,
    write_record,
)
from model_spec.verdict import json_text

if TYPE_CHECKING:
    from benchmarks.speed_studies.changes import Change
    from bridge.progress import Show

CLIFFS = 100
"""Random networks of the study of cliffs."""

Result = tuple[dict[str, Any], list[str], int]
"""(everything for the JSON file, the text, exit code)"""


def run(options: argparse.Namespace) -> int:
    """Run the command; return its exit code."""
    from benchmarks import console, environment
    from model_spec.whole_files import write_whole

    files = [name for name in options.networks if name.endswith((".toml", ".json", ".keras"))]
    if files:
        raise ValueError(
            f"crosscheck speed times the networks of its studies (crosscheck list), not {', '.join(files)}; "
            f"crosscheck compare {files[0]} times a network of your own"
        )
    _refuse_what_nothing_looks_at(options)
    _core(options)
    if options.study in ("table", "start", "target", "cliffs"):
        note_turns(options.threads)
    if options.record:
        _refuse_busy_machine(environment.busy_share())
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with _ended_by_sigterm(), progress(options) as show:
        entry, text, code = STUDIES[options.study](options, show)
    entry.setdefault("machine", environment.describe())
    write_whole(options.output, json_text(entry))
    console.show(json_text(entry) if options.json else "\n".join(text))
    if options.record:
        write_record(options.record, f"Speed: {options.study}", typed(options), "\n".join(text))
    return code


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that its processes give back what they hold; else they leak it."""

    def stop(number: int, frame: object) -> None:
        # timeout sends it twice, and the second one must not disturb the end
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets the main thread alone ask for signals
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


_OF_ONE_STUDY = {
    **dict.fromkeys(("phases", "peers", "inference_batches", "compare", "fail_if"), "table"),
    "python": "deployed",
}


def _refuse_what_nothing_looks_at(options: argparse.Namespace) -> None:
    for name, study in _OF_ONE_STUDY.items():
        if getattr(options, name) not in (None, False) and options.study != study:
            raise ValueError(
                f"--{name.replace('_', '-')} is of --study {study}, got --study {options.study}; "
                f"leave it out, or give --study {study}"
            )
    if options.fail_if is not None and options.compare is None:
        raise ValueError("--fail-if needs an earlier run to compare with; add --compare OLD.json")


def _refuse_busy_machine(share: float | None) -> None:
    from benchmarks.environment import BUSY

    if share is not None and share > BUSY:
        raise ValueError(
            f"other programs use {share:.0%} of this machine's processors, and a record of speed wants it idle "
            f"(at most {BUSY:.0%}): end them, or leave --record out"
        )


def _core(options: argparse.Namespace) -> str | None:
    from benchmarks.speed_studies.contestants import blas_cores

    core = None if options.blas_core == "none" else str(options.blas_core)
    blas_cores(core)  # an unknown one is refused before anything starts
    return core


def _table(options: argparse.Namespace, show: Show) -> Result:
    from benchmarks.speed_studies import changes, table
    from benchmarks.speed_studies.arms import NETWORKS
    from model_spec.whole_files import write_whole

    limit = changes.slowdown_limit(options.fail_if)
    earlier = None if options.compare is None else changes.load_earlier(options.compare)
    try:
        found = table.run(
            options.networks or list(NETWORKS),
            options.phases or table.PHASES,
            options.threads,
            options.data,
            _core(options),
            options.peers,
            options.blocks or 15,
            show,
            lambda table: write_whole(options.output, json_text(table.to_dict())),
            options.pairs,
            options.inference_batches,
        )
    except KeyboardInterrupt:
        print("no cell was measured and no file written", file=sys.stderr)
        raise
    entry = found.to_dict()
    if earlier is None:
        return entry, found.lines(), INTERRUPTED if found.interrupted else AGREE
    told, code = _compared(changes.changes(entry, earlier), limit, options.compare)
    return entry, [*found.lines(), *told], INTERRUPTED if found.interrupted else code


def _compared(moved: Sequence[Change], limit: float, earlier: Path) -> tuple[list[str], int]:
    """What is said of the cells that an earlier run has, too, and the exit code: one that is slower, or none at all."""
    if not moved:
        told = f"NOTHING COMPARED: no cell of this run is in {earlier}; run the networks and phases that it has"
        return [told], CANNOT_COMPARE
    return [str(change) for change in moved], DIFFER if any(change.ratio > limit for change in moved) else AGREE


def _start(options: argparse.Namespace, show: Show) -> Result:
    from benchmarks.speed_studies import start

    found = start.run(options.networks or ["784-16 sigmoid-10", "lenet"], threads=options.threads, show=show)
    lines = [line for beginning in found for line in beginning.lines()]
    return {"beginnings": [beginning.to_dict() for beginning in found]}, lines, AGREE


def _deployed(options: argparse.Namespace, show: Show) -> Result:
    from benchmarks.speed_studies import deployed

    found = [deployed.run(network, python=options.python, show=show) for network in options.networks or ["lenet"]]
    return {"deployed": [one.to_dict() for one in found]}, [line for one in found for line in one.lines()], AGREE


def _target(options: argparse.Namespace, show: Show) -> Result:
    from benchmarks.speed_studies import target

    found = target.run(threads=options.threads, data=options.data, show=show)
    return found.to_dict(), found.lines(), AGREE


def _scaling(options: argparse.Namespace, show: Show) -> Result:
    from benchmarks.plots import as_svg
    from benchmarks.speed_studies import scaling
    from model_spec.whole_files import write_whole

    points = scaling.run(blas_core=_core(options), blocks=options.blocks or 5, show=show)
    write_whole(options.output.with_suffix(".svg"), as_svg(scaling.curves(points)))
    return {"points": [point.to_dict() for point in points]}, scaling.lines(points), AGREE


def _cliffs(options: argparse.Namespace, show: Show) -> Result:
    from benchmarks.speed_studies import cliffs
    from model_spec.whole_files import write_whole

    def entry(found: list[cliffs.Steepness]) -> dict[str, Any]:
        partial = {"interrupted": True} if len(found) < CLIFFS else {}
        return {**partial, "networks": [one.to_dict() for one in found]}

    def keep(found: list[cliffs.Steepness]) -> None:
        write_whole(options.output, json_text(entry(found)))

    found = cliffs.run(CLIFFS, options.seed, options.threads, _core(options), options.blocks or 5, show, keep)
    cliff = any(steepness.is_cliff for steepness in found)
    code = INTERRUPTED if len(found) < CLIFFS else DIFFER if cliff else AGREE
    return entry(found), cliffs.lines(found, CLIFFS), code


def _tricks(options: argparse.Namespace, show: Show) -> Result:
    from benchmarks.speed_studies import tricks

    found = tricks.run(options.blocks or 15, show)
    return {"tricks": [trick.to_dict() for trick in found]}, tricks.lines(found), AGREE


def _proof(options: argparse.Namespace, show: Show) -> Result:
    from benchmarks.speed_studies import proof

    found = proof.run(blocks=options.blocks or 15, show=show)
    return found.to_dict(), found.lines(), AGREE if found.passed else DIFFER


STUDIES: dict[str, Callable[[argparse.Namespace, Show], Result]] = {
    "table": _table,
    "start": _start,
    "deployed": _deployed,
    "target": _target,
    "scaling": _scaling,
    "cliffs": _cliffs,
    "tricks": _tricks,
    "proof": _proof,
}
