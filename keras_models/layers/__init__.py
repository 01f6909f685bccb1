"""The layers of model_spec in Keras, one a file with building and reading together: the table of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_models import ends
from keras_models.layers import (
    activation,
    batch_normalization,
    conv1d,
    conv2d,
    conv2d_transpose,
    cropping2d,
    dense,
    depthwise_conv2d,
    dropout,
    elu,
    group_normalization,
    layer_normalization,
    leaky_relu,
    normalization,
    permute,
    prelu,
    relu,
    repeat_vector,
    reshaping,
    separable_conv2d,
    softmax,
    unit_normalization,
    up_sampling2d,
    zero_padding1d,
)
from keras_models.layers.form import KerasForm
from keras_models.layers.merging import build_concatenate, merge, read_concatenate
from keras_models.layers.pooling import global_pooling, window_pooling
from keras_models.layers.pooling1d import global_pooling1d, window_pooling1d
from keras_models.layers.training_only import FORM as TRAINING_ONLY
from keras_models.reading.options import refuse
from keras_models.runtime import keras
from model_spec import LayerSpec
from model_spec import layers as specs
from model_spec.layers.ends import InputPart, Outputs
from model_spec.streams import layer_seed

LAYERS: dict[type[LayerSpec], KerasForm] = {
    specs.Dense: KerasForm((keras.layers.Dense,), dense.build, dense.read),
    specs.Conv2D: KerasForm((keras.layers.Conv2D,), conv2d.build, conv2d.read),
    specs.DepthwiseConv2D: KerasForm(
        (keras.layers.DepthwiseConv2D, depthwise_conv2d.LAYER_SCALE), depthwise_conv2d.build, depthwise_conv2d.read
    ),
    specs.SeparableConv2D: KerasForm((keras.layers.SeparableConv2D,), separable_conv2d.build, separable_conv2d.read),
    specs.Conv2DTranspose: KerasForm((keras.layers.Conv2DTranspose,), conv2d_transpose.build, conv2d_transpose.read),
    specs.Conv1D: KerasForm((keras.layers.Conv1D,), conv1d.build, conv1d.read),
    specs.MaxPooling1D: window_pooling1d(keras.layers.MaxPooling1D, specs.MaxPooling1D),
    specs.AveragePooling1D: window_pooling1d(keras.layers.AveragePooling1D, specs.AveragePooling1D),
    specs.GlobalAveragePooling1D: global_pooling1d(keras.layers.GlobalAveragePooling1D, specs.GlobalAveragePooling1D),
    specs.GlobalMaxPooling1D: global_pooling1d(keras.layers.GlobalMaxPooling1D, specs.GlobalMaxPooling1D),
    specs.MaxPooling2D: window_pooling(keras.layers.MaxPooling2D, specs.MaxPooling2D),
    specs.AveragePooling2D: window_pooling(keras.layers.AveragePooling2D, specs.AveragePooling2D),
    specs.GlobalAveragePooling2D: global_pooling(keras.layers.GlobalAveragePooling2D, specs.GlobalAveragePooling2D),
    specs.GlobalMaxPooling2D: global_pooling(keras.layers.GlobalMaxPooling2D, specs.GlobalMaxPooling2D),
    specs.Cropping2D: KerasForm((keras.layers.Cropping2D,), cropping2d.build, cropping2d.read),
    specs.ZeroPadding1D: KerasForm((keras.layers.ZeroPadding1D,), zero_padding1d.build, zero_padding1d.read),
    specs.ZeroPadding2D: KerasForm(
        (keras.layers.ZeroPadding2D,), reshaping.build_zero_padding, reshaping.read_zero_padding
    ),
    specs.UpSampling2D: KerasForm((keras.layers.UpSampling2D,), up_sampling2d.build, up_sampling2d.read),
    specs.Flatten: KerasForm((keras.layers.Flatten,), reshaping.build_flatten, reshaping.read_flatten),
    specs.Reshape: KerasForm((keras.layers.Reshape,), reshaping.build_reshape, reshaping.read_reshape),
    specs.Rescaling: KerasForm((keras.layers.Rescaling,), reshaping.build_rescaling, reshaping.read_rescaling),
    specs.Dropout: KerasForm((keras.layers.Dropout, *dropout.SPATIAL), dropout.build, dropout.read),
    specs.BatchNormalization: KerasForm(
        (keras.layers.BatchNormalization,), batch_normalization.build, batch_normalization.read
    ),
    specs.LayerNormalization: KerasForm(
        (keras.layers.LayerNormalization,), layer_normalization.build, layer_normalization.read
    ),
    specs.Activation: KerasForm(activation.KINDS, activation.build, activation.read),
    specs.ELU: KerasForm((keras.layers.ELU,), elu.build, elu.read),
    specs.LeakyReLU: KerasForm((keras.layers.LeakyReLU,), leaky_relu.build, leaky_relu.read),
    specs.ReLU: KerasForm((keras.layers.ReLU,), relu.build, relu.read),
    specs.PReLU: KerasForm((keras.layers.PReLU,), prelu.build, prelu.read),
    specs.Softmax: KerasForm((keras.layers.Softmax,), softmax.build, softmax.read),
    specs.Normalization: KerasForm((keras.layers.Normalization,), normalization.build, normalization.read),
    specs.Permute: KerasForm((keras.layers.Permute,), permute.build, permute.read),
    specs.RepeatVector: KerasForm((keras.layers.RepeatVector,), repeat_vector.build, repeat_vector.read),
    specs.UnitNormalization: KerasForm(
        (keras.layers.UnitNormalization,), unit_normalization.build, unit_normalization.read
    ),
    specs.GroupNormalization: KerasForm(
        (keras.layers.GroupNormalization,), group_normalization.build, group_normalization.read
    ),
    specs.Add: merge(keras.layers.Add, specs.Add),
    specs.Subtract: merge(keras.layers.Subtract, specs.Subtract),
    specs.Multiply: merge(keras.layers.Multiply, specs.Multiply),
    specs.Average: merge(keras.layers.Average, specs.Average),
    specs.Maximum: merge(keras.layers.Maximum, specs.Maximum),
    specs.Minimum: merge(keras.layers.Minimum, specs.Minimum),
    specs.Concatenate: KerasForm((keras.layers.Concatenate,), build_concatenate, read_concatenate),
}
"""How each layer of model_spec is built and read."""


def variables_of(layer: Any) -> dict[str, np.ndarray]:
    """Copies of a Keras layer's variables by name, as its specification has them."""
    if isinstance(layer, keras.layers.Normalization):
        return normalization.statistics(layer)
    if isinstance(layer, depthwise_conv2d.LAYER_SCALE):
        # (channels,) -> (1, 1, channels, 1)
        return {"kernel": np.array(layer.gamma.numpy())[None, None, :, None]}
    return {variable.name: np.array(variable.numpy()) for variable in layer.weights}


