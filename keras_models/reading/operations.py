"""Bare operations of functional models, such as ``x + y``: each as the stock layer that computes it."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_models.computing_order import OperationCall
from keras_models.constants import exact
from keras_models.layers.merging import PRODUCT_OF_VECTORS
from keras_models.runtime import keras

Options = dict[str, Any]
Described = tuple[type, Options]
"""A class of ``keras.layers``, and the options with which it computes what an operation computes."""

CONSTANTS = (
    "supported are single numbers and outputs of layers; write a number for each channel as "
    "keras.layers.Rescaling(scale=[...], offset=[...]), whose result is x * scale + offset"
)
"""What may stand beside a tensor, and what to write for an array."""

TENSOR = object()
"""Stands for a tensor among the arguments of an operation."""

MODULES = ("keras.src.ops.numpy", "keras.src.ops.nn", "keras.src.activations.activations")
"""Where Keras has its operations."""


def described(kind: str, options: Options, arguments: Sequence[Any]) -> Described:
    """The layer that computes what an operation computes.

    Args:
        kind: the name of the operation's class, such as "Add" or "Relu".
        options: its configuration, ``get_config()`` without the name.
        arguments: what it is called on: TENSOR for each tensor, numbers, or a list of tensors.

    Raises:
        ValueError: an operation, an option or an argument that no layer stands for; with what to use instead.
    """
    if kind not in _OPERATIONS:
        raise ValueError(f"this operation is not supported; {_INSTEAD.get(kind, _SUPPORTED)}")
    read = _OptionsRead(options)
    found = _OPERATIONS[kind](read, list(arguments))
    for name, value in options.items():
        # What nobody has looked at would be dropped without a word
        if name not in read.names and value is not None and value is not False:
            raise ValueError(f"{name}={value} is not supported; leave it out")
    return found


class _OptionsRead(dict[str, Any]):
    """Options that know which of them were looked at."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As of a dict."""
        self.names.add(name)
        return super().get(name, default)


