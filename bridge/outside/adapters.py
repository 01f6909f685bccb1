"""Gives a foreign layer (a student's, a book's, another framework's) the interface by which the judge knows layers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.outside.calling import CALLS, TRAINING_FLAGS, Calling, split_gradients
from bridge.outside.external_variables import (
    BOOK_NAMES,
    STYLES,
    ForeignLayerError,
    find_gradient,
    find_variable,
)
from bridge.outside.layouts import (
    KERNEL_LAYOUTS,
    LAYOUTS,
    chosen_layouts,
    image_to_keras,
    image_to_layer,
    kernel_layout_of,
)
from core_numpy.contract import Array
from model_spec import layers as specs
from model_spec.entries import known_entries
from model_spec.names import shown
from model_spec.shapes import Shape, element_count
from model_spec.validation import one_of

ZERO_GRADIENTS = ("zero_grad", "zero_grads", "zero_gradients", "clear_grad", "clear_grads", "cleargrads", "reset_grads")
"""What the method that sets gradients to zero is looked for as."""


class AdaptedLayer:
    """A foreign layer behind Keras' names and layouts.

    Attributes:
        layer: the foreign layer.
        spec: what it claims to be.
        layout: of its images, "NHWC" or "NCHW".
        kernel_layout: of its kernel, a key of KERNEL_LAYOUTS, or None without a kernel.
        slots: where it keeps each variable, by Keras' name.
        calling: how its methods are called.
        one_by_one: True where it takes one example at a time.
        returned: the parameter gradients that the last backward returned, by Keras' name.
        overwritten: which of "x" and "dy" it has written into.
    """

    def __init__(
        self,
        layer: Any,
        spec: specs.LayerSpec,
        input_shape: Shape,
        layout: str = "NHWC",
        kernel_layout: str | Sequence[str] | None = None,
        style: str | None = None,
        names: Mapping[str, str] | None = None,
        call: Mapping[str, Callable[..., Any]] | None = None,
        one_of_many: bool = False,
    ) -> None:
        one_of("layout", layout, LAYOUTS)
        layouts = chosen_layouts(kernel_layout)
        self.spec = spec
        if style is not None:
            one_of("style", style, STYLES)
        self.parameter_shapes = spec.parameter_shapes(input_shape)
        self.state_shapes = spec.state_shapes(input_shape)
        names, call = self._checked(names, call)
        self.calling = Calling(layer, names, call)
        self.one_by_one = False
        self.returned: dict[str, Any] = {}
        self.overwritten: set[str] = set()
        self.told_to_accumulate = False
        self._names = names
        self._before: dict[str, Array] = {}
        self._x: Array | None = None
        if layout == "NCHW" and isinstance(spec, (specs.Flatten, specs.Reshape)) and len(input_shape) > 1:
            raise ValueError(
                f"a {type(spec).__name__} that is given NCHW orders values by channel first, so it differs from Keras' "
                f"by design; in model_from_layers give None in its place, in check_layer judge it with channels last"
            )
        self.layer = layer
        self.layout = layout
        order = list(self.parameter_shapes)
        self.slots = {
            name: find_variable(layer, name, shape, order, style, names.get(name))
            for name, shape in self.parameter_shapes.items()
        }
        self._missing_state: dict[str, ValueError] = {}
        for name, shape in self.state_shapes.items():
            # Batch statistics need no moving ones, and not every layer keeps them
            try:
                self.slots[name] = find_variable(layer, name, shape, order, style, names.get(name))
            except ValueError as error:
                self._missing_state[name] = error
        self.kernel_layout: str | None = None
        if "kernel" in self.slots:
            shape = self.parameter_shapes["kernel"]
            kernel, owner = self.slots["kernel"].read(), type(layer).__name__
            self.kernel_layout = kernel_layout_of(kernel, shape, layouts, owner, one_of_many=one_of_many)

    def _checked(self, names: Any, call: Any) -> tuple[dict[str, str], dict[str, Callable[..., Any]]]:
        """The two options without entries that nothing would look at."""
        owner = self.spec.describe()
        variables = (*self.parameter_shapes, *self.state_shapes)
        gradients = (f"gradient of {name}" for name in self.parameter_shapes)
        names = known_entries("names", names, ("forward", "backward", *variables, *gradients), owner)
        for key, name in names.items():
            if not isinstance(name, str) or not name:
                raise ValueError(f"names[{key!r}] must be a name of the layer's, such as 'theta', got {shown(name)}")
        call = known_entries("call", call, CALLS)
        for key, function in call.items():
            if not callable(function):
                raise ValueError(f"call[{key!r}] must be a function of {CALLS[key]}, got {shown(function)}")
            if key in names:
                raise ValueError(f"names[{key!r}] and call[{key!r}] are both given; give one of them")
        return names, call

    def on_copy(self) -> AdaptedLayer:
        """The same around a copy of the layer, so that nothing one run leaves behind reaches the next.

        A layer that cannot be copied is used itself.
        """
        try:
            layer = copy.deepcopy(self.layer)
        except Exception:  # open files, locks, generators: whatever a layer holds
            return self
        other = copy.copy(self)
        other.layer = layer
        other.slots = {name: replace(slot, layer=layer) for name, slot in self.slots.items()}
        other.calling = copy.copy(self.calling)
        other.returned, other.overwritten = {}, set()
        return other

    @property
    def has_backward(self) -> bool:
        """True where the layer has a method that pulls a gradient back."""
        return self.calling.has_backward

    @property
    def accumulates(self) -> bool:
        """True where adding to gradients is its convention: it has a method that clears them, or the caller says so."""
        return self.told_to_accumulate or any(callable(getattr(self.layer, name, None)) for name in ZERO_GRADIENTS)

    @property
    def _training_attribute(self) -> str | None:
        flags = (name for name in TRAINING_FLAGS if isinstance(getattr(self.layer, name, None), bool))
        return next(flags, None)

    def forward(self, x: Array, training: bool = False, contiguous: bool = True) -> Array:
        """The layer's output as Keras would lay it out, for x (examples, *input shape), channels last.

        Without ``contiguous`` the layer gets every other row of a larger array.
        """
        if self.calling.training_flag(self.layer) is None and self._training_attribute is not None:
            setattr(self.layer, self._training_attribute, training)
        self._x = x
        if self.one_by_one:
            return np.stack([self._forward(one, training, contiguous) for one in x])
        return self._forward(x, training, contiguous)

    def _forward(self, x: Array, training: bool, contiguous: bool = True) -> Array:
        given = image_to_layer(self.layout, x, self.one_by_one)
        if not contiguous:
            given = np.repeat(given, 2, axis=0)[::2]
        kept = given.copy()
        y = image_to_keras(self.layout, self.calling.forward(self.layer, given, training), self.one_by_one)
        if not np.array_equal(given, kept, equal_nan=True):
            self.overwritten.add("x")
        return y

    def backward(self, dy: Array, contiguous: bool = True) -> Array:
        """The gradient of the last x, for dy in the shape of the output, channels last.

        Raises:
            ForeignLayerError: the layer returned nothing that can be the gradient of x.
        """
        self._before = {name: slot.read().copy() for name, slot in self.slots.items() if slot.read() is not None}
        if not self.one_by_one:
            return self._backward(dy, self._x, contiguous)
        parts: list[Array] = []
        sums: dict[str, Array] = {}
        for one, gradient in zip(np.asarray(self._x), dy, strict=True):
            self._forward(one, False)
            self.clear_gradients()
            parts.append(self._backward(gradient, one))
            for name in self.parameter_shapes:
                sums[name] = sums.get(name, 0) + self._gradient(name)
        self.returned = {name: self._variable_to_layer(name, value) for name, value in sums.items()}
        return np.stack(parts)

    def _backward(self, dy: Array, x: Array | None, contiguous: bool = True) -> Array:
        given = image_to_layer(self.layout, dy, self.one_by_one)
        if not contiguous:
            given = np.repeat(given, 2, axis=0)[::2]
        kept = given.copy()
        result = self.calling.backward(self.layer, given, 1.0)
        if not np.array_equal(given, kept, equal_nan=True):
            self.overwritten.add("dy")
        shape = () if x is None else image_to_layer(self.layout, x, self.one_by_one).shape
        aliases = {name: BOOK_NAMES.get(name, ()) for name in self.parameter_shapes}
        dx, self.returned = split_gradients(result, shape, self.parameter_shapes, aliases)
        return image_to_keras(self.layout, dx, self.one_by_one)

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
            laid_out = self._variable_to_layer(name, value)
            current = slot.read()
            if current is not None and current.dtype.kind != "f":
                slot.write(None)  # integers would cut the values off
                current = None
            shape = laid_out.shape if current is None else current.shape
            # A copy, so that nothing the layer does reaches the caller's values
            slot.write(np.array(laid_out, dtype if current is None else current.dtype, order="C").reshape(shape))
            if not np.array_equal(self._variable_to_keras(name, slot.read()), value):
                held = getattr(slot.read(), "dtype", None)
                needed = (
                    f'they are {dtype} and it holds {held}: give dtype="{held}" with the network'
                    if held is not None and held.kind == "f" and held.itemsize < np.dtype(dtype).itemsize
                    else f"it needs a writable float32 or float64 array, got {held}"
                )
                raise ValueError(
                    f"{type(self.layer).__name__}.{slot.label} does not hold the values of {name!r} that were written; "
                    f"{needed}"
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
        return self._gradient(name)

    def _gradient(self, name: str) -> Array:
        # What the caller names comes first; the sums over single examples are no longer there
        named = f"gradient of {name}" in self._names and not self.one_by_one
        if name in self.returned and not named:
            return self._variable_to_keras(name, np.asarray(self.returned[name]))
        if f"gradient of {name}" in self._names:
            path = self._names[f"gradient of {name}"]
            return self._variable_to_keras(name, np.asarray(_looked_up(self.layer, path)))
        if self.calling.updates and name in self._before:
            # Backward took a step of a learning rate of 1 with it
            return self._variable_to_keras(name, self._before[name] - np.asarray(self.slots[name].read()))
        slot = find_gradient(self.slots[name], name)
        value = slot.read()
        if value is None:
            raise ForeignLayerError(f"{type(self.layer).__name__}.{slot.label} is None after backward")
        return self._variable_to_keras(name, np.asarray(value))

    def _variable_to_layer(self, name: str, value: Array) -> Array:
        if name == "kernel":
            return value.transpose(KERNEL_LAYOUTS[value.ndim][str(self.kernel_layout)])
        return value

    def _variable_to_keras(self, name: str, value: Array) -> Array:
        shape = (self.parameter_shapes | self.state_shapes)[name]
        if name == "kernel":
            axes = KERNEL_LAYOUTS[len(shape)][str(self.kernel_layout)]
            return value.transpose(np.argsort(axes)).copy() if value.ndim == len(shape) else value.copy()
        # Some keep a bias as a row or a column
        return value.reshape(shape).copy() if value.size == element_count(shape) else value.copy()


def _looked_up(layer: Any, path: str) -> Any:
    """An attribute, or an entry of a dict or list: "grads.W", "g"."""
    value = layer
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value[part]
        else:
            value = value[int(part)] if isinstance(value, (list, tuple)) else getattr(value, part)
    return value
