"""The order of axes and features in a Keras model, followed layer by layer, and how to bring it to channels last.

A model on channels-first images becomes one on channels-last images with the same weights: kernels of convolutions are
the same in both formats. Only where its Flatten leaves the features in the order (channel, row, column) do the
variables behind it have to change places.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_models.ends import InputPart, Outputs
from keras_models.layers.depthwise_conv2d import LAYER_SCALE
from keras_models.layers.training_only import STOCHASTIC_DEPTH
from keras_models.reading.options import activation_of, refuse
from keras_models.runtime import keras

Array = np.ndarray

FIRST, LAST = "channels_first", "channels_last"

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
)


_ALONG_AXES = (
    keras.layers.LayerNormalization,
    keras.layers.UnitNormalization,
    keras.layers.Normalization,
    keras.layers.Permute,
    keras.layers.PReLU,
    LAYER_SCALE,
)
"""What works along axes that are counted; channels-first images have other axes in these places."""

_IN_PLACES = (
    keras.layers.Reshape,
    keras.layers.Permute,
    keras.layers.RepeatVector,
    keras.layers.GroupNormalization,
)
"""What rests on the places of features beside each other."""


_OF_CONVNEXT = (LAYER_SCALE, STOCHASTIC_DEPTH)


@dataclass
class Order:
    """Where the values stand after the layers so far.

    Attributes:
        channels_first: whether images come as (channels, rows, columns).
        shape: of one example, as Keras has it.
        features: where each feature of a channels-last flattening stands in Keras' order, or None for the same order.
    """

    channels_first: bool
    shape: tuple[int, ...]
    features: Array | None = field(default=None)

    @classmethod
    def at_input(cls, layers: list[Any], shape: tuple[int, ...]) -> Order:
        """The order that all layers of the model agree on.

        Raises:
            ValueError: the layers are of both formats.
        """
        formats = {layer.name: layer.data_format for layer in layers if hasattr(layer, "data_format")}
        kinds = {
            layer.name: layer.data_format
            for layer in layers
            if hasattr(layer, "data_format") and not isinstance(layer, keras.layers.Flatten)
        }
        if len(set(kinds.values())) > 1 or (set(kinds.values()) <= {LAST} and FIRST in formats.values()):
            raise ValueError(f"the layers mix data formats: {formats}; give all of them the same")
        if FIRST in kinds.values() and any(isinstance(layer, InputPart) for layer in layers):
            raise ValueError(
                "several inputs of which some are channels-first images are not supported; build the model on "
                "channels-last images"
            )
        return cls(len(shape) == 3 and FIRST in kinds.values(), shape)

    @property
    def is_turned(self) -> bool:
        """True where Keras has the channels of an image in front."""
        return self.channels_first and len(self.shape) == 3

    def keras_last(self, values: Array) -> Array:
        """Values (n, ...) of Keras in channels-last order."""
        if self.is_turned:
            # (n, c, h, w) -> (n, h, w, c)
            return np.ascontiguousarray(values.transpose(0, 2, 3, 1))
        return values if self.features is None else values[:, self.features]

    def example_shape(self) -> tuple[int, ...]:
        """The shape of one example, channels last."""
        return (*self.shape[1:], self.shape[0]) if self.is_turned else self.shape

    def check(self, layer: Any) -> None:
        """Refuse a layer that cannot work on values in this order.

        Raises:
            ValueError: a layer that works along another axis than the channels.
        """
        if isinstance(layer, (keras.layers.BatchNormalization, keras.layers.GroupNormalization)):
            channels = 0 if self.is_turned else len(self.shape) - 1
            # Axis 0 of Keras is the batch
            if layer.axis % (len(self.shape) + 1) != channels + 1:
                raise refuse(layer, f"axis={layer.axis}", f"supported is that of the channels, axis={channels + 1}")
        if self.is_turned and isinstance(layer, (keras.layers.Dense, keras.layers.Reshape)):
            raise refuse(layer, "this layer on channels-first images", "put a Flatten in front of it")
        if self.is_turned and isinstance(layer, _ALONG_AXES):
            raise refuse(layer, "this layer on channels-first images", "build it on channels-last images")
        if self.is_turned and isinstance(layer, _CONVOLUTIONS) and layer.use_bias:
            # keras/src/backend/tensorflow/numpy.py, add: a bias as long as the last axis goes along the last axis
            _, filters, _, columns = layer.compute_output_shape((None, *self.shape))
            if filters == columns:
                raise refuse(
                    layer,
                    "a bias for as many channels-first filters as there are columns, which Keras adds to the columns,",
                    "take use_bias=False or another number of filters",
                )
        by_channel = isinstance(layer, keras.layers.Rescaling) and (np.ndim(layer.scale) or np.ndim(layer.offset))
        if by_channel and (self.is_turned or self.features is not None):
            raise refuse(
                layer, "a number for each channel of channels-first images", "build it on channels-last images"
            )
        if self.is_turned and _is_softmax(layer):
            raise refuse(layer, "softmax over the last axis of channels-first images", "put a Flatten in front of it")

    def variables(self, layer: Any, variables: dict[str, Array]) -> dict[str, Array]:
        """The layer's variables for the same values in channels-last order.

        Raises:
            ValueError: see :meth:`check`.
        """
        self.check(layer)
        if self.features is None:
            return variables
        if isinstance(layer, keras.layers.Dense):
            # The kernel's rows are the features; its columns are in no order but their own
            return {**variables, "kernel": variables["kernel"][self.features]}
        if isinstance(layer, _IN_PLACES):
            raise refuse(layer, "this layer behind a Flatten of channels-first images", "put a Dense layer between")
        return {name: value[self.features] if value.size > 1 else value for name, value in variables.items()}

    @staticmethod
    def merged(layer: Any, orders: list[Order]) -> Order:
        """The order behind a merge.

        Raises:
            ValueError: its inputs have their features in different orders.
        """
        shape = tuple(layer.compute_output_shape([(None, *order.shape) for order in orders])[1:])
        first = orders[0]
        if isinstance(layer, Outputs) and any(order.features is not None or order.is_turned for order in orders):
            raise ValueError("the model ends with channels-first values; end it with a Dense or global pooling layer")
        if all(order.features is None for order in orders):
            return Order(first.channels_first, shape)
        places = [np.arange(order.shape[-1]) if order.features is None else order.features for order in orders]
        if isinstance(layer, keras.layers.Concatenate) and len(shape) == 1:
            starts = np.cumsum([0, *(len(own) for own in places[:-1])])
            return Order(
                first.channels_first,
                shape,
                np.concatenate([start + own for start, own in zip(starts, places, strict=True)]),
            )
        if isinstance(layer, keras.layers.Concatenate) or any(not np.array_equal(places[0], own) for own in places):
            raise refuse(
                layer,
                "merging features of channels-first images in different orders",
                "put Dense layers in front of it",
            )
        return Order(first.channels_first, shape, places[0])

    def after(self, layer: Any) -> Order:
        """The order behind a layer."""
        # Those of ConvNeXt have no compute_output_shape
        keeps = isinstance(layer, _OF_CONVNEXT)
        shape = self.shape if keeps else tuple(layer.compute_output_shape((None, *self.shape))[1:])
        features = None if isinstance(layer, keras.layers.Dense) else self.features
        if isinstance(layer, keras.layers.Flatten) and self.is_turned and layer.data_format == LAST:
            # [row, column, channel] -> its place in (channel, row, column)
            features = np.arange(np.prod(self.shape)).reshape(self.shape).transpose(1, 2, 0).reshape(-1)
        return Order(self.channels_first, shape, features)


def _is_softmax(layer: Any) -> bool:
    if isinstance(layer, keras.layers.Softmax):
        return True
    function = getattr(layer, "activation", None)
    return function is not None and activation_of(layer, function) == "softmax"
