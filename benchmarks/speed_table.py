"""``crosscheck speed``: NumPy beside TensorFlow, phase by phase, in interleaved resident processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import environment
from benchmarks.arms import NETWORKS
from benchmarks.resident import ResidentArm, ResidentProcess
from benchmarks.timing import SpeedComparison, compare_speed

BATCHES: dict[str, tuple[int, ...]] = {
    "784-16 sigmoid-10": (1000,),
    "784-100-50-10": (100,),
    "cnn": (1000,),
    "Conv 10 - pool - 100 - 10": (128,),
    "lenet": (1000, 128),
}
"""Training batches of each network."""

INFERENCE_BATCHES = (1, 1000)
EPOCH_ROWS = 4000
PHASES = ("train", "inference", "epoch")

TENSORFLOW = ("tf.function", "tf.function jit")
FAST, DEFAULT = "NumPy", "NumPy, default BLAS"


@dataclass(frozen=True)
class Cell:
    """One network in one phase.

    Attributes:
        network: name, one of ``arms.NETWORKS``.
        phase: "train", "inference" or "epoch".
        batch: examples a call, or a batch of the epoch.
        threads: of each side.
        comparison: all samples; the first arm is the faster of TensorFlow's.
    """

    network: str
    phase: str
    batch: int
    threads: int
    comparison: SpeedComparison

    def ratio(self, arm: str) -> tuple[float, float, float] | None:
        """(times as fast as TensorFlow's best, low, high) of one arm; None where it was not timed."""
        for ratio in self.comparison.ratios:
            if ratio.arm == arm:
                return 1 / ratio.ratio, 1 / ratio.high, 1 / ratio.low
        return None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        entry = {name: getattr(self, name) for name in ("network", "phase", "batch", "threads")}
        return {**entry, **self.comparison.to_dict()}


@dataclass(frozen=True)
class SpeedTable:
    """All cells, with the machine they were measured on and the BLAS kernels of NumPy's processes."""

    cells: list[Cell]
    machine: dict[str, Any]
    blas_core: str | None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {
            "machine": self.machine,
            "blas_core": self.blas_core,
            "cells": [cell.to_dict() for cell in self.cells],
        }

    def lines(self) -> list[str]:
        """One line a cell: milliseconds of TensorFlow's best, and how many times as fast every other arm is."""
        core = self.blas_core or "NumPy's own choice"
        lines = [
            f"times as fast as TensorFlow's best (95 % interval); NumPy with BLAS kernels {core}",
            f"{'':42}{'TensorFlow':>12}  others",
        ]
        for cell in self.cells:
            base = next(iter(cell.comparison.arms))
            name = f"{cell.network}, {cell.phase} {cell.batch}, {cell.threads} threads"
            shown = []
            for ratio in cell.comparison.ratios:
                middle, low, high = cell.ratio(ratio.arm) or (0.0, 0.0, 0.0)
                shown.append(f"{ratio.arm} {middle:.2f} [{low:.2f}, {high:.2f}] {ratio.verdict}")
            lines.append(f"{name:<42}{cell.comparison.arms[base].median * 1000:>9.3f} ms  {base}")
            lines += [f"{'':56}{line}" for line in shown]
        return lines


def run(
    networks: Sequence[str],
    phases: Sequence[str] = PHASES,
    threads: int = 2,
    data: str = "mnist",
    blas_core: str | None = "auto",
    textbook: bool = True,
    blocks: int = 15,
    show: Callable[[str], None] | None = None,
) -> SpeedTable:
    """Time NumPy and TensorFlow on these networks.

    Args:
        networks: names of ``arms.NETWORKS``.
        phases: which of ``PHASES``.
        threads: of each side.
        data: name of the data set the batches come from.
        blas_core: value of OPENBLAS_CORETYPE for NumPy; "auto" takes SkylakeX where the processor has AVX-512 and
            OpenBLAS did not see it; None leaves NumPy's own choice.
        textbook: also time the textbooks' code.
        blocks: A B B A blocks of each comparison.
        show: called with a line of progress.
    """
    unknown = sorted(set(networks) - set(NETWORKS))
    if unknown:
        raise ValueError(f"unknown networks {', '.join(unknown)}; known are {', '.join(NETWORKS)}")
    core = environment.better_blas_core() if blas_core == "auto" else blas_core
    say = show or (lambda line: None)
    cells = []
    with ExitStack() as stack:
        limits = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
        tensorflow = stack.enter_context(ResidentProcess(quiet))
        numpy = {FAST: stack.enter_context(ResidentProcess(limits | ({"OPENBLAS_CORETYPE": core} if core else {})))}
        if core:
            numpy[DEFAULT] = stack.enter_context(ResidentProcess(limits))
        for network in networks:
            for phase, batch in _phases(network, phases):
                say(f"{network}, {phase}, batch {batch}")
                arms = _arms(tensorflow, numpy, network, phase, batch, threads, data, textbook)
                cells.append(Cell(network, phase, batch, threads, _best_first(arms, blocks)))
    return SpeedTable(cells, environment.describe(), core)


def _phases(network: str, phases: Sequence[str]) -> list[tuple[str, int]]:
    wanted = []
    for phase in phases:
        batches = INFERENCE_BATCHES if phase == "inference" else BATCHES[network]
        wanted += [(phase, batch) for batch in batches]
    return wanted


def _arms(
    tensorflow: ResidentProcess,
    numpy: dict[str, ResidentProcess],
    network: str,
    phase: str,
    batch: int,
    threads: int,
    data: str,
    textbook: bool,
) -> dict[str, ResidentArm]:
    """The arms of one cell, TensorFlow's first."""

    def arm(process: ResidentProcess, function: str, *arguments: Any) -> ResidentArm:
        return ResidentArm(process, f"benchmarks.arms:{function}", arguments)

    if phase == "epoch":
        arms = {"Keras fit": arm(tensorflow, "keras_epoch", network, batch, EPOCH_ROWS, data, threads)}
        for name, process in numpy.items():
            arms[name] = arm(process, "numpy_epoch", network, batch, EPOCH_ROWS, data, "auto", threads)
        return arms
    kind = "step" if phase == "train" else "inference"
    arms = {
        name: arm(tensorflow, f"tensorflow_{kind}", network, batch, data, threads, "jit" in name) for name in TENSORFLOW
    }
    for name, process in numpy.items():
        arms[name] = arm(process, f"numpy_{kind}", network, batch, data, "auto", threads)
    if textbook and phase == "train":
        arms["textbook im2col"] = arm(numpy[FAST], "textbook_step", network, batch, data)
    return arms


def _best_first(arms: dict[str, ResidentArm], blocks: int) -> SpeedComparison:
    """Compare all arms with the faster one of TensorFlow's, which a first short look finds."""
    rivals = [name for name in arms if name in TENSORFLOW]
    if len(rivals) > 1:
        quick = compare_speed({name: arms[name] for name in rivals}, blocks=5, warmup_seconds=0.2)
        best = min(quick.arms, key=lambda name: quick.arms[name].median)
        arms = {best: arms[best], **{name: arm for name, arm in arms.items() if name not in rivals}}
    return compare_speed(arms, blocks=blocks, warmup_seconds=0.3)


@dataclass(frozen=True)
class Change:
    """One cell beside the same cell of an earlier run; ``ratio`` above 1 is slower now."""

    cell: str
    ratio: float

    def __str__(self) -> str:
        return f"{self.cell}: {self.ratio:.2f} times as long as in the earlier run, measured against TensorFlow"


def load_earlier(path: Path) -> dict[str, Any]:
    """The JSON of an earlier run.

    Raises:
        ValueError: no such file, or no result of this command.
    """
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        _relative(entry)
    except FileNotFoundError:
        raise ValueError(f"no file {path}; give --compare the JSON of an earlier crosscheck speed") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no result of crosscheck speed: {error!r}") from None
    return dict(entry)


def changes(table: SpeedTable, earlier: dict[str, Any]) -> list[Change]:
    """NumPy's time in units of TensorFlow's, beside the same of an earlier run, for every cell both have.

    Ratios to TensorFlow are compared and not seconds: the machine may be another, or busier.
    """
    now, before = _relative(table.to_dict()), _relative(earlier)
    return [Change(name, now[name] / before[name]) for name in now if name in before]


def _relative(entry: dict[str, Any]) -> dict[str, float]:
    found = {}
    for cell in entry["cells"]:
        for ratio in cell["ratios"]:
            if ratio["arm"].startswith("NumPy"):
                name = f"{cell['network']}, {cell['phase']} {cell['batch']}, {cell['threads']} threads, {ratio['arm']}"
                found[name] = float(ratio["ratio"])
    return found


def slowdown_limit(text: str | None) -> float:
    """The ratio of "slower:1.25"; infinity for None.

    Raises:
        ValueError: anything else.
    """
    if text is None:
        return float("inf")
    word, _, number = text.partition(":")
    try:
        if word != "slower":
            raise ValueError
        return float(number)
    except ValueError:
        raise ValueError(f"--fail-if takes slower:RATIO, for example slower:1.25, got {text!r}") from None
