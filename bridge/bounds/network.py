"""Expected values of a whole network on one batch, with the rounding error a correct implementation may have."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from bridge.bounds.losses import LossSite, loss_error
from bridge.bounds.rounding import UNIT_ROUNDOFF, Cotangent, Rounding, Site
from bridge.bounds.rules import RULES
from core_numpy import losses
from core_numpy.contract import Array, Context
from core_numpy.layers.build import Step
from core_numpy.masks import MaskSources
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
    """

    value: Array
    variance: Array
    kink: Array


@dataclass
class ExpectedGradients:
    """Expected results of one backward pass, by the names both backends use; ``uncertain`` counts kinks and ties."""

    loss: Expected | None = None
    parameters: dict[str, Expected] = field(default_factory=dict)
    activations: dict[str, Expected] = field(default_factory=dict)
    inputs: Expected | None = None
    uncertain: int = 0


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
    ) -> None:
        self.network = network
        self.params = params
        self.rounding = Rounding(UNIT_ROUNDOFF[dtype])
        self.sites: list[Site] = []
        variance = np.zeros_like(x)
        for step in network.steps:
            own, own_state = ({}, {}) if step.is_activation else (params[step.name], state[step.name])
            context = Context(training, masks(step.index) if masks else None)
            y, _ = step.layer.forward(own, own_state, x, context)
            site = Site(step.layer, own, own_state, context, x, variance, y, variance)
            variance = RULES[type(step.layer)].forward(self.rounding, site)
            self.sites.append(replace(site, y_variance=variance))
            x = y

    def forward(self) -> dict[str, Expected]:
        """Expected output of every step."""
        return {
            value_name(step): Expected(site.y, site.y_variance, np.zeros_like(site.y))
            for step, site in zip(self.network.steps, self.sites, strict=True)
        }

    def pullback(self, cotangent: Array) -> ExpectedGradients:
        """Expected gradients of sum(cotangent * output)."""
        exact = np.zeros_like(cotangent)
        return self._backward(Cotangent(cotangent, exact, exact), len(self.sites))

    def loss_gradients(self, y: Array, loss: loss_rules.Loss) -> ExpectedGradients:
        """Expected loss and all its gradients, for checked targets y."""
        activation, steps = self.network.last_activation([self.sites[0].x, *(site.y for site in self.sites)])
        fused = losses.takes_logits(loss, activation)
        count = len(self.sites) - (steps if fused else 0)
        output, variance = self.sites[count - 1].y, self.sites[count - 1].y_variance
        site = LossSite(loss, fused or getattr(loss, "from_logits", False), output, variance, y)
        value, dy = losses.mean_loss(*site.function(output, y), len(y))
        error = loss_error(self.rounding, site)
        loss_variance = error.value
        expected = self._backward(Cotangent(dy, error.gradient, error.kink), count)
        expected.uncertain += error.uncertain
        for name, rule in regularized_parameters(self.network.spec).items():
            layer, _, variable = name.partition("/")
            cost, gradient = penalty(rule, self.params[layer][variable])
            value += cost
            loss_variance = loss_variance + self.rounding.sum_of(np.asarray(cost**2), np.asarray(cost), 64)
            if name in expected.parameters:
                expected.parameters[name] = self._with_penalty(expected.parameters[name], gradient)
        expected.loss = Expected(np.asarray(value), np.asarray(loss_variance), np.zeros(()))
        return expected

    def _with_penalty(self, tensor: Expected, gradient: Array) -> Expected:
        value = tensor.value + gradient
        added = self.rounding.unit * (2 * np.square(gradient) + np.square(value))
        return Expected(value, tensor.variance + added, tensor.kink)

    def _backward(self, cotangent: Cotangent, start: int) -> ExpectedGradients:
        """Pull a cotangent of the output of step ``start - 1`` back to x."""
        steps = self.network.steps
        expected = ExpectedGradients()
        for at in range(start - 1, -1, -1):
            step, site = steps[at], self.sites[at]
            expected.activations[value_name(step)] = Expected(cotangent.value, cotangent.variance, cotangent.kink)
            _, cache = step.layer.forward(site.params, site.state, site.x, site.context)
            dx, grads = step.layer.backward(site.params, cache, cotangent.value)
            pulled = RULES[type(step.layer)].backward(self.rounding, site, cotangent, np.asarray(dx))
            expected.uncertain += pulled.uncertain
            if self.network.spec.layers[step.index].trainable:
                for name, value in grads.items():
                    variance, kink = pulled.parameter_variances[name], pulled.parameter_kinks[name]
                    expected.parameters[f"{step.name}/{name}"] = Expected(value, variance, kink)
            cotangent = Cotangent(np.asarray(dx), pulled.variance, pulled.kink)
        expected.inputs = Expected(cotangent.value, cotangent.variance, cotangent.kink)
        return expected
