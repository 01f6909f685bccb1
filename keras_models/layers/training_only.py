"""Layers and options of Keras that change training alone: read, left out of what is predicted, and named."""

from __future__ import annotations

from typing import Any

from keras_models.layers import activation
from keras_models.layers.form import Common, KerasForm
from keras_models.runtime import keras
from model_spec import layers as specs

STOCHASTIC_DEPTH = keras.src.applications.convnext.StochasticDepth

NOISE = (
    keras.layers.GaussianNoise,
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
    STOCHASTIC_DEPTH,
)
PENALTIES = (keras.layers.ActivityRegularization,)
AUGMENTATION = tuple(
    kind
    for name, kind in sorted(vars(keras.layers).items())
    if (name.startswith("Random") or name in ("AugMix", "CutMix", "MixUp", "RandAugment"))
    # It crops in inference too
    and kind is not keras.layers.RandomCrop
)

KINDS = (*NOISE, *PENALTIES, *AUGMENTATION)
"""In inference their output is their input, to the bit."""


def read(layer: Any, common: Common) -> specs.LayerSpec:
    """The identity, which these layers are in inference."""
    return specs.Activation("linear", **common)


FORM = KerasForm(KINDS, activation.build, read)


def notes(layer: Any, found: specs.LayerSpec) -> list[str]:
    """What of a layer changes training alone and its specification does not keep, a sentence each."""
    named = f"layer {layer.name!r} ({type(layer).__name__})"
    if isinstance(layer, KINDS):
        return [f"{named} changes training only and is left out: predictions are the same, training on goes without it"]
    left_out = [
        f"{option}={type(value).__name__}"
        for option in sorted(vars(layer))
        if option.endswith(("_constraint", "_regularizer"))
        and (value := getattr(layer, option)) is not None
        and getattr(found, option, None) is None
    ]
    if getattr(layer, "synchronized", False):
        left_out.append("synchronized=True")
    if not left_out:
        return []
    return [f"{named}: {', '.join(left_out)} changes training only and is left out; training on goes without it"]
