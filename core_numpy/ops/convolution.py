"""Convolution and cross-correlation, in one dimension on plain arrays and in two dimensions on batches of images.

Deep learning calls cross-correlation "convolution": ``conv2d`` does not flip the kernel, as Keras.
"""

from __future__ import annotations

import numpy as np

from core_numpy.ops.windows import Windows, col2im, im2col

Array = np.ndarray


def conv2d(x: Array, kernel: Array, windows: Windows) -> tuple[Array, Array]:
    """2-D cross-correlation as one matrix product.

    Args:
        x: images (n, h, w, c).
        kernel: (kernel h, kernel w, c, filters).
        windows: where the kernel stops on the image.

    Returns:
        (y, columns): y of shape (n, out h, out w, filters), and the laid-out windows that backward needs.
    """
    filters = kernel.shape[-1]
    columns = im2col(x, windows)
    # (n * out h * out w, kernel h * kernel w * c) @ (kernel h * kernel w * c, filters)
    flat = columns.reshape(-1, kernel.size // filters)
    return (flat @ kernel.reshape(-1, filters)).reshape(*columns.shape[:3], filters), columns


def conv2d_backward(
    kernel: Array, columns: Array, dy: Array, windows: Windows, need_dx: bool = True
) -> tuple[Array | None, Array]:
    """Pull dy (n, out h, out w, filters) back to (dx, dkernel); dx is None where it is not needed."""
    filters = kernel.shape[-1]
    flat_dy = dy.reshape(-1, filters)
    flat_columns = columns.reshape(-1, kernel.size // filters)
    dkernel = (flat_columns.T @ flat_dy).reshape(kernel.shape)
    if not need_dx:
        return None, dkernel
    dcolumns = (flat_dy @ kernel.reshape(-1, filters).T).reshape(columns.shape)
    return col2im(dcolumns, windows), dkernel


def correlate1d(x: Array, kernel: Array, mode: str = "valid") -> Array:
    """Cross-correlation of two 1-D arrays, ``y[i] = sum_j x[i + j] * kernel[j]``.

    ``mode``: "valid" (the kernel stays inside x), "same" (length of x, the odd cell of padding goes after, as Keras'
    SAME) or "full" (every overlap).

    >>> correlate1d(np.array([2, 8, 3, 7, 1, 2, 0, 4, 5]), np.array([2, 1, 5, 3])).tolist()
    [48, 57, 24, 25, 16, 39]
    """
    x, kernel = np.asarray(x), np.asarray(kernel)
    if x.ndim != 1 or kernel.ndim != 1 or not 0 < len(kernel) <= len(x):
        raise ValueError(
            f"x and kernel must be 1-D with the kernel no longer than x, got shapes {x.shape} and {kernel.shape}"
        )
    extra = len(kernel) - 1
    borders = {"valid": (0, 0), "same": (extra // 2, extra - extra // 2), "full": (extra, extra)}
    if mode not in borders:
        raise ValueError(f"mode must be one of {', '.join(borders)}, got {mode!r}")
    padded = np.pad(x, borders[mode])
    # (positions, kernel length) @ (kernel length,)
    return np.lib.stride_tricks.sliding_window_view(padded, len(kernel)) @ kernel


def convolve1d(x: Array, kernel: Array, mode: str = "valid") -> Array:
    """Convolution of two 1-D arrays: cross-correlation with the kernel reversed.

    >>> convolve1d(np.array([2, 8, 3, 7, 1, 2, 0, 4, 5]), np.array([2, 1, 5, 3])).tolist()
    [63, 48, 49, 28, 21, 20]
    """
    return correlate1d(x, np.asarray(kernel)[::-1], mode)
