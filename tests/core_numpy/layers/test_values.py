"""What each layer computes, against its formula written out a second time (the contract compares it with itself)."""

import numpy as np
import pytest

import model_spec as ms
from core_numpy.contract import Context, Layer
from core_numpy.layers import LAYERS
from core_numpy.layers.build import lower
from core_numpy.network import Network


class FixedMask:
    def __init__(self, keep):
        self.keep = np.array(keep)

    def keep_mask(self, shape, rate, dtype):
        assert self.keep.shape == shape
        return self.keep


def run(layer, x, params=None, state=None, training=False, masks=None):
    step = Network.of(ms.ModelSpec("one", x.shape[1:], (layer,))).steps[0].layer
    return step, *step.forward(params or {}, state or {}, x, Context(training, masks))


@pytest.fixture
def random():
    return np.random.default_rng(4)


def test_dense(random):
    x, kernel, bias = random.normal(size=(2, 3, 4)), random.normal(size=(4, 5)), random.normal(size=5)
    _, y, _ = run(ms.Dense(5), x, {"kernel": kernel, "bias": bias})
    np.testing.assert_allclose(y, np.einsum("nri,io->nro", x, kernel) + bias, rtol=1e-13)


def test_conv2d_bias(random):
    x, bias = random.normal(size=(2, 3, 3, 1)), random.normal(size=2)
    kernel = np.zeros((1, 1, 1, 2))
    _, y, _ = run(ms.Conv2D(2, 1), x, {"kernel": kernel, "bias": bias})
    np.testing.assert_array_equal(y, np.broadcast_to(bias, (2, 3, 3, 2)))


def test_global_poolings(random):
    x = random.normal(size=(2, 3, 4, 5))
    _, mean, _ = run(ms.GlobalAveragePooling2D(), x)
    _, largest, _ = run(ms.GlobalMaxPooling2D(), x)
    for n, c in np.ndindex(2, 5):
        assert mean[n, c] == pytest.approx(sum(x[n, :, :, c].ravel()) / 12, rel=1e-13)
        assert largest[n, c] == max(x[n, :, :, c].ravel())


def test_global_max_shares_the_gradient_of_a_tie():
    x = np.zeros((1, 2, 2, 1))
    x[0, 0, 1], x[0, 1, 0] = 3.0, 3.0
    layer, _, cache = run(ms.GlobalMaxPooling2D(), x)
    dx, _ = layer.backward({}, cache, np.array([[5.0]]))
    assert dx[0, :, :, 0].tolist() == [[0, 2.5], [2.5, 0]]


def test_zero_padding_and_its_backward(random):
    x = random.normal(size=(1, 2, 2, 1))
    layer, y, cache = run(ms.ZeroPadding2D(((1, 0), (0, 2))), x)
    a, b, c, d = x.ravel()
    assert y[0, :, :, 0].tolist() == [[0, 0, 0, 0], [a, b, 0, 0], [c, d, 0, 0]]
    dy = random.normal(size=y.shape)
    np.testing.assert_array_equal(layer.backward({}, cache, dy)[0], dy[:, 1:, :2])


def test_flatten_and_reshape_keep_row_major_order():
    x = np.arange(24.0).reshape(2, 3, 2, 2)
    assert run(ms.Flatten(), x)[1].tolist() == [list(range(12)), list(range(12, 24))]
    assert run(ms.Reshape((-1, 4)), x)[1][1].tolist() == [[12, 13, 14, 15], [16, 17, 18, 19], [20, 21, 22, 23]]


def test_rescaling():
    assert run(ms.Rescaling(0.5, 3.0), np.array([[2.0, -4.0]]))[1].tolist() == [[4.0, 1.0]]


def test_dropout_is_inverted():
    x = np.array([[1.0, 2.0, 3.0, 4.0]])
    keep = [[True, False, True, True]]
    layer, y, cache = run(ms.Dropout(0.2), x, training=True, masks=FixedMask(keep))
    np.testing.assert_allclose(y, [[1.25, 0, 3.75, 5.0]], rtol=1e-15)
    np.testing.assert_allclose(layer.backward({}, cache, np.full((1, 4), 2.0))[0], [[2.5, 0, 2.5, 2.5]], rtol=1e-15)
    assert run(ms.Dropout(0.2), x, masks=FixedMask(keep))[1].tolist() == x.tolist()
    assert run(ms.Dropout(0.0), x, training=True)[1].tolist() == x.tolist()
    with pytest.raises(ValueError, match="source of masks"):
        run(ms.Dropout(0.2), x, training=True)


