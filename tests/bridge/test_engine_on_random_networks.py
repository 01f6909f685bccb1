"""The fast tier on 300 random networks: it equals the reference, and any number of threads gives the same bits."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import bridge
from bridge.fuzzing.random_networks import specs
from core_numpy import NumpyModel
from core_numpy.engine import runner, winograd
from core_numpy.network import Network
from core_numpy.tiers import why_not_fast
from model_spec import SGD, TrainingSpec

# One, few, one chunk, a chunk and a remainder in each of two shards
EXAMPLES = (1, 3, 33, 70, 301)


@pytest.fixture(autouse=True, scope="module")
def split_every_batch():
    """However small the networks here are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "LEAST_SHARED_FLOPS", 0.0)
        yield


@contextmanager
def tiles(allowed):
    """Let the small convolutions here take their gradients by Winograd's tiles, or leave them direct."""
    with pytest.MonkeyPatch.context() as patch:
        if allowed:
            patch.setattr(winograd, "LEAST_CHANNELS", 1)
            patch.setattr(winograd, "FILTERS_OF_2", 1)
        yield


def fast(spec, dtype, threads):
    model = NumpyModel(spec, 1, dtype, engine="fast", threads=threads)
    model.set_weights(bridge.random_weights(spec, 2))
    return model


@settings(max_examples=300)
@given(specs(), some.sampled_from(EXAMPLES), some.integers(0, 10**6))
def test_the_fast_tier_equals_the_reference(spec, examples, seed):
    if why_not_fast(Network.of(spec)):
        return
    random = np.random.default_rng(seed)
    x = random.normal(size=(examples, *spec.input_shape))
    cotangent = random.normal(size=(examples, *spec.output_shape))
    reference = NumpyModel(spec, 1, "float64", engine="reference")
    reference.set_weights(bridge.random_weights(spec, 2))
    ours = fast(spec, "float64", 2)
    for training in (False, True):
        with tiles(allowed=seed % 2 == 1):
            found, expected = (model.pullback(x, cotangent, training=training) for model in (ours, reference))
        pairs = {name: (found.parameters[name], value) for name, value in expected.parameters.items()}
        for name, (one, other) in {**pairs, "x": (found.inputs, expected.inputs)}.items():
            # Batch statistics of few examples divide by small deviations
            scale = max(np.abs(other).max(initial=0), 1e-3)
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-9 * scale, err_msg=f"{name} of {spec!r}")
    np.testing.assert_allclose(ours.predict(x), reference.predict(x), rtol=1e-9, atol=1e-9)


# A network with exp may leave float32 in training; its bits must be the same all the way
@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")
@pytest.mark.usefixtures("two_blas_threads")
@settings(max_examples=300)
@given(specs(), some.sampled_from(EXAMPLES), some.integers(0, 10**6))
def test_one_thread_and_two_give_the_same_bits(spec, examples, seed):
    if why_not_fast(Network.of(spec)):
        return
    random = np.random.default_rng(seed)
    x = random.normal(size=(examples, *spec.input_shape)).astype(np.float32)
    y = random.random((examples, *spec.output_shape)).astype(np.float32)
    bits = []
    for threads in (1, 2):
        model = fast(spec, "float32", threads)
        model.start_training(TrainingSpec(optimizer=SGD(0.01), loss="mean_squared_error"))
        with tiles(allowed=seed % 2 == 1):
            losses = [model.train_on_batch(x, y) for _ in range(2)]
        bits.append(
            (np.array(losses).tobytes(), [value.tobytes() for value in model.get_weights()], model.predict(x).tobytes())
        )
    assert bits[0] == bits[1]
