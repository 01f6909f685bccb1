"""Dropout masks: the share that is dropped, repeatability, and independence of layers and calls."""

import numpy as np
import pytest

from core_numpy.masks import FastMask, KerasMask, fast_masks, keras_masks
from core_numpy.philox import stateless_uniform
from model_spec.streams import layer_seed

FLOAT32 = np.dtype("float32")


@pytest.mark.parametrize("kind", [KerasMask, FastMask])
@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.999])
def test_the_share_that_is_dropped(kind, rate):
    mask = kind(3, 0).keep_mask((200, 500), rate, FLOAT32)
    assert mask.dtype == bool
    # Five standard deviations of a binomial share.
    assert 1 - mask.mean() == pytest.approx(rate, abs=5 * (rate * (1 - rate) / mask.size) ** 0.5)


def test_keras_mask_keeps_where_uniform_reaches_the_rate():
    uniform = stateless_uniform((7, 2), (50, 4), FLOAT32)
    np.testing.assert_array_equal(KerasMask(7, 2).keep_mask((50, 4), 0.3, FLOAT32), uniform >= np.float32(0.3))


@pytest.mark.parametrize("rate", [0.25, 0.3])
@pytest.mark.parametrize("kind", [KerasMask, FastMask])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_part_of_a_batch_gets_its_part_of_the_mask(kind, rate, dtype):
    # 3 units an example: parts begin within the words that are drawn
    whole = kind(7, 2).keep_mask((50, 3), rate, np.dtype(dtype))
    for start, stop in ((0, 1), (1, 4), (17, 50), (49, 50)):
        part = kind(7, 2).keep_mask((stop - start, 3), rate, np.dtype(dtype), start)
        np.testing.assert_array_equal(part, whole[start:stop])


def test_stream_of_another_dtype():
    float64 = np.dtype("float64")
    given = KerasMask(7, 2, "float32").keep_mask((50, 4), 0.3, float64)
    np.testing.assert_array_equal(given, KerasMask(7, 2).keep_mask((50, 4), 0.3, FLOAT32))
    assert (given != KerasMask(7, 2).keep_mask((50, 4), 0.3, float64)).any()


@pytest.mark.parametrize("sources", [keras_masks, fast_masks])
def test_layers_and_calls_have_masks_of_their_own(sources):
    def mask(seed, call, index):
        return sources(seed, call)(index).keep_mask((64,), 0.5, FLOAT32).tobytes()

    assert mask(1, 0, 0) == mask(1, 0, 0)
    assert len({mask(seed, call, index) for seed in (1, 2) for call in (0, 1) for index in (0, 3)}) == 8
    assert sources(1, 4)(3).seed == layer_seed(1, 3, "dropout")
    assert sources(1, 4)(3).call == 4
