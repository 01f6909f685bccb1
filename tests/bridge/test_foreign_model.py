"""A whole network of book layers is judged against NumPy's, and the faulty layer among them is named."""

import numpy as np
import pytest

import bridge
from core_numpy import NumpyModel
from model_spec import BatchNormalization, Conv2D, Dense, Dropout, Flatten, LayerNormalization, MaxPooling2D, ModelSpec
from tests.bridge import book_layers as books
from tests.bridge.right_forms_more import Examples

SPEC = ModelSpec(
    "course_net",
    (8, 8, 1),
    (Conv2D(3, 3, activation="relu"), MaxPooling2D(2), Flatten(), Dense(7, activation="relu"), Dense(4)),
)
X = np.random.default_rng(2).uniform(size=(5, 8, 8, 1))


def course_net(dtype, pooling=books.Pooling):
    empty = {name: np.empty(shape, dtype) for name, shape in SPEC.parameter_shapes.items()}
    return [
        books.Convolution(np.empty((3, 1, 3, 3), dtype), empty["conv2d/bias"]),
        books.Relu(),
        pooling(2, 2),
        None,
        books.Affine(empty["dense/kernel"], empty["dense/bias"]),
        books.Relu(),
        books.Affine(empty["dense_1/kernel"], empty["dense_1/bias"]),
    ]


def compared(layers, dtype, foreign_first=True):
    numpy = NumpyModel(SPEC, seed=1, dtype=dtype)
    numpy.set_weights(bridge.random_weights(SPEC, 3))
    foreign = bridge.model_from_layers(layers, SPEC, dtype=dtype, layout="NCHW")
    bridge.copy_weights(numpy, foreign)
    sides = (foreign, numpy) if foreign_first else (numpy, foreign)
    return bridge.compare_models(*sides, X)


@pytest.mark.parametrize("foreign_first", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_course_net_agrees(dtype, foreign_first):
    report = compared(course_net(dtype), dtype, foreign_first)
    assert report.passed, str(report)
    tensors = {row.tensor for row in report.rows}
    assert {f"gradient of {name}" for name in SPEC.parameter_shapes} | {"gradient of x", "conv2d"} <= tensors


def test_weights_come_out_as_they_went_in():
    foreign = bridge.model_from_layers(course_net("float64"), SPEC, layout="NCHW")
    values = bridge.random_weights(SPEC, 3)
    foreign.set_weights(values)
    assert list(foreign.weights) == list(values)
    assert all(np.array_equal(foreign.weights[name], value) for name, value in values.items())
    with pytest.raises(ValueError, match="dense/bias"):
        foreign.set_weights({name: value for name, value in values.items() if name != "dense/bias"})


class EarlyReturn(books.Pooling):
    def backward(self, dout):
        dx = super().backward(dout)
        dx[1:] = 0
        return dx


def test_the_faulty_layer_is_named():
    report = compared(course_net("float64", EarlyReturn), "float64")
    assert not report.passed
    assert report.first_divergence.layer == "max_pooling2d"
    assert {(local.side, local.row.layer) for local in report.culprits} == {("ForeignModel", "max_pooling2d")}


def test_what_does_not_fit_is_refused():
    layers = course_net("float64")
    with pytest.raises(
        ValueError, match=r"has 7 steps \(conv2d/preactivation, conv2d, .*got 6 layers; give one for each"
    ):
        bridge.model_from_layers(layers[:-1], SPEC)
    with pytest.raises(ValueError, match="step 'dense_1' has variables, so it needs a foreign layer"):
        bridge.model_from_layers([*layers[:-1], None], SPEC, layout="NCHW")


NORMALIZED = ModelSpec(
    "normalized",
    (6,),
    (Dense(8), BatchNormalization(epsilon=1e-6), Dropout(0.25), Dense(3)),
)


def normalized_net(dropout=books.Dropout):
    return [
        books.Affine(np.zeros((6, 8)), np.zeros(8)),
        books.BatchNormalization(np.ones(8), np.zeros(8), 0.9, np.zeros(8), np.ones(8)),
        dropout(0.25),
        books.Affine(np.zeros((8, 3)), np.zeros(3)),
    ]


class Uninverted(books.Dropout):
    def forward(self, x, train_flg=True):
        return super().forward(x, train_flg) * (1 - self.rate)


@pytest.mark.parametrize("dropout", [books.Dropout, Uninverted])
def test_dropout_and_batch_normalization_are_judged_in_a_network(dropout):
    """The books' backward knows training mode only: that is said, and everything else is judged."""

    class Inference(dropout):
        def forward(self, x, train_flg=True):
            return super().forward(x, True) if train_flg else x

    reference = NumpyModel(NORMALIZED, seed=4, dtype="float64")
    mine = bridge.model_from_layers(normalized_net(Inference), NORMALIZED)
    mine.set_weights(reference.weights)
    report = bridge.compare_models(reference, mine, np.random.default_rng(0).normal(size=(64, 6)))
    assert report.passed == (dropout is books.Dropout), str(report)
    assert {(row.mode, row.stage) for row in report.rows} == {
        ("inference", "forward"),
        ("training", "forward"),
        ("training", "pullback"),
    }
    assert any("backward of 'dropout' raised TypeError in backward, line " in part for part in report.left_out)
    if not report.passed:
        assert "'dropout' of ForeignModel: y is 3/4 of the true value: 1 - rate = 0.75" in str(report)


@pytest.mark.parametrize("seed", range(40))
def test_a_dropout_whose_own_draw_drops_all_is_no_bug(seed):
    spec = ModelSpec("net", (8,), (Dropout(0.8),))
    dropout = books.Dropout(0.8)
    dropout.random = np.random.default_rng(seed)
    layers = bridge.model_from_layers([dropout], spec)
    report = bridge.compare_models(NumpyModel(spec, seed=seed, dtype="float64"), layers, np.ones((1, 8)))
    assert not [row for row in report.rows if row.verdict == "BUG"], str(report)


def test_a_network_of_float32_layers_is_told_its_dtype():
    spec = ModelSpec("net", (6,), (Dense(5),))
    layers = [books.Affine(np.zeros((6, 5), np.float32), np.zeros(5, np.float32))]
    reference = NumpyModel(spec, seed=0, dtype="float64")
    with pytest.raises(ValueError, match='float64 and it holds float32: give dtype="float32"'):
        bridge.copy_weights(reference, bridge.model_from_layers(layers, spec))
    bridge.copy_weights(reference, bridge.model_from_layers(layers, spec, dtype="float32"))


@pytest.mark.parametrize("seed", range(10))
def test_a_variance_by_moments_is_right_in_a_network(seed):
    spec = ModelSpec("net", (4, 5, 3), (LayerNormalization(),))
    layer = Examples(squares=True, size=3)
    layer.gamma, layer.beta = np.ones(3, np.float32), np.zeros(3, np.float32)
    x = np.random.default_rng(seed).normal(0.5, 1.5, size=(4, 4, 5, 3))
    report = bridge.compare_models(
        NumpyModel(spec, seed=seed), bridge.model_from_layers([layer], spec, dtype="float32"), x
    )
    assert report.passed, str(report)
