"""SAME padding and averages over it as other frameworks have them."""

from __future__ import annotations

from typing import Any, NamedTuple

from core_numpy.contract import Array, Context, Variables
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.pooling import AveragePooling2D, MaxPooling2D
from core_numpy.ops.pooling import real_cell_counts
from core_numpy.ops.windows import Windows


class BeforeWindows(Windows):
    """Windows whose odd cell of SAME padding goes before the image."""

    @property
    def padding_cells(self) -> tuple[tuple[int, int], tuple[int, int]]:
        (top, bottom), (left, right) = super().padding_cells
        return (bottom, top), (right, left)


def _windows_before(windows: Windows) -> Windows:
    return BeforeWindows(windows.image, windows.window, windows.strides, windows.padding, windows.dilation)


class BeforeConv2D(Conv2D):
    """Conv2D with the odd cell of padding before."""

    def windows(self, x: Array) -> Windows:
        return _windows_before(super().windows(x))


class BeforeMaxPooling2D(MaxPooling2D):
    """MaxPooling2D with the odd cell of padding before."""

    def windows(self, x: Array) -> Windows:
        return _windows_before(super().windows(x))


class BeforeAveragePooling2D(AveragePooling2D):
    """AveragePooling2D with the odd cell of padding before."""

    def windows(self, x: Array) -> Windows:
        return _windows_before(super().windows(x))


class PaddingCountedCache(NamedTuple):
    """Where the windows stand, and the share of real cells in each, (out h, out w, 1)."""

    windows: Windows
    share: Array


class PaddingCountedAveragePooling2D(AveragePooling2D):
    """AveragePooling2D that divides by the window's size, padding included."""

    def _share(self, x: Array) -> Array:
        windows = self.windows(x)
        return real_cell_counts(windows, x.dtype) / x.dtype.type(windows.window[0] * windows.window[1])

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y, windows = super().forward(params, state, x, context)
        share = self._share(x)
        return y * share, PaddingCountedCache(windows, share)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        return super().backward(params, cache.windows, dy * cache.share, need_dx)