def as_layer(call: OperationCall) -> Any:
    """The stock layer that computes what an operation of a live model computes, with its name.

    Raises:
        ValueError: names the operation, and what to use instead.
    """
    operation, dtype = call.operation, str(call.node.output_tensors[0].dtype)
    options = {name: value for name, value in vars(operation).items() if name != "name" and not name.startswith("_")}
    arguments = keras.tree.map_structure(
        lambda value: TENSOR if isinstance(value, keras.KerasTensor) else value, list(call.node.arguments.args)
    )
    try:
        options |= call.node.arguments.kwargs
        kind, found = described(type(operation).__name__, options, arguments)
        if kind is keras.layers.Reshape:
            _keeps_examples(found["target_shape"], call.node.input_tensors[0].shape[1:])
        return kind(**{name: exact(value, dtype) for name, value in found.items()}, name=call.name, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise ValueError(f"operation {operation.name!r} ({type(operation).__name__}): {error}") from None


def caller(call: OperationCall) -> Callable[[Sequence[Any]], Any]:
    """The operation itself, as a function of the tensors that it reads."""

    def of(tensors: Sequence[Any]) -> Any:
        given = {id(old): new for old, new in zip(call.node.input_tensors, tensors, strict=True)}
        args, kwargs = keras.tree.map_structure(
            lambda value: given.get(id(value), value), (call.node.arguments.args, call.node.arguments.kwargs)
        )
        return call.operation(*args, **kwargs)

    return of


def _keeps_examples(target: Sequence[int], example: Sequence[int | None]) -> None:
    """Refuse a reshape whose -1 takes more than the examples."""
    known = [size for size in example if size is not None]
    if len(known) == len(example) and np.prod(target) != np.prod(known):
        raise ValueError(
            f"newshape={(-1, *target)} mixes examples of shape {tuple(example)}: an example has {np.prod(known)} "
            f"values, {np.prod(target)} are kept together"
        )


def _tensors(arguments: Sequence[Any], count: int) -> None:
    if len(arguments) != count or any(argument is not TENSOR for argument in arguments):
        raise ValueError("it is called on something else than the outputs of layers; put a layer in its place")


def _number(value: Any) -> float:
    """The one number that an argument is."""
    if isinstance(value, bool) or not (isinstance(value, numbers.Real) or np.shape(value) == ()):
        raise ValueError(f"it is called on a constant of shape {np.shape(value)}; {CONSTANTS}")
    return float(value)


def _rescaling(scale: float, offset: float) -> Described:
    return keras.layers.Rescaling, {"scale": scale, "offset": offset}


def _elementwise(kind: Any, with_number: Callable[[float, bool], Described]) -> Callable[..., Described]:
    """A merge where it is called on two tensors; on one and a number what ``with_number`` says.

    ``with_number`` is given the number and whether it comes first.
    """

    def of(options: Options, arguments: list[Any]) -> Described:
        if len(arguments) == 2 and (arguments[0] is TENSOR) != (arguments[1] is TENSOR):
            first = arguments[0] is not TENSOR
            return with_number(_number(arguments[0] if first else arguments[1]), first)
        _tensors(arguments, 2)
        return kind, {}

    return of


def _maximum(number: float, first: bool) -> Described:
    if number != 0:
        raise ValueError(f"the larger of a value and {number:g} is not supported; supported are 0 and two tensors")
    return keras.layers.Activation, {"activation": "relu"}


def _minimum(number: float, first: bool) -> Described:
    raise ValueError(f"the smaller of a value and {number:g} is not supported; use keras.layers.ReLU(max_value=...)")


def _divided(options: Options, arguments: list[Any]) -> Described:
    if len(arguments) != 2 or arguments[0] is not TENSOR or arguments[1] is TENSOR:
        raise ValueError("supported is to divide by a number; multiply with keras.layers.Multiply in its place")
    divisor = _number(arguments[1])
    if divisor == 0:
        raise ValueError("it divides by 0; supported is to divide by another number")
    return _rescaling(1 / divisor, 0.0)


def _negative(options: Options, arguments: list[Any]) -> Described:
    _tensors(arguments, 1)
    return _rescaling(-1.0, 0.0)


def _clip(options: Options, arguments: list[Any]) -> Described:
    _tensors(arguments, 1)
    if _number(options["x_min"]) != 0:
        raise ValueError(f"clipping from {options['x_min']} is not supported; supported is from 0")
    return keras.layers.ReLU, {"max_value": _number(options["x_max"])}


def _function(name: str) -> Callable[..., Described]:
    """An activation without options."""

    def of(options: Options, arguments: list[Any]) -> Described:
        _tensors(arguments, 1)
        return keras.layers.Activation, {"activation": name}

    return of


def _layer_with(kind: Any, *names: str) -> Callable[..., Described]:
    """A layer with options of the same names."""

    def of(options: Options, arguments: list[Any]) -> Described:
        _tensors(arguments, 1)
        return kind, {name: options[name] for name in names if name in options}

    return of


def _gelu(options: Options, arguments: list[Any]) -> Described:
    _tensors(arguments, 1)
    if options.get("approximate", True):
        raise ValueError("approximate=True is not supported; give approximate=False, or Activation('gelu')")
    return keras.layers.Activation, {"activation": "gelu"}


def _log_softmax(options: Options, arguments: list[Any]) -> Described:
    _tensors(arguments, 1)
    if options.get("axis", -1) != -1:
        raise ValueError(f"axis={options['axis']} is not supported; supported is the last, axis=-1")
    return keras.layers.Activation, {"activation": "log_softmax"}


def _concatenate(options: Options, arguments: list[Any]) -> Described:
    tensors = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], (list, tuple)) else []
    _tensors(tensors, max(len(tensors), 1))
    return keras.layers.Concatenate, {"axis": options.get("axis", 0)}


def _reshape(options: Options, arguments: list[Any]) -> Described:
    _tensors(arguments, 1)
    batch, *sizes = options["newshape"]
    if batch not in (-1, None) or not sizes or any(type(size) is not int or size < 1 for size in sizes):
        raise ValueError(
            f"newshape={tuple(options['newshape'])} is not supported; begin it with -1, the examples, and give every "
            f"other size, or use keras.layers.Reshape"
        )
    return keras.layers.Reshape, {"target_shape": tuple(sizes)}


def _transpose(options: Options, arguments: list[Any]) -> Described:
    _tensors(arguments, 1)
    axes = options.get("axes")
    if not axes or axes[0] != 0:
        raise ValueError(f"axes={axes} is not supported; leave axis 0, the examples, in front, or use Permute")
    return keras.layers.Permute, {"dims": tuple(axes[1:])}


