"""Functions of tensors that know their own gradient, and modules of PyTorch, as layers."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bridge.outside.functions import ClosureLayer, functions_and_arrays
from core_numpy.contract import Array


class AutogradLayer:
    """A function of somebody's tensors, which know their own gradients, as a layer."""

    def __init__(
        self,
        make_tensor: Callable[[Any], Any],
        function: Callable[..., Any],
        params: Mapping[str, Any] | None,
        scalars: bool,
    ) -> None:
        self.params: dict[str, Any] = dict(params or {})
        self.grads: dict[str, Any] = {}
        self._make, self._function, self._scalars = make_tensor, function, scalars
        self._tensors: dict[str, Any] = {}
        self._x: Any = None
        self._y: Any = None

    def _tensor(self, value: Any) -> Any:
        array = np.asarray(value)
        if not self._scalars:
            return self._make(array.copy())
        cells = np.empty(array.shape, object)
        for at in np.ndindex(array.shape):
            cells[at] = self._make(float(array[at]))
        return cells

    def forward(self, x: Array) -> Array:
        """The value of the function of x and the parameters, as an array."""
        self._x = self._tensor(x)
        self._tensors = {name: self._tensor(value) for name, value in self.params.items()}
        self._y = self._function(self._x, *self._tensors.values())
        return self._value(self._y)

    def backward(self, dy: Array) -> Array:
        """Lets the tensors pull dy back, and reads their gradients."""
        if self._scalars:
            total: Any = None
            for at in np.ndindex(np.shape(self._y)):
                term = self._y[at] * float(dy[at])
                total = term if total is None else total + term
            total.backward()
        else:
            self._pull(dy)
        self.grads = {name: self._gradient(tensor) for name, tensor in self._tensors.items()}
        return self._gradient(self._x)

    def _pull(self, dy: Array) -> None:
        backward = self._y.backward
        try:
            takes = [one for one in inspect.signature(backward).parameters.values() if one.kind < 3]
        except (TypeError, ValueError):
            takes = []
        if takes:
            for given in (dy, self._make(dy.copy())):
                try:
                    backward(given)
                except (TypeError, AttributeError, ValueError):
                    continue
                return
        # sum(dy * y) has dy for its gradient with respect to y
        (self._y * self._make(dy.copy())).sum().backward()

    def _value(self, tensor: Any) -> Array:
        if self._scalars:
            return np.vectorize(lambda cell: float(_data(cell)), otypes=[np.float64])(tensor)
        return np.asarray(_data(tensor))

    def _gradient(self, tensor: Any) -> Array:
        if self._scalars:
            return np.vectorize(lambda cell: float(cell.grad), otypes=[np.float64])(tensor)
        gradient = tensor.grad() if callable(getattr(tensor, "grad", None)) else getattr(tensor, "grad", None)
        if gradient is None:
            return np.zeros_like(self._value(tensor))
        return np.asarray(_data(gradient))


def _data(tensor: Any) -> Any:
    """The numbers of a tensor, by one of the usual names."""
    if isinstance(tensor, (np.ndarray, float, int, np.number)):
        return tensor
    for name in ("detach", "numpy", "realize_cached_data", "to_numpy", "data", "value", "array"):
        found = getattr(tensor, name, None)
        if found is None:
            continue
        found = found() if callable(found) else found
        return found if isinstance(found, (np.ndarray, float, int, np.number)) else _data(found)
    raise TypeError(f"{type(tensor).__name__} has none of data, value, numpy(); no numbers can be read from it")


def from_autograd(
    make_tensor: Callable[[Any], Any],
    function: Callable[..., Any],
    params: Mapping[str, Any] | None = None,
    *,
    scalars: bool = False,
) -> AutogradLayer:
    """A function of tensors that know their own gradients, as a layer for :func:`bridge.check_layer`.

    For micrograd, TinyTorch, needle, minitorch, dezero, tinygrad and their like: ``y.backward(dy)`` is called where it
    takes a gradient, else ``(y * dy).sum().backward()``; values are read from ``data`` (or ``numpy()``), gradients from
    ``grad``.

    Args:
        make_tensor: gives a tensor that wants a gradient, from an array (or, with ``scalars``, from a float).
        function: of x and the parameters as tensors, in their order.
        params: {"W": array, "b": array}; any values of the right shapes.
        scalars: True for engines of single numbers (micrograd): the function gets arrays of them.

    Examples:
        >>> class Tensor:
        ...     def __init__(self, data, parent=None, factor=None):
        ...         self.data, self.parent, self.factor, self.grad = data, parent, factor, None
        ...     def __mul__(self, factor):
        ...         return Tensor(self.data * factor, self, factor)
        ...     def backward(self, dy):
        ...         self.grad = dy
        ...         if self.parent is not None:
        ...             self.parent.backward(dy * self.factor)
        >>> from bridge import check_layer
        >>> from model_spec import Rescaling
        >>> mine = from_autograd(Tensor, lambda x: x * 2.0)
        >>> check_layer(mine, Rescaling(2.0), input_shape=(3,)).passed
        True
    """
    functions_and_arrays(params, make_tensor=make_tensor, function=function)
    return AutogradLayer(make_tensor, function, params, scalars)


class TorchLayer:
    """A ``torch.nn.Module`` as a layer; its parameters are read and written under their own names."""

    def __init__(self, module: Any) -> None:
        self._module, self._torch = module, sys.modules["torch"]
        self.params = {name: value.detach().numpy().copy() for name, value in module.named_parameters()}
        buffers = {name: value for name, value in module.named_buffers() if value.dtype.is_floating_point}
        self.params |= {name: value.detach().numpy().copy() for name, value in buffers.items()}
        self.grads: dict[str, Any] = {}
        self._x: Any = None
        self._y: Any = None

    def forward(self, x: Array, training: bool = False) -> Array:
        """The module's value in the precision of x."""
        self._module.to(self._torch.from_numpy(x).dtype).train(training)
        with self._torch.no_grad():
            for name, value in [*self._module.named_parameters(), *self._module.named_buffers()]:
                if name in self.params:
                    value.copy_(self._torch.from_numpy(np.asarray(self.params[name])))
        self._x = self._torch.from_numpy(x).requires_grad_()
        self._y = self._module(self._x)
        for name, value in self._module.named_buffers():
            if name in self.params:
                self.params[name] = value.detach().numpy().copy()
        return np.asarray(self._y.detach().numpy())

    def backward(self, dy: Array) -> Array:
        """By the module's own autograd."""
        self._module.zero_grad()
        self._y.backward(self._torch.from_numpy(dy))
        self.grads = {name: value.grad.numpy().copy() for name, value in self._module.named_parameters()}
        return np.asarray(self._x.grad.numpy())


def as_layer(layer: Any) -> Any:
    """A module of PyTorch, a pair of functions or a function behind forward and backward; everything else as it is."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(layer, torch.nn.Module):
        return TorchLayer(layer)
    if isinstance(layer, tuple) and len(layer) == 2 and all(callable(one) for one in layer):
        return ClosureLayer(*layer)
    if inspect.isfunction(layer):
        return ClosureLayer(layer, None)
    return layer
