"""Pictures of images: filters, feature maps, and the examples a model, or one of two, gets wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.plots.style import figure_of

Array = np.ndarray

MOST_TILES = 64


def mosaic(tiles: Array, columns: int | None = None) -> Array:
    """Tiles (n, height, width) or (n, height, width, 3) in one image, a cell of nothing (NaN) between them.

    >>> mosaic(np.ones((2, 1, 1)), columns=2)
    array([[ 1., nan,  1.]])
    """
    count, height, width = tiles.shape[:3]
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    # (rows * (height + 1) - 1, columns * (width + 1) - 1, ...)
    image = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, *tiles.shape[3:]), np.nan)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        top, left = row * (height + 1), column * (width + 1)
        image[top : top + height, left : left + width] = tile
    return image


def filters(kernel: Array, ax: Any = None, limit: float | None = None, columns: int | None = None) -> Any:
    """The kernels of a convolution (height, width, channels, filters) as tiles: one a filter and input channel.

    At most 64 tiles are shown. Blue is negative, red positive, white zero.

    Args:
        kernel: in Keras' layout.
        ax: axes to draw on; None makes them.
        limit: the value of full colour; the largest shown by default.
        columns: tiles in a row.
    """
    figure, axes = figure_of(ax, (3.6, 3.6))
    # (height, width, channels, filters) -> (filters * channels, height, width)
    tiles = np.moveaxis(np.asarray(kernel), (3, 2), (0, 1)).reshape(-1, *kernel.shape[:2])[:MOST_TILES]
    limit = limit or max(float(np.abs(tiles).max()), 1e-12)
    axes.imshow(mosaic(tiles, columns), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    axes.set_axis_off()
    return figure


def feature_maps(maps: Array, ax: Any = None, limits: tuple[float, float] | None = None, colours: str = "gray") -> Any:
    """What one example gives in a layer (height, width, channels) as tiles, one a channel, at most 64.

    Args:
        maps: the layer's output for one example.
        ax: axes to draw on; None makes them.
        limits: the values of the first and last colour; the smallest and largest shown by default.
        colours: a colour map of matplotlib.
    """
    figure, axes = figure_of(ax, (3.6, 3.6))
    tiles = np.moveaxis(np.asarray(maps), 2, 0)[:MOST_TILES]
    low, high = limits or (float(tiles.min()), float(tiles.max()))
    axes.imshow(mosaic(tiles), cmap=colours, vmin=low, vmax=high if high > low else low + 1, interpolation="nearest")
    axes.set_axis_off()
    return figure


def misclassified(images: Array, labels: Array, probabilities: Array, ax: Any = None, most: int = 24) -> Any:
    """The images a model gets most surely wrong, each with its class and what it was taken for.

    Args:
        images: (n, height, width, channels), floats in 0..1 or uint8.
        labels: true classes (n,).
        probabilities: the model's output (n, classes).
        ax: axes to draw on; None makes them.
        most: how many to show.
    """
    taken = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(taken != labels)
    wrong = wrong[np.argsort(-probabilities[wrong, taken[wrong]], kind="stable")][:most]
    words = [f"{labels[i]} as {taken[i]}\n{probabilities[i, taken[i]]:.2f}" for i in wrong]
    return _captioned(images[wrong], words, ax)


def disagreements(images: Array, labels: Array, first: Array, second: Array, ax: Any = None, most: int = 24) -> Any:
    """The images two models call differently, each with its class and both answers, the widest apart first.

    Args:
        images: (n, height, width, channels), floats in 0..1 or uint8.
        labels: true classes (n,).
        first: probabilities of the first model (n, classes).
        second: those of the second.
        ax: axes to draw on; None makes them.
        most: how many to show.
    """
    ours, theirs = first.argmax(axis=1), second.argmax(axis=1)
    apart = np.flatnonzero(ours != theirs)
    apart = apart[np.argsort(-np.abs(first - second).max(axis=1)[apart], kind="stable")][:most]
    words = [
        f"is {labels[i]}\n{ours[i]} ({first[i, ours[i]]:.2f}), {theirs[i]} ({second[i, theirs[i]]:.2f})" for i in apart
    ]
    return _captioned(images[apart], words, ax)


def _captioned(images: Array, words: list[str], ax: Any) -> Any:
    """Images with words below each, in rows of four."""
    columns = 4
    rows = max(1, math.ceil(len(images) / columns))
    figure, axes = figure_of(ax, (4.6, 1.5 * rows))
    axes.set_axis_off()
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    if not len(images):
        axes.text(columns / 2, 0.5, "none", ha="center", va="center")
    for number, (image, caption) in enumerate(zip(images, words, strict=True)):
        row, column = divmod(number, columns)
        pixels = image[..., 0] if image.shape[-1] == 1 else image
        place = (column + 0.2, column + 0.8, row + 0.66, row + 0.02)
        axes.imshow(pixels, cmap="gray_r", extent=place, aspect="auto", interpolation="nearest")
        axes.text(column + 0.5, row + 0.69, caption, ha="center", va="top", fontsize=8)
    # Every image has set the limits to its own
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    return figure
