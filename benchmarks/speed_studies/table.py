"""The speed table: NumPy, TensorFlow and their peers, network by network and phase by phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import environment
from benchmarks.speed_studies import floors, peers
from benchmarks.speed_studies.arms import NETWORKS, check_data, network_of
from benchmarks.speed_studies.contestants import (
    NUMPY,
    NUMPY_PROCESSES,
    Contestants,
    against_best,
    contestants,
    with_best_rival,
)
from benchmarks.speed_studies.worker_process import ResidentArm
from benchmarks.timing import SpeedComparison, pooled
from bridge.progress import Show, silent
from core_numpy.engine.runner import LEAST_SHARED_FLOPS
from model_spec import Conv2D

BATCHES: dict[str, tuple[int, ...]] = {
    "784-16 sigmoid-10": (1000,),
    "784-100-50-10": (100,),
    "cnn": (1000,),
    "Conv 10 - pool - 100 - 10": (128,),
    "lenet": (1000, 128),
}
"""Training batches of each network."""

INFERENCE_BATCHES = (1, 128, 1000)
EPOCH_ROWS = 4000
PHASES = ("train", "gradients", "inference", "epoch")


@dataclass(frozen=True)
class Cell:
    """One network in one phase.

    Attributes:
        network: name, one of ``arms.NETWORKS``.
        phase: one of ``PHASES``.
        batch: examples a call, or a batch of the epoch.
        threads: of each side.
        floor: seconds a call below which nobody gets on this machine.
        comparison: all samples; the first arm is the best of TensorFlow's.
        cores: processor seconds of each arm's process over seconds, how many cores it kept busy; worker processes of
            NumPy's not counted.
        processes: pairs of fresh processes that the samples come from.
    """

    network: str
    phase: str
    batch: int
    threads: int
    floor: float
    comparison: SpeedComparison
    cores: dict[str, float]
    processes: int = 1

    @classmethod
    def pooled(cls, cells: Sequence[Cell]) -> Cell:
        """One cell from the same one measured with several pairs of processes."""
        first = cells[0]
        cores = {name: float(np.median([cell.cores[name] for cell in cells])) for name in first.cores}
        return replace(first, comparison=pooled([cell.comparison for cell in cells]), cores=cores, processes=len(cells))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        names = ("network", "phase", "batch", "threads", "floor", "cores", "processes")
        return {**{name: getattr(self, name) for name in names}, **self.comparison.to_dict()}

    def lines(self) -> list[str]:
        """A line an arm: milliseconds, times the floor, cores kept busy, times as fast as TensorFlow's best."""
        pairs = f", {self.processes} pairs of processes" if self.processes > 1 else ""
        lines = [f"{self.network}, {self.phase}, batch {self.batch}, {_threads(self.threads)}{pairs}"]
        words = {ratio.arm: ratio.verdict for ratio in self.comparison.ratios}
        for name, arm in self.comparison.arms.items():
            line = (
                f"  {name:<24}{arm.median * 1000:>9.3f} ms +-{arm.mad * 1000:>6.3f} {arm.median / self.floor:>7.1f} x"
                f" {self.cores[name]:>4.1f}"
            )
            if name in words:
                ratio = self.comparison.times_as_fast(name)
                line += f" {ratio[0]:>7.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}] {words[name]}"
            lines.append(line)
        return lines


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


