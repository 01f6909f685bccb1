"""Gives a foreign layer (a student's, a book's, another framework's) the interface by which the judge knows layers."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from bridge.outside.external_variables import (
    STYLES,
    ForeignLayerError,
    describe_attributes,
    find_gradient,
    find_variable,
)
from bridge.outside.layouts import KERNEL_LAYOUTS, LAYOUTS, image_to_keras, image_to_layer, kernel_layout_of
from model_spec import layers as specs
from model_spec.shapes import Shape, element_count
from model_spec.validation import one_of

Array = np.ndarray

_TRAINING_FLAGS = ("training", "train_flg", "train_flag", "train", "is_training")


class AdaptedLayer:
    """A foreign layer behind Keras' names and layouts.

    Attributes:
        layer: the foreign layer.
        spec: what it claims to be.
        layout: of its images, "NHWC" or "NCHW".
        kernel_layout: of its kernel, a key of KERNEL_LAYOUTS, or None without a kernel.
        slots: where it keeps each variable, by Keras' name.
    """

    def __init__(
        self,
        layer: Any,
        spec: specs.LayerSpec,
        input_shape: Shape,
        layout: str = "NHWC",
        kernel_layout: str | None = None,
        style: str | None = None,
    ) -> None:
        one_of("layout", layout, LAYOUTS)
        if style is not None:
            one_of("style", style, STYLES)
        if not callable(getattr(layer, "forward", None)):
            raise ValueError(
                f"{type(layer).__name__} has no method forward(x); it has {describe_attributes(layer)}; "
                f"give an object with forward(x) and, to be judged on gradients, backward(dy)"
            )
        if layout == "NCHW" and isinstance(spec, (specs.Flatten, specs.Reshape)) and len(input_shape) > 1:
            raise ValueError(
                f"{type(spec).__name__} orders NCHW values by channel first, so it differs from Keras' by design; "
                f"check the other layers, and judge this one with channels last"
            )
        self.layer = layer
        self.spec = spec
        self.layout = layout
        self.parameter_shapes = spec.parameter_shapes(input_shape)
        self.state_shapes = spec.state_shapes(input_shape)
        self._training_flag = _training_flag(layer.forward)
        order = list(self.parameter_shapes)
        self.slots = {
            name: find_variable(layer, name, shape, order, style) for name, shape in self.parameter_shapes.items()
        }
        self._missing_state: dict[str, ValueError] = {}
        for name, shape in self.state_shapes.items():
            # Batch statistics need no moving ones, and not every layer keeps them
            try:
                self.slots[name] = find_variable(layer, name, shape, order, style)
            except ValueError as error:
                self._missing_state[name] = error
        self.kernel_layout: str | None = None
        if "kernel" in self.slots:
            shape = self.parameter_shapes["kernel"]
            self.kernel_layout = kernel_layout_of(
                self.slots["kernel"].read(), shape, kernel_layout, type(layer).__name__
            )

    @property
    def has_backward(self) -> bool:
        """True where the layer has a method backward(dy)."""
        return callable(getattr(self.layer, "backward", None))

    @property
    def knows_training(self) -> bool:
        """True where forward takes a training flag, or the layer has one as an attribute."""
        return self._training_flag is not None or self._training_attribute is not None

    @property
    def _training_attribute(self) -> str | None:
        flags = (name for name in _TRAINING_FLAGS if isinstance(getattr(self.layer, name, None), bool))
        return next(flags, None)

    def forward(self, x: Array, training: bool = False) -> Array:
        """The layer's output as Keras would lay it out, for x (examples, *input shape), channels last."""
        flags: dict[str, Any] = {}
        if self._training_flag is not None:
            flags[self._training_flag] = training
        elif self._training_attribute is not None:
            setattr(self.layer, self._training_attribute, training)
        return image_to_keras(self.layout, self.layer.forward(image_to_layer(self.layout, x), **flags))

    def backward(self, dy: Array) -> Array:
        """The gradient of the last x, for dy in the shape of the output, channels last.

        Raises:
            ForeignLayerError: the layer returned something else than one array.
        """
        dx = self.layer.backward(image_to_layer(self.layout, dy))
        if dx is None or isinstance(dx, (tuple, list, dict)):
            raise ForeignLayerError(
                f"backward must return dx, one array, and leave the gradients of parameters in attributes or in grads; "
                f"it returned {'None' if dx is None else f'a {type(dx).__name__}'}"
            )
        return image_to_keras(self.layout, dx)

    @property
    def weights(self) -> dict[str, Array]:
        """Copies of the variables the layer holds now, in Keras' names and layouts; those still None are left out."""
        held = {name: slot.read() for name, slot in self.slots.items()}
        return {name: self._variable_to_keras(name, value) for name, value in held.items() if value is not None}

    def set_weights(self, values: dict[str, Array], dtype: str = "float64", training: bool = False) -> None:
        """Write variables (Keras' names and layouts) into the very arrays the layer computes with.

        An array that is there keeps its dtype; where there is none yet, the layer gets one of ``dtype``.

        Raises:
            ValueError: the layer needs moving statistics and has none, or cannot hold the values as they are.
        """
        for name, value in values.items():
            if name in self._missing_state:
                if training:
                    continue
                raise self._missing_state[name]
            slot = self.slots[name]
            laid_out = value
            if name == "kernel":
                laid_out = value.transpose(KERNEL_LAYOUTS[value.ndim][str(self.kernel_layout)])
            current = slot.read()
            if current is not None and current.dtype.kind != "f":
                slot.write(None)  # integers would cut the values off
                current = None
            shape = laid_out.shape if current is None else current.shape
            # A copy, so that nothing the layer does reaches the caller's values
            slot.write(np.array(laid_out, dtype if current is None else current.dtype, order="C").reshape(shape))
            if not np.array_equal(self._variable_to_keras(name, slot.read()), value):
                raise ValueError(
                    f"{type(self.layer).__name__}.{slot.label} does not hold the values of {name!r} that were written; "
                    f"it needs a writable float32 or float64 array, got {getattr(slot.read(), 'dtype', None)}"
                )

    def snapshot(self) -> dict[str, Any]:
        """The variables just as the layer holds them, for :meth:`restore`."""
        held = {name: slot.read() for name, slot in self.slots.items()}
        return {name: None if value is None else value.copy() for name, value in held.items()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Put back what :meth:`snapshot` kept."""
        for name, value in snapshot.items():
            slot = self.slots[name]
            if value is not None and getattr(slot.read(), "dtype", None) != value.dtype:
                slot.write(None)  # another array stands there now
            slot.write(value if value is None else value.copy())

    def clear_gradients(self) -> None:
        """Set the gradients of an earlier call to zero: none is taken for this one's, and a layer may add to them."""
        for name in self.parameter_shapes:
            try:
                slot = find_gradient(self.slots[name], name)
            except ForeignLayerError:
                continue  # many layers make them in backward
            value = slot.read()
            if isinstance(value, np.ndarray):
                slot.write(np.zeros_like(value))

    def gradient(self, name: str) -> Array:
        """The gradient of one parameter the last backward left, in Keras' layout.

        Raises:
            ForeignLayerError: there is none; what was looked for and what the layer has is listed.
        """
        slot = find_gradient(self.slots[name], name)
        value = slot.read()
        if value is None:
            raise ForeignLayerError(f"{type(self.layer).__name__}.{slot.label} is None after backward")
        return self._variable_to_keras(name, np.asarray(value))

    def _variable_to_keras(self, name: str, value: Array) -> Array:
        shape = (self.parameter_shapes | self.state_shapes)[name]
        if name == "kernel":
            axes = KERNEL_LAYOUTS[len(shape)][str(self.kernel_layout)]
            return value.transpose(np.argsort(axes)).copy() if value.ndim == len(shape) else value.copy()
        # Some keep a bias as a row or a column
        return value.reshape(shape).copy() if value.size == element_count(shape) else value.copy()


def _training_flag(forward: Any) -> str | None:
    """The keyword by which ``forward`` learns whether it is training."""
    try:
        parameters = inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return None
    return next((name for name in _TRAINING_FLAGS if name in parameters), None)
