"""What kind of values a network gives: the function its output went through last."""

from __future__ import annotations

from model_spec.layers import (
    Activation,
    Flatten,
    GlobalMaxPooling2D,
    LayerSpec,
    MaxPooling2D,
    Permute,
    Rescaling,
    Reshape,
    Softmax,
    ZeroPadding2D,
)
from model_spec.model import ModelSpec

_MIX_POSITIONS = (Flatten, Permute, Reshape, ZeroPadding2D, MaxPooling2D, GlobalMaxPooling2D)


def final_activation(spec: ModelSpec) -> str:
    """The activation whose values the network gives, "linear" where sums have gone through none.

    Layers that move or average values hand on what they get: probabilities stay probabilities. A softmax is one only
    where its last axis is still whole: behind a Flatten or a maximum its values are "moved softmax".

    >>> from model_spec import Dense
    >>> final_activation(ModelSpec("m", (4,), (Dense(3, activation="softmax"), Activation("linear"))))
    'softmax'
    """
    passed: list[LayerSpec] = []
    for layer, before in zip(reversed(spec.layers), reversed(spec.input_shapes), strict=True):
        if layer.merges:
            return "linear"
        activation = getattr(layer, "activation", None)
        if activation is not None and not (isinstance(layer, Activation) and activation == "linear"):
            if isinstance(activation, LayerSpec):
                return type(activation).__name__
            along_another = isinstance(layer, Softmax) and layer.position(len(before) + 1) != len(before)
            moved = along_another or any(isinstance(other, _MIX_POSITIONS) for other in passed)
            return "moved softmax" if moved and activation == "softmax" else str(activation)
        if isinstance(layer, Rescaling) or layer.parameter_shapes(before) or layer.state_shapes(before):
            return "linear"
        passed.append(layer)
    return "none"
