"""UpSampling2D from scratch: cells are repeated or interpolated, and their gradients summed."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array, Context, Layer, Variables
from model_spec import layers as specs


class UpSampling2D(Layer):
    """Each cell as a block of equal cells, or lines between the cells."""

    spec: specs.UpSampling2D

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        down, across = self.spec.size
        if self.spec.interpolation == "bilinear":
            return along_images(x, *self.shares(x.shape, x.dtype)), x.shape
        # (n, h, w, c) -> (n, h * down, w * across, c)
        return x.repeat(down, axis=1).repeat(across, axis=2), x.shape

    def backward(
        self, params: Variables, cache: tuple[int, ...], dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        if self.spec.interpolation == "bilinear":
            rows, columns = self.shares(cache, dy.dtype)
            return along_images(dy, rows.T, columns.T), {}
        (down, across), (n, height, width, channels) = self.spec.size, cache
        # (n, h * down, w * across, c) -> (n, h, down, w, across, c) -> (n, h, w, c)
        return dy.reshape(n, height, down, width, across, channels).sum(axis=(2, 4)), {}

    def shares(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[Array, Array]:
        """The shares of the rows (h * down, h) and of the columns (w * across, w) of images of this shape."""
        down, across = self.spec.size
        return line_shares(shape[1], down).astype(dtype), line_shares(shape[2], across).astype(dtype)


def line_shares(cells: int, times: int) -> Array:
    """The share of each cell in each new cell of an axis, (cells * times, cells): two cells share one between them.

    New cell i lies at (i + 0.5) / times - 0.5 (tensorflow/core/util/image_resizer_state.h, HalfPixelScaler).

    >>> line_shares(2, 2).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    places = (np.arange(cells * times) + 0.5) / times - 0.5
    before = np.floor(places)
    shares = np.zeros((cells * times, cells))
    for cell, share in ((before, before + 1 - places), (before + 1, places - before)):
        shares[np.arange(len(places)), np.clip(cell, 0, cells - 1).astype(int)] += share
    return shares


def along_images(x: Array, rows: Array, columns: Array) -> Array:
    """Images (n, h, w, c) times a matrix (new h, h) along their height and one (new w, w) along their width."""
    # (new h, h) @ (n, h, w * c) -> (n, new h, w, c)
    n, height, width, channels = x.shape
    tall = (rows @ x.reshape(n, height, width * channels)).reshape(n, len(rows), width, channels)
    # (new w, w) @ (n, new h, w, c)
    return np.asarray(columns @ tall)
