"""How a foreign layer is called: the names of its methods, their extra arguments, what they return beside y and dx."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bridge.outside.external_variables import ForeignLayerError, describe_attributes
from bridge.outside.raised import call_foreign
from core_numpy.contract import Array

FORWARD = (
    "forward", "forward_pass", "forward_propagation", "forward_prop", "forwardprop", "forward_propagate",
    "feed_forward", "feedforward", "fprop", "fwd", "f", "call", "compute", "calculate", "activate", "apply", "run",
    "propagate", "__call__",
)  # fmt: skip
"""What the method that computes y is looked for as, in this order."""

BACKWARD = (
    "backward", "backward_pass", "backward_propagation", "backward_prop", "backwardprop", "backpropagation", "backprop",
    "back_propagation", "back_prop", "backpropagate", "backward_propagate", "bprop", "bwd", "back", "grad", "gradient",
    "compute_gradient", "compute_gradients", "b", "vjp", "pullback", "derivative",
)  # fmt: skip
"""What the method that pulls a gradient back is looked for as."""

TRAINING_FLAGS = ("training", "train_flg", "train_flag", "train", "is_training", "is_train", "trainable", "mode")

RATES = ("lr", "learning_rate", "rate", "eta", "alpha", "step_size", "learningrate", "l_rate", "lrate")
"""What the learning rate is called where backward updates the parameters itself."""

_CACHES = ("cache", "ctx", "context", "saved", "memory", "state", "residuals")

CALLS = {"forward": "(layer, x, training)", "backward": "(layer, dy)"}
"""What the functions of ``call=`` get."""

GLUE = """class Adapter:
    def __init__(self, layer):
        self.layer = layer  # W, b (or params, a dict) are the arrays it computes with

    def forward(self, x):  # (examples, ...) -> y
        return ...

    def backward(self, dy):  # leaves self.dW, self.db
        return ...  # dx"""
"""What a user may paste where no style fits."""


class Calling:
    """Calls the forward and backward of one object.

    Attributes:
        forward_name, backward_name: the methods that were found, or what ``names=`` says; None without.
        updates: True where backward takes a learning rate and changes the parameters itself.
        pulls: True where there is no backward, and forward returns one beside y: (y, function of dy).
    """

    def __init__(self, layer: Any, names: Mapping[str, str], call: Mapping[str, Callable[..., Any]]) -> None:
        self.names, self.call = dict(names), dict(call)
        self.forward_name = names.get("forward") or _first(layer, FORWARD)
        self.backward_name = names.get("backward") or _first(layer, BACKWARD)
        for role, name in (("forward", self.forward_name), ("backward", self.backward_name)):
            if name is not None and role not in call and not callable(getattr(layer, name, None)):
                raise ValueError(f"{type(layer).__name__} has no method {name!r}; it has {describe_attributes(layer)}")
        if self.forward_name is None and "forward" not in call:
            raise ValueError(
                f"{type(layer).__name__} has no method forward(x); it has {describe_attributes(layer)}; "
                f"give names={{'forward': 'the name', 'backward': 'the name'}}, or wrap it:\n{GLUE}"
            )
        self._cache: Any = None
        self._has_cache = False
        self.pulls = False
        self.updates = self._rate_name(layer) is not None

    @property
    def has_backward(self) -> bool:
        """True where there is a backward."""
        return self.backward_name is not None or "backward" in self.call or self.pulls

    @property
    def returned_a_function(self) -> bool:
        """True where the last forward returned a function beside y."""
        return self._has_cache and callable(self._cache)

    def training_flag(self, layer: Any) -> str | None:
        """The keyword by which forward learns whether it is training."""
        if "forward" in self.call:
            return None
        return next(
            (name for name in _parameters(getattr(layer, str(self.forward_name))) if name in TRAINING_FLAGS), None
        )

    def forward(self, layer: Any, x: Array, training: bool) -> Any:
        """y; what is returned beside it is kept for backward."""
        self._cache, self._has_cache = None, False
        if "forward" in self.call:
            result = self._call("forward", [layer, x, training])
        else:
            flag = self.training_flag(layer)
            value: Any = training
            if flag == "mode":
                value = "train" if training else "test"
            named = {} if flag is None else {flag: value}
            way = f"{self.forward_name}(x{'' if flag is None else f', {flag}={value!r}'})"
            result = call_foreign(getattr(layer, str(self.forward_name)), [x], named, way, _help("forward"))
            if result is None:
                result = _left_in(layer, "output", "forward")
        if isinstance(result, tuple) and len(result) >= 2 and not isinstance(result[0], (tuple, list, dict)):
            self._cache, self._has_cache = result[1] if len(result) == 2 else result[1:], True
            return result[0]
        return result

    def _call(self, role: str, arguments: list[Any]) -> Any:
        return call_foreign(self.call[role], arguments, {}, f"call[{role!r}]", f"it gets {CALLS[role]}")

    def _rate_name(self, layer: Any) -> str | None:
        if self.backward_name is None or "backward" in self.call:
            return None
        return next((name for name in _parameters(getattr(layer, self.backward_name)) if name.lower() in RATES), None)

    def backward(self, layer: Any, dy: Array, rate: float) -> Any:
        """What backward returns, whatever that is."""
        if "backward" in self.call:
            return self._call("backward", [layer, dy])
        if self.backward_name is None and self.pulls:
            return call_foreign(self._cache, [dy], {}, "the function that forward returned(dy)", _help("backward"))
        method = getattr(layer, str(self.backward_name))
        parameters = _parameters(method)
        positional: list[Any] = [dy]
        named: dict[str, Any] = {}
        rate_name = self._rate_name(layer)
        if rate_name is not None:
            named[rate_name] = rate
        if self._has_cache:
            needed = [name for name, required in parameters.items() if required and name != rate_name]
            cache_name = next((name for name in needed if name.lower() in _CACHES), None)
            if cache_name is not None and len(needed) >= 2:
                named[cache_name] = self._cache
                other = next(name for name in needed if name != cache_name)
                positional, named[other] = [], dy
            elif len(needed) >= 2:
                positional = [dy, self._cache]
        given = ["dy", "what forward returned beside y"][: len(positional)] + [f"{name}=..." for name in named]
        way = f"{self.backward_name}({', '.join(given)})"
        result = call_foreign(method, positional, named, way, _help("backward"))
        left = getattr(layer, "dinputs", None)
        return left if result is None and left is not None else result


