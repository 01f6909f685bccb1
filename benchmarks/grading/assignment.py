"""An assignment: a TOML file with the cases that a submission has to pass, and what each is worth."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bridge
from model_spec import LayerSpec, ModelSpec, losses, optimizers, untrusted, validation
from model_spec.entries import known_entries
from model_spec.names import shown
from model_spec.serialization import from_dict
from model_spec.validation import positive_integer, positive_real

KINDS = ("layer", "loss", "optimizer", "network")
_FIELDS = {"name", "make", "points", "options", "input_shape", *KINDS}
_OF_THE_JUDGE: dict[str, tuple[Callable[..., Any], set[str]]] = {
    "layer": (bridge.check_layer, {"input_shape", "seed", "hints", "x", "call"}),
    "loss": (bridge.check_loss, {"seed", "hints", "call"}),
    "optimizer": (bridge.check_optimizer, {"seed", "call"}),
    "network": (bridge.model_from_layers, set()),
}
"""Whose options a kind of case takes, without those that grading gives itself or that no TOML file can hold."""

_HEAD = {"title", "hints", "seconds", "memory", "case"}


_CLAIMS: dict[str, tuple[type, str, str]] = {
    "layer": (LayerSpec, "Dense", "units = 5"),
    "loss": (losses.Loss, "Huber", "delta = 1.0"),
    "optimizer": (optimizers.Optimizer, "SGD", "learning_rate = 0.1"),
}
"""What a claim has to be, with an example."""

_LAYERS = '[{ type = "Dense", units = 5 }, ...]'


def _of_kind(kind: str, entry: Any, wanted: type, example: str, options: str) -> Any:
    claim = from_dict(entry) if isinstance(entry, dict) else None
    if not isinstance(claim, wanted):
        what = shown(entry) if claim is None else f"the {type(claim).__name__} of a claim of another kind"
        raise ValueError(f'{kind} must be a table such as {{ type = "{example}", {options} }}, got {what}')
    return claim


@dataclass(frozen=True)
class Case:
    """One thing that a submission has to provide.

    Attributes:
        name: what the student reads.
        make: a Python expression that makes it from the names of the submission and ``np``.
        kind: one of ``KINDS``.
        claim: what it has to compute, as a table of model_spec; the name of a loss; or a list of layers.
        points: for the whole case, shared out evenly among its tensors; or {tensor: points}.
        input_shape: of one example, for layers and networks.
        options: further arguments of ``check_layer``, ``check_loss`` or ``check_optimizer``.
    """

    name: str
    make: str
    kind: str
    claim: Any
    points: float | dict[str, float] = 1.0
    input_shape: tuple[int, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def most(self) -> float:
        """Points for a case without a fault."""
        return sum(self.points.values()) if isinstance(self.points, dict) else self.points

    def specification(self) -> Any:
        """The claim as an object of model_spec; the name of a loss as it is.

        Raises:
            ValueError: it is none of this kind of case.
        """
        if self.kind == "network":
            if not isinstance(self.claim, list):
                raise ValueError(f"network must be a list of layers, {_LAYERS}, got {shown(self.claim)}")
            return [_of_kind("network", entry, LayerSpec, "Dense", "units = 5") for entry in self.claim]
        if self.kind == "loss" and isinstance(self.claim, str):
            losses.get(self.claim)
            return self.claim
        return _of_kind(self.kind, self.claim, *_CLAIMS[self.kind])


@dataclass(frozen=True)
class Assignment:
    """What is graded.

    Attributes:
        title: of the page.
        cases: in the order in which they are shown.
        hints: how much a student is told: 1 where, 2 also what, 3 also how it should be.
        seconds: a case may take.
        memory: MiB a case may take.
    """

    title: str
    cases: tuple[Case, ...]
    hints: int = 2
    seconds: float = 30.0
    memory: int = 4096

    @property
    def most(self) -> float:
        """Points for a submission without a fault."""
        return sum(case.most for case in self.cases)


def load_assignment(path: Path) -> Assignment:
    """Read an assignment. It is the teacher's own file: its expressions are run.

    Raises:
        ValueError: what is missing, unknown or of the wrong kind, with the name of the case.
    """
    try:
        table = untrusted.parse_toml(untrusted.read_bytes(path, untrusted.LARGEST_TOML).decode())
    except FileNotFoundError:
        raise ValueError(f"no file {path}; give the path of an assignment in TOML") from None
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} cannot be read as an assignment: {error}") from None
    _known(table, _HEAD, f"{path}")
    entries = table.get("case")
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{path} has no [[case]]; an assignment needs at least one")
    cases = tuple(_case(entry, f"{path}: case {number}") for number, entry in enumerate(entries, 1))
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: two cases have one name; give each its own")
    hints = positive_integer("hints", table.get("hints", 2))
    if hints > 3:
        raise ValueError(f"{path}: hints must be 1, 2 or 3, got {hints}")
    return Assignment(
        str(table.get("title", path.parent.name)),
        cases,
        hints,
        positive_real("seconds", table.get("seconds", 30.0)),
        positive_integer("memory", table.get("memory", 4096)),
    )


def _known(table: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"{where} has unknown entries {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _options(kind: str, options: Any) -> dict[str, Any]:
    judge, own = _OF_THE_JUDGE[kind]
    known = [name for name in list(inspect.signature(judge).parameters)[2:] if name not in own]
    return known_entries("options", options, known, f"a {kind}")


_TENSORS = {"loss": ("loss", "gradient"), "optimizer": ("parameters after every step",)}
"""Of the kinds of cases whose tensors are the same whatever the claim."""


def _check_tensors(points: dict[str, float], claim: Any, shape: tuple[int, ...]) -> None:
    """Refuse points for tensors that a layer does not have: nobody could earn them."""
    own = {f"gradient of {name}" for name in ("x", *claim.parameter_shapes(shape))}
    known = {"y", *own, *claim.state_shapes(shape), "dropout mask"}
    unknown = sorted(set(points) - known)
    if unknown:
        raise ValueError(f"points name {', '.join(unknown)}; the layer has {', '.join(sorted(known))}")


def _case(entry: Any, where: str) -> Case:
    if not isinstance(entry, dict):
        raise ValueError(f"{where} must be a table, [[case]]")
    _known(entry, _FIELDS, where)
    kinds = [kind for kind in KINDS if kind in entry]
    if len(kinds) != 1:
        raise ValueError(f"{where} must have exactly one of {', '.join(KINDS)}, got {', '.join(kinds) or 'none'}")
    for name in ("name", "make"):
        if not isinstance(entry.get(name), str):
            raise ValueError(f"{where} needs a text {name!r}")
    kind = kinds[0]
    if kind in ("layer", "network") and "input_shape" not in entry:
        raise ValueError(f"{where} needs input_shape, the shape of one example, such as [8, 8, 1]")
    points = entry.get("points", 1.0)
    if isinstance(points, dict):
        points = {str(tensor): positive_real(f"points of {tensor}", value) for tensor, value in points.items()}
    else:
        points = positive_real(f"{where}: points", points)
    try:
        shape = validation.shape("input_shape", entry["input_shape"]) if "input_shape" in entry else ()
        options = _options(kind, entry.get("options"))
        case = Case(entry["name"], entry["make"], kind, entry[kind], points, shape, options)
        compile(case.make, "make", "eval")
        claim = case.specification()
        if kind in ("layer", "network"):
            ModelSpec("case", shape, (claim,) if kind == "layer" else tuple(claim))  # whether they fit
        if kind == "layer" and isinstance(points, dict):
            _check_tensors(points, claim, shape)
        elif kind in _TENSORS and isinstance(points, dict):
            known_entries("points", points, _TENSORS[kind], f"a {kind}")
    except (SyntaxError, ValueError, TypeError) as error:
        raise ValueError(f"{where} ({entry['name']}): {error}") from None
    return case
