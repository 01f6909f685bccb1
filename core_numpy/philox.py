"""Keras' own random streams in NumPy: the counter-based generator Philox4x32-10, bit for bit.

Sources: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011) for the generator; TensorFlow's public
``stateless_random_ops`` for how a seed becomes key and counter and how words become floats. On CPU, Keras draws
initial weights and dropout masks from this stream (not under XLA, which uses another generator).
"""

from __future__ import annotations

import math

import numpy as np

from model_spec.shapes import element_count

Array = np.ndarray

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_SEED_KEY = (0x3EC8F720, 0x02461E29)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_MANTISSA = np.uint32(0x7FFFFF)
_BLOCKS_AT_ONCE = 1 << 14  # six arrays of this many words stay inside a 1 MiB cache


def _rounds(counter: tuple[Array, Array, Array, Array], key: tuple[int, int]) -> tuple[Array, Array, Array, Array]:
    """Ten rounds of Philox4x32 on uint64 arrays that hold 32-bit words, which are overwritten."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    p0, p1 = np.empty_like(c0), np.empty_like(c0)
    for _ in range(10):
        # No temporary arrays: every pass stays in the second-level cache
        np.multiply(c0, _M0, out=p0)
        np.multiply(c2, _M1, out=p1)
        # c0 = high word of p1 ^ c1 ^ k0, c1 = low word of p1
        np.right_shift(p1, _SHIFT, out=c0)
        c0 ^= c1
        c0 ^= np.uint64(k0)
        np.bitwise_and(p1, _LOW, out=c1)
        # c2 = high word of p0 ^ c3 ^ k1, c3 = low word of p0
        np.right_shift(p0, _SHIFT, out=c2)
        c2 ^= c3
        c2 ^= np.uint64(k1)
        np.bitwise_and(p0, _LOW, out=c3)
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return c0, c1, c2, c3


def _key_and_counter(seed: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The key and the high counter words that a seed (two integers of up to 64 bits) stands for."""
    words = [(part >> shift) & 0xFFFFFFFF for part in seed for shift in (0, 32)]
    mixed = _rounds(tuple(np.array([word], np.uint64) for word in words), _SEED_KEY)  # type: ignore[arg-type]
    k0, k1, c2, c3 = (int(word[0]) for word in mixed)
    return (k0, k1), (c2, c3)


def _words_of_blocks(seed: tuple[int, int], blocks: Array) -> Array:
    """The four words of each numbered block of the seed's stream: (n,) uint64 -> (n, 4) uint32."""
    key, (c2, c3) = _key_and_counter(seed)
    words = np.empty((len(blocks), 4), np.uint32)
    for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
        block = blocks[start : start + _BLOCKS_AT_ONCE]
        counter = (block & _LOW, block >> _SHIFT, np.full_like(block, c2), np.full_like(block, c3))
        for column, word in enumerate(_rounds(counter, key)):
            words[start : start + len(block), column] = word
    return words


def stateless_words(seed: tuple[int, int], count: int, offset: int = 0) -> Array:
    """Words ``offset`` to ``offset + count`` of the seed's stream, uint32, shape (count,)."""
    first, last = offset // 4, -(-(offset + count) // 4)
    words = _words_of_blocks(seed, np.arange(first, last, dtype=np.uint64)).reshape(-1)
    skipped = offset - 4 * first
    return words[skipped : skipped + count]


def stateless_at_least(
    seed: tuple[int, int], shape: tuple[int, ...], dtype: np.dtype, limit: float, offset: int = 0
) -> Array:
    """``stateless_uniform(seed, shape, dtype, offset) >= limit``, without making the values where integers tell.

    Args:
        seed: as of :func:`stateless_uniform`.
        shape: shape of the result, bools.
        dtype: float32 or float64, of the values and of ``limit``.
        limit: in [0, 1).
        offset: as of :func:`stateless_uniform`.
    """
    if dtype != np.float32:
        return stateless_uniform(seed, shape, dtype, offset) >= dtype.type(limit)
    # A value is its word's last 23 bits over 2**23, exactly
    least = math.ceil(float(np.float32(limit)) * 2**23)
    words = stateless_words(seed, element_count(shape), offset)
    words &= _MANTISSA
    return (words >= np.uint32(least)).reshape(shape)


