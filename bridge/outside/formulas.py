"""How a tensor should be computed: its formula, with the reference's own code beside it."""

from __future__ import annotations

import inspect
from typing import Any

from core_numpy.layers import LAYERS
from core_numpy.ops.activations import FUNCTIONS
from model_spec import layers as specs

_FORMULAS: dict[type[specs.LayerSpec], dict[str, str]] = {
    specs.Dense: {
        "y": "y = x @ W + b",
        "gradient of kernel": "dW = x.T @ dy",
        "gradient of bias": "db = dy.sum(axis=0)",
        "gradient of x": "dx = dy @ W.T",
    },
    specs.Conv2D: {
        "y": "y[n, i, j, f] = sum over window cells and channels of x[n, i s + a, j s + b, c] W[a, b, c, f], plus b[f]",
        "gradient of kernel": "dW[a, b, c, f] = sum over n, i, j of x[n, i s + a, j s + b, c] dy[n, i, j, f]",
        "gradient of bias": "db = dy.sum(axis=(0, 1, 2))",
        "gradient of x": "every dy[n, i, j, f] W[a, b, c, f] is added to dx[n, i s + a, j s + b, c]",
    },
    specs.MaxPooling2D: {
        "y": "y = the largest value of each window",
        "gradient of x": "each dy is added to one cell of its window that holds the maximum",
    },
    specs.AveragePooling2D: {
        "y": "y = the sum of each window over the number of its cells",
        "gradient of x": "each dy over the number of cells is added to every cell of its window",
    },
    specs.BatchNormalization: {
        "y": "y = gamma (x - mean) / sqrt(variance + epsilon) + beta",
        "gradient of gamma": "dgamma = sum(dy * normalized)",
        "gradient of beta": "dbeta = sum(dy)",
        "gradient of x": "dx = gamma / sqrt(variance + epsilon) * (dy - (dbeta + normalized * dgamma) / n) in training",
        "moving_mean": "moving_mean = momentum * moving_mean + (1 - momentum) * mean",
        "moving_variance": "moving_variance = momentum * moving_variance + (1 - momentum) * variance",
    },
    specs.Dropout: {
        "y": "y = x * kept / (1 - rate) in training, x in inference",
        "gradient of x": "dx = dy * kept / (1 - rate), with the mask of the forward",
    },
}


def how_it_should_be(layer: specs.LayerSpec, tensor: str) -> list[str]:
    """Lines with the formula of a tensor, where there is one, and the reference's code."""
    tensor = tensor.partition(" on ")[0].removeprefix("channel sums of ")
    formula = _FORMULAS.get(type(layer), {}).get(tensor)
    lines = [] if formula is None else [f"how: {formula}"]
    activation = getattr(layer, "activation", None)
    if isinstance(layer, specs.Activation) and activation in FUNCTIONS:
        pair = FUNCTIONS[str(activation)]
        function = pair.forward if tensor == "y" else pair.backward
    else:
        kind: Any = LAYERS[type(layer).__name__]
        function = kind.forward if tensor == "y" else kind.backward
    return [*lines, "the reference:", *(f"    {line}" for line in inspect.getsource(function).rstrip().splitlines())]
