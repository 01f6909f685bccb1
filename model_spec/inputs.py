"""Guards on x and weights, shared by both backends so that both refuse the same input with the same words."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np

from model_spec.model import ModelSpec
from model_spec.names import printable, shown
from model_spec.several import row_of_inputs
from model_spec.validation import non_negative_integer, positive_integer

Array = np.ndarray


def check_spec(spec: Any) -> ModelSpec:
    """Return the specification, or say that a ModelSpec was expected."""
    if not isinstance(spec, ModelSpec):
        raise ValueError(f"spec must be a ModelSpec, got {spec!r}; write one or take one of model_spec.zoo")
    return spec


def floating_dtype(dtype: Any) -> np.dtype:
    """Return float32 or float64 as a NumPy dtype, or refuse anything else."""
    clean: np.dtype
    try:
        # np.dtype(None) is float64: a forgotten dtype would pass as a chosen one.
        clean = np.dtype(object if dtype is None else dtype)
    except TypeError:
        clean = np.dtype(object)
    if clean not in (np.dtype("float32"), np.dtype("float64")):
        raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r}')
    return clean


def numeric(name: str, value: Any) -> Array:
    """Return the value as an array of bools, integers or floats; refuse anything else."""
    # Who has a masked array has loaded numpy.ma, which takes 10 ms
    masked = sys.modules.get("numpy.ma")
    if masked is not None and isinstance(value, masked.MaskedArray) and masked.is_masked(value):
        raise ValueError(f"{name} has masked values, which would be taken for numbers; fill them with {name}.filled(0)")
    if isinstance(value, dict):
        keys = ", ".join(map(str, value))
        raise ValueError(f"{name} is a dict of {shown(keys)}, and one array is expected; give that which is meant")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} cannot be made an array ({error}); give rows of equal shape") from None
    if array.dtype.kind not in "buif":
        if array.ndim == 0 and array.dtype.kind == "O":
            raise ValueError(f"{name} must be an array of numbers, got {shown(value)}; {_as_array(name, value)}")
        raise ValueError(
            f"{name} must hold numbers, got dtype {array.dtype}; convert it with np.asarray({name}, float)"
        )
    return array


def _as_array(name: str, value: Any) -> str:
    """Advice for an object that NumPy takes for one value."""
    if hasattr(value, "toarray"):
        return f"a sparse matrix becomes one with {name}.toarray()"
    if hasattr(value, "__next__"):
        return f"a generator gives one with np.stack(list({name}))"
    return "give rows of numbers"


def refuse_nonfinite(name: str, array: Array) -> None:
    """Refuse NaN and infinity, with how many and where the first one stands."""
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    bad = ~np.isfinite(array)
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    what, advice = "NaN", "clean or drop these rows"
    if np.isinf(array[first]):
        what, advice = (
            "Inf",
            f"{advice}, or scale what is beyond {np.finfo(array.dtype).max:.2g}, {array.dtype}'s largest",
        )
    count = f"{int(bad.sum())} of {array.size} values"
    raise ValueError(f"{name} contains {what}: {count} are not finite, first at {list(first)}; {advice}")


def _turned_axes(shape: tuple[int, ...], input_shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The axes by which to transpose an array into (examples, *input_shape), or None; channels first before others."""
    rank = len(input_shape)
    if rank == 1:
        return (1, 0) if len(shape) == 2 and shape[0] == input_shape[0] else None
    if len(shape) != rank + 1 or rank > 4 or sorted(shape[1:]) != sorted(input_shape):
        return None
    orders = [(*range(2, rank + 1), 1), *itertools.permutations(range(1, rank + 1))]
    return next((0, *order) for order in orders if tuple(shape[axis] for axis in order) == input_shape)


def check_x(
    x: Any,
    input_shape: tuple[int, ...],
    dtype: Any,
    *,
    name: str = "x",
    allow_empty: bool = False,
    allow_nonfinite: bool = False,
) -> Array:
    """Return x as a contiguous array of ``dtype`` and shape (examples, *input_shape).

    Integers and other float widths are cast. A wrong shape and, unless allowed, no rows, NaN and infinity are refused.
    """
    array = numeric(name, x)
    if array.shape[1:] != tuple(input_shape) or array.ndim != len(input_shape) + 1:
        hint = f"reshape it to (examples, {', '.join(str(size) for size in input_shape)})"
        if array.shape[1:] == tuple(input_shape[:-1]) and input_shape[-1] == 1:
            hint = f"add the channel axis with {name}[..., None]"
        elif array.shape == tuple(input_shape):
            hint = f"add the batch axis with {name}[None]"
        elif (axes := _turned_axes(array.shape, tuple(input_shape))) is not None:
            hint = f"its axes are in another order: transpose it with {name}.transpose{axes}"
        elif array.ndim == len(input_shape) + 1 > 2 and array.shape[-1] == input_shape[-1]:
            sizes = tuple(array.shape[1:])
            hint = (
                f"resize it to what the network was made or converted for; a Keras model with sizes of None is "
                f"converted for this one by input_shape={sizes}, --input-shape {','.join(map(str, sizes))}"
            )
        raise ValueError(f"{name} must have shape (examples, *{tuple(input_shape)}), got {array.shape}; {hint}")
    if not allow_empty and len(array) == 0:
        raise ValueError(f"{name} has no rows (shape {array.shape}); give at least one example")
    is_whole = array.dtype.kind in "bui"
    if dtype is None or array.dtype != dtype or not array.flags.c_contiguous:
        with np.errstate(over="ignore"):
            array = np.ascontiguousarray(array, dtype=floating_dtype(dtype))
    if not is_whole and not allow_nonfinite:
        refuse_nonfinite(name, array)
    return array


