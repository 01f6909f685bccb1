"""Losses: values by their formulas in plain Python, gradients by central differences, and what a miss may cost."""

import math

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel, losses, metrics
from core_numpy.losses import (
    categorical_cross_entropy,
    loss_function,
    mean_loss,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    takes_logits,
)
from core_numpy.ops import one_hot, softmax
from core_numpy.ops.activations import sigmoid
from model_spec import losses as rules
from model_spec.losses import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Crossentropy,
    HalfSumSquaredError,
    Loss,
    MeanSquaredError,
)
from model_spec.targets import check_y

ROWS, OUTPUTS = 5, 4


def make_targets(form):
    random = np.random.default_rng(1)
    labels = random.integers(OUTPUTS, size=ROWS)
    return {
        "integers": labels,
        "one-hot": one_hot(labels, OUTPUTS, "float64"),
        "shares": softmax(random.normal(size=(ROWS, OUTPUTS))),
        "bits": random.integers(2, size=(ROWS, OUTPUTS)).astype(float),
        "values": random.normal(size=(ROWS, OUTPUTS)),
        "signs": random.choice([-1.0, 1.0], (ROWS, OUTPUTS)),
        "images": random.normal(size=(ROWS, 2, 3, 2)),
    }[form]


def make_outputs(from_logits, shape=(ROWS, OUTPUTS)):
    logits = np.random.default_rng(2).normal(size=shape) * 2
    # Probabilities that do not add up to one: the loss divides by the sum itself.
    return logits if from_logits else sigmoid(logits) * 0.9 + 0.05


def plain_loss(loss, output, target, from_logits):
    """One example's loss by its formula; output and target are lists of floats."""
    classes = len(output)
    if isinstance(loss, CategoricalCrossentropy):
        smooth = loss.label_smoothing
        target = [t * (1 - smooth) + smooth / classes for t in target]
        if from_logits:
            output = [math.exp(value) for value in output]
        return -sum(t * math.log(p / sum(output)) for t, p in zip(target, output, strict=True))
    if isinstance(loss, BinaryCrossentropy):
        smooth = loss.label_smoothing
        target = [t * (1 - smooth) + smooth / 2 for t in target]
        if from_logits:
            output = [1 / (1 + math.exp(-value)) for value in output]
        terms = [t * math.log(p) + (1 - t) * math.log(1 - p) for t, p in zip(target, output, strict=True)]
        return -sum(terms) / classes
    pairs = list(zip(output, target, strict=True))
    if isinstance(loss, rules.MeanAbsoluteError):
        return sum(abs(p - t) for p, t in pairs) / classes
    if isinstance(loss, rules.Huber):
        sizes = [abs(p - t) for p, t in pairs]
        return sum(d**2 / 2 if d <= loss.delta else loss.delta * (d - loss.delta / 2) for d in sizes) / classes
    if isinstance(loss, rules.LogCosh):
        # Keras takes log(2) in float32
        return sum(math.log(2 * math.cosh(p - t)) for p, t in pairs) / classes - float(np.float32(math.log(2)))
    if isinstance(loss, rules.KLDivergence):
        return sum(max(t, 1e-7) * math.log(max(t, 1e-7) / p) for p, t in pairs)
    if isinstance(loss, (rules.Hinge, rules.SquaredHinge)):
        power = 2 if isinstance(loss, rules.SquaredHinge) else 1
        return sum(max(1 - (t or -1) * p, 0) ** power for p, t in pairs) / classes
    if isinstance(loss, rules.CategoricalHinge):
        return max(max((1 - t) * p for p, t in pairs) - sum(t * p for p, t in pairs) + 1, 0)
    squares = [(p - t) ** 2 for p, t in zip(output, target, strict=True)]
    return sum(squares) / classes if isinstance(loss, MeanSquaredError) else sum(squares) / 2


TABLE = [
    *(
        (CategoricalCrossentropy(label_smoothing=smoothing), form, from_logits)
        for smoothing in (0.0, 0.1, 1.0)
        for form in ("integers", "one-hot", "shares")
        for from_logits in (True, False)
    ),
    *(
        (BinaryCrossentropy(label_smoothing=smoothing), form, from_logits)
        for smoothing in (0.0, 0.1, 1.0)
        for form in ("bits", "shares")
        for from_logits in (True, False)
    ),
    *((loss, form, True) for loss in (MeanSquaredError(), HalfSumSquaredError()) for form in ("values", "images")),
    *(
        (loss, form, True)
        for loss in (rules.MeanAbsoluteError(), rules.Huber(), rules.Huber(0.3), rules.LogCosh())
        for form in ("values", "images")
    ),
    *((loss, form, True) for loss in (rules.Hinge(), rules.SquaredHinge()) for form in ("signs", "bits")),
    (rules.CategoricalHinge(), "one-hot", True),
    *((rules.KLDivergence(), form, False) for form in ("shares", "one-hot")),
]

