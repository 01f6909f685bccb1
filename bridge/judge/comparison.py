"""Compare two models on one batch: every activation, the loss and every gradient, against a derived bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.judge.bounds import Expected, ExpectedGradients, RoundingModel, channel_sums, value_name
from bridge.judge.explanation import Explain, ExplainGradients, explain_no_gradients, explain_nothing
from bridge.judge.local import Observed
from bridge.judge.report import ParityReport
from bridge.judge.tensor import Place, Row, judge
from bridge.judge.truth import random_cotangent, true_loss_gradients, truth_of
from core_numpy.contract import Array
from core_numpy.network import Network
from model_spec import Gradients, ModelSpec, inputs
from model_spec import losses as loss_rules
from model_spec.entries import two_names
from model_spec.protocol import Differentiates, HoldsWeights, PullsBack, ShowsValues, offers
from model_spec.several import refuse_several_outputs, row_of_outputs
from model_spec.targets import check_y
from model_spec.verdict import Verdict


@np.errstate(over="ignore", invalid="ignore")  # what overflows is judged; NumPy's warnings name our lines
def compare_models(
    a: Any,
    b: Any,
    x: Any,
    y: Any = None,
    seed: int = 0,
    loss: Any = None,
    names: tuple[str, str] | None = None,
    locate: bool = True,
    explain: Explain = explain_nothing,
    explain_gradients: ExplainGradients = explain_no_gradients,
    network: Network | None = None,
) -> ParityReport:
    """What :func:`bridge.compare_models` does, with its arguments and errors, for those who bring their own knowledge.

    ``explain`` knows the conventions, ``explain_gradients`` slips by the gradients alone, of a side that shows no
    values between its layers; ``network`` holds the layers that give the truth, by default those of the specification.
    """
    if names is not None:
        names = two_names("names", names, ("mine", "reference"))
    reference = next((model for model in (a, b) if offers(model, HoldsWeights)), None)
    if reference is None:
        raise ValueError("neither model has .spec and .weights, so there is no truth to judge by; give one that has")
    _refuse_different_weights(a, b)
    spec, dtype = reference.spec, str(reference.dtype)
    rule = loss_rules.get(loss)
    x = inputs.check_inputs(x, spec, dtype)
    if y is not None:
        refuse_several_outputs(spec, "a loss")
    y = None if y is None else check_y(y, len(x), spec.output_shape, rule, dtype)
    cotangent = random_cotangent(spec, len(x), seed, dtype)
    report = ParityReport(spec=spec, seed=seed, sides=names or (type(a).__name__, type(b).__name__))
    path = next((path for model in (a, b) if (path := getattr(model, "path", None))), "eager")
    drops = bool(spec.dropout_layers)
    for mode in ("inference", "training"):
        training = mode == "training"
        if training and drops and path == "xla":
            continue  # XLA draws its masks from another generator
        if training and drops and any(not getattr(side, "shows_dropout", True) for side in (a, b)):
            report.left_out.append("training mode: which units a read model drops is not known")
            continue
        seeds = {getattr(model, "dropout_seed", reference.dropout_seed) for model in (a, b)} - {None}
        for side in (a, b):
            if getattr(side, "dropout_seed", 0) is None:
                side.dropout_seed = next(iter(seeds), 0)  # it drops the units that the other drops
        if training and len(seeds) > 1 and drops:
            raise ValueError(
                f"the models drop by different seeds {sorted(seeds)}; "
                f"build both with one dropout_seed to compare training mode"
            )
        by_moments = any(getattr(side, "by_moments", False) for side in (a, b))
        model = truth_of(reference, x, training, network, by_tiles=_is_fast(a, b), by_moments=by_moments)
        place = Place(dtype, mode, path, "forward")
        first_row = len(report.rows)
        report.rows += _compare_forward(a, b, x, model, training, place)
        if y is not None and offers(a, Differentiates) and offers(b, Differentiates):
            with _holding_weights((a, b), report):
                sides = [side.loss_and_gradients(x.copy(), y.copy(), loss=rule, training=training) for side in (a, b)]
            expected = true_loss_gradients(model, y, rule)
            report.uncertain += expected.uncertain
            report.rows += _compare_gradients(sides, expected, spec, model, replace(place, stage="loss gradient"))
            for side, name, found in zip((a, b), report.sides, sides, strict=True):
                if locate and not offers(side, ShowsValues):
                    slips = explain_gradients(name, found, expected, len(x), dtype)
                    report.slips += [one for one in slips if one not in report.slips]
        if offers(a, PullsBack) and offers(b, PullsBack):
            try:
                with _holding_weights((a, b), report):
                    sides = [side.pullback(x.copy(), cotangent.copy(), training=training) for side in (a, b)]
            except NoBackwardError as error:
                report.left_out.append(f"backward in {mode} mode: {error}")
            else:
                expected = model.pullback(cotangent.astype(np.float64))
                report.rows += _compare_gradients(sides, expected, spec, model, replace(place, stage="pullback"))
        report.mark_diverged(first_row)
        if locate and any(row.conclusion == Verdict.DIFFER for row in report.rows[first_row:]):
            for side, name in zip((a, b), report.sides, strict=True):
                if offers(side, ShowsValues):
                    with _holding_weights((a, b), report):
                        observed = _observe(side, name, x, y, cotangent, rule, model, training, place)
                    report.add_local(observed, explain)
            report.name_conventions(first_row)
    return report


@contextmanager
def _holding_weights(sides: tuple[Any, Any], report: ParityReport) -> Iterator[None]:
    """Put back the weights of a side that takes a step while its gradients are asked for, and note it."""
    before = [side.weights if offers(side, HoldsWeights) else {} for side in sides]
    try:
        yield
    finally:
        for side, name, held in zip(sides, report.sides, before, strict=True):
            now = side.weights if held else {}
            if all(np.array_equal(held[one], now[one], equal_nan=True) for one in report.spec.parameter_shapes if held):
                continue
            note = (
                f"{name} changes its weights while its gradients are asked for; they were put back: let a step follow"
            )
            report.notes += [] if note in report.notes else [note]
            side.set_weights(held)


def _observe(
    side: Any,
    name: str,
    x: Array,
    y: Array | None,
    cotangent: Array,
    rule: loss_rules.Loss,
    model: RoundingModel,
    training: bool,
    place: Place,
) -> Observed:
    """Everything a model shows on the batch, for judging its layers one by one."""
    loss = None
    if y is not None and offers(side, Differentiates):
        targets = np.asarray(y, np.float64) if y.ndim > 1 else y
        loss = (side.loss_and_gradients(x.copy(), y.copy(), loss=rule, training=training), targets, rule)
    return Observed(
        side=name,
        model=model,
        network=model.network,
        place=place,
        activations=side.activations(x.copy(), training=training, preactivations=True),
        loss=loss,
        pullback=_pullback(side, x.copy(), cotangent.copy(), training),
    )


def _pullback(side: Any, x: Array, cotangent: Array, training: bool) -> Gradients | None:
    if not offers(side, PullsBack):
        return None
    try:
        gradients: Gradients = side.pullback(x, cotangent, training=training)
    except NoBackwardError:
        return None
    return gradients


class NoBackwardError(ValueError):
    """A model has no backward in one mode; the message says which layer, and what it raised."""


class DifferentWeightsError(ValueError):
    """Two models hold different weights, so that their results cannot be compared.

    Attributes:
        names: of the variables that differ, or that one of them lacks.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        super().__init__(
            f"the two models hold different weights ({', '.join(names)}), so their results cannot be compared; "
            f"call bridge.copy_weights(source, target) first"
        )


