"""Compare two models on one batch: every activation, the loss and every gradient, against a derived bound."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.judge.bounds import Expected, ExpectedGradients, RoundingModel, channel_sums, value_name
from bridge.judge.explanation import Explain, ExplainGradients, explain_no_gradients, explain_nothing
from bridge.judge.local import Observed
from bridge.judge.report import ParityReport
from bridge.judge.tensor import Place, Row, judge
from bridge.judge.truth import random_cotangent, true_loss_gradients, truth_of
from bridge.weights import copy_weights, random_weights
from core_numpy import NumpyModel
from core_numpy.network import Network
from core_numpy.tiers import why_not_fast
from model_spec import Gradients, ModelSpec, UpSampling2D, inputs
from model_spec import losses as loss_rules
from model_spec.entries import function_or_none, two_names
from model_spec.layers.base import LayerSpec
from model_spec.protocol import Differentiates, HoldsWeights, PullsBack, ShowsValues, offers
from model_spec.several import refuse_several_outputs, row_of_outputs
from model_spec.verdict import Verdict

Array = np.ndarray

Prepare = Callable[[NumpyModel], str | None]
"""Changes a NumPy model before it is compared, and returns what the report shall say of it."""

DTYPES = ("float64", "float32")


def former_fault(prepare: Prepare | None, fault: Any) -> Prepare | None:
    """What to prepare a model with, where it may have been given as ``fault=``, the argument's former name."""
    if fault is None:
        return prepare
    if not hasattr(fault, "plant"):
        raise ValueError(f"fault={fault!r} is now prepare=bridge.plant({fault!r})")
    warnings.warn("fault=... is now prepare=bridge.plant(...)", DeprecationWarning, stacklevel=4)
    planted: Prepare = fault.plant
    return planted


FAST = "fast"
"""The path on which NumPy runs its plans of fused blocks; see ``core_numpy.engine``."""


def compare(
    spec: ModelSpec,
    x: Any,
    y: Any = None,
    seed: int = 0,
    dtype: str | Sequence[str] = DTYPES,
    loss: Any = None,
    prepare: Prepare | None = None,
    paths: str | Sequence[str] = ("eager",),
    locate: bool = True,
    explain: Explain = explain_nothing,
    fault: Any = None,
) -> ParityReport:
    """Build the network on both backends and compare everything it computes.

    The comparison is hard to pass by accident: every variable gets random values, the two models are built from
    different seeds and get the same weights only through :func:`copy_weights`, cotangents are random, and inference
    and training mode (dropout on) are both run.

    Args:
        spec: the network.
        x: inputs (examples, *input shape).
        y: targets in the form the loss needs; None leaves the loss out, as it has to be for several outputs.
        seed: of the random variables and cotangents.
        dtype: one precision or several; both by default. float64 proves the algorithm, float32 says which side is
            nearer to the float64 truth.
        loss: a loss or its name; cross-entropy by default.
        prepare: called with each NumPy model before it is compared, to change it; what it returns is noted in the
            report. ``bridge.plant("flipped-kernel")`` plants a known fault, to see it caught.
        paths: Keras' numeric paths to compare with: "eager", "graph", "xla". XLA draws other dropout masks, so
            networks with dropout are compared in inference mode only on it. "fast" compares NumPy's fast tier with
            Keras' eager path; it shows no values between the layers, and networks it cannot run are left out.
        locate: where they differ, judge every layer alone and look for a convention that explains it; takes seconds.
        explain: who knows the conventions.
        fault: deprecated; see ``prepare``.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> report = compare(spec, x, y)
        >>> report.passed
        True
        >>> str(report).splitlines()[0]
        'AGREE: net (4,), NumPy and Keras, 44 tensors compared'
    """
    from keras_models import KerasModel

    prepare = former_fault(prepare, fault)
    dtypes = (dtype,) if isinstance(dtype, str) else tuple(dtype)
    paths = (paths,) if isinstance(paths, str) else tuple(paths)
    for name, several in (("dtype", dtypes), ("paths", paths)):
        if not several:
            raise ValueError(f"{name} is empty, so nothing would be compared; give at least one")
    function_or_none("prepare", prepare, "a NumPy model")
    report = ParityReport(spec=spec, seed=seed, sides=("NumPy", "Keras"))
    values = random_weights(spec, seed)
    for precision, path in itertools.product(dtypes, paths):
        if path == "xla" and any(map(_is_wrong_under_xla, spec.layers)):
            report.left_out.append(f"{precision} on the path xla: {_XLA_RESIZES_WRONGLY}")
            continue
        ours = NumpyModel(spec, seed + 1, precision, dropout_seed=seed, engine="fast" if path == FAST else "reference")
        if path == FAST and why_not_fast(ours.network):  # it would not even take weights
            continue
        ours.set_weights(values)
        if prepare is not None:
            report.prepared = prepare(ours) or report.prepared
        if path == FAST and why_not_fast(ours.network):
            continue
        theirs = KerasModel(spec, seed + 2, precision, dropout_seed=seed, path="eager" if path == FAST else path)
        copy_weights(ours, theirs)
        # What is wrong in the algorithm shows in the first precision: one search for the culprit is enough
        part = compare_models(ours, theirs, x, y, seed, loss, report.sides, locate and not report.culprits, explain)
        report.rows += [replace(row, path=path) for row in part.rows]
        report.uncertain += part.uncertain
        report.local += part.local
        report.explanations += [one for one in part.explanations if one not in report.explanations]
        report.slips += [one for one in part.slips if one not in report.slips]
    report.name_conventions_everywhere()
    return report


_XLA_RESIZES_WRONGLY = (
    "XLA resizes bilinearly in float32 alone, and to wrong values where a size is 3 (TensorFlow 2.21)"
)


def _is_wrong_under_xla(layer: LayerSpec) -> bool:
    return isinstance(layer, UpSampling2D) and layer.interpolation == "bilinear"


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
    y = None if y is None else inputs.check_y(y, len(x), spec.output_shape, rule, dtype)
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
        model = truth_of(reference, x, training, network, by_tiles=_is_fast(a, b))
        place = Place(dtype, mode, path, "forward")
        first_row = len(report.rows)
        report.rows += _compare_forward(a, b, x, model, training, place)
        if y is not None and offers(a, Differentiates) and offers(b, Differentiates):
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
                    observed = _observe(side, name, x, y, cotangent, rule, model, training, place)
                    report.add_local(observed, explain)
            report.name_conventions(first_row)
    return report


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
