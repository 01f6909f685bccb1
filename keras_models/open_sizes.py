"""Sizes of inputs that a Keras model leaves open, such as (None, None, 3), and those that it is read for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from model_spec.names import printable, shown
from model_spec.validation import shape

Open = Sequence[int | None]
"""A shape without its batch axis; None is a size left open."""


def closed(model: str, taken: Mapping[str, Open], given: Any) -> dict[str, tuple[int, ...]]:
    """The shape of each input with every size known.

    Args:
        model: the model's name, for errors.
        taken: {name: shape} as the model takes its inputs.
        given: the shapes to read it for: one of a model with one input; of several a list in their order, or a dict of
            those that leave sizes open. None where no size is open.

    Raises:
        ValueError: a size that is open and not given, or a shape that does not fit.
    """
    wanted = _by_name(model, taken, given)
    found = {}
    for name, sizes in taken.items():
        own = wanted.get(name, sizes)
        if len(own) != len(sizes) or any(size not in (None, real) for size, real in zip(sizes, own, strict=True)):
            raise ValueError(
                f"model {shown(model)} takes {shown(tuple(sizes))}{_of(name, taken)}, which {shown(tuple(own))} does "
                f"not fit; give a number for every None and leave the others as they are"
            )
        if None in own:
            example = tuple(size or (64 if len(own) == 3 else 32) for size in own)
            text = ",".join(map(str, example))
            raise ValueError(
                f"model {shown(model)} takes inputs of any size, {shown(tuple(sizes))}{_of(name, taken)}; say which "
                f"size to read it for: input_shape={ {name: example} if len(taken) > 1 else example }, "
                f"on the command line --input-shape {printable(name) + '=' if len(taken) > 1 else ''}{text}"
            )
        found[name] = tuple(size for size in own if size is not None)
    return found


def note(taken: Mapping[str, Open], read_for: Mapping[str, tuple[int, ...]]) -> list[str]:
    """What a certificate says where sizes were open."""
    return [
        f"the Keras model takes inputs of any size, {tuple(sizes)}{_of(name, taken)}; it was read and judged for "
        f"{read_for[name]} alone"
        for name, sizes in taken.items()
        if None in sizes
    ]


def _of(name: str, taken: Mapping[str, Open]) -> str:
    return f" for {shown(name)}" if len(taken) > 1 else ""


def _by_name(model: str, taken: Mapping[str, Open], given: Any) -> dict[str, tuple[int, ...]]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        unknown = [name for name in given if name not in taken]
        if unknown:
            raise ValueError(f"model {shown(model)} has no input {shown(unknown[0])}; it has {', '.join(taken)}")
        pairs = dict(given)
    elif len(taken) == 1:
        pairs = {name: given for name in taken}
    elif isinstance(given, (list, tuple)) and len(given) == len(taken):
        pairs = dict(zip(taken, given, strict=True))
    else:
        raise ValueError(
            f"model {shown(model)} has {len(taken)} inputs, {', '.join(taken)}; give input_shape as a dict of their "
            f"names and shapes, got {shown(given)}"
        )
    return {name: shape("input_shape", one) for name, one in pairs.items()}
