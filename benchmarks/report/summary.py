"""The first screen of a report in four sentences: what was compared, with what result, on what, what to conclude."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.judge.tensor import Row
from model_spec.verdict import Verdict

if TYPE_CHECKING:
    from benchmarks.compare import Comparison
    from benchmarks.timing import SpeedComparison
    from benchmarks.trained import TrainedPair


def sentences(result: Comparison) -> list[str]:
    """What was compared, how it agreed, how it learned, and what follows."""
    return [_what(result), _agreement(result), _learning(result), _conclusion(result)]


def _what(result: Comparison) -> str:
    spec = result.spec
    count = "1 layer" if len(spec.layers) == 1 else f"{len(spec.layers)} layers"
    return (
        f"{spec.name}, {count} with {spec.parameter_count:,} parameters, was built twice from one "
        f"specification: from scratch in NumPy, and of stock Keras layers."
    )


def _agreement(result: Comparison) -> str:
    parity = result.parity
    first = parity.first_divergence
    if first is not None:
        return (
            f"They part at layer {first.layer} ({first.stage}, {first.tensor}, {first.dtype}, {first.mode}): the "
            f"difference is {first.error_over_bound:.3g} times what rounding can explain."
        )
    if parity.verdict != Verdict.AGREE:
        return f"Nothing was shown by comparing them: {parity.why or 'no tensor could be compared'}."
    worst = parity.worst(parity.rows, "error_over_bound")
    largest = "" if worst is None else f"; the largest difference is {worst.error_over_bound:.2f} of its bound"
    return f"All {len(parity.rows)} activations, losses and gradients agree within rounding{largest}."


def _learning(result: Comparison) -> str:
    accuracy = result.accuracy
    if accuracy is None:
        return "They were not trained, and not timed."
    optimizer: Any = accuracy.training.optimizer
    epochs = " and ".join(sorted({str(len(backend.history.epoch)) for backend in accuracy.backends}))
    configuration = result.configuration
    rows = (
        f"{configuration['training_rows']:,} examples of {configuration['data']} for {epochs} epochs with "
        f"{type(optimizer).__name__}"
    )
    if accuracy.diverged:
        return f"Trained alike on {rows}, {' and '.join(accuracy.diverged)} left the finite numbers."
    if result.data.is_regression:
        scores = " and ".join(
            f"{backend.name} {backend.test['r2']:.4f} (RMSE {backend.test['rmse']:.4g})"
            for backend in accuracy.backends
        )
        return f"Trained alike on {rows}, R^2 of the test set is {scores}: {_chance(result)}.{_unfinished(accuracy)}"
    scores = " and ".join(f"{backend.name} {backend.test['accuracy']:.2%}" for backend in accuracy.backends)
    return f"Trained alike on {rows}, {scores} of the test set were right: {_chance(result)}.{_unfinished(accuracy)}"


def _unfinished(trained: TrainedPair) -> str:
    return f" {trained.unfinished}." if trained.unfinished else ""


def _chance(result: Comparison) -> str:
    is_chance = result.p_value is None or result.accuracy is None or result.accuracy.agrees
    return "no more than chance apart" if is_chance else "more than chance apart"


def _conclusion(result: Comparison) -> str:
    if result.verdict == Verdict.AGREE:
        speeds = [] if result.speed is None else [_speed(name, found) for name, found in result.speed.phases.items()]
        times = f"; {', '.join(speeds)}" if speeds else ""
        return f"Either can stand for the other{times}."
    if result.parity.culprits:
        culprit = result.parity.culprits[0]
        return f"One of them is wrong: {culprit.row.layer} of {culprit.side} leaves its bound on its own input, too."
    if result.parity.first_divergence is not None:
        return "One of them is wrong: begin with that layer, whose numbers stand below."
    if result.verdict == Verdict.DIFFER:
        return "They compute the same and learn differently: look at the lock-step training and the curves below."
    return "Nothing follows from this comparison."


def _speed(phase: str, found: SpeedComparison) -> str:
    first = next(iter(found.arms))
    return f"NumPy is {found.times_as_fast('NumPy')[0]:.2f} times as fast as {first} in {phase.split(',')[0]}"


@dataclass(frozen=True)
class DrawnLayer:
    """A layer in the drawing of a network.

    Attributes:
        name: of the layer.
        text: what it is, as one would write it.
        sources: names of the layers it reads, where it is not the one before it.
        shape: of its output, without the batch.
        worst: the tensor with the largest error over bound that the layer produced; None where none was compared.
        failing: how many of its tensors leave their bounds.
        is_culprit: True where it differs given its own input, and does not only hand on what differs before it.
    """

    name: str
    text: str
    sources: tuple[str, ...]
    shape: tuple[int, ...]
    worst: Row | None
    failing: int
    is_culprit: bool


def drawing(result: Comparison) -> Iterator[DrawnLayer]:
    """The layers in computing order, each with what the comparison found there."""
    spec, parity = result.spec, result.parity
    names = ["input", *(str(layer.name) for layer in spec.layers)]
    for at, layer in enumerate(spec.layers):
        rows = [row for row in parity.rows if row.layer == layer.name]
        sources = () if spec.sources[at] == (at,) else tuple(names[source] for source in spec.sources[at])
        yield DrawnLayer(
            str(layer.name),
            layer.describe(),
            sources,
            spec.output_shapes[at],
            parity.worst(rows, "error_over_bound"),
            sum(not row.agrees for row in rows),
            any(culprit.row.layer == layer.name for culprit in parity.culprits),
        )