every_row = pytest.mark.parametrize(
    ("loss", "form", "from_logits"),
    TABLE,
    ids=[f"{type(loss).__name__}-{getattr(loss, 'label_smoothing', '')}-{form}-{z}" for loss, form, z in TABLE],
)


def prepared(loss, form, from_logits):
    """(function, outputs, targets) as a model would call it."""
    targets = make_targets(form)
    shape = targets.shape if targets.ndim > 1 else (ROWS, OUTPUTS)
    outputs = make_outputs(from_logits, shape)
    targets = check_y(targets, ROWS, shape[1:], loss, "float64")
    return loss_function(loss, from_logits), outputs, targets


def test_the_table_has_every_loss():
    leaves = {*Loss.__subclasses__(), *Crossentropy.__subclasses__()} - {Crossentropy}
    assert {type(loss) for loss, _, _ in TABLE} == leaves


@every_row
def test_value_is_the_formula(loss, form, from_logits):
    function, outputs, targets = prepared(loss, form, from_logits)
    losses, gradients = function(outputs, targets)
    rows = one_hot(targets, OUTPUTS, "float64") if targets.ndim == 1 else targets
    expected = [
        plain_loss(loss, outputs[row].ravel().tolist(), rows[row].ravel().tolist(), from_logits) for row in range(ROWS)
    ]
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    assert gradients.shape == outputs.shape


@every_row
def test_gradient_is_the_derivative(loss, form, from_logits):
    function, outputs, targets = prepared(loss, form, from_logits)
    random = np.random.default_rng(3)
    weights, direction = random.normal(size=ROWS), random.normal(size=outputs.shape)
    _, gradients = function(outputs, targets)
    h = 1e-6
    ends = [(weights * function(outputs + sign * h * direction, targets)[0]).sum() for sign in (1, -1)]
    computed = (weights.reshape(-1, *[1] * (outputs.ndim - 1)) * gradients * direction).sum()
    # Values near 10 carry 1e-15 of rounding, divided by 2e-6: 1e-9.
    assert computed == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-7, abs=1e-7)


@every_row
def test_float32_stays(loss, form, from_logits):
    function, outputs, targets = prepared(loss, form, from_logits)
    targets = targets if targets.dtype.kind == "i" else targets.astype(np.float32)
    losses, gradients = function(outputs.astype(np.float32), targets)
    assert losses.dtype == gradients.dtype == np.float32
    _, mean_gradient = mean_loss(losses, gradients, ROWS, np.ones(ROWS, np.float32))
    assert mean_gradient.dtype == np.float32


@every_row
def test_nothing_given_is_written(loss, form, from_logits):
    function, outputs, targets = prepared(loss, form, from_logits)
    before = outputs.copy(), targets.copy()
    outputs.flags.writeable = targets.flags.writeable = False
    function(outputs, targets)
    assert np.array_equal(outputs, before[0])
    assert np.array_equal(targets, before[1])


@pytest.mark.parametrize("form", ["integers", "one-hot"])
def test_a_miss_by_60_logits_costs_60(form):
    logits = np.array([[60.0, 0.0, -5.0]])
    target = np.array([1]) if form == "integers" else np.array([[0.0, 1.0, 0.0]])
    assert softmax_cross_entropy(logits, target)[0].tolist() == [60.0]
    assert sigmoid_cross_entropy(logits[:, :1], np.zeros((1, 1)))[0].tolist() == [60.0]
    # Through a network too: its last softmax is fused with the loss.
    spec = ms.ModelSpec("one", (3,), (ms.Dense(3, activation="softmax"),))
    model = NumpyModel(spec, dtype="float64")
    model.set_weights([np.eye(3), np.zeros(3)])
    found = model.loss_and_gradients(logits, target)
    assert found.loss == 60.0
    np.testing.assert_allclose(found.activations["dense/preactivation"], [[1, -1, 0]], atol=1e-20)


@pytest.mark.parametrize("form", ["integers", "one-hot"])
def test_a_clipped_probability_costs_at_most_16(form):
    probabilities = np.array([[1.0, 0.0]])
    target = np.array([1]) if form == "integers" else np.array([[0.0, 1.0]])
    losses, gradients = categorical_cross_entropy(probabilities, target)
    assert losses.item() == pytest.approx(-math.log(1e-7), abs=2e-7)
    assert losses.item() <= 16.11809575
    # What was clipped passes no gradient.
    assert gradients.tolist() == [[0.0, 0.0]]


def test_binary_clipped_probability():
    function = loss_function(BinaryCrossentropy(), from_logits=False)
    losses, gradients = function(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]))
    assert losses.item() == pytest.approx(16.118095, abs=1e-5)
    assert gradients.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("size", [1e3, 1e6])
def test_large_logits_do_not_overflow(size):
    logits = np.array([[size, -size]], np.float32)
    with np.errstate(over="raise", invalid="raise"):
        for loss in (CategoricalCrossentropy(), BinaryCrossentropy()):
            losses, gradients = loss_function(loss, from_logits=True)(logits, np.array([[0.0, 1.0]], np.float32))
            assert np.isfinite(losses).all()
            assert np.isfinite(gradients).all()


