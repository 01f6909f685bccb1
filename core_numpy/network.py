"""Network: the from-scratch layers, a line or a graph, run forward and backward without hidden state."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from core_numpy.contract import Array, Context, MaskSources, Variables
from core_numpy.layers.build import Step, lower
from model_spec import ModelSpec

Params = dict[str, Variables]
"""{layer name: {variable: array}}; layers without variables have an empty entry."""


class ForwardPass(NamedTuple):
    """What one forward pass left behind.

    Attributes:
        values: x, then the output of every step; ``values[-1]`` is the network's output.
        caches: what each step keeps for backward; popped there, so a pass can be pulled back once.
    """

    values: list[Array]
    caches: list[Any]

    @property
    def output(self) -> Array:
        """The network's output."""
        return self.values[-1]


class BackwardPass(NamedTuple):
    """Gradients of one backward pass.

    Attributes:
        parameters: {layer name: {variable: gradient}} of the trainable layers.
        values: gradient of x, then of the output of every step; None where it was not computed.
    """

    parameters: dict[str, dict[str, Array]]
    values: list[Array | None]


class Network(NamedTuple):
    """The steps of a specification. Pure: parameters, state and masks are arguments, results are results."""

    spec: ModelSpec
    steps: tuple[Step, ...]

    @property
    def readers(self) -> list[list[int]]:
        """Of x and of every step's output, the steps that read it, in order."""
        found: list[list[int]] = [[] for _ in range(len(self.steps) + 1)]
        for at, step in enumerate(self.steps):
            for source in dict.fromkeys(step.sources):
                found[source].append(at)
        return found

    @classmethod
    def of(cls, spec: ModelSpec) -> Network:
        """Build the from-scratch network of a specification."""
        return cls(spec, lower(spec))

    def replace_layer(self, position: int, layer: Any) -> Network:
        """A network with another layer at one step."""
        steps = list(self.steps)
        steps[position] = dataclasses.replace(steps[position], layer=layer)
        return self._replace(steps=tuple(steps))

    def last_activation(self, values: Sequence[Array]) -> tuple[str | None, int]:
        """(name, steps): the activation the network ends with or None, and how many steps lie behind its input.

        A step that hands on the very array it got (a linear Activation, Dropout in inference) does not count as an
        end: Keras looks for the logits on the tensor it is given, and that is still the softmax's.

        Args:
            values: x, then the output of every step, as in :class:`ForwardPass`.
        """
        end = len(self.steps)
        while end > 1 and values[end] is values[end - 1]:
            end -= 1
        last = self.steps[end - 1].layer
        name = getattr(last.spec, "activation", None) if last.spec.is_function else None
        return name, len(self.steps) - end + 1

    @property
    def couples_examples(self) -> bool:
        """True where, in training, an example's output depends on the rest of the batch."""
        return any(step.layer.couples_examples for step in self.steps)

    def build(self, seed: int, dtype: np.dtype) -> tuple[Params, Params]:
        """Return first values (params, state) from Keras' own random streams."""
        from model_spec.streams import layer_seed  # a network that is loaded draws nothing

        params: Params = {}
        state: Params = {}
        for step in self.steps:
            if step.is_activation:
                continue
            if not step.owns_variables:
                params[step.name], state[step.name] = {}, {}
                continue

            def seeds(purpose: str, index: int = step.index) -> int:
                return layer_seed(seed, index, purpose)

            params[step.name], state[step.name] = step.layer.build(self.spec.input_shapes[step.index], seeds, dtype)
        return params, state

    def divide(self, weights: dict[str, Array]) -> tuple[Params, Params]:
        """Return (params, state) of all variables, {"conv2d/kernel": array, ...}."""
        params: Params = {step.name: {} for step in self.steps}
        state: Params = {step.name: {} for step in self.steps}
        for name, value in weights.items():
            layer, _, variable = name.partition("/")
            owner = params if name in self.spec.parameter_shapes else state
            owner[layer] = {**owner[layer], variable: value}
        return params, state

    def forward(
        self, params: Params, state: Params, x: Array, training: bool = False, masks: MaskSources | None = None
    ) -> ForwardPass:
        """Run a batch x (examples, *input shape) through all steps, keeping what backward needs."""
        values, caches = [x], []
        for step in self.steps:
            context = Context(training, masks(step.index) if masks else None)
            y, cache = step.layer.forward(_own(params, step), _own(state, step), step.read(values), context)
            values.append(y)
            caches.append(cache)
        return ForwardPass(values, caches)

    def infer(self, params: Params, state: Params, x: Array) -> Array:
        """The network's output in inference mode; a value is kept until its last reader has had it."""
        if self.spec.is_chain:
            for step in self.steps:
                x, _ = step.layer.forward(_own(params, step), _own(state, step), x, Context())
            return x
        values: list[Any] = [x, *[None] * len(self.steps)]
        last_readers = [reading[-1] if reading else None for reading in self.readers]
        for at, step in enumerate(self.steps):
            values[at + 1], _ = step.layer.forward(_own(params, step), _own(state, step), step.read(values), Context())
            for source in step.sources:
                if last_readers[source] == at:
                    values[source] = None
        output: Array = values[-1]
        return output

    def backward(
        self, params: Params, forward: ForwardPass, dy: Array, *, skip_last: int = 0, need_dx: bool = True
    ) -> BackwardPass:
        """Pull the cotangent dy of the output back through all steps.

        Args:
            params: the parameters of the forward pass.
            forward: the forward pass; its caches are consumed.
            dy: gradient with respect to the output, or, with ``skip_last``, to the input of the first step left out
                (the logits a fused loss was computed from).
            skip_last: leave so many steps at the end out.
            need_dx: False saves the gradient of x.
        """
        count = len(self.steps)
        first_trained = next(
            (at for at, step in enumerate(self.steps) if params.get(step.variables_of) and self._trains(step)), count
        )
        values: list[Array | None] = [None] * (count + 1)
        gradients: dict[str, dict[str, Array]] = {}
        for _ in range(skip_last):
            forward.caches.pop()
            count -= 1
        values[count] = dy
        for at in range(count - 1, -1, -1):
            step, arrived = self.steps[at], values[at + 1]
            wanted = need_dx or at > first_trained
            if arrived is None or not (wanted or (params.get(step.variables_of) and self._trains(step))):
                break
            dx, grads = step.layer.backward(_own(params, step), forward.caches.pop(), arrived, wanted)
            if grads and self._trains(step):
                # Uses of the same variables are added from the last to the first
                other = gradients.get(step.variables_of, {})
                gradients[step.variables_of] = {
                    name: other[name] + value if name in other else value for name, value in grads.items()
                }
            if dx is None:
                break
            for source, part in zip(step.sources, step.parts(dx), strict=True):
                # All readers of a value stand behind it: their gradients are added from the last to the first
                earlier = values[source]
                values[source] = part if earlier is None else earlier + part
        if not need_dx:
            # Branches have left a part of these gradients, not all
            values[: first_trained + 1] = [None] * (first_trained + 1)
        return BackwardPass(gradients, values)

    def next_state(self, state: Params, forward: ForwardPass) -> Params:
        """State after this training batch; call it before backward consumes the caches."""
        result = dict(state)
        for step, cache in zip(self.steps, forward.caches, strict=True):
            if not step.is_activation:
                result[step.variables_of] = step.layer.next_state(result[step.variables_of], cache)
        return result

    def _trains(self, step: Step) -> bool:
        return self.spec.layers[step.index].trainable


def _own(variables: Params, step: Step) -> Variables:
    """The variables of one step; a split-off activation has none."""
    return {} if step.is_activation else variables[step.variables_of]


def flatten(variables: dict[str, Any]) -> dict[str, Array]:
    """{layer: {variable: array}} as {"layer/variable": array}."""
    return {f"{layer}/{name}": value for layer, own in variables.items() for name, value in own.items()}


def unflatten(variables: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
    """{"layer/variable": array} as {layer: {variable: array}}."""
    layers: dict[str, dict[str, Array]] = {}
    for name, value in variables.items():
        layer, _, variable = name.partition("/")
        layers.setdefault(layer, {})[variable] = value
    return layers