@dataclass
class SpeedTable:
    """All cells, with the machine they were measured on.

    Attributes:
        cells: in the order of measuring.
        machine: as ``environment.describe`` gives it.
        cores: BLAS kernels asked for, by NumPy's arms; None is NumPy's own choice.
        ceilings: of the machine, with the fastest kernels.
        busy: the largest share of the processors that others used before a pair of processes was started, or None.
        interrupted: True where measurements are missing.
        planned: measurements that all of it takes: one of each cell for each pair of processes.
    """

    cells: list[Cell]
    machine: dict[str, Any]
    cores: dict[str, str | None]
    ceilings: floors.Ceilings
    busy: float | None = None
    interrupted: bool = False
    planned: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {
            "machine": self.machine,
            "blas_cores": self.cores,
            "ceilings": {"flops": self.ceilings.flops, "bytes": self.ceilings.bytes},
            "busy": self.busy,
            **({"interrupted": True} if self.interrupted else {}),
            "cells": [cell.to_dict() for cell in self.cells],
        }

    def lines(self) -> list[str]:
        """The table as text."""
        kernels = ", ".join(f"{name}: {core or 'its own choice'}" for name, core in self.cores.items())
        picked = ", ".join(sorted({str(library["core"]) for library in self.machine.get("blas", [])}))
        lines = [
            "median +- MAD; times the floor; cores busy; times as fast as TensorFlow's best compiled function [95 %]",
            f"BLAS kernels: {kernels} (by itself NumPy takes {picked}); TensorFlow's best of XLA and oneDNN on and off",
            f"ceilings: product {self.ceilings.flops / 1e9:.0f} GFLOP/s, copy {self.ceilings.bytes / 1e9:.1f} GB/s",
        ]
        if self.busy is not None:
            lines.append(f"other programs used up to {self.busy:.0%} of the processors before the processes started")
        if self.interrupted:
            done = sum(cell.processes for cell in self.cells)
            lines.insert(0, f"INTERRUPTED after {done} of {self.planned} measurements; cells below: {len(self.cells)}")
        return lines + [line for cell in self.cells for line in ["", *cell.lines()]]


