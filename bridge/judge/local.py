"""Teacher-forced errors: each layer of one model judged alone, on the very numbers that model fed it.

A comparison of two models shows where they part; it cannot say who is wrong, nor see a second fault behind the first.
Here each side is held against the float64 layer, given that side's own input (and, backward, its own cotangent), with
the bound of that one layer's rounding. The layer whose LOCAL error leaves its own bound is the culprit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bridge.judge.bounds import Expected, RoundingModel, channel_sums, conserved, value_name
from bridge.judge.bounds.losses import LossTrace, loss_error
from bridge.judge.layers import judged, rule_of
from bridge.judge.loss_definition import KERAS, LossDefinition
from bridge.judge.rounding import Cotangent, LayerTrace
from bridge.judge.tensor import Place, Row, judge
from core_numpy import losses
from core_numpy.contract import Array
from core_numpy.network import Network
from core_numpy.regularizers import penalty, regularized_parameters
from model_spec import Gradients
from model_spec import losses as loss_rules


@dataclass(frozen=True)
class LocalRow:
    """One layer of one side: ``row`` compares what it gave with what the float64 layer gives from the same input."""

    side: str
    row: Row


@dataclass(frozen=True)
class Observed:
    """Everything one model gave on one batch.

    Attributes:
        side: the model's name.
        model: the float64 network on the batch, for parameters, masks and precision.
        network: the layers it is held against: the model's own, or some of them replaced.
        place: where in the comparison this is.
        activations: its outputs, preactivations included.
        loss: its gradients of the loss, with targets and the loss's rule, or None.
        pullback: its pullback of the random cotangent, or None.
    """

    side: str
    model: RoundingModel
    network: Network
    place: Place
    activations: dict[str, Array]
    loss: tuple[Gradients, Array, loss_rules.Loss] | None
    pullback: Gradients | None

    def with_network(self, network: Network) -> Observed:
        """The same observations, held against other layers."""
        return replace(self, network=network)

    @cached_property
    def names(self) -> list[str]:
        """Name of every step's output."""
        return [value_name(step) for step in self.network.steps]

    @cached_property
    def trail(self) -> list[Array]:
        """x, then what each step gave."""
        return [self.model.x, *(np.asarray(self.activations[name], np.float64) for name in self.names)]

    @property
    def is_complete(self) -> bool:
        """True where the model showed every step's output."""
        return all(name in self.activations for name in self.names)

    def trace(self, at: int) -> LayerTrace:
        """One layer with the model's own input, taken as exact."""
        step = self.network.steps[at]
        x = step.read(self.trail)
        before = replace(self.model.traces[at], layer=step.layer, x=x)
        y, _ = step.layer.forward(before.params, before.state, x, before.context)
        bare = replace(before, y=y).exact
        return replace(bare, y_variance=rule_of(step.layer).forward(self.model.rounding, bare))


def judge_alone(
    observed: Observed, convention: LossDefinition = KERAS, layers: Collection[str] | None = None
) -> list[LocalRow]:
    """Judge every layer of one side alone, in computing order.

    Args:
        observed: what the side gave.
        convention: how the loss is defined.
        layers: only these layers ("loss" among them); all by default.
    """
    if not observed.is_complete:
        return []
    wanted = {step.name for step in observed.network.steps} | {"loss"} if layers is None else set(layers)
    rows = list(_forward(observed, wanted))
    if observed.loss is not None:
        rows += _loss(observed, convention, wanted)
    if observed.pullback is not None:
        rows += _backward(observed, observed.pullback, len(observed.network.steps), {}, wanted)
    return [LocalRow(observed.side, row) for row in rows]


def _forward(observed: Observed, wanted: Collection[str]) -> Iterator[Row]:
    """What each layer made of its own input."""
    place = replace(observed.place, stage="local forward")
    for at, step in enumerate(observed.network.steps):
        if step.name in wanted:
            trace = observed.trace(at)
            expected = Expected(trace.y, trace.y_variance, np.zeros_like(trace.y))
            yield judge(observed.trail[at + 1], trace.y, expected, place, value_name(step), step.name)