def _help(role: str) -> str:
    return f"call={{{role!r}: function of {CALLS[role]}}}"


def _left_in(layer: Any, attribute: str, method: str) -> Any:
    """The attribute in which some books leave what others return."""
    value = getattr(layer, attribute, None)
    if value is None:
        raise ForeignLayerError(f"{method} returned None; return its result, or leave it in self.{attribute}")
    return value


def in_order(mine: Any, claim: Any, kind: type, example: str) -> None:
    """Raise where code and claim have changed places, with the call as it should be.

    Raises:
        ValueError: ``mine`` is a specification and ``claim`` is none.
    """
    if isinstance(mine, kind) and not isinstance(claim, (kind, str)):
        raise ValueError(f"the two have changed places: your own code comes first, then the claim, as in {example}")


def _first(layer: Any, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if callable(getattr(layer, name, None))), None)


def _parameters(method: Any) -> dict[str, bool]:
    """{parameter: whether it has to be given} of a method."""
    try:
        found = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return {}
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {one.name: one.default is one.empty for one in found if one.kind not in kinds}


def split_gradients(
    result: Any,
    dx_shape: tuple[int, ...],
    shapes: Mapping[str, tuple[int, ...]],
    aliases: Mapping[str, tuple[str, ...]],
) -> tuple[Any, dict[str, Any]]:
    """What backward returned as (dx, {parameter: gradient}).

    Args:
        result: an array, a tuple or list of arrays with dx first (or last), or a dict.
        dx_shape: what dx should have.
        shapes: of the parameters, in Keras' order.
        aliases: other names of each parameter.

    Raises:
        ForeignLayerError: nothing in it can be dx.
    """
    if isinstance(result, dict):
        return _from_dict(result, shapes, aliases)
    if isinstance(result, (tuple, list)) and not _is_plain_list(result):
        parts = [part for part in result if part is not None]
        if len(parts) == 2 and isinstance(parts[1], dict):
            return parts[0], _from_dict({"dx": parts[0], **parts[1]}, shapes, aliases)[1]
        if len(parts) == 2 and isinstance(parts[1], (tuple, list)) and len(parts[1]) == len(shapes):
            return parts[0], dict(zip(shapes, parts[1], strict=True))
        if len(parts) == 1 + len(shapes):
            orders = (parts, [parts[-1], *parts[:-1]])
            for ordered in orders:
                if np.shape(ordered[0]) == dx_shape and _fit(ordered[1:], shapes):
                    return ordered[0], dict(zip(shapes, ordered[1:], strict=True))
            return parts[0], dict(zip(shapes, parts[1:], strict=True))
    if _is_plain_list(result) and _shape(result) == dx_shape:
        return np.asarray(result), {}
    if result is None or isinstance(result, (tuple, list)):
        raise ForeignLayerError(
            f"backward must return dx, one array (or dx and the gradients of {', '.join(shapes) or 'no parameters'}, "
            f"as a tuple or dict), and else leave the gradients of parameters in attributes or in grads; "
            f"it returned {'None' if result is None else f'a {type(result).__name__} of {len(result)}'}"
        )
    return result, {}


def _fit(parts: list[Any], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    return all(np.size(part) == int(np.prod(shape)) for part, shape in zip(parts, shapes.values(), strict=True))


def _is_plain_list(result: Any) -> bool:
    """A list of numbers that stands for one array."""
    return isinstance(result, list) and bool(result) and not isinstance(result[0], np.ndarray)


def _shape(result: Any) -> tuple[int, ...]:
    """That of nested lists; of lists that make no array, ()."""
    try:
        return np.shape(result)
    except ValueError:
        return ()


def _from_dict(
    result: Mapping[Any, Any], shapes: Mapping[str, Any], aliases: Mapping[str, tuple[str, ...]]
) -> tuple[Any, dict[str, Any]]:
    dx = next(
        (result[key] for key in ("dx", "dX", "x", "X", "dA_prev", "dinput", "input", "da") if key in result), None
    )
    if dx is None:
        raise ForeignLayerError(f"backward returned a dict with {', '.join(map(str, result))}; dx was looked for in it")
    grads = {}
    for name in shapes:
        for alias in (*aliases.get(name, ()), name):
            keys = (f"d{alias}", alias, f"grad_{alias}", f"d_{alias}", f"{alias}_grad")
            value = next((result[key] for key in keys if result.get(key) is not None), None)
            if value is not None:
                grads[name] = value
                break
    return dx, grads
