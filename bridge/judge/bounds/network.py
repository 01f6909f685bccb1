"""Expected values of a whole network on one batch, with the rounding error a correct implementation may have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from bridge.judge.bounds.ensemble import Ensemble, EnsembleBackward
from bridge.judge.bounds.losses import LossTrace, loss_error
from bridge.judge.layers import judged, rule_of
from bridge.judge.rounding import Cotangent, LayerTrace, Rounding
from core_numpy import losses
from core_numpy.contract import Array, Context, MaskSources
from core_numpy.layers.build import Step
from core_numpy.network import Network, Params
from core_numpy.regularizers import penalty, regularized_parameters
from model_spec import losses as loss_rules


@dataclass(frozen=True)
class Expected:
    """What a tensor should be.

    Attributes:
        value: the float64 value.
        variance: of the rounding error of one implementation, same shape.
        kink: sum of squares of what other valid subgradients could change, same shape; zero for forward values.
        correlated: gives the variance with correlations between positions, which takes many runs of the network.
    """

    value: Array
    variance: Array
    kink: Array
    correlated: Callable[[], Array] | None = None

    def examples(self, count: int) -> Expected:
        """The same for the first examples alone."""
        return Expected(self.value[:count], self.variance[:count], self.kink[:count])

    def with_correlations(self) -> Expected:
        """The same with the greater of both variances."""
        if self.correlated is None:
            return self
        return replace(self, variance=np.maximum(self.variance, self.correlated()), correlated=None)


@dataclass
class ExpectedGradients:
    """Expected results of one backward pass, by the names both backends use.

    Attributes:
        loss: the scalar that is pulled back, or None where a cotangent was given.
        parameters, activations: gradients by name.
        conserved: of the gradients of images that a max pooling shares out: their sum over each image's channel.
        inputs: gradient of x.
        uncertain: number of kinks and ties.
    """

    loss: Expected | None = None
    parameters: dict[str, Expected] = field(default_factory=dict)
    activations: dict[str, Expected] = field(default_factory=dict)
    conserved: dict[str, Expected] = field(default_factory=dict)
    inputs: Expected | None = None
    uncertain: int = 0


def conserved(rounding: Rounding, cotangent: Cotangent, cells: int) -> Expected:
    """What the cells of each channel of each image must add up to, (n, ..., c) -> (n, c).

    Whichever cells of a tie get the gradient, and in which shares, they get all of it, and not more. The errors may be
    the same in all cells, so they count in full.
    """
    axes = tuple(range(1, cotangent.value.ndim - 1))
    deviation, kink = (np.sqrt(of).sum(axis=axes) for of in (cotangent.variance, cotangent.kink))
    # Shares of a tie are rounded, and so are the partial sums of the cells
    shares = rounding.unit * (1 + cells) * np.square(np.abs(cotangent.value).sum(axis=axes))
    return Expected(cotangent.value.sum(axis=axes), np.square(deviation) + shares, np.square(kink))


def channel_sums(gradient: Array) -> Array:
    """The float64 sum over each channel of each image or sequence, (n, ..., c) -> (n, c)."""
    return np.asarray(np.asarray(gradient, np.float64).sum(axis=tuple(range(1, gradient.ndim - 1))))


def value_name(step: Step) -> str:
    """Name of a step's output: the layer's, or "layer/preactivation" in front of a split-off activation."""
    return step.name if step.ends_layer else f"{step.name}/preactivation"


class RoundingModel:
    """One network on one batch, run once forward in float64 with the variance of every error.

    Args:
        network: the network, as written in the specification.
        params: parameters as the judged implementations hold them, cast up to float64.
        state: moving statistics likewise.
        dtype: precision of the judged implementations.
        x: the batch as they get it, cast up to float64.
        training: whether dropout and batch statistics are on.
        masks: the very masks they drop by.
        by_tiles: whether one of them takes the gradients of convolutions by Winograd's tiles.
        by_moments: whether one of them takes a variance as the mean of squares less the square of the mean.
    """

    def __init__(
        self,
        network: Network,
        params: Params,
        state: Params,
        dtype: str,
        x: Array,
        training: bool = False,
        masks: MaskSources | None = None,
        by_tiles: bool = False,
        by_moments: bool = False,
    ) -> None:
        self.network = network
        self.params = params
        self.x = x
        self.rounding = replace(Rounding.of(dtype, by_tiles), by_moments=by_moments)
        self.traces: list[LayerTrace] = []
        values, variances = [x], [np.zeros_like(x)]
        with_errors = _tensors_with_errors(network.steps)
        for step in network.steps:
            own, own_state = ({}, {}) if step.is_activation else (params[step.variables_of], state[step.variables_of])
            context = Context(training, masks(step.index) if masks else None)
            read, variance = step.read(values), step.read(variances)
            y, _ = step.layer.forward(own, own_state, read, context)
            shared = step.merges and _meet([with_errors[source] for source in step.sources])
            trace = LayerTrace(step.layer, own, own_state, context, read, variance, y, np.zeros_like(y), shared)
            variances.append(rule_of(step.layer).forward(self.rounding, trace) + self.rounding.floor)
            self.traces.append(replace(trace, y_variance=variances[-1]))
            values.append(y)
        self.ensemble = Ensemble(x, network.steps, self.traces, self.rounding)

    def forward(self) -> dict[str, Expected]:
        """Expected output of every step."""
        return {
            value_name(step): Expected(
                trace.y, trace.y_variance, np.zeros_like(trace.y), partial(self.ensemble.forward, at)
            )
            for at, (step, trace) in enumerate(zip(self.network.steps, self.traces, strict=True))
        }

    def pullback(self, cotangent: Array) -> ExpectedGradients:
        """Expected gradients of sum(cotangent * output)."""
        exact = Cotangent.given(cotangent)
        runs = EnsembleBackward(self.ensemble, len(self.traces), lambda output: (0.0, cotangent), exact.variance)
        return self._backward(exact, len(self.traces), runs)

    def loss_gradients(self, y: Array, loss: loss_rules.Loss) -> ExpectedGradients:
        """Expected loss and all its gradients, for checked targets y."""
        activation, steps = self.network.last_activation([self.x, *(trace.y for trace in self.traces)])
        fused = losses.takes_logits(loss, activation)
        count = len(self.traces) - (steps if fused else 0)
        output, variance = self.traces[count - 1].y, self.traces[count - 1].y_variance
        trace = LossTrace(loss, fused or bool(getattr(loss, "from_logits", False)), output, variance, y)
        value, dy = losses.mean_loss(*trace.function(output, y), len(y))
        error = loss_error(self.rounding, trace)
        loss_variance = error.value

        def start(output: Array) -> tuple[float, Array]:
            return losses.mean_loss(*trace.function(output, y), len(y))

        alone = loss_error(self.rounding, replace(trace, variance=np.zeros_like(variance)))
        runs = EnsembleBackward(self.ensemble, count, start, alone.gradient)
        start_of = Cotangent(dy, error.gradient + self.rounding.floor, error.kink)
        expected = self._backward(start_of, count, runs)
        expected.uncertain += error.uncertain
        for name, rule in regularized_parameters(self.network.spec).items():
            layer, _, variable = name.partition("/")
            cost, gradient = penalty(rule, self.params[layer][variable])
            value += cost
            loss_variance = loss_variance + self.rounding.sum_of(np.asarray(cost**2), np.asarray(cost), 64)
            if name in expected.parameters:
                expected.parameters[name] = self._with_penalty(expected.parameters[name], gradient)
        own = np.asarray(loss_variance)
        expected.loss = Expected(np.asarray(value), own, np.zeros(()), lambda: own + runs.variance_of("loss"))
        return expected

    def _of_both_uses(self, one: Expected, other: Expected) -> Expected:
        """The sum of the gradients of two uses of one parameter.

        Both come from the same rounded tensors, so that their errors may be the same: deviations are added, not
        variances (Cauchy-Schwarz), and so are kinks.
        """
        value = one.value + other.value
        local = self.rounding.unit * np.square(value)

        def together(first: Array, second: Array) -> Array:
            return np.square(np.sqrt(first) + np.sqrt(second))

        def correlated() -> Array:
            parts = (use.with_correlations().variance for use in (one, other))
            return together(*parts) + local

        return Expected(
            value, together(one.variance, other.variance) + local, together(one.kink, other.kink), correlated
        )

    def _with_penalty(self, tensor: Expected, gradient: Array) -> Expected:
        value = tensor.value + gradient
        added = self.rounding.unit * (2 * np.square(gradient) + np.square(value))
        return Expected(value, tensor.variance + added, tensor.kink, tensor.correlated)

    def _backward(self, cotangent: Cotangent, start: int, runs: EnsembleBackward) -> ExpectedGradients:
        """Pull a cotangent of the output of step ``start - 1`` back to x."""
        steps, floor = self.network.steps, self.rounding.floor
        expected, readers = ExpectedGradients(), self.network.readers
        arrived: list[Cotangent | None] = [None] * (start + 1)
        arrived[start] = cotangent
        for at in range(start - 1, -1, -1):
            step, trace, given = steps[at], self.traces[at], arrived[at + 1]
            if given is None:
                continue
            expected.activations[value_name(step)] = Expected(
                given.value, given.variance, given.kink, partial(runs.variance_of, f"dy {at + 1}")
            )
            _, cache = step.layer.forward(trace.params, trace.state, trace.x, trace.context)
            dx, grads = step.layer.backward(trace.params, cache, given.value)
            pulled = rule_of(step.layer).backward(self.rounding, trace, given, dx)
            expected.uncertain += pulled.uncertain
            if self.network.spec.layers[step.index].trainable:
                for name, value in grads.items():
                    variance, kink = pulled.parameter_variances[name], pulled.parameter_kinks[name]
                    correlated = partial(runs.variance_of, f"{at} {name}")
                    found = Expected(value, variance + floor, kink, correlated)
                    full = f"{step.variables_of}/{name}"
                    if full in expected.parameters:
                        found = self._of_both_uses(expected.parameters[full], found)
                    expected.parameters[full] = found
            if judged(step.layer).routes_gradient and len(readers[step.sources[0]]) == 1:
                source = step.sources[0]
                before = value_name(steps[source - 1]) if source else "x"
                expected.conserved[before] = conserved(self.rounding, given, trace.x[0, ..., 0].size)
            for source, part in zip(step.sources, pulled.cotangents(step, dx, floor), strict=True):
                earlier = arrived[source]
                arrived[source] = part if earlier is None else earlier.plus(part, self.rounding)
        entry = arrived[0]
        if entry is not None:
            correlated = partial(runs.variance_of, "dy 0")
            expected.inputs = Expected(entry.value, entry.variance, entry.kink, correlated)
        return expected


def _tensors_with_errors(steps: Sequence[Step]) -> list[set[int]]:
    """Of x and every step's output, the tensors with a rounding error that it depends on, itself among them."""
    found: list[set[int]] = [set()]
    for at, step in enumerate(steps):
        found.append({at + 1}.union(*(found[source] for source in step.sources)))
    return found


def _meet(groups: Sequence[set[int]]) -> bool:
    """True where two of the groups have a member in common."""
    return sum(map(len, groups)) > len(set().union(*groups))
