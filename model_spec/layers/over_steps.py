"""The common part of all layers over steps: each is a layer over images, on images of one row."""

from __future__ import annotations

from typing import Any

from model_spec.layers.base import LayerSpec
from model_spec.shapes import Shape, steps_shape
from model_spec.validation import positive_integer


class OverSteps(LayerSpec):
    """A layer on (steps, channels), which computes what ``on_images`` does on (1, steps, channels)."""

    @property
    def on_images(self) -> LayerSpec:
        """The layer over images of one row that computes the same; its kernel is this layer's with an axis in front."""
        raise TypeError(f"{type(self).__name__} does not say what it is over images; it must define on_images")

    def output_shape(self, input_shape: Shape) -> Shape:
        # (1, steps, channels) -> (1, new steps, channels) or, of a global pooling, (channels,)
        return self.on_images.output_shape((1, *steps_shape(input_shape)))[-2:]

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        shapes = self.on_images.parameter_shapes((1, *input_shape))
        return {name: shape[1:] if name == "kernel" else shape for name, shape in shapes.items()}


def one_integer(name: str, value: Any) -> int:
    """Return the integer of an option over one axis, given as one or as a tuple of one, at least 1."""
    return positive_integer(name, value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value)
