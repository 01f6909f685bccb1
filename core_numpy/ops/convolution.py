"""Convolution and cross-correlation, in one dimension on plain arrays and in two dimensions on batches of images.

Deep learning calls cross-correlation "convolution": ``conv2d`` does not flip the kernel, as Keras.
"""

from __future__ import annotations

import numpy as np

from core_numpy.contract import Array
from core_numpy.ops.windows import Windows, col2im, im2col


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

    ``mode``: "valid" (the kernel stays inside x), "same" (length of x; the odd cell of padding goes BEFORE, as
    ``np.correlate`` has it - Keras' SAME, and :func:`correlate2d`, put it after) or "full" (every overlap).

    >>> correlate1d(np.array([2, 8, 3, 7, 1, 2, 0, 4, 5]), np.array([2, 1, 5, 3])).tolist()
    [48, 57, 24, 25, 16, 39]
    """
    x, kernel = np.asarray(x), np.asarray(kernel)
    if x.ndim != 1 or kernel.ndim != 1 or not 0 < len(kernel) <= len(x):
        raise ValueError(
            f"x and kernel must be 1-D with the kernel no longer than x, got shapes {x.shape} and {kernel.shape}"
        )
    extra = len(kernel) - 1
    borders = {"valid": (0, 0), "same": (extra - extra // 2, extra // 2), "full": (extra, extra)}
    if mode not in borders:
        raise ValueError(f"mode must be one of {', '.join(borders)}, got {mode!r}")
    padded = np.pad(x, borders[mode])
    # (positions, kernel length) @ (kernel length,)
    return np.lib.stride_tricks.sliding_window_view(padded, len(kernel)) @ kernel


def convolve1d(x: Array, kernel: Array, mode: str = "valid") -> Array:
    """Convolution of two 1-D arrays: cross-correlation with the kernel reversed, as ``np.convolve``.

    >>> convolve1d(np.array([2, 8, 3, 7, 1, 2, 0, 4, 5]), np.array([2, 1, 5, 3])).tolist()
    [63, 48, 49, 28, 21, 20]
    """
    return correlate1d(x, np.asarray(kernel)[::-1], mode)


def correlate2d(image: Array, kernel: Array, mode: str = "valid") -> Array:
    """2-D cross-correlation of one plain image, summed over its channels, for one filter or several.

    Args:
        image: (h, w) or (h, w, c).
        kernel: (kernel h, kernel w), (kernel h, kernel w, c) or (kernel h, kernel w, c, filters).
        mode: "valid" (the kernel stays inside the image), "same" (size of the image; the odd cell of padding goes
            after, as Keras' SAME) or "full" (every overlap).

    Returns:
        (out h, out w), with a last axis of filters where the kernel has one.

    >>> correlate2d(np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), np.ones((2, 2), int), "same").tolist()
    [[12, 16, 9], [24, 28, 15], [15, 17, 9]]
    """
    image, kernel = np.asarray(image), np.asarray(kernel)
    if image.ndim not in (2, 3) or kernel.ndim not in (2, 3, 4) or 0 in image.shape or 0 in kernel.shape:
        raise ValueError(
            f"image must be (h, w) or (h, w, channels) and kernel (h, w), (h, w, channels) or (h, w, channels, "
            f"filters), none empty, got shapes {image.shape} and {kernel.shape}"
        )
    # (h, w) -> (1, h, w, 1), (h, w, c) -> (1, h, w, c)
    images = image.reshape(1, *image.shape[:2], -1)
    # (kernel h, kernel w[, c[, filters]]) -> (kernel h, kernel w, c, filters)
    filters = kernel.reshape(*kernel.shape, *[1] * (4 - kernel.ndim))
    if images.shape[-1] != filters.shape[2]:
        raise ValueError(
            f"image and kernel must have the same number of channels, got {images.shape[-1]} and {filters.shape[2]} "
            f"(shapes {image.shape} and {kernel.shape}); give the kernel one slice a channel"
        )
    extent = (filters.shape[0], filters.shape[1])
    if mode == "full":
        rows, columns = ((cells - 1, cells - 1) for cells in extent)
        images = np.pad(images, ((0, 0), rows, columns, (0, 0)))
    elif mode not in ("valid", "same"):
        raise ValueError(f"mode must be one of valid, same, full, got {mode!r}")
    windows = Windows((images.shape[1], images.shape[2]), extent, padding="same" if mode == "same" else "valid")
    if min(windows.output) < 1:
        raise ValueError(
            f"a kernel of {extent} does not fit into an image of {image.shape[:2]}; "
            f'use a smaller kernel, or mode="same" or "full"'
        )
    y = conv2d(images.astype(np.result_type(image, kernel)), filters, windows)[0][0]
    return y if kernel.ndim == 4 else y[..., 0]


def convolve2d(image: Array, kernel: Array, mode: str = "valid") -> Array:
    """2-D convolution of one plain image: :func:`correlate2d` with the kernel turned by 180 degrees.

    >>> convolve2d(np.array([[1, 2], [3, 4]]), np.array([[1, 0], [0, 0]]), "full").tolist()
    [[1, 2, 0], [3, 4, 0], [0, 0, 0]]
    """
    kernel = np.asarray(kernel)
    return correlate2d(image, kernel[::-1, ::-1] if kernel.ndim > 1 else kernel, mode)
