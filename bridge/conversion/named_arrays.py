"""Which variable an array is, by its name: W1, b1, conv1.weight, bn1.running_mean, layers.0.bias."""

from __future__ import annotations

import re
from collections.abc import Mapping

from core_numpy.contract import Array
from model_spec import ModelSpec

_KINDS: dict[str, tuple[str, ...]] = {
    "w": ("kernel", "gamma", "alpha"),
    "weight": ("kernel", "gamma", "alpha"),
    "weights": ("kernel", "gamma", "alpha"),
    "kernel": ("kernel",),
    "filters": ("kernel",),
    "b": ("bias", "beta"),
    "bias": ("bias", "beta"),
    "biases": ("bias", "beta"),
    "gamma": ("gamma",),
    "scale": ("gamma",),
    "beta": ("beta",),
    "shift": ("beta",),
    "alpha": ("alpha",),
    "running_mean": ("moving_mean",),
    "moving_mean": ("moving_mean",),
    "mean": ("moving_mean",),
    "running_var": ("moving_variance",),
    "running_variance": ("moving_variance",),
    "moving_variance": ("moving_variance",),
    "var": ("moving_variance",),
    "variance": ("moving_variance",),
}
"""What the last part of a name may mean, in Keras' words."""

_NUMBERED = re.compile(r"^(?P<kind>[A-Za-z_]+?)_?(?P<number>\d+)$")
_NATURAL = re.compile(r"^(?P<stem>.*?)(?P<number>\d+)(?P<rest>\D*)$")


def by_name(spec: ModelSpec, named: Mapping[str, Array]) -> dict[str, Array] | None:
    """{"conv2d/kernel": array} by the arrays' names, or None where the names say nothing.

    Layers come in the order of their numbers where their names differ in nothing else, else in the order given.

    Raises:
        ValueError: the names speak of other layers or variables than the specification has.
    """
    if set(named) == set(spec.variable_shapes):
        return dict(named)
    groups: dict[str, dict[str, str]] = {}
    for name in named:
        parsed = _parsed(name)
        if parsed is None:
            return None
        layer, kind = parsed
        if kind in groups.setdefault(layer, {}):
            return None
        groups[layer][kind] = name
    wanted: dict[str, list[str]] = {}
    for full in spec.variable_shapes:
        layer, _, variable = full.rpartition("/")
        wanted.setdefault(layer, []).append(variable)
    if len(groups) == len(named) > len(wanted):
        return None  # every array has a name of its own, which says no more than its place
    if len(groups) != len(wanted):
        raise ValueError(
            f"the names speak of {len(groups)} layers ({', '.join(groups)}), model {spec.name!r} has {len(wanted)} "
            f"with variables ({', '.join(wanted)}); give one array for each of {', '.join(spec.variable_shapes)}"
        )
    found = {}
    for (layer, variables), group in zip(wanted.items(), _in_order(list(groups)), strict=True):
        kinds = groups[group]
        for variable in variables:
            said = next((each for each in kinds if variable in _KINDS[each]), None)
            if said is None or len(kinds) != len(variables):
                names = ", ".join(kinds.values())
                raise ValueError(f"layer {layer!r} has {', '.join(variables)}, by their names it would get {names}")
            found[f"{layer}/{variable}"] = named[kinds[said]]
    return found


def _parsed(name: str) -> tuple[str, str] | None:
    """(layer, kind) that a name speaks of."""
    for separator in (".", "/"):
        layer, _, kind = name.rpartition(separator)
        if layer and kind.lower() in _KINDS:
            return layer, kind.lower()
    match = _NUMBERED.match(name)
    if match and match["kind"].lower() in _KINDS:
        return f"layer {match['number']}", match["kind"].lower()
    for kind in sorted(_KINDS, key=len, reverse=True):
        if name.lower().endswith(f"_{kind}"):
            return name[: -len(kind) - 1], kind
        if name.lower().startswith(f"{kind}_"):
            return name[len(kind) + 1 :], kind
    return None


def _in_order(layers: list[str]) -> list[str]:
    """Layers whose names differ in one number alone in the order of these; all others where they stand."""
    stems: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for name in layers:
        match = _NATURAL.match(name)
        if match:
            stems.setdefault((match["stem"], match["rest"]), []).append((int(match["number"]), name))
    sorted_of = {stem: iter([name for _, name in sorted(found)]) for stem, found in stems.items()}
    result = []
    for name in layers:
        match = _NATURAL.match(name)
        result.append(next(sorted_of[match["stem"], match["rest"]]) if match else name)
    return result


def alike(spec: ModelSpec) -> list[str]:
    """Names of variables of one shape in different layers, whose order nothing but a name tells."""
    seen: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for full, shape in spec.variable_shapes.items():
        seen.setdefault((full.rpartition("/")[2], shape), []).append(full)
    return next((names for names in seen.values() if len(names) > 1 and names[0].endswith("kernel")), [])