def _floats(words: Array, dtype: np.dtype) -> Array:
    """Uniform values in [0, 1) from words, along the last axis: one word for a float32, two for a float64."""
    if dtype == np.float32:
        # 23 mantissa bits of a float in [1, 2)
        return ((words & _MANTISSA) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)
    pairs = words.astype(np.uint64)
    high = (pairs[..., 0::2] & np.uint64(0xFFFFF)) | np.uint64(0x3FF00000)
    return (high << _SHIFT | pairs[..., 1::2]).view(np.float64) - 1.0


def stateless_uniform(seed: tuple[int, int], shape: tuple[int, ...], dtype: np.dtype, offset: int = 0) -> Array:
    """Uniform values in [0, 1), equal in every bit to ``tf.random.stateless_uniform`` on CPU.

    Args:
        seed: two integers; Keras uses (seed, 0) for an initializer and (seed, n) for the n-th call of a Dropout.
        shape: shape of the result.
        dtype: float32 or float64; the two take different numbers of words, so their values are unrelated.
        offset: number of values of the stream to skip.
    """
    per_value = 1 if dtype == np.float32 else 2
    words = stateless_words(seed, per_value * element_count(shape), per_value * offset)
    return _floats(words, dtype).reshape(shape)


def _box_muller(uniform: Array) -> Array:
    """Standard normal values from uniforms, by consecutive pairs (Box and Muller, 1958), sine first, as TensorFlow."""
    kind = uniform.dtype.type
    first, second = np.maximum(uniform[..., 0::2], kind(1e-7)), uniform[..., 1::2]
    # TensorFlow multiplies by a double 2 * pi and rounds afterwards
    angle = (2 * np.pi * second.astype(np.float64)).astype(uniform.dtype)
    radius = np.sqrt(kind(-2) * np.log(first))
    normal = np.empty_like(uniform)
    normal[..., 0::2], normal[..., 1::2] = np.sin(angle) * radius, np.cos(angle) * radius
    return normal


def stateless_normal(seed: tuple[int, int], shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Standard normal values, within a few units in the last place of ``tf.random.stateless_normal``.

    Sine, cosine and logarithm are NumPy's here and TensorFlow's own there, so the last bits differ.
    """
    count = element_count(shape)
    uniform = stateless_uniform(seed, (-(-count // 4) * 4,), dtype)
    return _box_muller(uniform)[:count].reshape(shape)


def stateless_truncated_normal(seed: tuple[int, int], shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """Standard normal values with those beyond two standard deviations drawn again, as TensorFlow does it.

    A group of 4 (float64: 2) results owns 256 blocks (float64: 128) of the stream and takes the first values of
    its own that are small enough (tensorflow/core/lib/random, FillPhiloxRandom).
    """
    count = element_count(shape)
    size, reserve = (4, 256) if dtype == np.float32 else (2, 128)
    groups = -(-count // size)

    def draw(groups: Array, blocks_each: int) -> Array:
        # (groups, blocks) -> (groups, words) -> (groups, values)
        blocks = (groups[:, None] * np.uint64(reserve) + np.arange(blocks_each, dtype=np.uint64)).reshape(-1)
        words = _words_of_blocks(seed, blocks).reshape(len(groups), 4 * blocks_each)
        return _box_muller(_floats(words, dtype))

    def first_accepted(values: Array) -> tuple[Array, Array]:
        accepted = np.abs(values) < 2
        order = np.argsort(~accepted, axis=1, kind="stable")[:, :size]
        return np.take_along_axis(values, order, axis=1), accepted.sum(axis=1) < size

    kept, short = first_accepted(draw(np.arange(groups, dtype=np.uint64), 4))
    if short.any():
        kept[short], _ = first_accepted(draw(np.flatnonzero(short).astype(np.uint64), reserve))
    return kept.reshape(-1)[:count].reshape(shape)
