"""What is taken for one's own code and for the claim; what comes in its place by mistake is refused in a sentence."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np

import model_spec
from model_spec import LayerSpec, ModelSpec, losses, optimizers
from model_spec.names import shown

_FRAMEWORKS = {"keras": "Keras'", "tensorflow": "TensorFlow's", "torch": "PyTorch's"}


_KINDS: dict[type, str] = {
    LayerSpec: "a layer",
    losses.Loss: "a loss",
    optimizers.Optimizer: "an optimizer",
    ModelSpec: "a ModelSpec",
}
"""What a claim is called."""


def _framework(value: Any) -> str | None:
    """Whose class an object is of (or a class is), where it is a framework's."""
    kind = value if inspect.isclass(value) else type(value)
    return _FRAMEWORKS.get(str(kind.__module__).partition(".")[0])


def need_own(option: str, mine: Any, methods: Iterable[str], what: str) -> None:
    """Raise where something is no code of one's own.

    Args:
        option: what the argument is called.
        mine: what came.
        methods: names of the methods that are looked for; a class that has one as a static method is taken.
        what: what is to be given, such as "an object with forward(x)".

    Raises:
        ValueError: it is a class, a framework's layer, a text, a number or the like.
    """
    if inspect.isclass(mine):
        found = [inspect.getattr_static(mine, name, None) for name in methods]
        if not any(isinstance(one, (staticmethod, classmethod)) for one in found):
            raise ValueError(f"{option} is the class {mine.__name__}; give an instance, such as {mine.__name__}(...)")
    if _framework(mine) == "Keras'" and not inspect.isclass(mine):
        raise ValueError(f"{option} is {shown_kind(mine)}, the side that is judged by; give your own: {what}")
    if mine is None or isinstance(mine, (str, bytes, int, float, complex, dict, set, np.ndarray, np.generic)):
        raise ValueError(f"{option} must be {what}, got {shown_kind(mine)}")


def need_model(option: str, model: Any) -> None:
    """Raise where something is no model: Keras' own are taken, too.

    Raises:
        ValueError: it is a class, or shows no outputs.
    """
    if inspect.isclass(model):
        raise ValueError(f"{option} is the class {model.__name__}; give an instance, such as {model.__name__}(...)")
    if not any(callable(getattr(model, method, None)) for method in ("predict", "activations")):
        raise ValueError(f"{option} must be a model, an object with predict(x), got {shown_kind(model)}")


def shown_kind(value: Any) -> str:
    """A value for a message, by its kind where its own text would say little."""
    owner = _framework(value)
    if inspect.isclass(value):
        return f"the class {value.__name__}" if owner is None else f"{owner} class {value.__name__}"
    if owner is not None:
        return f"{owner} {type(value).__name__}"
    if value is None or isinstance(value, (str, bytes, int, float, complex)):
        return shown(value)
    return f"an object of class {type(value).__name__}"


def need_claim(option: str, claim: Any, kind: type, example: str) -> None:
    """Raise where a claim is no specification.

    Args:
        option: what the argument is called.
        claim: what came.
        kind: the class of specifications.
        example: one of them, as one would write it.

    Raises:
        ValueError: it is a class, a framework's object, a text or something else; says what to give.
    """
    if isinstance(claim, kind):
        return
    name = claim.__name__ if inspect.isclass(claim) else type(claim).__name__
    word = claim if isinstance(claim, str) else name
    owners = {"model_spec": model_spec, "model_spec.losses": losses, "model_spec.optimizers": optimizers}
    found = None
    for module, names in owners.items():
        of_kind = {one.lower(): one for one in dir(names) if _is_kind(getattr(names, one), kind)}
        if word.lower().replace("_", "") in of_kind:
            found = module, of_kind[word.lower().replace("_", "")]
            break
    if found is not None and inspect.isclass(claim) and _framework(claim) is None:
        raise ValueError(f"{option} is the class {name}; give an instance, such as {example}")
    said = "" if found is None else f"; write {found[1]}(...), from {found[0]} import {found[1]}"
    raise ValueError(f"{option} must be {_KINDS[kind]} of model_spec, such as {example}, got {shown_kind(claim)}{said}")


def _is_kind(value: Any, kind: type) -> bool:
    return inspect.isclass(value) and issubclass(value, kind)
