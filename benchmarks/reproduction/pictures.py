"""The curves and pictures the courses draw, from recorded results: matplotlib figures, both backends in each."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.plots import as_svg
from benchmarks.reproduction.experiment import MOST_SEEDS, Row
from benchmarks.reproduction.record import Record
from benchmarks.reproduction.results import results_of
from model_spec.whole_files import whole_file, write_whole

STYLES = {"numpy": ("-", 1.0), "keras": ("--", 2.2)}
"""Keras lies dashed and wider below NumPy, so that one sees both where they are equal."""

WIDE_RANGE = 20
"""Losses whose largest is more than this times the smallest are drawn on a logarithmic axis."""

LARGEST_SVG = 60_000
"""Bytes; a larger picture is written as PNG."""


def figures_of(row: Row, record: Record) -> dict[str, Any]:
    """{file stem: matplotlib figure} of all pictures of a row that the record has results for."""
    found = {}
    curves = curve_figure(row, record)
    if curves is not None:
        found[row.name] = curves
    for variant in row.variants:
        if variant.trains:
            continue
        results = results_of(row, variant, record, range(MOST_SEEDS))
        first = {backend: next(iter(by_seed.values()), None) for backend, by_seed in results.items()}
        if None not in first.values():
            looked = {backend: result["looked"] for backend, result in first.items() if result}
            draw = {"histograms": histogram_figure, "filters": filter_figure}[variant.way]
            found[f"{row.name}-{variant.way}"] = draw(looked)
    return found


def curve_figure(row: Row, record: Record) -> Any:
    """The row's panels: one line a variant, key and backend, the mean over the seeds; None where there is nothing."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    lines = _lines(row, record)
    panels = [panel for panel in row.panels if any(line[1] in panel for line in lines)]
    if not panels:
        return None
    several = len({line[0] for line in lines}) > 1
    figure = Figure(figsize=(max(4.6 * len(panels), 6.5), 3.6), layout="constrained")
    colours = colormaps["tab10"]
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        labels: list[str] = []
        for variant, key, backend, axis, at, values in lines:
            if key not in panel:
                continue
            words = " ".join([variant] * several + [_words(key)] * (len(panel) > 1)) or _words(key)
            if words not in labels:
                labels.append(words)
            style, width = STYLES[backend]
            colour = colours(labels.index(words) % colours.N)
            label = words if backend == "numpy" else None
            axes.plot(at, values, style, color=colour, lw=width, label=label, alpha=0.8)
            axes.set_xlabel(axis)
        losses = [value for line in lines if line[1] in panel and "loss" in line[1] for value in line[5]]
        if losses and max(losses) > WIDE_RANGE * min(losses) > 0:
            axes.set_yscale("log")
        axes.set_title(_words(panel[0].removeprefix("val_")), fontsize=9)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=6)
    figure.suptitle("NumPy solid, Keras dashed", fontsize=8)
    return figure


def _words(key: str) -> str:
    return (
        key.replace("val_", "validation ")
        .replace("inference.", "")
        .replace("as_training.", "as in training: ")
        .replace("_", " ")
    )


def _lines(row: Row, record: Record) -> list[tuple[str, str, str, str, list[int], list[float]]]:
    """(variant, key, backend, axis, numbers, means over the seeds) of every curve; Keras' first, to lie below."""
    lines = []
    for variant in row.variants:
        results = results_of(row, variant, record, range(MOST_SEEDS))
        for backend in reversed(results):
            for kind in ("history", "measured"):
                curves = [result.get("curves", {}).get(kind, {}) for result in results[backend].values()]
                curves = [curve for curve in curves if curve.get("at")]
                if not curves:
                    continue
                axis = next(iter(results[backend].values()))["axis"] if kind == "history" else "epoch"
                # Seeds that stop early have shorter curves: the mean is over those that have come as far
                longest = max(curves, key=lambda curve: len(curve["at"]))["at"]
                same = [curve for curve in curves if curve["at"] == longest[: len(curve["at"])]]
                for key in curves[0]:
                    if key != "at":
                        columns = [[c[key][i] for c in same if len(c[key]) > i] for i in range(len(longest))]
                        lines.append((variant.name, key, backend, axis, longest, [float(np.mean(c)) for c in columns]))
    return lines


def histogram_figure(looked: dict[str, Any]) -> Any:
    """Outputs of every hidden layer for every rule of first weights and activation: NumPy filled, Keras outlined."""
    from matplotlib.figure import Figure

    both = list(zip(looked["numpy"]["histograms"], looked["keras"]["histograms"], strict=True))
    rules = list(dict.fromkeys(one["weights"] for one, _ in both))
    kinds = list(dict.fromkeys((one["activation"], one["layer"]) for one, _ in both))
    figure = Figure(figsize=(1.7 * len(kinds), 1.35 * len(rules)), layout="constrained")
    grid = figure.subplots(len(rules), len(kinds), squeeze=False)
    for ours, theirs in both:
        axes = grid[rules.index(ours["weights"])][kinds.index((ours["activation"], ours["layer"]))]
        edges = np.linspace(ours["low"], ours["high"], len(ours["counts"]) + 1)
        axes.stairs(ours["counts"], edges, fill=True, color="#0072b2", alpha=0.5)
        edges = np.linspace(theirs["low"], theirs["high"], len(theirs["counts"]) + 1)
        axes.stairs(theirs["counts"], edges, color="#d55e00", lw=0.8)
        axes.set_title(f"{_rule(ours['weights'])}, {ours['activation']} {ours['layer']}", fontsize=6)
        axes.set_yticks([])
        axes.tick_params(labelsize=5)
    figure.suptitle("NumPy filled, Keras outlined; columns: activation and hidden layer", fontsize=7)
    return figure


def _rule(weights: str) -> str:
    return weights.capitalize() if weights in ("xavier", "he") else f"N(0, {float(weights):g})"


def filter_figure(looked: dict[str, Any]) -> Any:
    """The digit, and its maps on both backends with their difference."""
    from matplotlib.figure import Figure

    ours, theirs = (np.asarray(looked[backend]["maps"]) for backend in ("numpy", "keras"))
    figure = Figure(figsize=(7.5, 2.0 * len(ours)), layout="constrained")
    grid = figure.subplots(len(ours), 4, squeeze=False)
    for number, panels in enumerate(grid):
        images = (np.asarray(looked["numpy"]["image"]), ours[number], theirs[number], ours[number] - theirs[number])
        titles = ("digit", f"filter {number + 1}, NumPy", f"filter {number + 1}, Keras", "difference")
        limit = max(np.abs(ours[number]).max(), 1e-6)
        for axes, image, title in zip(panels, images, titles, strict=True):
            low = 0 if title == "digit" else -limit
            axes.imshow(image, cmap="gray", vmin=low, vmax=1 if title == "digit" else limit, interpolation="nearest")
            axes.set_title(title, fontsize=7)
            axes.set_axis_off()
    return figure


def write(directory: Path, stem: str, figure: Any) -> Path:
    """Write a figure as SVG, or as PNG where that would be large; return the path."""
    directory.mkdir(parents=True, exist_ok=True)
    text = as_svg(figure) + "\n"
    if len(text.encode()) <= LARGEST_SVG:
        path = directory / f"{stem}.svg"
        write_whole(path, text)
        return path
    path = directory / f"{stem}.png"
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=70, metadata={"Software": None})
    with whole_file(path) as file:
        file.write(buffer.getvalue())
    return path
