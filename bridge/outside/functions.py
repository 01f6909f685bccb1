"""Functions as layers: pairs of forward and backward, functions of tensors that know their own gradient, modules."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from core_numpy.contract import Array
from model_spec.entries import function_or_none
from model_spec.names import shown


class FunctionLayer:
    """A pair of pure functions as a layer: ``params`` holds its variables, ``grads`` their gradients.

    Attributes:
        params: {"W": array, "b": array}, under the names the layer's variables are known by.
        grads: the same for gradients, after backward.
    """

    def __init__(
        self, forward: Callable[..., Any], backward: Callable[..., Any] | None, params: Mapping[str, Any] | None
    ) -> None:
        self.params: dict[str, Any] = dict(params or {})
        self.grads: dict[str, Any] = {}
        self._forward, self._backward = forward, backward
        self._given: dict[str, Any] = {}
        if backward is not None:
            self.backward = self._pull  # without it, there is no method of this name

    def forward(self, x: Array) -> Any:
        """The function's value; what it returns beside it is kept for backward, a function of dy handed on."""
        self._given = {"x": x}
        result = self._forward(*_arguments(self._forward, [x], self.params, {}))
        if self._backward is None and isinstance(result, tuple) and len(result) == 2 and callable(result[1]):
            return result  # (y, function of dy)
        if isinstance(result, tuple) and len(result) >= 2:
            self._given["cache"] = result[1] if len(result) == 2 else result[1:]
            result = result[0]
        self._given["y"] = result
        return np.asarray(result)

    def _pull(self, dy: Array) -> Any:
        if self._backward is None:
            raise ValueError("there is no backward")
        return self._backward(*_arguments(self._backward, [dy], self.params, self._given))


class ClosureLayer(FunctionLayer):
    """Functions that hold their variables themselves, in the names around them: these are read and written in place.

    A copy would compute with the same variables, so it is the layer itself.
    """

    def __init__(self, forward: Callable[..., Any], backward: Callable[..., Any] | None) -> None:
        held: dict[str, Any] = {}
        for function in (forward, backward):
            held |= {} if function is None else _held_by(function)
        super().__init__(forward, backward, held)

    def __deepcopy__(self, memo: Any) -> ClosureLayer:
        return self


def _held_by(function: Callable[..., Any]) -> dict[str, Any]:
    """Arrays of floating point around a function, one by one or in dicts."""
    try:
        around = inspect.getclosurevars(function).nonlocals
    except TypeError:
        return {}
    found: dict[str, Any] = {}
    for name, value in around.items():
        entries = value if isinstance(value, dict) else {name: value}
        found |= {
            str(key): one for key, one in entries.items() if isinstance(one, np.ndarray) and one.dtype.kind == "f"
        }
    return found


_NAMES_OF_X = ("x", "inputs", "input", "X", "a_prev", "A_prev", "h")
_NAMES_OF_Y = ("y", "out", "output", "outputs", "a", "A")
_NAMES_OF_DY = ("dy", "dout", "grad", "grad_output", "dz", "dZ", "delta", "upstream", "dL_dy", "g", "dvalues")
_NAMES_OF_CACHE = ("cache", "ctx", "context", "saved", "residuals", "memory")
_NAMES_OF_PARAMS = ("params", "parameters", "p", "weights", "theta")


def _arguments(
    function: Callable[..., Any], first: list[Any], params: Mapping[str, Any], given: Mapping[str, Any]
) -> list[Any]:
    """The arguments in the order in which the function names them: x or dy, parameters, and what forward left."""
    try:
        parameters = [one for one in inspect.signature(function).parameters.values() if one.kind < 2]
        names = [one.name for one in parameters]
        required = [one.name for one in parameters if one.default is one.empty]
    except (TypeError, ValueError):
        return [*first, *params.values()]
    rest, result = list(params.values()), []
    queue = list(first)
    for name in names:
        if name in params:
            result.append(params[name])
        elif name in _NAMES_OF_CACHE and "cache" in given:
            result.append(given["cache"])
        elif name in _NAMES_OF_PARAMS and name not in params:
            result.append(dict(params))
        elif given and name in _NAMES_OF_X:
            result.append(given["x"])
        elif given and name in _NAMES_OF_Y and name not in _NAMES_OF_DY:
            result.append(given["y"])
        elif queue:
            result.append(queue.pop(0))
        elif given and "cache" in given:
            result.append(given["cache"])
        elif rest and name in required:
            result.append(rest.pop(0))
        else:
            break
    return result


def from_functions(
    forward: Callable[..., Any], backward: Callable[..., Any] | None = None, params: Mapping[str, Any] | None = None
) -> FunctionLayer:
    """Pure functions as a layer for :func:`bridge.check_layer`.

    Args:
        forward: a function of x and the parameters, one by one or as a dict: y, or (y, cache).
        backward: a function of dy and, by their names, ``cache``, ``x``, ``y`` or the parameters: dx, or dx with the
            gradients of the parameters in their order, or a dict. None judges the value alone.
        params: {"W": array, "b": array}; any values of the right shapes.

    Example:
        >>> from bridge import check_layer
        >>> from model_spec import Dense
        >>> def affine(x, W, b):
        ...     return x @ W + b, (x, W)
        >>> def affine_backward(dy, cache):
        ...     x, W = cache
        ...     return dy @ W.T, x.T @ dy, dy.sum(axis=0)
        >>> layer = from_functions(affine, affine_backward, {"W": np.zeros((6, 5)), "b": np.zeros(5)})
        >>> check_layer(layer, Dense(5), (6,)).passed
        True
    """
    functions_and_arrays(params, forward=forward)
    return FunctionLayer(
        forward, function_or_none("backward", backward, "dy and, by their names, cache, x, y or the parameters"), params
    )


def functions_and_arrays(params: Any, **functions: Any) -> None:
    """Refuse what is no function, and parameters that are no dict."""
    for name, function in functions.items():
        if not callable(function):
            raise ValueError(f"{name} must be a function, got {shown(function)}")
    if params is not None and not isinstance(params, Mapping):
        raise ValueError(f'params must be a dict of arrays, such as {{"W": array, "b": array}}, got {shown(params)}')


def from_jax(function: Callable[..., Any], params: Mapping[str, Any] | None = None) -> FunctionLayer:
    """A function of JAX arrays as a layer; its gradients are those of ``jax.vjp``.

    Args:
        function: of x and the parameters, in their order.
        params: {"W": array, "b": array}.

    Raises:
        ValueError: JAX has not been imported; it is never imported from here.

    Examples:
        >>> import jax  # doctest: +SKIP
        >>> from bridge import check_layer
        >>> from model_spec import Activation
        >>> check_layer(from_jax(jax.nn.relu), Activation("relu"), input_shape=(3,)).passed  # doctest: +SKIP
        True
    """
    functions_and_arrays(params, function=function)
    jax: Any = sys.modules.get("jax")
    if jax is None:
        raise ValueError("import jax first: it is not imported from here")
    names: Sequence[str] = list(params or {})

    def forward(x: Array, params: Mapping[str, Any]) -> Any:
        # In the precision of x, or in the one JAX is set to
        y, pull = jax.vjp(function, x, *(np.asarray(params[name], x.dtype) for name in names))
        return np.asarray(y), (pull, np.asarray(y).dtype)

    def backward(dy: Array, cache: Any) -> Any:
        pull, dtype = cache
        parts = [np.asarray(part) for part in pull(dy.astype(dtype))]
        return parts[0] if not names else tuple(parts)

    return FunctionLayer(forward, backward, params)
