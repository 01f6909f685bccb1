"""The search: which known convention makes a culprit layer's error fall under its bound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bridge.conventions.layer_cause import causes
from bridge.conventions.layers import LAYER_CONVENTIONS
from bridge.conventions.loss_cause import as_rows, loss_causes
from bridge.conventions.loss_forms import LossFeed
from bridge.conventions.losses import LOSS_CONVENTIONS
from bridge.conventions.normalization_slips import EPSILON
from bridge.conventions.outcome import Given
from bridge.conventions.relations import Surroundings, relation
from bridge.judge.bounds import ExpectedGradients
from bridge.judge.explanation import Explanation
from bridge.judge.local import LocalRow, Observed, judge_alone
from bridge.judge.loss_definition import LossDefinition
from bridge.judge.tensor import Row
from core_numpy.contract import Array
from core_numpy.losses import takes_logits
from core_numpy.network import Network
from core_numpy.regularizers import penalty, regularized_parameters
from model_spec import Gradients

_SECONDS = 0.3
"""What the search for two slips in one layer of a network may take."""


_LARGEST = 1_000_000
"""Values of a batch from which on a layer is not computed a hundred times over to name its slip."""


def explain(observed: Observed, culprits: list[LocalRow]) -> list[Explanation]:
    """Try every known convention on each culprit of one side in one mode, and name those that fit.

    A convention fits where, with it in place of Keras', nothing of that layer leaves its bound any more. Conventions
    that fit equally well (they may coincide on the data at hand) are all named.
    """
    layers = dict.fromkeys(local.row.layer for local in culprits)
    found = []
    for layer in layers:
        failing = {local.row.tensor for local in culprits if local.row.layer == layer}
        for name, who, rows in _tries(observed, layer):
            judged = [row for row in rows if row.layer == layer]
            if judged and failing <= {row.tensor for row in judged} and all(row.agrees for row in judged):
                found.append(Explanation(observed.side, layer, name, who))
        if not any(one.layer == layer for one in found):
            for words in _slips(observed, layer):
                who = "solved for" if words.startswith(EPSILON) else ""
                found.append(Explanation(observed.side, layer, words, who))
    return found


def explain_gradients(
    side: str, found: Gradients, expected: ExpectedGradients, batch: int, dtype: str
) -> list[Explanation]:
    """How the parameter gradients of a side that shows nothing else relate to the right ones."""
    tolerance, slips = 1e-9 if dtype == "float64" else 3e-5, []
    for name, right in expected.parameters.items():
        layer, _, variable = name.partition("/")
        given = found.parameters.get(name)
        if given is not None:
            value = np.asarray(given, np.float64)
            words = relation(f"gradient of {variable}", value, right.value, tolerance, Surroundings(batch))
            slips += [] if words is None else [Explanation(side, layer, words, "")]
    return slips


def _loss_slips(observed: Observed) -> list[str]:
    """What is wrong with a loss that follows no known convention."""
    if observed.loss is None or observed.loss[0].loss is None:
        return []
    gradients, y, rule = observed.loss
    activation, skipped = observed.network.last_activation(observed.trail)
    fused = takes_logits(rule, activation)
    at = len(observed.network.steps) - (skipped if fused else 0)
    outputs = observed.trail[at]
    gradient = gradients.activations.get(observed.names[at - 1])
    value = float(gradients.loss or 0.0)
    for name, penalized in regularized_parameters(observed.network.spec).items():
        layer, _, variable = name.partition("/")
        value -= penalty(penalized, observed.model.params[layer][variable])[0]
    feed = LossFeed(outputs, as_rows(y, outputs), value, None if gradient is None else np.asarray(gradient, np.float64))
    from_logits = fused or bool(getattr(rule, "from_logits", False))
    return loss_causes(rule, from_logits, [feed], 1e-9 if observed.place.dtype == "float64" else 3e-5)


def _slips(observed: Observed, layer: str) -> list[str]:
    """What is wrong with a layer that follows no known convention."""
    if layer == "loss":
        return _loss_slips(observed)
    for at, step in enumerate(observed.network.steps):
        if step.name != layer or step.merges:
            continue
        trace = observed.trace(at)
        if max(trace.x.size, trace.y.size) > _LARGEST:
            continue
        found = {"y": observed.trail[at + 1]}
        gradients, name = observed.pullback, observed.names[at]
        dy = np.zeros_like(trace.y)
        if gradients is not None and name in gradients.activations:
            dy = np.asarray(gradients.activations[name], np.float64)
            before = _gave(observed, gradients, at)
            if before is not None:
                found["gradient of x"] = before
            for variable in trace.params:
                value = gradients.parameters.get(f"{layer}/{variable}")
                if value is not None:
                    found[f"gradient of {variable}"] = value
        context = trace.context
        masks = None if context.masks is None else (lambda index, own=context.masks: own)
        network = Network(observed.network.spec, (step,))
        given = Given(network, trace.params, trace.state, trace.x, dy, context.training, masks)
        words = causes(given, found, 1e-9 if observed.place.dtype == "float64" else 3e-5, seconds=_SECONDS)
        if words:
            return words
    return []


def _gave(observed: Observed, gradients: Gradients, at: int) -> Array | None:
    """The gradient that a step gave to what it read: what all readers gave, without what the others should give."""
    (source,) = observed.network.steps[at].sources
    given = gradients.activations.get(observed.names[source - 1]) if source else gradients.inputs
    if given is None:
        return None
    total = np.asarray(given, np.float64)
    for reader in observed.network.readers[source]:
        dy = gradients.activations.get(observed.names[reader])
        if reader == at:
            continue
        if dy is None:
            return None
        other = observed.network.steps[reader]
        parts = other.parts(observed.trace(reader).pull(np.asarray(dy, np.float64)))
        total = total - sum(part for each, part in zip(other.sources, parts, strict=True) if each == source)
    return total


def _tries(observed: Observed, layer: str) -> Iterator[tuple[str, str, list[Row]]]:
    """Judge the side again under each convention that applies to the layer: (name, who, rows)."""
    network = observed.model.network
    for at, step in enumerate(network.steps):
        if step.name != layer or step.is_activation:
            continue
        for convention in LAYER_CONVENTIONS:
            changed = convention.make(step.layer)
            if changed is not None:
                judged = judge_alone(observed.with_network(network.replace_layer(at, changed)), layers=(layer,))
                yield convention.name, convention.who, [local.row for local in judged]
    for loss in LOSS_CONVENTIONS:
        if _applies(loss, layer):
            judged = judge_alone(observed, loss, (layer,))
            yield loss.name, loss.who, [local.row for local in judged]


def _applies(convention: LossDefinition, layer: str) -> bool:
    """Penalties show in the layers that have them and in the loss's value; the other conventions in the loss."""
    return convention.penalty != 1.0 or layer == "loss"