def readable() -> dict[type, KerasForm]:
    """The form of every layer of Keras that can be read."""
    return {kind: form for form in (*LAYERS.values(), TRAINING_ONLY) for kind in form.kinds}


def supported() -> str:
    """The layers of Keras that can be read, as a message names them."""
    names = [kind.__name__ for form in LAYERS.values() for kind in form.kinds]
    return f"supported are {', '.join(names)}, and layers of noise and augmentation, which are left out"


def build_layer(layer: LayerSpec, index: int, seed: int, dropout_seed: int, dtype: str) -> Any:
    """Return the stock Keras layer of one layer specification; ``index`` is its position in the model."""
    if type(layer) not in LAYERS:
        supported = ", ".join(kind.__name__ for kind in LAYERS)
        raise ValueError(
            f"layer {index} {layer.name!r} is a {type(layer).__name__}, which keras_models cannot build; "
            f"supported are {supported}"
        )

    def seeds(purpose: str) -> int:
        return layer_seed(dropout_seed if purpose == "dropout" else seed, index, purpose)

    common = {"name": layer.name, "trainable": layer.trainable, "dtype": dtype}
    return LAYERS[type(layer)].build(layer, seeds, common)


def read_layer(layer: Any, name: str) -> LayerSpec:
    """The layer of model_spec that computes what a Keras layer computes.

    Raises:
        ValueError: a layer, or an option of one, that model_spec cannot say; named with what is supported.
    """
    if isinstance(layer, ends.InputPart):
        return InputPart(layer.shape, layer.start, name=name)
    if isinstance(layer, ends.Outputs):
        return Outputs(layer.keys, name=name)
    forms = readable()
    if type(layer) not in forms:
        raise refuse(layer, "this layer", supported())
    return forms[type(layer)].read(layer, {"name": name, "trainable": bool(layer.trainable)})