@pytest.mark.parametrize("shape", [(6, 2), (3, 2, 2, 2)], ids=str)
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_batch_normalization(random, shape, center, scale):
    x = random.normal(size=shape) * 3 + 5
    everything = {"gamma": np.array([2.0, -0.5]), "beta": np.array([0.3, 7.0])}
    params = {name: value for name, value in everything.items() if (scale if name == "gamma" else center)}
    state = {"moving_mean": np.array([4.0, 1.0]), "moving_variance": np.array([0.5, 9.0])}
    spec = ms.BatchNormalization(momentum=0.9, epsilon=0.01, center=center, scale=scale)

    layer, trained, cache = run(spec, x, params, state, training=True)
    _, inferred, _ = run(spec, x, params, state)
    following = layer.next_state(state, cache)
    for channel in range(2):
        values = [float(value) for value in x[..., channel].ravel()]
        mean = sum(values) / len(values)
        variance = sum((value - mean) ** 2 for value in values) / len(values)
        gamma = everything["gamma"][channel] if scale else 1.0
        beta = everything["beta"][channel] if center else 0.0
        np.testing.assert_allclose(
            trained[..., channel], gamma * (x[..., channel] - mean) / (variance + 0.01) ** 0.5 + beta, rtol=1e-11
        )
        moving_mean, moving_variance = state["moving_mean"][channel], state["moving_variance"][channel]
        np.testing.assert_allclose(
            inferred[..., channel],
            gamma * (x[..., channel] - moving_mean) / (moving_variance + 0.01) ** 0.5 + beta,
            rtol=1e-11,
        )
        assert following["moving_mean"][channel] == pytest.approx(0.9 * moving_mean + 0.1 * mean, rel=1e-13)
        assert following["moving_variance"][channel] == pytest.approx(0.9 * moving_variance + 0.1 * variance, rel=1e-13)


def test_batch_normalization_frozen_uses_moving_statistics_in_training(random):
    x = random.normal(size=(4, 2))
    state = {"moving_mean": np.array([4.0, 1.0]), "moving_variance": np.array([0.5, 9.0])}
    params = {"gamma": np.array([2.0, -0.5]), "beta": np.array([0.3, 7.0])}
    spec = ms.BatchNormalization(trainable=False)
    layer, trained, cache = run(spec, x, params, state, training=True)
    np.testing.assert_array_equal(trained, run(spec, x, params, state)[1])
    assert layer.next_state(state, cache) is state


def test_batch_normalization_starts_as_the_identity():
    layer = lower(ms.ModelSpec("one", (2,), (ms.BatchNormalization(),)))[0].layer
    params, state = layer.build((2,), lambda purpose: 0, np.dtype("float32"))
    assert {name: value.tolist() for name, value in (params | state).items()} == {
        "gamma": [1, 1],
        "beta": [0, 0],
        "moving_mean": [0, 0],
        "moving_variance": [1, 1],
    }


def test_lowering_splits_off_the_activation():
    spec = ms.ModelSpec("two", (4,), (ms.Dense(3, activation="relu"), ms.Dense(2), ms.Activation("tanh")))
    found = [(step.name, type(step.layer).__name__, step.is_activation, step.ends_layer) for step in lower(spec)]
    assert found == [
        ("dense", "Dense", False, False),
        ("dense", "Activation", True, True),
        ("dense_1", "Dense", False, True),
        ("activation", "Activation", False, True),
    ]


def test_a_layer_without_a_counterpart_is_named(monkeypatch):
    monkeypatch.delitem(LAYERS.where, "Flatten")
    with pytest.raises(ValueError, match="layer 'flatten': core_numpy has no Flatten; it has Dense"):
        lower(ms.ModelSpec("one", (4, 2), (ms.Flatten(),)))


def test_an_unfinished_layer_says_so():
    layer = Layer(ms.Flatten())
    with pytest.raises(TypeError, match="no forward"):
        layer.forward({}, {}, np.zeros((1, 1)), Context())
    with pytest.raises(TypeError, match="no backward"):
        layer.backward({}, None, np.zeros((1, 1)))