def _pooling(image: Any, steps: Any) -> Callable[..., Described]:
    """A reduction over all places of an image or over all steps."""

    def of(options: Options, arguments: list[Any]) -> Described:
        _tensors(arguments, 1)
        axis = options.get("axis")
        axes = (axis,) if isinstance(axis, int) else tuple(axis or ())
        same = {"keepdims": bool(options.get("keepdims")), "data_format": "channels_last"}
        if axes in ((1, 2), (2, 1), (-3, -2), (-2, -3)):
            return image, same
        if axes in ((1,), (-2,)):
            return steps, same
        raise ValueError(
            f"axis={axis} is not supported; supported are (1, 2), the places of an image, and 1, the steps"
        )

    return of


def _pad(options: Options, arguments: list[Any]) -> Described:
    _tensors(arguments, 1)
    width = options["pad_width"]
    pairs = [tuple(pair) for pair in width] if isinstance(width, (list, tuple)) and np.ndim(width) == 2 else []
    zeros = options.get("mode", "constant") == "constant" and options.get("constant_values") in (None, 0)
    if not zeros or len(pairs) not in (3, 4) or pairs[0] != (0, 0) or pairs[-1] != (0, 0):
        raise ValueError("supported is a border of zeros around images or steps, as keras.layers.ZeroPadding2D has it")
    if len(pairs) == 3:
        return keras.layers.ZeroPadding1D, {"padding": pairs[1]}
    return keras.layers.ZeroPadding2D, {"padding": tuple(pairs[1:3]), "data_format": "channels_last"}


_OPERATIONS: dict[str, Callable[[Options, list[Any]], Described]] = {
    "Add": _elementwise(keras.layers.Add, lambda number, first: _rescaling(1.0, number)),
    "Subtract": _elementwise(
        keras.layers.Subtract,
        lambda number, first: _rescaling(-1.0, number) if first else _rescaling(1.0, -number),
    ),
    "Multiply": _elementwise(keras.layers.Multiply, lambda number, first: _rescaling(number, 0.0)),
    "Maximum": _elementwise(keras.layers.Maximum, _maximum),
    "Minimum": _elementwise(keras.layers.Minimum, _minimum),
    "TrueDivide": _divided,
    "Divide": _divided,
    "Negative": _negative,
    "Clip": _clip,
    "Concatenate": _concatenate,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Pad": _pad,
    "Mean": _pooling(keras.layers.GlobalAveragePooling2D, keras.layers.GlobalAveragePooling1D),
    "Max": _pooling(keras.layers.GlobalMaxPooling2D, keras.layers.GlobalMaxPooling1D),
    "Relu": _function("relu"),
    "Relu6": _function("relu6"),
    "Sigmoid": _function("sigmoid"),
    "HardSigmoid": _function("hard_sigmoid"),
    "Silu": _function("silu"),
    "HardSilu": _function("hard_silu"),
    "Selu": _function("selu"),
    "Softplus": _function("softplus"),
    "Softsign": _function("softsign"),
    "Tanh": _function("tanh"),
    "Exp": _function("exponential"),
    "Gelu": _gelu,
    "LogSoftmax": _log_softmax,
    "LeakyRelu": _layer_with(keras.layers.LeakyReLU, "negative_slope"),
    "Elu": _layer_with(keras.layers.ELU, "alpha"),
    "Softmax": _layer_with(keras.layers.Softmax, "axis"),
    "ReLU": _layer_with(keras.layers.ReLU, "max_value", "negative_slope", "threshold"),
}
"""The layer of each operation."""

_SUPPORTED = f"supported are layers, and of operations {', '.join(_OPERATIONS)}"

_INSTEAD = {
    "Square": "write x * x",
    "Power": "write x * x for a square; other powers are not supported",
    "GetItem": "cut with keras.layers.Cropping2D",
    "Split": "give every part a layer of its own",
    "Normalize": "use keras.layers.UnitNormalization",
    "Matmul": "use keras.layers.Dense",
    "Min": "write -keras.ops.max(-x, axis=...)",
    "Stack": "give each a new axis with keras.layers.Reshape, then use keras.layers.Concatenate",
    "Sum": "write keras.ops.mean(x, axis=(1, 2)) * n for the n places of an image, axis=1 for steps, and "
    "keras.layers.Dense(1, use_bias=False, kernel_initializer='ones') for the sum of the last axis",
    **dict.fromkeys(("Absolute", "Abs"), "write keras.ops.maximum(x, -x)"),
    **dict.fromkeys(("Squeeze", "ExpandDims"), "use keras.layers.Reshape"),
    **dict.fromkeys(("Dot", "Einsum", "Tensordot", "Inner", "Vdot"), PRODUCT_OF_VECTORS),
}
"""What to write in place of operations that are met often and not read."""
