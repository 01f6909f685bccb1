"""What a network makes of a plane: decision boundaries and activations for two-dimensional data."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.plots.style import COLOURS, figure_of

Array = np.ndarray

_POINTS = 120


def grid(x: Array, points: int = _POINTS) -> tuple[Array, Array, Array]:
    """(first coordinates, second coordinates, all points (points**2, 2)) over the rectangle around x (n, 2)."""
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"a plane needs points (n, 2), got shape {x.shape}; choose two columns")
    margin = 0.1 * (x.max(axis=0) - x.min(axis=0))
    low, high = x.min(axis=0) - margin, x.max(axis=0) + margin
    first, second = np.meshgrid(np.linspace(low[0], high[0], points), np.linspace(low[1], high[1], points))
    return first, second, np.stack([first.ravel(), second.ravel()], axis=1).astype(x.dtype)


def decision_boundary(model: Any, x: Array, y: Array | None = None, ax: Any = None, title: str | None = None) -> Any:
    """The class a model gives every point of the plane, with the data on it.

    Args:
        model: anything with ``predict(points) -> (n, classes)``.
        x: points (n, 2).
        y: their classes (n,), or None for points without colour.
        ax: axes to draw on; None makes them.
        title: of the picture.
    """
    from sklearn.inspection import DecisionBoundaryDisplay

    figure, axes = figure_of(ax)
    first, second, points = grid(np.asarray(x))
    outputs = np.asarray(model.predict(points))
    # scikit-learn takes a colour for each class of three or more
    count = max(3, outputs.shape[1])
    colours = [COLOURS[number % len(COLOURS)] for number in range(count)]
    classes = outputs.argmax(axis=1).reshape(first.shape)
    display = DecisionBoundaryDisplay(
        xx0=first, xx1=second, n_classes=count, response=classes, multiclass_colors=colours
    )
    display.plot(plot_method="pcolormesh", ax=axes, alpha=0.35, vmin=-0.5, vmax=count - 0.5, rasterized=True)
    shade = None if y is None else [colours[int(label)] for label in y]
    axes.scatter(x[:, 0], x[:, 1], s=12, c=shade, edgecolors="white", linewidths=0.4)
    axes.set_xlabel("first input")
    axes.set_ylabel("second input")
    if title:
        axes.set_title(title, fontsize=9)
    return figure


def activation_surface(model: Any, x: Array, layer: str | None = None, unit: int = 0, ax: Any = None) -> Any:
    """One unit's activation over the plane, as a surface in three dimensions.

    Args:
        model: of either backend.
        x: points (n, 2); the surface covers the rectangle around them.
        layer: its name; the last one by default.
        unit: of that layer.
        ax: three-dimensional axes to draw on; None makes them.
    """
    figure, axes = figure_of(ax, (3.6, 3.2), projection="3d")
    first, second, points = grid(np.asarray(x), 40)
    outputs = model.activations(points)
    layer = layer or list(outputs)[-1]
    if layer not in outputs or not 0 <= unit < outputs[layer].shape[-1]:
        raise ValueError(f"no unit {unit} in layer {layer!r}; layers are {', '.join(outputs)}")
    heights = outputs[layer][:, unit].reshape(first.shape)
    axes.plot_surface(first, second, heights, cmap="viridis", rstride=2, cstride=2, linewidth=0.1, rasterized=True)
    axes.set_title(f"{layer}, unit {unit + 1}", fontsize=8)
    axes.tick_params(labelsize=6)
    return figure
