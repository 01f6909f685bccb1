"""Random cases: a network drawn by Hypothesis with the recipe of its data, small enough to be written down.

Hypothesis is imported only where cases are drawn, so a case can be checked again without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.fuzzing.known_layers import KnownLayers
from bridge.fuzzing.random_networks import Draw, need_hypothesis, specs
from bridge.fuzzing.several_ends import draw_several_ends
from core_numpy.contract import Array
from model_spec import ModelSpec, limits, losses, model_from_dict, serialization, to_dict
from model_spec.names import shown
from model_spec.shapes import Shape
from model_spec.validation import boolean, non_negative_integer, one_of, positive_integer

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

DATA = ("normal", "integers", "background")
"""Kinds of inputs: normal numbers; whole numbers 0..2 (ties); one constant with a few normal cells (images have it)."""

_BATCH = 5


@dataclass(frozen=True)
class Case:
    """One network with the recipe of its data.

    Attributes:
        spec: the network; its output is a row of classes.
        batch: number of examples.
        seed: of inputs, targets, weights, cotangents and dropout masks.
        loss: what is differentiated besides the random cotangent.
        data: kind of inputs, one of ``DATA``.
        one_hot: True where targets of a categorical cross-entropy are rows, False where they are integer classes.
    """

    spec: ModelSpec
    batch: int
    seed: int
    loss: losses.Loss
    data: str = "normal"
    one_hot: bool = False

    def __post_init__(self) -> None:
        positive_integer("batch", self.batch)
        non_negative_integer("seed", self.seed)
        one_of("data", self.data, DATA)
        boolean("one_hot", self.one_hot)
        if not isinstance(self.loss, losses.Loss):
            raise ValueError(f"loss must be a loss of model_spec.losses, got {shown(self.loss)}")

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {
            "spec": to_dict(self.spec),
            "batch": self.batch,
            "seed": self.seed,
            "loss": to_dict(self.loss),
            "data": self.data,
            "one_hot": self.one_hot,
        }

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> Case:
        """Build the case that :meth:`to_dict` wrote."""
        known = {"spec", "batch", "seed", "loss", "data", "one_hot"}
        if not isinstance(entry, dict) or set(entry) != known:
            found = shown(sorted(entry) if isinstance(entry, dict) else entry)
            raise ValueError(f"a case must be a table with {', '.join(sorted(known))}, got {found}")
        built = {"spec": model_from_dict(entry["spec"]), "loss": serialization.from_dict(entry["loss"])}
        case = cls(**{**entry, **built})
        limits.DEFAULT.check(case.spec, case.batch)
        return case

    def arrays(self) -> tuple[Array, Array | None]:
        """Inputs and targets, the same for the same case; no targets of several outputs."""
        random = np.random.default_rng([self.seed, 2])
        x = random_inputs(self.data, (self.batch, *self.spec.input_shape), random)
        if self.spec.outputs is not None:
            return x, None
        return x, random_targets(self.loss, (self.batch, *self.spec.output_shape), self.one_hot, random)


def random_inputs(kind: str, shape: Shape, random: np.random.Generator) -> Array:
    """Inputs of this kind and shape (examples, ...), float64; ``kind`` is one of ``DATA``."""
    one_of("data", kind, DATA)
    if kind == "integers":
        return random.integers(0, 3, shape).astype(np.float64)
    x = random.standard_normal(shape)
    return np.where(random.random(shape) < 0.3, x, 0.5) if kind == "background" else x


def random_targets(loss: losses.Loss, shape: Shape, one_hot: bool, random: np.random.Generator) -> Array:
    """Targets for an output of this shape (examples, ...), in the form the loss takes."""
    if losses.takes_classes(loss):
        labels = random.integers(0, shape[-1], shape[0])
        return np.eye(shape[-1])[labels] if one_hot else labels
    if isinstance(loss, losses.BinaryCrossentropy):
        return random.integers(0, 2, shape).astype(np.float64)
    if isinstance(loss, (losses.Hinge, losses.SquaredHinge)):
        return random.choice([-1.0, 1.0], shape)
    if isinstance(loss, losses.CategoricalHinge):
        return np.eye(shape[-1])[random.integers(0, shape[-1], shape[:-1])]
    if isinstance(loss, losses.KLDivergence):
        return random.dirichlet(np.ones(shape[-1]), shape[:-1])
    return random.standard_normal(shape)


def cases(max_layers: int = 8, known: KnownLayers | None = None) -> SearchStrategy[Case]:
    """Strategy for cases: a network, its loss, and the recipe of its data.

    Args:
        max_layers: of each network.
        known: of what layers to draw networks, which then have one input and one output; None is everything there is.
    """
    need_hypothesis()
    from hypothesis import strategies

    networks = specs(max_layers, known)

    @strategies.composite
    def draw_case(draw: DrawFn) -> Case:
        some = Draw(draw)
        # First of all a choice among many: Hypothesis avoids what it has drawn, and would else avoid half the networks
        seed = some.integer(0, 2**16)
        several = some.rarely() and known is None
        spec = draw(networks)
        batch, data, one_hot = some.integer(1, _BATCH), some.of(DATA), some.boolean()
        loss = _draw_loss(some, spec)
        spec = draw_several_ends(some, spec) if several else spec
        return Case(spec, batch, seed, loss, data, one_hot)

    return draw_case()


def _draw_loss(some: Draw, spec: ModelSpec) -> losses.Loss:
    last = getattr(spec.layers[-1], "activation", "linear")
    smoothing = some.of((0.0, 0.0, 0.1))
    kind = some.of(("categorical", "binary", "squared", "half", "other"))
    if kind in ("categorical", "binary", "other") and (len(spec.output_shape) > 1 or spec.output_shape[-1] < 2):
        kind = "squared"
    if kind in ("categorical", "binary") and last not in ("softmax", "sigmoid", "linear"):
        kind = "half"
    if kind == "categorical":
        return losses.CategoricalCrossentropy(from_logits=last == "linear", label_smoothing=smoothing)
    if kind == "binary":
        return losses.BinaryCrossentropy(from_logits=last == "linear", label_smoothing=smoothing)
    if kind == "other":
        return some.of(
            (
                losses.MeanAbsoluteError(),
                losses.Huber(some.of((1.0, 0.3))),
                losses.LogCosh(),
                losses.Hinge(),
                losses.SquaredHinge(),
                losses.CategoricalHinge(),
                losses.KLDivergence(),
            )
        )
    return losses.MeanSquaredError() if kind == "squared" else losses.HalfSumSquaredError()
