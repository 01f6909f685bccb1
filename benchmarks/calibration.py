"""How tight the bounds are: error/bound over random networks and trained ones, and the smallest fault still seen.

The judge's one constant, ``bridge.judge.bounds.SAFETY``, was chosen on the networks of one seed and is tested on those
of others: ``crosscheck calibrate`` measures any of them the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import datasets, fuzzing
from bridge.fuzzing.summary import FuzzSummary
from bridge.fuzzing.task_runner import Task, run_tasks, source_version
from bridge.fuzzing.tasks import figures_of
from bridge.judge.bounds import SAFETY
from bridge.judge.comparison import compare_models
from bridge.judge.sensitivity import Sensitivity, sensitivities
from bridge.progress import Show, silent
from bridge.weights import copy_weights
from core_numpy import NumpyModel
from model_spec import TrainingSpec, zoo

NETWORKS = tuple(zoo.ZOO)
DTYPES = ("float32", "float64")
_ROWS, _EPOCHS = 32, 3


@dataclass
class Calibration:
    """What was found.

    Attributes:
        random, trained: error/bound of every tensor of the random and of the trained networks.
        sensitivities: of the gradients of lenet, in both precisions.
        interrupted: True where the random networks were ended with Ctrl-C.
    """

    random: FuzzSummary
    trained: FuzzSummary
    sensitivities: list[Sensitivity] = field(default_factory=list)
    interrupted: bool = False

    def lines(self) -> list[str]:
        """Everything as text."""
        lines = [f"SAFETY = {SAFETY:g}: error/bound 1 is {SAFETY:g} standard deviations of the derived error"]
        for name, summary in (("random networks", self.random), ("trained networks", self.trained)):
            lines += ["", name, *summary.lines(), *(f"could not be compared: {error}" for error in summary.failed)]
        lines += ["", "smallest relative fault in one entry of a gradient of lenet that is caught"]
        lines += [f"{'':24}{'float32':>24}{'float64':>24}", f"{'':24}" + f"{'largest':>12}{'median':>12}" * 2]
        for tensor in dict.fromkeys(one.tensor for one in self.sensitivities):
            cells = [one for one in self.sensitivities if one.tensor == tensor]
            figures = "".join(f"{one.largest_entry:>12.1e}{one.median_entry:>12.1e}" for one in cells)
            lines.append(f"{tensor:<24}{figures}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {
            "safety": SAFETY,
            "random": self.random.to_dict(),
            "trained": self.trained.to_dict(),
            "sensitivities": [one.to_dict() for one in self.sensitivities],
        }


def run(count: int, seed: int, trainings: int, jobs: int, output: Path, show: Show = silent) -> Calibration:
    """Measure error/bound on ``count`` random networks and on the weights of ``trainings`` trained ones.

    Args:
        count: number of random networks, those of ``crosscheck fuzz`` with this seed.
        seed: of the drawing and of the first training.
        trainings: number of trained networks; the zoo's architectures in turn, on the digits.
        jobs: processes.
        output: directory where finished parts are kept, and taken up again.
        show: see :class:`bridge.progress.Show`.
    """
    drawn = fuzzing.run(count, seed, jobs, None, output, show)
    trained = FuzzSummary()
    if drawn.interrupted:
        return Calibration(drawn.summary, trained, interrupted=True)
    cells = [
        Task(
            "benchmarks.calibration:compare_trained",
            {"network": NETWORKS[number % len(NETWORKS)], "seed": seed + number},
            source_version(),
        )
        for number in range(trainings)
    ]
    for number, outcome in enumerate(run_tasks(cells, output / "cells", jobs, fuzzing.prepare_process), start=1):
        show("trained networks", number, trainings)
        if outcome.error is not None:
            trained.failed.append(outcome.error)
        else:
            trained.add(number, outcome.result)
    (x, y), _ = datasets.images("digits", limit=_ROWS)
    found = [one for dtype in DTYPES for one in sensitivities(zoo.lenet((8, 8, 1)), x, y, seed, dtype)]
    return Calibration(drawn.summary, trained, found)


def compare_trained(network: str, seed: int) -> dict[str, Any]:
    """Train a network of the zoo on the digits, and compare the backends with its weights on test images."""
    from keras_models import KerasModel

    train, test = datasets.images("digits")
    spec = zoo.build(network, train[0].shape[1:], 10)
    ours = NumpyModel(spec, seed)
    ours.fit(*train, TrainingSpec(batch_size=_ROWS, epochs=_EPOCHS, seed=seed), verbose=0)
    theirs = KerasModel(spec, seed + 1, dropout_seed=seed)
    copy_weights(ours, theirs)
    report = compare_models(ours, theirs, test[0][:_ROWS], test[1][:_ROWS], seed, locate=False)
    differing = [f"{row.tensor}: {row.error_over_bound:.3g}" for row in report.failures]
    findings = [{"kind": f"{network} trained from seed {seed}, {', '.join(differing)}"}] if differing else []
    return {"networks": [figures_of(report)], "findings": findings}