def _loss(observed: Observed, convention: LossDefinition, wanted: Collection[str]) -> Iterator[Row]:
    """What the loss made of the network's output, then the backward pass from there."""
    if observed.loss is None:
        return
    gradients, y, rule = observed.loss
    activation, skipped = observed.network.last_activation(observed.trail)
    fused = losses.takes_logits(rule, activation)
    at = len(observed.network.steps) - (skipped if fused else 0)
    terms = _penalties(observed)
    if "loss" in wanted:
        yield from _loss_itself(observed, convention, at, fused, terms)
    scaled = {parameter: gradient * convention.penalty for parameter, (_, gradient) in terms.items()}
    yield from _backward(observed, gradients, at, scaled, wanted)


def _loss_itself(
    observed: Observed, convention: LossDefinition, at: int, fused: bool, terms: dict[str, tuple[float, Array]]
) -> Iterator[Row]:
    """The loss's value, and its gradient with respect to what it was computed from, the output of step ``at`` - 1."""
    if observed.loss is None:
        return
    gradients, y, rule = observed.loss
    place = replace(observed.place, stage="local backward")
    from_logits = (fused or getattr(rule, "from_logits", False)) and not convention.clipped
    output = observed.trail[at] if from_logits or not fused else observed.trail[at + 1]
    trace = LossTrace(rule, from_logits, output, np.zeros_like(output), y)
    value, dy = losses.mean_loss(*trace.function(output, y), len(y))
    error, scale = loss_error(observed.model.rounding, trace), convention.scale(len(y))
    expected = Expected(dy * scale, error.gradient * scale**2, error.kink * scale**2)
    factor = convention.penalty if convention.penalty_value is None else convention.penalty_value
    cost = sum(own for own, _ in terms.values()) * factor
    variance = error.value * scale**2 + observed.model.rounding.sum_of(np.asarray(cost**2), np.asarray(cost), 64)
    total = np.asarray(value * scale + cost)
    yield judge(gradients.loss, total, Expected(total, variance, np.zeros(())), place, "loss", "loss")
    if fused and convention.clipped:
        last = observed.trace(at)
        dx = last.pull(expected.value)
        pulled = rule_of(last.layer).backward(
            observed.model.rounding, last, Cotangent(expected.value, expected.variance, expected.kink), dx
        )
        expected = Expected(dx, pulled.variance, pulled.kink)
    name = observed.names[at - 1]
    if name in gradients.activations:
        yield judge(gradients.activations[name], expected.value, expected, place, f"gradient of {name}", "loss")


def _penalties(observed: Observed) -> dict[str, tuple[float, Array]]:
    terms = {}
    for name, rule in regularized_parameters(observed.network.spec).items():
        layer, _, variable = name.partition("/")
        terms[name] = penalty(rule, observed.model.params[layer][variable])
    return terms


