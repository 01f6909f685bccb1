"""Where dropout masks come from: Keras' own stream (for parity), or NumPy's fast generator (for speed)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core_numpy.contract import Array, MaskSources
from core_numpy.philox import stateless_at_least
from model_spec.shapes import element_count
from model_spec.streams import layer_seed

_WORD_BYTES = 8
"""Of one draw of a bit generator."""


@dataclass(frozen=True)
class KerasMask:
    """The mask that call ``call`` of a stock ``keras.layers.Dropout(seed=seed)`` draws (eager and graph mode on CPU).

    ``stream_dtype`` draws as a network of that dtype would, whatever the values' own: the float64 truth of a float32
    comparison needs the float32 masks.
    """

    seed: int
    call: int
    stream_dtype: str | None = None

    def keep_mask(self, shape: tuple[int, ...], rate: float, dtype: np.dtype, start: int = 0) -> Array:
        dtype = np.dtype(self.stream_dtype or dtype)
        offset = start * element_count(shape[1:])
        return stateless_at_least((self.seed, self.call), shape, dtype, rate, offset)


@dataclass(frozen=True)
class FastMask:
    """A mask from NumPy's PCG64DXSM generator: about ten times faster, different units than Keras drops.

    One byte decides a unit where the rate is a multiple of 1/256, two bytes otherwise; the share that is dropped
    differs from the rate by less than 1/65536.
    """

    seed: int
    call: int

    def keep_mask(self, shape: tuple[int, ...], rate: float, dtype: np.dtype, start: int = 0) -> Array:
        bytes_each = 1 if (rate * 256).is_integer() else 2
        levels = 256**bytes_each
        threshold = min(round(rate * levels), levels - 1)
        count, skipped = element_count(shape), start * element_count(shape[1:])
        each = _WORD_BYTES // bytes_each
        first_word, last_word = skipped // each, -(-(skipped + count) // each)
        generator = np.random.PCG64DXSM([self.seed, self.call]).advance(first_word)
        drawn = generator.random_raw(last_word - first_word).view(f"u{bytes_each}")
        inside = skipped - each * first_word
        return (drawn[inside : inside + count] >= threshold).reshape(shape)


def keras_masks(seed: int, call: int, stream_dtype: str | None = None) -> MaskSources:
    """Sources for every Dropout layer of a model with this dropout seed, at this call."""
    return lambda index: KerasMask(layer_seed(seed, index, "dropout"), call, stream_dtype)


def fast_masks(seed: int, call: int) -> MaskSources:
    """Fast sources for every Dropout layer of a model with this dropout seed, at this call."""
    return lambda index: FastMask(layer_seed(seed, index, "dropout"), call)
