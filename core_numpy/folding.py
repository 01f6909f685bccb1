"""The network for inference alone: dropout left out, batch normalization folded into the layer in front of it.

In inference batch normalization is a factor and a shift for every channel, gamma / sqrt(variance + epsilon) and
beta - mean * factor, and so are the columns of a kernel and the bias of a Dense or Conv2D: their products are taken
once, in float64, and rounded once (Jacob et al., 2018, section 3.2).
"""

from __future__ import annotations

import dataclasses

import numpy as np

from core_numpy.contract import Array
from model_spec import BatchNormalization, Conv2D, Dense, Dropout, ModelSpec
from model_spec.graph import with_inputs_named, without


def folded(spec: ModelSpec, weights: dict[str, Array]) -> tuple[ModelSpec, dict[str, Array]]:
    """(specification, weights) of a network that gives the same outputs in inference, with fewer layers.

    Args:
        spec: the network.
        weights: its variables, {"conv2d/kernel": array, ...}.

    Returns:
        The very same where nothing can be folded. Layers that stay keep their names.
    """
    layers = with_inputs_named(spec.layers, spec.sources)
    result = dict(weights)
    # What is melted into one use of shared weights would be melted into all
    shared = {name for layer in layers if layer.weights_of is not None for name in (layer.name, layer.weights_of)}
    for layer in list(layers):
        # What was changed on the way is looked up anew
        layer = next(other for other in layers if other.name == layer.name)
        before = layer.inputs[0]
        match next((other for other in layers if other.name == before), None), layer:
            case _, Dropout() if len(layers) > 1:
                layers = without(layers, str(layer.name))
            case (Dense(activation="linear") | Conv2D(activation="linear")) as front, BatchNormalization() if sum(
                other.inputs.count(before) for other in layers
            ) == 1 and not shared & {front.name, layer.name}:
                layers = without(layers, str(layer.name))
                at = layers.index(front)
                layers[at] = dataclasses.replace(front, use_bias=True)
                result |= _melted(str(front.name), layer, result)
    if len(layers) == len(spec.layers):
        return spec, weights
    small = dataclasses.replace(spec, layers=tuple(layers))
    return small, {name: result[name] for name in small.variable_shapes}


def _melted(front: str, normalization: BatchNormalization, weights: dict[str, Array]) -> dict[str, Array]:
    """Kernel and bias of ``front`` with the normalization behind it taken in."""
    kernel = weights[f"{front}/kernel"]

    def of(variable: str, otherwise: float) -> Array:
        value = weights.get(f"{normalization.name}/{variable}")
        return np.full(kernel.shape[-1], otherwise) if value is None else value.astype(np.float64)

    factor = of("gamma", 1.0) / np.sqrt(of("moving_variance", 1.0) + normalization.epsilon)
    bias = weights.get(f"{front}/bias", np.zeros(kernel.shape[-1])).astype(np.float64)
    shifted = (bias - of("moving_mean", 0.0)) * factor + of("beta", 0.0)
    # (..., filters) * (filters,)
    scaled = kernel.astype(np.float64) * factor
    return {f"{front}/kernel": scaled.astype(kernel.dtype), f"{front}/bias": shifted.astype(kernel.dtype)}