def _refuse_different_weights(a: Any, b: Any) -> None:
    if not (offers(a, HoldsWeights) and offers(b, HoldsWeights)):
        return
    first, second = a.weights, b.weights
    differing = [name for name in first if name not in second or not np.array_equal(first[name], second[name])]
    differing += [name for name in second if name not in first]
    if differing:
        raise DifferentWeightsError(differing)


def _is_fast(*sides: Any) -> bool:
    """True where one of them is computed by plans and shows nothing in between."""
    return any(getattr(side, "engine", None) == "fast" for side in sides)


def _predictions(a: Any, b: Any, x: Array, spec: ModelSpec) -> tuple[Any, Any]:
    # Each side gets a copy: one that writes into its input changes neither the other's nor the caller's. What comes
    # out may be a buffer that the next call writes into
    first = row_of_outputs(a.predict(x.copy()), spec)
    return first.copy() if isinstance(first, np.ndarray) else first, row_of_outputs(b.predict(x.copy()), spec)


def _compare_forward(a: Any, b: Any, x: Array, model: RoundingModel, training: bool, place: Place) -> list[Row]:
    expected = model.forward()
    is_fast = _is_fast(a, b)
    rows = []
    if not training and (is_fast or place.path != "eager"):
        # Where nothing inside is looked at, a graph or a plan may fuse operations
        last = model.network.steps[-1].name
        rows.append(
            judge(*_predictions(a, b, x, model.network.spec), expected[last], place, f"{last} by predict", last)
        )
        if is_fast:
            # One image takes another way through the plans than a batch
            of_one = expected[last].examples(1)
            rows.append(
                judge(*_predictions(a, b, x[:1], model.network.spec), of_one, place, f"{last} of one example", last)
            )
    if is_fast:
        return rows
    if not (offers(a, ShowsValues) and offers(b, ShowsValues)):
        if training:
            return []
        last = model.network.steps[-1].name
        return [judge(*_predictions(a, b, x, model.network.spec), expected[last], place, last, last)]
    sides = [side.activations(x.copy(), training=training, preactivations=True) for side in (a, b)]
    for step in model.network.steps:
        name = value_name(step)
        if all(name in side for side in sides):
            rows.append(judge(sides[0][name], sides[1][name], expected[name], place, name, step.name))
    return rows


