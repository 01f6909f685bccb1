"""The random streams: published vectors of the generator, offsets, and TensorFlow's own values bit for bit."""

import numpy as np
import pytest

from core_numpy.philox import (
    _rounds,
    stateless_at_least,
    stateless_normal,
    stateless_truncated_normal,
    stateless_uniform,
    stateless_words,
)

ALL = 0xFFFFFFFF

# kat_vectors of Random123 (Salmon et al., 2011), philox4x32 with 10 rounds: counter, key, result.
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ALL, ALL, ALL, ALL), (ALL, ALL), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
SEEDS = [(0, 0), (7, 0), (7, 3), (2**31 - 1, 12345), (2**40 + 5, 2**33)]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_published_vectors(counter, key, expected):
    words = _rounds(tuple(np.array([word], np.uint64) for word in counter), key)
    assert tuple(int(word[0]) for word in words) == expected


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 4, 5, 7, 8, 63])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_words_from_an_offset(offset, count):
    whole = stateless_words((7, 3), 80)
    np.testing.assert_array_equal(stateless_words((7, 3), count, offset), whole[offset : offset + count])


def test_words_across_the_inner_blocks():
    """The work is cut into pieces of 2**14 blocks; the stream must not show it."""
    whole = stateless_words((1, 0), 4 * 2**14 + 40)
    tail = stateless_words((1, 0), 60, 4 * 2**14 - 20)
    np.testing.assert_array_equal(whole[-60:], tail)
    assert len(np.unique(whole)) > 0.99 * len(whole)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_offset_and_range(dtype):
    whole = stateless_uniform((5, 1), (50,), np.dtype(dtype))
    assert whole.dtype == dtype
    assert 0 <= whole.min() < whole.max() < 1
    np.testing.assert_array_equal(stateless_uniform((5, 1), (3, 4), np.dtype(dtype), 11), whole[11:23].reshape(3, 4))


def test_seeds_give_different_streams():
    first = [stateless_words(seed, 8).tobytes() for seed in SEEDS]
    assert len(set(first)) == len(SEEDS)


@pytest.fixture(scope="module")
def tf():
    return pytest.importorskip("tensorflow", reason="the comparison with TensorFlow's streams needs TensorFlow")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", SEEDS, ids=str)
@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 3, 4, 5), (4999,)], ids=str)
def test_uniform_is_tensorflows(tf, seed, shape, dtype):
    expected = tf.random.stateless_uniform(shape, seed=seed, dtype=dtype).numpy()
    found = stateless_uniform(seed, shape, np.dtype(dtype))
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 5e-7), ("float64", 1e-14)])
@pytest.mark.parametrize("seed", SEEDS, ids=str)
def test_normals_are_tensorflows_up_to_the_last_bits(tf, seed, dtype, tolerance):
    """Logarithm, sine and cosine differ in the last places; values lie within 6, so 5e-7 is a few units there."""
    for ours, theirs in (
        (stateless_normal, tf.random.stateless_normal),
        (stateless_truncated_normal, tf.random.stateless_truncated_normal),
    ):
        expected = theirs((1001,), seed=seed, dtype=dtype).numpy()
        found = ours(seed, (1001,), np.dtype(dtype))
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("limit", [0.0, 0.1, 0.25, 0.3, 1 / 3, 0.5, 0.999, 2.0**-23, 2.0**-24, 1 - 2.0**-24])
def test_units_kept_by_integers_are_those_kept_by_values(dtype, limit):
    kind = np.dtype(dtype)
    values = stateless_uniform((3, 7), (40, 1000), kind, 13)
    found = stateless_at_least((3, 7), (40, 1000), kind, limit, 13)
    assert np.array_equal(found, values >= kind.type(limit))


def test_a_limit_that_is_drawn_is_kept():
    values = stateless_uniform((3, 7), (1000,), np.dtype("float32"))
    for value in values[:50]:
        assert np.array_equal(stateless_at_least((3, 7), (1000,), np.dtype("float32"), value), values >= value)
