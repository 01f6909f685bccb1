"""How many examples are computed at once: as many as the cache wants, and evenly many in each chunk of a shard."""

from __future__ import annotations

import numpy as np

from core_numpy.layers.conv2d import Conv2D
from core_numpy.network import Network

_PANEL_BYTES = 4 << 20
_LEAST_CHUNK, _LARGEST_CHUNK = 64, 128
ROWS_AT_ONCE = 1024
_REGISTER = 16
"""float32 numbers of the widest register."""


def even_chunk(examples: int, largest: int) -> int:
    """Examples a chunk so that one plan runs all chunks of a shard, the last one with a few places left empty.

    A plan of its own for the remainder would need as much memory again. Whole registers of examples, where the empty
    places are at most an eighth.

    >>> even_chunk(500, 64), even_chunk(500, 128), even_chunk(66, 64), even_chunk(10, 64)
    (64, 128, 33, 10)
    """
    chunks = -(-examples // largest)
    size = -(-examples // chunks)
    aligned = -(-size // _REGISTER) * _REGISTER
    return aligned if aligned <= largest and 8 * aligned * chunks <= 9 * examples else size


def chunk_size(network: Network, dtype: np.dtype) -> int:
    """Examples a chunk: as many as keep the largest convolution's panel within a few MiB of cache."""
    largest = 1
    for step in network.steps:
        if isinstance(step.layer, Conv2D):
            height, width, channels = network.spec.input_shapes[step.index]
            windows = step.layer.windows(np.empty((1, height, width, 0)))
            largest = max(largest, windows.output[0] * width * (windows.window[0] * channels + 1) * dtype.itemsize)
    chunk = _LEAST_CHUNK
    while chunk < _LARGEST_CHUNK and 2 * chunk * largest <= _PANEL_BYTES:
        chunk *= 2
    return chunk