def run(
    networks: Sequence[str],
    phases: Sequence[str] = PHASES,
    threads: int = 2,
    data: str = "mnist",
    blas_core: str | None = "auto",
    with_peers: bool = False,
    blocks: int = 15,
    show: Show = silent,
    keep: Callable[[SpeedTable], None] | None = None,
    pairs: int = 1,
    inference_batches: Sequence[int] | None = None,
) -> SpeedTable:
    """Time NumPy and TensorFlow on these networks; on Ctrl-C what has been measured is returned, if anything.

    Args:
        networks: names of ``arms.NETWORKS``.
        phases: which of ``PHASES``.
        threads: of each side.
        data: name of the data set the batches come from.
        blas_core: see ``contestants.blas_cores``.
        with_peers: also Keras' eager mode, scikit-learn, PyTorch and onnxruntime where installed, the textbooks' code.
        blocks: A B B A blocks of each comparison; with one pair of processes more of them where a ratio is near 1.
        show: see :class:`bridge.progress.Show`.
        keep: called with the table so far, as interrupted, after every cell: all of it takes an hour.
        pairs: how many times all processes are started afresh and every cell is measured.
        inference_batches: rows a prediction; ``INFERENCE_BATCHES`` by default.

    Raises:
        ValueError: unknown networks or phases, or data that are not there or do not fit.
    """
    for wanted, known, what in ((networks, NETWORKS, "networks"), (phases, PHASES, "phases")):
        unknown = sorted(set(wanted) - set(known))
        if unknown:
            raise ValueError(f"unknown {what} {', '.join(unknown)}; known are {', '.join(known)}")
    check_data(networks, data)
    plan = list(_plan(networks, phases, inference_batches or INFERENCE_BATCHES))
    table: SpeedTable | None = None
    found: dict[tuple[str, str, int], list[Cell]] = {cell: [] for cell in plan}
    # Two for each cell of 15 blocks
    minutes = -(-2 * blocks * pairs * len(plan) // 15)
    show(f"times {', '.join(networks)}: about {minutes} minutes; processes start", 0, pairs * len(plan))
    try:
        for pair in range(pairs):
            busy = environment.busy_share()
            with contestants(threads, blas_core) as who:
                if table is None:
                    ceilings = floors.Ceilings(*who.numpy[NUMPY].call(f"{floors.__name__}:measure"))
                    machine, planned = environment.describe(), pairs * len(plan)
                    table = SpeedTable([], machine, who.cores, ceilings, interrupted=True, planned=planned)
                table.busy = busy if table.busy is None else max(busy or 0.0, table.busy)
                for number, (cell, measured) in enumerate(found.items()):
                    show("{}, {}, batch {}".format(*cell), pair * len(plan) + number, pairs * len(plan))
                    best = next(iter(measured[0].comparison.arms)) if measured else None
                    arms = with_best_rival(_arms(who, *cell, data, with_peers), best)
                    measured.append(_measure(arms, cell, threads, table.ceilings, blocks, until_settled=pairs == 1))
                    table.cells[number : number + 1] = [Cell.pooled(measured)]
                    if keep:
                        keep(table)
    except KeyboardInterrupt:
        if table is None or not table.cells:
            raise
        return table
    if table is None:
        raise ValueError(f"pairs must be at least 1, got {pairs}")
    table.interrupted = False
    return table


def _measure(
    arms: dict[str, ResidentArm],
    cell: tuple[str, str, int],
    threads: int,
    ceilings: floors.Ceilings,
    blocks: int,
    until_settled: bool,
) -> Cell:
    network, phase, batch = cell
    work = floors.work_of(network_of(network), training=phase != "inference")
    floor = ceilings.floor(work, EPOCH_ROWS if phase == "epoch" else batch)
    comparison = against_best(arms, blocks, until_settled=until_settled)
    cores = {}
    for name, arm in arms.items():
        timing = comparison.arms[name]
        cores[name] = arm.cpu_seconds(timing.calls_per_sample) / (timing.median * timing.calls_per_sample)
    return Cell(network, phase, batch, threads, floor, comparison, cores)


def _plan(
    networks: Sequence[str], phases: Sequence[str], inference_batches: Sequence[int]
) -> Iterator[tuple[str, str, int]]:
    for network in networks:
        for phase in phases:
            for batch in inference_batches if phase == "inference" else BATCHES[network]:
                yield network, phase, batch


def _arms(
    who: Contestants, network: str, phase: str, batch: int, data: str, with_peers: bool
) -> dict[str, ResidentArm]:
    """The arms of one cell, TensorFlow's first."""
    threads, task = who.threads, (network, batch, data)
    if phase == "epoch":
        epoch = (network, batch, EPOCH_ROWS, data)
        fit = who.tensorflow_arm("keras_epoch", *epoch, threads)
        arms = {"Keras fit": fit, **who.numpy_arms("numpy_epoch", *epoch, "auto", threads)}
        return arms | _by_processes(who, "numpy_epoch", *epoch)
    if phase == "gradients":
        arms = who.all_tensorflows("tensorflow_gradients", *task, threads)
        return {**arms, **who.numpy_arms("numpy_gradients", *task, threads)}
    if phase == "inference":
        arms = who.all_tensorflows("tensorflow_inference", *task, threads)
        arms["Keras predict"] = who.tensorflow_arm("keras_predict", *task, threads)
        arms |= who.numpy_arms("numpy_inference", *task, "auto", threads)
        arms |= _by_processes(who, "numpy_inference", *task)
        if with_peers and peers.has_onnxruntime():
            arms["onnxruntime"] = _peer(who, "onnxruntime_inference", *task, threads)
        if with_peers and peers.has_torch():
            arms["PyTorch"] = _peer(who, "torch_inference", *task, threads)
        return arms
    arms = who.all_tensorflows("tensorflow_step", *task, threads)
    arms |= who.numpy_arms("numpy_step", *task, "auto", threads)
    arms |= _by_processes(who, "numpy_step", *task)
    if with_peers:
        arms["Keras eager"] = who.tensorflow_arm("tensorflow_step", *task, threads, None)
        if peers.fits_sklearn(network_of(network)):
            arms["scikit-learn"] = _peer(who, "sklearn_step", *task)
        if peers.has_torch():
            arms["PyTorch"] = _peer(who, "torch_step", *task, threads)
        # At the smallest batch only: the textbooks' code takes seconds at the others
        if batch == min(BATCHES[network]):
            arms["textbook im2col"] = who.numpy_arm("textbook_step", *task)
    return arms


def _by_processes(who: Contestants, function: str, network: str, batch: int, *others: Any) -> dict[str, ResidentArm]:
    """NumPy with worker processes, where the batch is split at all."""
    spec = network_of(network)
    has_images = any(isinstance(layer, Conv2D) for layer in spec.layers)
    if who.threads == 1 or not has_images or batch * sum(spec.flops.values()) <= LEAST_SHARED_FLOPS:
        return {}
    return {NUMPY_PROCESSES: who.numpy_arm(function, network, batch, *others, "auto", who.threads, "processes")}


def _peer(who: Contestants, function: str, *arguments: Any) -> ResidentArm:
    return ResidentArm(who.others, f"{peers.__name__}:{function}", arguments)
