"""From a ModelSpec to a real keras.Sequential of stock Keras layers, one small builder per layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras_models.constants import exact
from keras_models.initializers import keras_initializer, keras_regularizer
from keras_models.runtime import floatx, keras
from model_spec import LayerSpec, ModelSpec
from model_spec import layers as spec_layers
from model_spec.streams import layer_seed


@dataclass(frozen=True)
class Seeds:
    """The seeds of one layer's random values."""

    kernel: int
    bias: int
    dropout: int


@keras.saving.register_keras_serializable(package="keras_models")
def step(x: Any) -> Any:
    """1 where x > 0, else 0, in x's shape and dtype; it has no gradient."""
    return keras.ops.cast(x > 0, x.dtype)


def keras_activation(name: str) -> Any:
    """Return what Keras takes as ``activation=``: its own name of the function, or :func:`step`."""
    return step if name == "step" else name


def _weighted(layer: Any, seeds: Seeds, dtype: str) -> dict[str, Any]:
    """The arguments Dense and Conv2D share."""
    return {
        "activation": keras_activation(layer.activation),
        "use_bias": layer.use_bias,
        "kernel_initializer": keras_initializer(layer.kernel_initializer, seeds.kernel),
        "bias_initializer": keras_initializer(layer.bias_initializer, seeds.bias),
        "kernel_regularizer": keras_regularizer(layer.kernel_regularizer, dtype),
        "bias_regularizer": keras_regularizer(layer.bias_regularizer, dtype),
    }


def _dense(layer: Any, seeds: Seeds, **common: Any) -> Any:
    return keras.layers.Dense(layer.units, **_weighted(layer, seeds, common["dtype"]), **common)


def _conv2d(layer: Any, seeds: Seeds, **common: Any) -> Any:
    return keras.layers.Conv2D(
        layer.filters,
        layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format="channels_last",
        **_weighted(layer, seeds, common["dtype"]),
        **common,
    )


def _window_pooling(kind: Any) -> Callable[..., Any]:
    def build(layer: Any, seeds: Seeds, **common: Any) -> Any:
        return kind(layer.pool_size, layer.strides, layer.padding, data_format="channels_last", **common)

    return build


def _global_pooling(kind: Any) -> Callable[..., Any]:
    def build(layer: Any, seeds: Seeds, **common: Any) -> Any:
        return kind(data_format="channels_last", **common)

    return build


def _zero_padding2d(layer: Any, seeds: Seeds, **common: Any) -> Any:
    return keras.layers.ZeroPadding2D(layer.padding, data_format="channels_last", **common)


def _flatten(layer: Any, seeds: Seeds, **common: Any) -> Any:
    return keras.layers.Flatten(data_format="channels_last", **common)


def _reshape(layer: Any, seeds: Seeds, **common: Any) -> Any:
    return keras.layers.Reshape(layer.target_shape, **common)


def _rescaling(layer: Any, seeds: Seeds, **common: Any) -> Any:
    return keras.layers.Rescaling(exact(layer.scale, common["dtype"]), exact(layer.offset, common["dtype"]), **common)


def _dropout(layer: Any, seeds: Seeds, **common: Any) -> Any:
    return keras.layers.Dropout(layer.rate, seed=seeds.dropout, **common)


def _batch_normalization(layer: Any, seeds: Seeds, **common: Any) -> Any:
    return keras.layers.BatchNormalization(
        axis=-1, momentum=layer.momentum, epsilon=layer.epsilon, center=layer.center, scale=layer.scale, **common
    )


def _activation(layer: Any, seeds: Seeds, **common: Any) -> Any:
    return keras.layers.Activation(keras_activation(layer.activation), **common)


BUILDERS: dict[type[LayerSpec], Callable[..., Any]] = {
    spec_layers.Dense: _dense,
    spec_layers.Conv2D: _conv2d,
    spec_layers.MaxPooling2D: _window_pooling(keras.layers.MaxPooling2D),
    spec_layers.AveragePooling2D: _window_pooling(keras.layers.AveragePooling2D),
    spec_layers.GlobalAveragePooling2D: _global_pooling(keras.layers.GlobalAveragePooling2D),
    spec_layers.GlobalMaxPooling2D: _global_pooling(keras.layers.GlobalMaxPooling2D),
    spec_layers.ZeroPadding2D: _zero_padding2d,
    spec_layers.Flatten: _flatten,
    spec_layers.Reshape: _reshape,
    spec_layers.Rescaling: _rescaling,
    spec_layers.Dropout: _dropout,
    spec_layers.BatchNormalization: _batch_normalization,
    spec_layers.Activation: _activation,
}
"""How each layer of model_spec is built; ``data_format`` is always given, for a user's keras.json may say otherwise."""


def build_layer(layer: LayerSpec, index: int, seed: int, dropout_seed: int, dtype: str) -> Any:
    """Return the stock Keras layer of one layer specification; ``index`` is its position in the model."""
    if type(layer) not in BUILDERS:
        supported = ", ".join(kind.__name__ for kind in BUILDERS)
        raise ValueError(
            f"layer {index} {layer.name!r} is a {type(layer).__name__}, which keras_models cannot build; "
            f"supported are {supported}"
        )
    seeds = Seeds(
        kernel=layer_seed(seed, index, "kernel"),
        bias=layer_seed(seed, index, "bias"),
        dropout=layer_seed(dropout_seed, index, "dropout"),
    )
    return BUILDERS[type(layer)](layer, seeds, name=layer.name, trainable=layer.trainable, dtype=dtype)


def build_sequential(spec: ModelSpec, seed: int, dropout_seed: int, dtype: str) -> Any:
    """Return a built ``keras.Sequential`` with the layers, names and first values the specification says.

    Raises:
        ValueError: a layer Keras does not have, named with the supported list.
    """
    # TensorFlow uses the model's name as the name of a graph scope, which takes no spaces or slashes.
    name = re.sub(r"[^A-Za-z0-9_.\-]", "_", spec.name)
    with floatx(dtype):
        layers = [build_layer(layer, i, seed, dropout_seed, dtype) for i, layer in enumerate(spec.layers)]
        model = keras.Sequential(
            [keras.Input(spec.input_shape, dtype=spec.input_dtype or dtype), *layers], name=f"model_{name}"
        )
    found = {f"{layer.name}/{variable.name}": tuple(variable.shape) for layer in layers for variable in layer.weights}
    if list(found.items()) != list(spec.variable_shapes.items()):
        raise ValueError(
            f"Keras built other variables than model {spec.name!r} says: {found} instead of {spec.variable_shapes}; "
            f"this Keras version ({keras.__version__}) may name or order them differently"
        )
    return model
