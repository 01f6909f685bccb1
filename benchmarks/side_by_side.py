"""Several networks beside one another: a row for each network and backend, as a table and as one page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import network_differences, regression, report
from benchmarks.network_differences import NetworkDifference
from benchmarks.plots import accuracy_against_time, inline_svg
from benchmarks.tables import Table
from model_spec.verdict import Verdict, combine, json_text
from model_spec.whole_files import write_whole

if TYPE_CHECKING:
    from benchmarks.compare import Comparison


@dataclass(frozen=True)
class Line:
    """One network on one backend.

    Attributes:
        network: its name.
        backend: "NumPy" or "Keras".
        parameters: how many.
        parity: the verdict of forward and backward.
        accuracy: on the test set, of a regression R^2; with several seeds the mean.
        low, high: 95 % interval of this accuracy, by the number of test examples (Wilson, 1927); of R^2 by a bootstrap.
        rmse, mae: of a regression, first seed; else None.
        loss: on the test set, first seed.
        step_ms: of a training step, median; the faster of Keras' ways.
        predict_ms: of a prediction of 1,000 rows, the same.
        memory_mb: peak of a fresh process that trains a few steps.
        weights_kb: of all variables in float32.
        page: the network's report, beside this page.
    """

    network: str
    backend: str
    parameters: int
    parity: str
    accuracy: float
    low: float
    high: float
    rmse: float | None
    mae: float | None
    loss: float
    step_ms: float
    predict_ms: float
    memory_mb: float
    weights_kb: float
    page: str


def lines_of(results: Sequence[tuple[Comparison, Path]], folder: Path) -> list[Line]:
    """The lines of comparisons that trained and timed, each with the directory of its report."""
    from scipy.stats import binomtest

    found = []
    for result, directory in results:
        if result.accuracy is None or result.speed is None or result.beginning is None:
            continue
        examples = len(result.accuracy.labels)
        for side, backend in enumerate(result.accuracy.backends):
            accuracies = [one.backends[side].test[one.score] for one in result.accuracies]
            accuracy = sum(accuracies) / len(accuracies)
            if result.data.is_regression:
                outputs = [one.backends[side].probabilities for one in result.accuracies]
                low, high = regression.r2_interval(result.accuracy.labels, outputs)
            else:
                interval = binomtest(round(accuracy * examples), examples).proportion_ci(
                    regression.CONFIDENCE, method="wilson"
                )
                low, high = float(interval.low), float(interval.high)
            step, predict = (_fastest(phase.arms, backend.name) for phase in result.speed.phases.values())
            found.append(
                Line(
                    network=result.spec.name,
                    backend=backend.name,
                    parameters=result.spec.parameter_count,
                    parity=str(result.parity.verdict),
                    accuracy=accuracy,
                    low=low,
                    high=high,
                    rmse=backend.test.get("rmse"),
                    mae=backend.test.get("mae"),
                    loss=backend.test["loss"],
                    step_ms=step,
                    predict_ms=predict,
                    memory_mb=result.beginning[backend.name.lower()]["peak memory"] / 1e6,
                    weights_kb=sum(value.size * 4 for value in backend.model.weights.values()) / 1e3,
                    page=Path(os.path.relpath(directory / "report.html", folder)).as_posix(),
                )
            )
    return found


def _fastest(arms: dict[str, Any], backend: str) -> float:
    """Milliseconds of this backend's fastest way: NumPy has one, all others are Keras'."""
    return min(arm.median * 1e3 for name, arm in arms.items() if (name == "NumPy") == (backend == "NumPy"))


def table(lines: Sequence[Line]) -> Table:
    """A row a line, in 60 columns."""
    score = "R^2" if any(line.rmse is not None for line in lines) else "accuracy"
    found = Table(["network", "side", "parity", score, "step ms", "1000 ms", "MB"], title="side by side")
    for line in lines:
        figures = [f"{line.accuracy:.4f}", f"{line.step_ms:.2f}", f"{line.predict_ms:.2f}", f"{line.memory_mb:.0f}"]
        found.rows.append([line.network, line.backend, line.parity, *figures])
    return found


def differences_of(results: Sequence[tuple[Comparison, Path]]) -> list[NetworkDifference]:
    """The differences between the networks that were trained."""
    return network_differences.differences([result.accuracy for result, _ in results if result.accuracy is not None])


def save(results: Sequence[tuple[Comparison, Path]], folder: Path) -> Path | None:
    """Write side_by_side.html and .json into a folder, with links to the reports; None where nothing was trained.

    Beside them differences.json has every pair of networks.
    """
    lines = lines_of(results, folder)
    if not lines:
        return None
    first, apart = results[0][0], differences_of(results)
    verdict = combine(result.verdict for result, _ in results)
    page = report.template("side_by_side.html").render(
        lines=lines,
        verdict=verdict,
        differences=apart,
        is_regression=first.data.is_regression,
        is_agreement=verdict == Verdict.AGREE,
        data=first.data.name,
        test_rows=first.configuration["test_rows"],
        threads=first.configuration["threads"],
        picture=inline_svg(
            accuracy_against_time(
                [(f"{x.network}, {x.backend}", x.step_ms, x.accuracy) for x in lines],
                score="R^2" if first.data.is_regression else "accuracy",
            )
        ),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "side_by_side.json", json_text([asdict(line) for line in lines]))
    write_whole(folder / "differences.json", json_text([vars(each) for each in apart]))
    write_whole(folder / "side_by_side.html", page)
    return folder / "side_by_side.html"
