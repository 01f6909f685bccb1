"""The pictures of a report, section by section, each with its caption and a text for those who cannot see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import plots
from benchmarks.accuracy import AccuracyComparison
from benchmarks.plots.style import figure_of

if TYPE_CHECKING:
    from benchmarks.compare import Comparison

MOST_CLASSES = 20
"""A confusion matrix of more classes cannot be read in a page."""


@dataclass(frozen=True)
class Picture:
    """One picture as the page takes it.

    Attributes:
        content: an ``<svg>`` element in the page's own ink.
        caption: what one sees.
        text: what it says, for those who cannot see it.
    """

    content: str
    caption: str
    text: str


def of(result: Comparison) -> dict[str, list[Picture]]:
    """{section: its pictures}; a section without pictures is empty."""
    sections = {
        "drift": _drift(result),
        "curves": _curves(result),
        "predicted": _predicted(result),
        "confusion": _confusion(result),
        "reliability": _reliability(result),
        "disagreements": _disagreements(result),
        "misclassified": _misclassified(result),
        "filters": _filters(result),
        "maps": _maps(result),
        "histograms": _histograms(result),
        "plane": _plane(result),
        "speed": _speed(result),
    }
    return sections


def _svg(figure: Any, caption: str, text: str) -> Picture:
    return Picture(plots.inline_svg(figure), caption, text)


def _of_each(result: Comparison, draw: Callable[[Any], Any], caption: str, text: Callable[[Any], str]) -> list[Picture]:
    """A picture of each trained backend, ``{}`` in its caption being the name; one of both where they are the same."""
    backends = () if result.accuracy is None else result.accuracy.backends
    found = [_svg(draw(backend), caption.format(backend.name), text(backend)) for backend in backends]
    if len(found) == 2 and found[0].content == found[1].content and found[0].text == found[1].text:
        return [replace(found[0], caption=caption.format(" and ".join(f"{one.name}" for one in backends) + " alike"))]
    return found


def _drift(result: Comparison) -> list[Picture]:
    found = []
    for report in result.drift:
        ends = f"after {len(report.steps)} steps {report.steps[-1].largest:.2g}" if report.steps else "no steps"
        text = f"Distance of NumPy from Keras in {report.dtype}: {ends}; {report.verdict}."
        found.append(_svg(plots.drift(report.to_dict()), f"Lock-step training, {report.dtype}", text))
    return found


def _curves(result: Comparison) -> list[Picture]:
    if result.accuracy is None:
        return []
    histories = [backend.history for backend in result.accuracy.backends]
    names = [backend.name for backend in result.accuracy.backends]
    found = []
    for quantity in ("loss", "accuracy"):
        if quantity not in histories[0].history:
            continue
        ends = [f"{name} {history.history[quantity][-1]:.4f}" for name, history in zip(names, histories, strict=True)]
        figure = plots.training_and_validation(*histories, quantity=quantity, names=names)
        caption = f"{quantity.capitalize()} over the epochs, training solid, validation dashed"
        found.append(_svg(figure, caption, f"On training data it ends at {', '.join(ends)}."))
    return found


def _classified(result: Comparison) -> AccuracyComparison | None:
    return result.accuracy if isinstance(result.accuracy, AccuracyComparison) else None


def _predicted(result: Comparison) -> list[Picture]:
    trained = result.accuracy
    if trained is None or trained.diverged or not result.data.is_regression:
        return []
    return _of_each(
        result,
        lambda backend: plots.predicted(trained.labels, backend.probabilities),
        "Predicted over true values of the test set, {}",
        lambda backend: f"R^2 is {backend.test['r2']:.4f}.",
    )


def _confusion(result: Comparison) -> list[Picture]:
    accuracy = _classified(result)
    if accuracy is None or accuracy.backends[0].probabilities.shape[1] > MOST_CLASSES:
        return []

    def text(backend: Any) -> str:
        right = int((backend.probabilities.argmax(axis=1) == accuracy.labels).sum())
        return f"{right} of {len(accuracy.labels)} test examples stand on the diagonal."

    return _of_each(
        result, lambda backend: plots.confusion(accuracy.labels, backend.probabilities), "Confusion matrix, {}", text
    )


def _reliability(result: Comparison) -> list[Picture]:
    accuracy = _classified(result)
    figures = {} if accuracy is None else accuracy.class_figures()
    if not figures:
        return []
    errors = {name: found["calibration"]["error"] for name, found in figures.items()}
    text = "; ".join(f"{name}: expected calibration error {error:.3f}" for name, error in errors.items()) + "."
    figure = plots.reliability({name: found["calibration"]["bins"] for name, found in figures.items()})
    return [_svg(figure, "Right answers over the probability they were given with", text)]


def _images(result: Comparison) -> Any:
    """The test images, or None where the data are no images one can show."""
    x = result.data.test[0]
    return x if x.ndim == 4 and x.shape[-1] in (1, 3) else None


def _disagreements(result: Comparison) -> list[Picture]:
    images, accuracy = _images(result), _classified(result)
    if accuracy is None or images is None:
        return []
    first, second = accuracy.backends
    count = len(accuracy.different_answers)
    if not count:
        return []
    figure = plots.disagreements(images, accuracy.labels, first.probabilities, second.probabilities)
    text = f"{count} test images get different answers from {first.name} and {second.name}."
    return [_svg(figure, f"Images the backends disagree on: {first.name}'s answer, {second.name}'s answer", text)]


def _misclassified(result: Comparison) -> list[Picture]:
    images, accuracy = _images(result), _classified(result)
    if accuracy is None or images is None:
        return []
    labels = accuracy.labels

    def text(backend: Any) -> str:
        wrong = int((backend.probabilities.argmax(axis=1) != labels).sum())
        return f"{wrong} of {len(labels)} test images are wrong."

    return _of_each(
        result,
        lambda backend: plots.misclassified(images, labels, backend.probabilities),
        "Most surely wrong, {} (class, answer, probability)",
        text,
    )


def _beside(pairs: Any, draw: Any, draw_difference: Any, caption: str, words: str) -> list[Picture]:
    """One picture a pair of arrays: NumPy's and Keras' on one scale, and their difference on its own."""
    found = []
    for name, (ours, theirs) in pairs.items():
        difference = ours - theirs
        largest = float(np.abs(difference).max())
        figure, axes = figure_of(None, (4.8, 2.1))
        axes.remove()
        panels = [figure.add_subplot(1, 3, place) for place in (1, 2, 3)]
        for ax, values, title in zip(panels, (ours, theirs), ("NumPy", "Keras"), strict=False):
            draw(values, ax, ours)
            ax.set_title(title, fontsize=8)
        draw_difference(difference, panels[2], max(largest, 1e-12))
        panels[2].set_title(f"difference\nat most {largest:.1e}", fontsize=8)
        text = f"{words}; the largest difference is {largest:.1e}."
        found.append(_svg(figure, f"{caption} {name}, {ours.shape}", text))
    return found


def _filters(result: Comparison) -> list[Picture]:
    return _beside(
        {} if result.insides is None else result.insides.kernels,
        lambda values, ax, ours: plots.filters(values, ax, float(np.abs(ours).max())),
        plots.filters,
        "Filters of",
        "As they were learned",
    )


def _maps(result: Comparison) -> list[Picture]:
    return _beside(
        {} if result.insides is None else result.insides.maps,
        lambda values, ax, ours: plots.feature_maps(values, ax, (float(ours.min()), float(ours.max()))),
        lambda values, ax, largest: plots.feature_maps(values, ax, (-largest, largest), "RdBu_r"),
        "Feature maps of",
        "The first test example",
    )


def _histograms(result: Comparison) -> list[Picture]:
    if result.insides is None:
        return []
    found = []
    for title, pairs in (("Activations", result.insides.activations), ("Weights", result.insides.weights)):
        sides = [{name: pair[side] for name, pair in pairs.items()} for side in (0, 1)]
        text = f"{title} of {len(pairs)} {'layers' if title == 'Activations' else 'variables'} on both backends."
        caption = f"{title}: NumPy filled, Keras outlined"
        found.append(_svg(plots.activation_histograms(*sides), caption, text))
    return found


def _plane(result: Comparison) -> list[Picture]:
    if _classified(result) is None or result.accuracy is None or result.data.train[0].shape[1:] != (2,):
        return []
    x, y = result.data.test
    found = _of_each(
        result,
        lambda backend: plots.decision_boundary(backend.model, x, y),
        "Decision boundary, {}",
        lambda backend: "The class of every point of the plane, test examples on it.",
    )
    first = result.accuracy.backends[0].model
    layers = [name for name, shape in zip(_names(first), first.spec.output_shapes, strict=True) if len(shape) == 1]
    for layer in dict.fromkeys((layers[0], layers[-1])):
        figure = plots.activation_surface(first, x, layer)
        found.append(_svg(figure, f"Activation of {layer}, unit 1, NumPy", f"A surface over the plane of {layer}."))
    return found


def _names(model: Any) -> list[str]:
    return [str(layer.name) for layer in model.spec.layers]


def _speed(result: Comparison) -> list[Picture]:
    if result.speed is None:
        return []
    rows = [
        (f"{phase.split(',')[0]}, {ratio.baseline}", 1 / ratio.ratio, 1 / ratio.high, 1 / ratio.low)
        for phase, timing in result.speed.phases.items()
        for ratio in timing.ratios
        if ratio.arm == "NumPy"
    ]
    text = "; ".join(f"{name}: NumPy is {ratio:.2f} times as fast" for name, ratio, *_ in rows) + "."
    return [_svg(plots.speed_ratios(rows), "NumPy's speed beside Keras' ways, 95 % intervals", text)]