def check_inputs(
    x: Any,
    spec: ModelSpec,
    dtype: Any,
    *,
    name: str = "x",
    allow_empty: bool = False,
    allow_nonfinite: bool = False,
) -> Array:
    """Return x as :func:`check_x` does, with the values a network's inputs are cast to (``spec.input_dtype``).

    Whole numbers are cut off towards zero, as Keras' cast does. Values the type does not reach are refused: what a cast
    makes of them depends on the processor. Several inputs, a list or a dict, come back as the one row they travel in.
    """
    array = check_x(
        row_of_inputs(x, spec, name),
        spec.input_shape,
        dtype,
        name=name,
        allow_empty=allow_empty,
        # What a cast makes of them is up to the processor
        allow_nonfinite=allow_nonfinite and spec.input_dtype is None,
    )
    if spec.input_dtype is None:
        return array
    kind = np.dtype(spec.input_dtype)
    if kind.kind == "b":
        return (array != 0).astype(array.dtype)
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            cast = array.astype(kind)
        outside, reach = ~np.isfinite(cast), f"+-{np.finfo(kind).max:g}"
    else:
        cast = np.trunc(array)
        least, largest = np.iinfo(kind).min, np.iinfo(kind).max
        outside, reach = (cast < least) | (cast >= largest + 1), f"{least}..{largest}"
    if outside.any():
        first = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ValueError(
            f"{name} must lie in {reach}, for this network casts its inputs to {kind}: "
            f"got {array[first]:g} at {list(first)}; scale or clip the values"
        )
    return cast.astype(array.dtype)


def check_row_count(array: Array, examples: int, name: str) -> None:
    """Refuse targets that are not one row an example."""
    if len(array) != examples:
        raise ValueError(f"x and {name} must have the same number of rows, got {examples} and {len(array)}")


def check_cotangent(cotangent: Any, examples: int, output_shape: tuple[int, ...], dtype: Any) -> Array:
    """Return the cotangent of the network's output, shape (examples, *output_shape)."""
    array = check_x(cotangent, output_shape, dtype, name="cotangent")
    check_row_count(array, examples, "cotangent")
    return array


def check_batch_size(batch_size: int | None, default: int) -> int:
    """Return the batch size, or ``default`` for None."""
    return default if batch_size is None else positive_integer("batch_size", batch_size)


def check_dropout_call(dropout_call: int) -> int:
    """Return which call of the dropout stream is meant, an integer of at least 0."""
    return non_negative_integer("dropout_call", dropout_call)


def check_weights(
    given: dict[str, Any] | list[Any] | tuple[Any, ...],
    expected: dict[str, tuple[int, ...]],
    dtype: Any,
    allow_nonfinite: bool = False,
) -> dict[str, Array]:
    """Return named weights as arrays of ``dtype``; every difference in names and shapes is listed in one error.

    Nothing is changed by this function: callers store the result only after it returned. ``allow_nonfinite`` is for
    what a training that diverged has left.
    """
    if not isinstance(given, dict):
        if len(given) != len(expected):
            raise ValueError(
                f"{len(given)} weight arrays were given, this network has {len(expected)}: {', '.join(expected)}"
            )
        given = dict(zip(expected, given, strict=True))
    problems = [f"{name}: missing" for name in expected if name not in given]
    problems += [f"{printable(str(name))}: unknown here" for name in given if name not in expected]
    kind = floating_dtype(dtype)
    arrays, nonfinite = {}, []
    for name, size in expected.items():
        if name not in given:
            continue
        with np.errstate(over="ignore"):
            array = np.array(numeric(name, given[name]), dtype=kind)
        arrays[name] = array
        if array.shape != tuple(size):
            problems.append(f"{name}: expected shape {tuple(size)}, got {array.shape}")
        elif not allow_nonfinite and not np.isfinite(array).all():
            nonfinite.append(f"{name}: contains values that are not finite in {kind}")
    if problems or nonfinite:
        advice = "use weights of the same architecture" if problems else "a training that diverged leaves such values"
        found = "; ".join(problems + nonfinite)
        raise ValueError(f"these weights do not fit this network ({found}); the model is unchanged - {advice}")
    return arrays
