"""Inspection without training: activations of fresh networks, and images through fixed filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.reproduction.measuring import Part
from benchmarks.reproduction.networks import dense_stack
from model_spec import ModelSpec
from model_spec.layers import Conv2D

Array = np.ndarray
Build = Callable[[ModelSpec], Any]

BINS = 30


def histograms(
    build: Build,
    parts: dict[str, Part],
    hidden: list[int],
    weights: list[float | str],
    activations: list[str],
    rows: int,
) -> dict[str, Any]:
    """Histograms of every hidden layer's output in fresh networks, on the first test images.

    Args:
        build: makes a model of a network.
        parts: "test" is looked at.
        hidden: units of the hidden layers.
        weights: rules of first weights, as ``networks.dense_stack`` takes them.
        activations: of the hidden layers.
        rows: how many images.

    Returns:
        {"figures": {"deviation he relu 1": standard deviation, ...}, "histograms": [{...}, ...]}.
    """
    x = parts["test"][0][:rows]
    figures, drawn = {}, []
    for rule in weights:
        for activation in activations:
            model = build(dense_stack("look", hidden, rule, activation, input_shape=x.shape[1:]))
            outputs = model.activations(x)
            names = [name for name in outputs if name.startswith("dense")][: len(hidden)]
            for number, name in enumerate(names, start=1):
                values = np.asarray(outputs[name], np.float64).ravel()
                low, high = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0)}.get(activation, (0.0, float(values.max())))
                counts, _ = np.histogram(values, BINS, (low, high))
                figures[f"deviation {rule} {activation} {number}"] = float(values.std())
                drawn.append(
                    {
                        "weights": str(rule),
                        "activation": activation,
                        "layer": number,
                        "low": low,
                        "high": high,
                        "counts": counts.tolist(),
                    }
                )
    return {"figures": figures, "histograms": drawn}


def filters(build: Build, parts: dict[str, Part], image: int, kernels: list[list[list[float]]]) -> dict[str, Any]:
    """One training image through fixed filters, by a Conv2D layer without padding and bias.

    Args:
        build: makes a model of a network.
        parts: "train" holds the image.
        image: its number.
        kernels: filters of one size, rows of numbers each.

    Returns:
        {"figures": {"mean square 1": ...}, "image": rows, "maps": one list of rows a filter}.
    """
    x = parts["train"][0][image : image + 1]
    kernel = np.stack([np.asarray(one, x.dtype) for one in kernels], axis=-1)[:, :, None, :]
    layer = Conv2D(len(kernels), kernel.shape[:2], use_bias=False)
    model = build(ModelSpec("filters", x.shape[1:], (layer,)))
    model.set_weights([kernel])
    maps = np.moveaxis(np.asarray(model.predict(x))[0], -1, 0)
    figures = {f"mean square {number}": float(np.square(one).mean()) for number, one in enumerate(maps, start=1)}
    return {"figures": figures, "image": x[0, :, :, 0].tolist(), "maps": maps.tolist()}
