"""Where a foreign layer keeps its variables and gradients: the attribute styles that are common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from model_spec.shapes import Shape, element_count

STYLES = ("dicts", "books", "keras")
"""``params`` and ``grads`` dicts (or lists, in Keras' order); attributes ``W``, ``b``, ``dW``, ``db``; Keras' names."""

BOOK_NAMES: dict[str, tuple[str, ...]] = {
    "kernel": ("W", "w", "weight", "weights", "filters", "Weights", "_W", "_w"),
    "bias": ("b", "biases", "B", "_b"),
    "gamma": ("gamma", "scale"),
    "beta": ("beta", "shift"),
    "moving_mean": ("running_mean", "mean_run", "moving_avg", "avg_mean"),
    "moving_variance": ("running_var", "running_variance", "moving_var", "var_run", "avg_var"),
    "alpha": ("alpha", "a", "slope"),
}
"""What books call Keras' variables, where they call them otherwise."""


class ForeignLayerError(ValueError):
    """A foreign layer lacks, or gives, something the judge cannot use; the message says what."""


_PARAMETER_HOLDERS = ("params", "parameters", "get_params", "get_parameters")
_GRADIENT_HOLDERS = ("grads", "gradients")
_VALUE_PARTS = ("data", "value", "values")
_GRADIENT_PARTS = ("grad", "gradient", "g", "d")


@dataclass(frozen=True)
class Slot:
    """One place in a foreign layer: an attribute, an entry of a dict or list, or a ``part`` of a parameter object.

    The holder is looked up anew at every access: some layers replace their ``grads`` in every backward pass.
    """

    layer: Any
    attribute: str
    key: str | int | None = None
    part: str | None = None

    @property
    def label(self) -> str:
        """How one would write it in Python: ``W`` or ``params['W']``."""
        place = self.attribute if self.key is None else f"{self.attribute}[{self.key!r}]"
        return place if self.part is None else f"{place}.{self.part}"

    @property
    def _holder(self) -> Any:
        holder = getattr(self.layer, self.attribute, None)
        if self.key is None or not callable(holder) or self.attribute not in _PARAMETER_HOLDERS:
            return holder
        try:
            found = holder()  # a method parameters(), as frameworks have
            return list(found) if isinstance(found, (tuple, Iterator)) else found
        except Exception:  # whatever a foreign method raises
            return None

    def _has_key(self, holder: Any) -> bool:
        if isinstance(holder, Mapping):
            return self.key in holder
        return isinstance(holder, list) and isinstance(self.key, int) and self.key < len(holder)

    def exists(self) -> bool:
        """True where there is such a place, even if it holds None."""
        holder = self._holder
        if self.key is not None:
            if not self._has_key(holder):
                return False
            holder = holder[self.key]
        elif self.part is None:
            return hasattr(self.layer, self.attribute)
        if self.part is None:
            return True
        return holder is not None and not isinstance(holder, np.ndarray) and hasattr(holder, self.part)

    def read(self) -> Any:
        """What is there now, or None."""
        if not self.exists():
            return None
        holder = self._holder
        holder = holder if self.key is None else holder[self.key]
        return holder if self.part is None else getattr(holder, self.part)

    def write(self, value: Any) -> None:
        """Write into the array that is there, which others may refer to, else put the value there."""
        current = self.read()
        if _is_tensor(current) and value is not None and current.shape == np.shape(value) and current.flags.writeable:
            current[...] = value
        elif self.part is not None:
            holder = self._holder
            setattr(holder if self.key is None else holder[self.key], self.part, value)
        elif self.key is None:
            setattr(self.layer, self.attribute, value)
        else:
            self._holder[self.key] = value


def find_variable(
    layer: Any, name: str, shape: Shape, order: Sequence[str], style: str | None, given: str | None = None
) -> Slot:
    """Where the layer keeps the variable with Keras' name ``name`` and ``shape``.

    Args:
        layer: the foreign layer.
        name: as "kernel", "gamma" or "alpha".
        shape: its shape in Keras' layout; the layer's own array has the same number of values.
        order: all parameters of the layer in Keras' order, for ``params`` lists.
        style: one of STYLES, or None to take whatever the layer has.
        given: the attribute, or "holder.key", as the user says.

    Raises:
        ValueError: nothing fits, or two different arrays do; what was looked for and what the layer has is listed.
    """
    if given is not None:
        holder, _, key = given.partition(".")
        slot = Slot(layer, holder, (int(key) if key.isdigit() else key) if key else None)
        if key and not isinstance(getattr(layer, holder, None), (Mapping, list)):
            slot = Slot(layer, holder, part=key)
        if not slot.exists():
            raise ValueError(f"{type(layer).__name__} has no {given} for {name!r}; it has {describe_attributes(layer)}")
        return slot
    candidates = list(_candidates(layer, name, order, style))
    there = [slot for slot in candidates if slot.exists()]
    fitting = [slot for slot in there if _is_tensor(slot.read()) and slot.read().size == element_count(shape)]
    # Books leave None where the first forward pass is to make the array
    fitting = fitting or [slot for slot in there if slot.read() is None]
    if not fitting:
        size = element_count(shape)
        raise ValueError(
            f"{type(layer).__name__} has {describe_attributes(layer)}, but no array for {name!r} of {size} values "
            f"(in Keras {shape}); {_how_to_name(layer, name, size)}; looked for {_listed(candidates)}"
        )
    first = fitting[0]
    array = first.read()
    for other in fitting[1:]:
        if array is not None and not np.shares_memory(array, other.read()):
            raise ValueError(
                f"{type(layer).__name__} has two arrays for {name!r}, {first.label} and {other.label}; "
                f"say which one it computes with: style= one of {', '.join(STYLES)}"
            )
    return first


def find_gradient(variable: Slot, name: str) -> Slot:
    """Where the layer left the gradient of the variable with Keras' name ``name``, found at ``variable``.

    Raises:
        ForeignLayerError: nowhere; what was looked for and what the layer has is listed.
    """
    layer = variable.layer
    others = (*BOOK_NAMES.get(name, ()), name)
    if variable.part is not None:
        candidates = [replace(variable, part=part) for part in _GRADIENT_PARTS]
    elif variable.key is None:
        own = variable.attribute
        candidates = [Slot(layer, given) for given in _gradient_names(own)]
        candidates += [Slot(layer, holder, key) for holder in _GRADIENT_HOLDERS for key in (own, f"d{own}")]
        # weights beside dW, biases beside nabla_b
        candidates += [Slot(layer, given) for other in others for given in _gradient_names(other)]
    else:
        keys = [variable.key] if isinstance(variable.key, int) else [variable.key, *_gradient_names(variable.key)]
        candidates = [Slot(layer, holder, key) for holder in _GRADIENT_HOLDERS for key in keys]
        if isinstance(variable.key, str):
            candidates += [Slot(layer, given) for given in _gradient_names(variable.key)]
    first: Slot | None = None
    for slot in candidates:
        if slot.exists():
            if slot.read() is not None:
                return slot
            first = first or slot
    if first is None:
        size = np.size(variable.read())
        raise ForeignLayerError(
            f"{type(layer).__name__} has {describe_attributes(layer)}, but no gradient of {name!r} ({variable.label}) "
            f"after backward; {_how_to_name(layer, f'gradient of {name}', size, variable.attribute)}; "
            f"looked for {_listed(candidates)}"
        )
    return first


def _how_to_name(layer: Any, name: str, size: int, other_than: str = "") -> str:
    """What to give: the attribute that has as many values, where one alone has."""
    there = {one: getattr(layer, one, None) for one in _attribute_names(layer) if one != other_than}
    fitting = [one for one, value in there.items() if isinstance(value, np.ndarray) and value.size == size]
    return f'name it: names={{"{name}": "{fitting[0] if len(fitting) == 1 else "its name"}"}}'


def describe_attributes(layer: Any) -> str:
    """The layer's own attributes with the shapes of arrays, for an error message."""
    described = []
    for name in _attribute_names(layer):
        value = getattr(layer, name, None)
        if isinstance(value, np.ndarray):
            described.append(f"{name} {value.shape}")
        elif isinstance(value, Mapping):
            keys = _first_of([str(key)[:40] for key in value], 8)
            described.append(f"{name} with keys {keys or '(none)'}")
        else:
            described.append(f"{name} ({type(value).__name__})")
    return _first_of(described, 16) if described else "no attributes"


def _attribute_names(layer: Any) -> list[str]:
    if hasattr(layer, "__dict__"):
        return list(vars(layer))
    return [name for name in dir(layer) if not name.startswith("_") and not callable(getattr(layer, name, None))]


def _candidates(layer: Any, name: str, order: Sequence[str], style: str | None) -> Iterator[Slot]:
    names = (*BOOK_NAMES.get(name, ()), name)
    if style in (None, "dicts"):
        for holder in _PARAMETER_HOLDERS[:2]:
            if isinstance(getattr(layer, holder, None), list) and name in order:
                yield Slot(layer, holder, order.index(name))
            else:
                yield from (Slot(layer, holder, key) for key in names)
    if style in (None, "books"):
        yield from (Slot(layer, given) for given in BOOK_NAMES.get(name, (name,)))
    if style in (None, "keras"):
        yield Slot(layer, name)
    if style is None:
        yield from (Slot(layer, given, part=part) for given in names for part in _VALUE_PARTS)
        if name in order:
            for holder in (*_PARAMETER_HOLDERS, "_params", "_parameters"):
                yield from (Slot(layer, holder, order.index(name), part) for part in (None, *_VALUE_PARTS))


def _gradient_names(name: str) -> tuple[str, ...]:
    return (
        f"d{name}", f"d_{name}", f"grad_{name}", f"{name}_grad", f"{name}_gradient", f"{name}_gradients",
        f"delta_{name}", f"grad{name}", f"g{name}", f"nabla_{name}", f"D{name}",
    )  # fmt: skip


def _listed(slots: Sequence[Slot]) -> str:
    plain_first = sorted(slots, key=lambda slot: (slot.key is not None) + (slot.part is not None))
    return _first_of(list(dict.fromkeys(slot.label for slot in plain_first)), 8)


def _first_of(words: list[str], most: int) -> str:
    more = f" ... and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def _is_tensor(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiu"


def unclaimed_bias(layer: Any, channels: int) -> str | None:
    """How one would write a bias of so many numbers that a layer holds, or None."""
    for attribute in ("", *_PARAMETER_HOLDERS):
        holder = getattr(layer, attribute or "__dict__", None)
        if not isinstance(holder, Mapping):
            continue
        for name in ("bias", *BOOK_NAMES["bias"]):
            value = holder.get(name)
            if isinstance(value, np.ndarray) and value.size == channels:
                return Slot(layer, attribute, name).label if attribute else name
    return None
