"""Teacher-forced errors: each layer of one model judged alone, on the very numbers that model fed it.

A comparison of two models shows where they part; it cannot say who is wrong, nor see a second fault behind the first.
Here each side is held against the float64 layer, given that side's own input (and, backward, its own cotangent), with
the bound of that one layer's rounding. The layer whose LOCAL error leaves its own bound is the culprit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bridge.bounds import Expected, RoundingModel, value_name
from bridge.bounds.losses import LossSite, loss_error
from bridge.bounds.rounding import Cotangent, Site
from bridge.bounds.rules import RULES
from bridge.verdict import Place, Row, judge
from core_numpy import losses
from core_numpy.contract import Array
from core_numpy.regularizers import penalty, regularized_parameters
from model_spec import Gradients
from model_spec import losses as loss_rules


@dataclass(frozen=True)
class LocalRow:
    """One layer of one side: ``row`` compares what it gave with what the float64 layer gives from the same input."""

    side: str
    row: Row


class LocalJudge:
    """Judges the layers of one model one by one.

    Args:
        model: the float64 network on this batch, for parameters, masks and precision.
        side: the judged model's name.
        activations: its outputs, preactivations included.
        place: where in the comparison this is.
    """

    def __init__(self, model: RoundingModel, side: str, activations: dict[str, Array], place: Place) -> None:
        self.model = model
        self.side = side
        self.place = place
        self.names = [value_name(step) for step in model.network.steps]
        self.complete = all(name in activations for name in self.names)
        self.values = [np.asarray(activations[name], np.float64) for name in self.names if name in activations]
        self.sites = list(self._teacher_forced()) if self.complete else []

    def _teacher_forced(self) -> Iterator[Site]:
        """Each site again, with the side's own input, taken as exact."""
        inputs = [self.model.sites[0].x, *self.values[:-1]]
        for site, x in zip(self.model.sites, inputs, strict=True):
            exact = np.zeros_like(x)
            y, _ = site.layer.forward(site.params, site.state, x, site.context)
            bare = replace(site, x=x, x_variance=exact, y=y, y_variance=np.zeros_like(y))
            variance = RULES[type(site.layer)].forward(self.model.rounding, bare)
            yield replace(bare, y_variance=variance)

    def forward(self) -> list[LocalRow]:
        """What each layer made of its own input."""
        place = replace(self.place, stage="local forward")
        steps = self.model.network.steps
        return [
            self._row(value, Expected(site.y, site.y_variance, np.zeros_like(site.y)), place, name, step.name)
            for value, site, name, step in zip(self.values, self.sites, self.names, steps, strict=True)
        ]

    def loss(self, gradients: Gradients, y: Array, rule: loss_rules.Loss) -> list[LocalRow]:
        """What the loss made of the network's output, then the backward pass from there."""
        if not self.complete:
            return []
        trail = [self.sites[0].x, *self.values]
        activation, skipped = self.model.network.last_activation(trail)
        fused = losses.takes_logits(rule, activation)
        at = len(self.sites) - (skipped if fused else 0)
        output = trail[at]
        site = LossSite(rule, fused or getattr(rule, "from_logits", False), output, np.zeros_like(output), y)
        _, dy = losses.mean_loss(*site.function(output, y), len(y))
        error = loss_error(self.model.rounding, site)
        place = replace(self.place, stage="local backward")
        name = self.names[at - 1]
        rows = []
        if name in gradients.activations:
            expected = Expected(dy, error.gradient, error.kink)
            rows.append(self._row(gradients.activations[name], expected, place, f"gradient of {name}", "loss"))
        return rows + self._backward(gradients, at, place, with_penalties=True)

    def pullback(self, gradients: Gradients) -> list[LocalRow]:
        """The backward pass from the given cotangent."""
        if not self.complete:
            return []
        return self._backward(gradients, len(self.sites), replace(self.place, stage="local backward"), False)

    def _backward(self, gradients: Gradients, start: int, place: Place, with_penalties: bool) -> list[LocalRow]:
        """What each layer made of the side's own cotangent."""
        rows = []
        penalties = regularized_parameters(self.model.network.spec) if with_penalties else {}
        for at in range(start - 1, -1, -1):
            step, site, name = self.model.network.steps[at], self.sites[at], self.names[at]
            if name not in gradients.activations:
                continue
            dy = np.asarray(gradients.activations[name], np.float64)
            exact = np.zeros_like(dy)
            _, cache = site.layer.forward(site.params, site.state, site.x, site.context)
            dx, grads = site.layer.backward(site.params, cache, dy)
            cotangent = Cotangent(dy, exact, exact)
            pulled = RULES[type(site.layer)].backward(self.model.rounding, site, cotangent, np.asarray(dx))
            for variable, value in grads.items():
                full = f"{step.name}/{variable}"
                if full not in gradients.parameters:
                    continue
                variance = pulled.parameter_variances[variable]
                if full in penalties:
                    added = penalty(penalties[full], site.params[variable])[1]
                    value = value + added
                    variance = variance + self.model.rounding.unit * (2 * np.square(added) + np.square(value))
                expected = Expected(value, variance, pulled.parameter_kinks[variable])
                rows.append(self._row(gradients.parameters[full], expected, place, f"gradient of {full}", step.name))
            before = gradients.activations.get(self.names[at - 1]) if at else gradients.inputs
            if before is not None:
                label = f"gradient of {self.names[at - 1] if at else 'x'}"
                expected = Expected(np.asarray(dx), pulled.variance, pulled.kink)
                rows.append(self._row(before, expected, place, label, step.name))
        return rows

    def _row(self, found: Any, expected: Expected, place: Place, tensor: str, layer: str) -> LocalRow:
        return LocalRow(self.side, judge(found, expected.value, expected, place, tensor, layer))