def _backward(
    observed: Observed, gradients: Gradients, start: int, penalties: dict[str, Array], wanted: Collection[str]
) -> Iterator[Row]:
    """What each layer made of the side's own cotangent, from step ``start`` - 1 back to x."""
    place = replace(observed.place, stage="local backward")
    rounding, steps = observed.model.rounding, observed.network.steps
    readers = observed.network.readers
    # What each reader of a value gives it: (name of the reader, its part of the gradient, whether that is routed)
    given: dict[int, list[tuple[str, Cotangent, LayerTrace | None]]] = {}
    # Readers of one value have to be looked at together
    together = _with_fellow_readers(observed, wanted)
    uses = Counter(step.variables_of for step in steps if not step.is_activation)
    # What the uses of a parameter give it: (name of the layer, its part of the gradient)
    of_parameters: dict[str, list[tuple[str, Cotangent, LayerTrace | None]]] = {}
    for at in range(start - 1, -1, -1):
        step, name = steps[at], observed.names[at]
        if name in gradients.activations and step.name in together:
            trace = observed.trace(at)
            dy = np.asarray(gradients.activations[name], np.float64)
            _, cache = trace.layer.forward(trace.params, trace.state, trace.x, trace.context)
            dx, grads = trace.layer.backward(trace.params, cache, dy)
            pulled = rule_of(trace.layer).backward(rounding, trace, Cotangent.given(dy), dx)
            for variable, value in grads.items():
                full = f"{step.variables_of}/{variable}"
                if full not in gradients.parameters or step.name not in together:
                    continue
                own = Cotangent(value, pulled.parameter_variances[variable], pulled.parameter_kinks[variable])
                parts = of_parameters.setdefault(full, [])
                parts.append((step.name, own, None))
                if len(parts) < uses[step.variables_of]:
                    continue
                total = own
                for _, part, _ in parts[:-1]:
                    total = part.plus(total, rounding)
                if full in penalties:
                    value = total.value + penalties[full]
                    added = rounding.unit * (2 * np.square(penalties[full]) + np.square(value))
                    total = Cotangent(value, total.variance + added, total.kink)
                expected = Expected(total.value, total.variance, total.kink)
                row = judge(gradients.parameters[full], total.value, expected, place, f"gradient of {full}", step.name)
                if not row.agrees:
                    row = replace(row, layer=_reader_to_blame(np.asarray(gradients.parameters[full]), parts, total))
                if row.layer in wanted:
                    yield row
            for source, part in zip(step.sources, pulled.cotangents(step, dx), strict=True):
                routed = trace if judged(trace.layer).routes_gradient else None
                given.setdefault(source, []).append((step.name, part, routed))
        for source in dict.fromkeys(step.sources):
            before = observed.names[source - 1] if source else "x"
            found = gradients.activations.get(before) if source else gradients.inputs
            parts = given.get(source, [])
            complete = len({part[0] for part in parts}) == len({steps[reader].name for reader in readers[source]})
            if readers[source][0] != at or found is None or not parts or not complete:
                continue
            total = parts[0][1]
            for _, part, _ in parts[1:]:
                total = total.plus(part, rounding)
            expected = Expected(total.value, total.variance, total.kink)
            row = judge(found, total.value, expected, place, f"gradient of {before}", parts[0][0])
            if row.agrees:
                blamed = next((part[0] for part in parts if part[0] in wanted), parts[0][0])
            else:
                blamed = _reader_to_blame(np.asarray(found), parts, total)
            if blamed not in wanted:
                continue
            yield replace(row, layer=blamed)
            routed = parts[0][2]
            if routed is not None and len(parts) == 1:
                dy = np.asarray(gradients.activations[name], np.float64)
                sums = conserved(rounding, Cotangent.given(dy), routed.x[0, ..., 0].size)
                yield judge(
                    channel_sums(found), sums.value, sums, place, f"channel sums of gradient of {before}", blamed
                )


def _with_fellow_readers(observed: Observed, wanted: Collection[str]) -> set[str]:
    """These layers, those that read a value one of them reads, and those that use the same variables."""
    steps = observed.network.steps
    owners = {step.variables_of for step in steps if step.name in wanted}
    wanted = {*wanted, *(step.name for step in steps if step.variables_of in owners)}
    groups = [{steps[reader].name for reader in reading} for reading in observed.network.readers]
    return set(wanted).union(*(group for group in groups if group.intersection(wanted)))


def _reader_to_blame(found: Array, parts: list[tuple[str, Cotangent, LayerTrace | None]], total: Cotangent) -> str:
    """Whose part is most like what is wrong in the gradient of a value: of a few readers, one alone is wrong.

    Where a value has one reader, that. Where it has several, what they give is seen only added up: a part that was
    forgotten, doubled or scaled is proportional to what is wrong, and names its reader.
    """
    if len(parts) == 1:
        return parts[0][0]
    wrong = np.asarray(found, np.float64) - total.value
    wrong = np.where(np.isfinite(wrong), wrong, 0.0).reshape(-1)

    def likeness(part: Array) -> float:
        length = float(np.linalg.norm(part))
        return abs(float(part.reshape(-1) @ wrong)) / length if length else 0.0

    return max(parts, key=lambda part: likeness(part[1].value))[0]
