"""Padding that is given in cells: a Keras layer of its own in front of the layer with the windows."""

from __future__ import annotations

from typing import Any

from keras_models.runtime import keras
from model_spec import layers as specs


@keras.saving.register_keras_serializable("crosscheck")
class LowestPadding2D(keras.layers.Layer):
    """A border of -inf around channels-last images, which wins no maximum.

    Args:
        padding: ((top, bottom), (left, right)).
        **options: those of every layer.
    """

    def __init__(self, padding: Any, **options: Any) -> None:
        super().__init__(**options)
        self.padding = tuple(tuple(side) for side in padding)

    def call(self, inputs: Any) -> Any:
        """(n, h, w, c) -> (n, top + h + bottom, left + w + right, c)."""
        return keras.ops.pad(inputs, ((0, 0), *self.padding, (0, 0)), constant_values=float("-inf"))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape behind the border."""
        n, height, width, channels = input_shape
        (top, bottom), (left, right) = self.padding
        return n, height + top + bottom, width + left + right, channels

    def get_config(self) -> dict[str, Any]:
        """What Keras keeps in a file."""
        return {**super().get_config(), "padding": self.padding}


def after_border(padding: Any) -> str:
    """What is left to pad for a Keras layer whose border, if it has one, stands in front of it."""
    return padding if isinstance(padding, str) else "valid"


def border(layer: specs.LayerSpec, dtype: str) -> Any | None:
    """The Keras layer that pads in front of this one, or None; called "<name>_border"."""
    padding = getattr(layer, "padding", "valid")
    if isinstance(layer, (specs.ZeroPadding1D, specs.ZeroPadding2D)) or isinstance(padding, str):
        return None
    common = {"name": f"{layer.name}_border", "dtype": dtype}
    if isinstance(layer, specs.MaxPooling2D):
        return LowestPadding2D(padding, **common)
    return keras.layers.ZeroPadding2D(padding, data_format="channels_last", **common)