def test_mean_over_a_batch_and_its_shards():
    losses, gradients = np.array([1.0, 2.0, 6.0]), np.array([[1.0, 0], [0, 2.0], [4.0, 8.0]])
    value, gradient = mean_loss(losses, gradients, 3)
    assert value == 3.0
    np.testing.assert_allclose(gradient, gradients / 3)
    # Two shards that divide by the whole batch's size add up to it.
    shards = [mean_loss(losses[rows], gradients[rows], 3) for rows in (slice(0, 2), slice(2, 3))]
    assert sum(part for part, _ in shards) == pytest.approx(3.0)
    weighted, gradient = mean_loss(losses, gradients, 3, np.array([1.0, 0.0, 0.5]))
    assert weighted == pytest.approx((1 + 0 + 3) / 3)
    np.testing.assert_allclose(gradient, np.array([[1.0, 0], [0, 0], [2.0, 4.0]]) / 3)


def test_weights_of_images():
    losses, gradients = np.ones(2), np.ones((2, 3, 3, 1))
    _, gradient = mean_loss(losses, gradients, 2, np.array([1.0, 3.0]))
    assert gradient[0].max() == gradient[0].min() == 0.5
    assert gradient[1].max() == gradient[1].min() == 1.5


def test_which_losses_take_logits():
    for loss in (CategoricalCrossentropy(), BinaryCrossentropy()):
        assert [takes_logits(loss, last) for last in ("softmax", "sigmoid", "relu", None)] == [True, True, False, False]
    assert not takes_logits(MeanSquaredError(), "softmax")


def test_an_unknown_loss_is_named():
    with pytest.raises(ValueError, match="no loss for Loss.*known are categorical_crossentropy"):
        loss_function(Loss(), True)


COLUMN_OUTPUTS = np.array([[0.9], [0.2], [0.7], [0.1]])
COLUMN = np.array([[1.0], [0.0], [1.0], [0.0]])


@pytest.mark.parametrize(
    "function",
    [
        losses.binary_cross_entropy,
        losses.sigmoid_cross_entropy,
        losses.mean_squared_error,
        losses.half_sum_squared_error,
        loss_function(rules.MeanAbsoluteError(), True),
        loss_function(rules.Huber(), True),
        loss_function(rules.CategoricalHinge(), True),
        losses.categorical_cross_entropy,
        losses.softmax_cross_entropy,
        lambda outputs, targets: metrics.correct(outputs, targets, rules.BinaryCrossentropy()),
        lambda outputs, targets: metrics.correct(outputs, targets, rules.CategoricalCrossentropy()),
        metrics.accuracy,
        lambda outputs, targets: metrics.top_k_accuracy(outputs, targets, 1),
    ],
)
@pytest.mark.parametrize("targets", [COLUMN[:, 0], COLUMN.T, COLUMN[:1], COLUMN[:, :, None], np.ones((4, 2))])
def test_targets_that_only_broadcast_are_refused(function, targets):
    with pytest.raises(ValueError, match=r"must have the shape of the outputs|must be 4 integers"):
        function(COLUMN_OUTPUTS, targets)


def test_classes_of_another_number_of_rows_are_refused():
    with pytest.raises(ValueError, match=r"4 integers, one for each row of outputs \(4, 1\)"):
        losses.softmax_cross_entropy(COLUMN_OUTPUTS, np.zeros(3, int))


HINGE_TARGETS = [
    (rules.Hinge(), [[1.0, -1.0], [0.0, 1.0]], "-1 and 1 throughout, or 0 and 1, for Hinge, got both -1 and 0"),
    (rules.SquaredHinge(), [[1.0, 0.5], [0.0, 1.0]], "for SquaredHinge, got 0.5"),
    (rules.CategoricalHinge(), [[1.0, -1.0], [0.0, 1.0]], "one-hot rows for CategoricalHinge"),
    (rules.KLDivergence(), [[1.5, -0.5], [0.0, 1.0]], "probabilities for KLDivergence, got -0.5..1.5"),
]


@pytest.mark.parametrize(("loss", "targets", "message"), HINGE_TARGETS)
def test_targets_a_loss_means_nothing_for_are_refused(loss, targets, message):
    with pytest.raises(ValueError, match=message):
        check_y(targets, 2, (2,), loss, "float64")


def test_subgradients_at_the_kinks():
    equal, on_margin = np.array([[0.5, 0.5]]), np.array([[1.0, -1.0]])
    assert loss_function(rules.MeanAbsoluteError(), True)(equal, equal)[1].tolist() == [[0.0, 0.0]]
    assert loss_function(rules.Hinge(), True)(on_margin, on_margin)[1].tolist() == [[-0.5, 0.5]]
    tied = np.array([[0.0, 2.0, 2.0]])
    assert loss_function(rules.CategoricalHinge(), True)(tied, np.eye(3)[:1])[1].tolist() == [[-1.0, 0.5, 0.5]]
