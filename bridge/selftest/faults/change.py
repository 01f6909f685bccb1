"""Change: other code in the place of a part of one NumPy model; what faults and right variants are planted with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core_numpy import NumpyModel
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.activation import Activation
from core_numpy.layers.build import Step
from core_numpy.losses import LossFunction
from core_numpy.optimizers import OptimizerState
from core_numpy.regularizers import regularized_parameters
from model_spec import regularizers
from model_spec.losses import Loss

LossFunctions = Callable[[Loss, bool], LossFunction]
PenaltyFunction = Callable[[regularizers.Regularizer, Array], tuple[float, Array]]
OptimizerStep = Callable[[OptimizerState, dict[str, Array], dict[str, Array]], None]
Method = Callable[..., Any]


@dataclass(frozen=True)
class ChangedLayer(Layer):
    """A layer with another forward, backward or next state around the right one; what is not given is inherited."""

    inner: Layer
    other_forward: Callable[..., tuple[Array, Any]] | None = None
    other_backward: Callable[..., tuple[Array | None, dict[str, Array]]] | None = None
    other_next_state: Callable[..., Variables] | None = None

    @property
    def couples_examples(self) -> bool:
        return self.inner.couples_examples

    def build(self, *arguments: Any) -> Any:
        return self.inner.build(*arguments)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        run = self.other_forward or (lambda inner, *rest: inner.forward(*rest))
        return run(self.inner, params, state, x, context)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        run = self.other_backward or (lambda inner, *rest: inner.backward(*rest))
        return run(self.inner, params, cache, dy, need_dx)

    def next_state(self, state: Variables, cache: Any) -> Variables:
        run = self.other_next_state or (lambda inner, *rest: inner.next_state(*rest))
        return run(self.inner, state, cache)


@dataclass(frozen=True)
class ChangedActivation(ChangedLayer, Activation):
    """A changed activation, which the network still sees as one: a loss is fused with it as before."""


@dataclass
class ChangedOptimizer(OptimizerState):
    """An optimizer whose step is another function of (the optimizer, parameters, gradients)."""

    other_step: OptimizerStep = field(kw_only=True)

    @classmethod
    def around(cls, right: OptimizerState, other_step: OptimizerStep) -> ChangedOptimizer:
        """The same slots and counters with another step."""
        return cls(right.rule, right.slots, right.shared, right.iterations, right.learning_rate, other_step=other_step)

    def step(self, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        self.other_step(self, parameters, gradients)

    def right_step(self, parameters: dict[str, Array], gradients: dict[str, Array]) -> None:
        """The step as it should be."""
        super().step(parameters, gradients)


@dataclass(frozen=True)
class Change:
    """Other code for one part of a model.

    Attributes:
        name: for the command line.
        description: what is different, in a sentence.
        shows: where it can be seen: "forward", "backward", "training only", ...
        applies: which layers it can be planted in; None where no layer is changed.
        forward, backward, next_state: the layer's other computation; each takes the right layer first.
        loss: from the right loss functions to the other ones.
        penalty: from the right penalty function to the other one.
        optimizer: the other step of an optimizer.
        methods: {method of the model: function of (model, right method) that gives the other method}.
        blames: whom to blame where it is not the layer it is planted in.
    """

    name: str
    description: str
    shows: str = ""
    applies: Callable[[Layer], bool] | None = None
    forward: Callable[..., tuple[Array, Any]] | None = None
    backward: Callable[..., tuple[Array | None, dict[str, Array]]] | None = None
    next_state: Callable[..., Variables] | None = None
    loss: Callable[[LossFunctions], LossFunctions] | None = None
    penalty: Callable[[PenaltyFunction], PenaltyFunction] | None = None
    optimizer: OptimizerStep | None = None
    methods: Mapping[str, Callable[[NumpyModel, Method], Method]] = field(default_factory=dict)
    blames: str | None = None

    @property
    def is_of_training(self) -> bool:
        """True where it changes training steps only, so that a comparison on one batch could not see it."""
        return bool(self.optimizer or self.next_state or "train_on_batch" in self.methods)

    def sites(self, model: NumpyModel) -> list[int]:
        """Steps of the network it can be planted in."""
        if self.applies is None:
            return []
        return [at for at, step in enumerate(model.network.steps) if self.applies(step.layer)]

    def plant(self, model: NumpyModel, at: int | None = None) -> str:
        """Plant it in the model (at a step, or in the first layer that fits) and return the layer to be blamed.

        Raises:
            ValueError: the model has nothing it fits.
        """
        if self.is_of_training and model.optimizer is None:
            raise ValueError(
                f"fault {self.name!r} ({self.description}) needs a model in training; "
                f"give it to compare_training, or run crosscheck selftest"
            )
        if self.applies is not None:
            return self._plant_in_layer(model, at)
        if not (self.loss or self.penalty or self.optimizer or self.methods):
            raise ValueError(f"fault {self.name!r} ({self.description}) is in no model; crosscheck selftest plants it")
        self._refuse_without_place(model)
        if self.loss is not None:
            model.loss_functions = self.loss(model.loss_functions)
        if self.penalty is not None:
            model.penalty_function = self.penalty(model.penalty_function)
        if self.optimizer is not None and model.optimizer is not None:
            model.optimizer = ChangedOptimizer.around(model.optimizer, self.optimizer)
        for name, change in self.methods.items():
            setattr(model, name, change(model, getattr(model, name)))
        return self.blames or "loss"

    def _refuse_without_place(self, model: NumpyModel) -> None:
        layer = (self.blames or "loss").partition("/")[0]
        if self.methods and layer not in {"loss", *(layer.name for layer in model.spec.layers)}:
            raise ValueError(
                f"fault {self.name!r} ({self.description}) needs a layer {layer!r}: {model.spec.name!r} has none"
            )
        if self.penalty is not None and not regularized_parameters(model.spec):
            raise ValueError(
                f"fault {self.name!r} ({self.description}) needs a regularizer: {model.spec.name!r} has none"
            )

    def _plant_in_layer(self, model: NumpyModel, at: int | None) -> str:
        sites = self.sites(model)
        if not sites:
            raise ValueError(f"fault {self.name!r} ({self.description}) fits no layer of {model.spec.name!r}")
        chosen = sites[0] if at is None else at
        step: Step = model.network.steps[chosen]
        kind = ChangedActivation if isinstance(step.layer, Activation) else ChangedLayer
        changed = kind(step.layer.spec, step.layer, self.forward, self.backward, self.next_state)
        model.network = model.network.replace_layer(chosen, changed)
        return self.blames or step.name
