"""compare_models, for which constants of a network written elsewhere are right exactly as well as rounded by Keras."""

from __future__ import annotations

import copy
from typing import Any

from bridge.conventions import comparison
from bridge.judge.report import ParityReport
from bridge.outside.exact_constants import OtherConstants, networks_with_other_constants
from bridge.outside.external_model import ForeignModel
from bridge.outside.external_network import ForeignNetwork
from bridge.outside.taken import need_model
from core_numpy import NumpyModel


def compare_models(
    a: Any,
    b: Any,
    x: Any,
    y: Any = None,
    seed: int = 0,
    loss: Any = None,
    names: tuple[str, str] | None = None,
    locate: bool = True,
) -> ParityReport:
    """Compare two models that hold the same weights, on everything both of them can do.

    A model that has ``predict`` alone is compared on outputs. The float64 truth is computed from the first model's
    specification and weights; so one side must have them. Where one side is of foreign layers, constants that Keras
    rounds to float32 are right exactly as well; ``report.notes`` says which it has.

    Args:
        a: the first model.
        b: the second model.
        x: inputs (examples, *input shape).
        y: targets; None leaves the loss out.
        seed: of the random cotangent.
        loss: a loss or its name; cross-entropy by default.
        names: what to call the two sides; their classes' names by default.
        locate: where they differ, judge every layer of both sides alone, and look for a convention that explains it.

    Raises:
        ValueError: the two have different weights, precisions or dropout seeds, or neither has a specification.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from core_numpy import NumpyModel
        >>> from keras_models import KerasModel
        >>> ours, theirs = NumpyModel(spec), KerasModel(spec, seed=1)
        >>> theirs.set_weights(ours.get_weights())
        >>> compare_models(ours, theirs, x, y).passed
        True
    """
    for option, side in (("a", a), ("b", b)):
        need_model(option, side)
    options: dict[str, Any] = {"y": y, "seed": seed, "loss": loss}
    foreign = [isinstance(side, (ForeignModel, ForeignNetwork)) for side in (a, b)]
    exact = sum(foreign) == 1 and str(getattr(a, "dtype", "")) == "float64"
    mine, other = (a, b) if foreign[0] else (b, a)
    forms = list(networks_with_other_constants(mine.spec)) if exact else []
    if not forms:
        return comparison.compare_models(a, b, x, names=names, locate=locate, **options)
    held, fresh = mine.weights, _copy(mine)
    called = names or (type(a).__name__, type(b).__name__)

    def compared(form: OtherConstants | None, locate: bool = False) -> ParityReport:
        one = _copy(fresh)  # caches and moving statistics of another run would tell in this
        against = other if form is None else _like(other, one, held, form)
        sides = (one, against) if foreign[0] else (against, one)
        network = None if form is None else form.network
        return comparison.compare_models(*sides, x, names=called, network=network, locate=locate, **options)

    best = comparison.compare_models(a, b, x, names=called, locate=False, **options)
    if best.passed:
        return best
    chosen = None
    # Another side that is wrong by itself has no constants to thank for it
    if comparison.compare_models(other, _like(other, mine, held), x, locate=False, **options).passed:
        for form in forms:
            trial = compared(form)
            if len(trial.failures) < len(best.failures):
                best, chosen = trial, form
            if best.passed:
                break
    if locate and not best.passed:
        best = compared(chosen, locate=True)
    if chosen is not None:
        best.notes.append(f"{chosen.words}: right exactly as well as rounded, so it is compared with what it has")
    return best


def _copy(model: Any) -> Any:
    """A copy; the model itself where its layers cannot be copied."""
    try:
        return copy.deepcopy(model)
    except Exception:  # open files, locks, generators: whatever a layer holds
        return model


def _like(other: Any, mine: Any, weights: dict[str, Any], form: OtherConstants | None = None) -> NumpyModel:
    """The from-scratch network of a foreign one, that drops the units which the other side drops."""
    model = NumpyModel(mine.spec, dtype="float64", dropout_seed=getattr(other, "dropout_seed", None) or 0)
    model.set_weights(weights)
    model.network = model.network if form is None else form.network
    return model