def _compare_gradients(
    sides: Sequence[Gradients],
    expected: ExpectedGradients,
    spec: ModelSpec,
    model: RoundingModel,
    place: Place,
) -> list[Row]:
    """Rows in the order in which a backward pass computes them, each blamed on the layer that computed it."""
    rows = []
    a, b = sides
    if expected.loss is not None:
        rows.append(judge(a.loss, b.loss, expected.loss, place, "loss", "loss"))
    steps = model.network.steps
    # Whom to blame for the gradient of each value: its reader, the first where there are several; where none took part
    # in the backward pass, it is the loss that the gradient comes from
    producers = [
        next((steps[reader].name for reader in reading if value_name(steps[reader]) in expected.activations), "loss")
        for reading in model.network.readers
    ]
    behind_loss = expected.loss is not None
    for at in range(len(steps) - 1, -1, -1):
        step, name = steps[at], value_name(steps[at])
        shown = name in expected.activations
        producer = producers[at + 1]
        # The cotangent of a pullback is given, not computed
        if shown and (behind_loss or producer != "loss") and name in a.activations and name in b.activations:
            tensors = (a.activations[name], b.activations[name], expected.activations[name])
            rows.append(judge(*tensors, place, f"gradient of {name}", producer))
            rows += _judge_sums(a.activations[name], b.activations[name], expected, name, place, producer)
        for parameter in _parameters_of(step, expected.parameters):
            tensors = (a.parameters[parameter], b.parameters[parameter], expected.parameters[parameter])
            rows.append(judge(*tensors, place, f"gradient of {parameter}", step.name))
    if expected.inputs is not None and a.inputs is not None and b.inputs is not None:
        rows.append(judge(a.inputs, b.inputs, expected.inputs, place, "gradient of x", producers[0]))
        rows += _judge_sums(a.inputs, b.inputs, expected, "x", place, producers[0])
    return rows


def _judge_sums(a: Any, b: Any, expected: ExpectedGradients, name: str, place: Place, producer: str) -> list[Row]:
    """Where a max pooling shares a gradient out: which cells of a tie get it is free, how much they get is not."""
    if name not in expected.conserved:
        return []
    sums = channel_sums(a), channel_sums(b), expected.conserved[name]
    return [judge(*sums, place, f"channel sums of gradient of {name}", producer)]


def _parameters_of(step: Any, expected: dict[str, Expected]) -> Iterable[str]:
    if step.is_activation:
        return []
    return [name for name in expected if name.partition("/")[0] == step.name]
