"""How the cost grows: with the batch, the image, the width, the depth and the threads, beside TensorFlow's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.speed_studies.contestants import (
    NUMPY,
    TENSORFLOW,
    Contestants,
    against_best,
    contestants,
)
from benchmarks.timing import SpeedComparison
from bridge.progress import Show, silent
from model_spec import Conv2D, Dense, Flatten, MaxPooling2D, ModelSpec, to_json, zoo

BATCH, SIDE, DEPTH = 128, 28, 2
AXES: dict[str, tuple[int, ...]] = {
    "batch": (1, 4, 16, 64, 256, 1024, 4096),
    "image": (8, 16, 28, 48, 64),
    "width": (1, 2, 4, 8),
    "depth": (1, 2, 3, 4),
}
"""What varies, and through which values."""


def network(side: int = SIDE, width: int = 1, depth: int = DEPTH) -> ModelSpec:
    """``depth`` convolutions of 8 * width filters, the first one pooled, and two Dense layers."""
    convolutions = [Conv2D(8 * width, 3, padding="same", activation="relu") for _ in range(depth)]
    tail = (Flatten(), Dense(32 * width, activation="relu"), Dense(10, activation="softmax"))
    return ModelSpec("scaled", (side, side, 1), (convolutions[0], MaxPooling2D(2), *convolutions[1:], *tail))


@dataclass(frozen=True)
class Point:
    """One network at one value of one axis, a training step of both.

    Attributes:
        axis: one of ``AXES``.
        value: batch, side of the image in pixels, multiple of the width, or number of convolutions.
        threads: of each side.
        comparison: TensorFlow's compiled function first.
    """

    axis: str
    value: int
    threads: int
    comparison: SpeedComparison

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {"axis": self.axis, "value": self.value, "threads": self.threads, **self.comparison.to_dict()}

    def __str__(self) -> str:
        arms = self.comparison.arms
        ratio = self.comparison.times_as_fast(NUMPY)
        milliseconds = [arms[name].median * 1e3 for name in (TENSORFLOW[0], NUMPY)]
        return (
            f"{self.axis:<6}{self.value:>6}{self.threads:>8}{milliseconds[0]:>12.3f}{milliseconds[1]:>12.3f}"
            f"{ratio[0]:>8.2f} [{ratio[1]:.2f}, {ratio[2]:.2f}]"
        )


def _cases(axes: Sequence[str]) -> Iterator[tuple[str, int, ModelSpec, int]]:
    for axis in axes:
        for value in AXES[axis]:
            match axis:
                case "batch":
                    yield axis, value, zoo.lenet(), value
                case "image":
                    yield axis, value, network(side=value), BATCH
                case "width":
                    yield axis, value, network(width=value), BATCH
                case _:
                    yield axis, value, network(depth=value), BATCH


def run(
    axes: Sequence[str] = tuple(AXES),
    threads: Sequence[int] = (1, 2),
    blas_core: str | None = "auto",
    blocks: int = 5,
    show: Show = silent,
) -> list[Point]:
    """Time a training step at every value of every axis: the batch with lenet, the others with a plain network."""
    points = []
    for count in threads:
        with contestants(count, blas_core) as who:
            for axis, value, spec, batch in _cases(axes):
                show(f"{axis} {value}, {count} threads")
                points.append(Point(axis, value, count, _compare(who, to_json(spec), batch, blocks)))
    return points


def _compare(who: Contestants, spec: str, batch: int, blocks: int) -> SpeedComparison:
    task = (spec, batch, "random")
    arms = {TENSORFLOW[0]: who.tensorflow_arm("tensorflow_step", *task, who.threads, False)}
    arms[NUMPY] = who.numpy_arm("numpy_step", *task, "auto", who.threads)
    return against_best(arms, blocks, 0.1, until_settled=False)


def lines(points: Sequence[Point]) -> list[str]:
    """A line a point."""
    head = f"{'axis':<6}{'value':>6}{'threads':>8}{'tf.function':>12}{'NumPy':>12}{'times as fast':>15}"
    return ["training step in ms; batch: lenet, the others: a plain convolution network at batch 128", head] + [
        str(point) for point in points
    ]


def curves(points: Sequence[Point]) -> Any:
    """A figure: milliseconds against each axis, both sides, a line style a number of threads."""
    from matplotlib.figure import Figure

    axes = list(dict.fromkeys(point.axis for point in points))
    figure = Figure(figsize=(3.6 * len(axes), 3.2), layout="constrained")
    for number, axis in enumerate(axes):
        panel = figure.add_subplot(1, len(axes), number + 1)
        for threads, style in zip(sorted({point.threads for point in points}), ("--", "-", ":"), strict=False):
            own = [point for point in points if point.axis == axis and point.threads == threads]
            for name, colour in ((TENSORFLOW[0], "#d55e00"), (NUMPY, "#0072b2")):
                times = [point.comparison.arms[name].median * 1e3 for point in own]
                label = f"{name}, {threads} thread{'s' * (threads > 1)}"
                panel.plot([point.value for point in own], times, style, color=colour, marker=".", label=label)
        panel.set(xlabel=axis, ylabel="ms a training step", xscale="log", yscale="log")
        if not number:
            panel.legend(fontsize=7)
    return figure
