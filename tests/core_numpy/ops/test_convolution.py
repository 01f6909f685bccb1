"""Convolutions against nested loops, against SciPy, and on plain arrays."""

import numpy as np
import pytest

from core_numpy.ops import convolve1d, convolve2d, correlate1d, correlate2d
from core_numpy.ops.convolution import conv2d, conv2d_backward
from core_numpy.ops.windows import Windows

signal = pytest.importorskip("scipy.signal", reason="the second opinion needs SciPy")

WINDOWS = [
    Windows((5, 6), (3, 3)),
    Windows((5, 6), (1, 1)),
    Windows((5, 6), (5, 5), padding="same"),
    Windows((5, 6), (2, 3), padding="same"),
    Windows((5, 6), (3, 2), padding="valid"),
    Windows((7, 8), (3, 2), (2, 2)),
    Windows((7, 8), (3, 2), (2, 2), "same"),
    Windows((7, 8), (3, 3), (1, 2), "same"),
    Windows((7, 8), (3, 3), (2, 1)),
    Windows((8, 8), (2, 2), (3, 3), "same"),
    Windows((8, 8), (2, 2), (3, 3)),
    Windows((7, 6), (3, 2), dilation=(2, 2)),
    Windows((7, 6), (3, 2), padding="same", dilation=(2, 1)),
    Windows((6, 6), (2, 2), padding="same", dilation=(2, 2)),
]


def loop_conv2d(x, kernel, strides, padding, dilation):
    """Seven nested loops; SAME padding by its definition: as little as gives ceil(n / s) positions, odd cell after."""
    n, height, width, channels = x.shape
    kernel_h, kernel_w, _, filters = kernel.shape
    sizes, before = [], []
    for axis, size in enumerate((height, width)):
        extent = (kernel.shape[axis] - 1) * dilation[axis] + 1
        if padding == "valid":
            sizes.append(len(range(0, size - extent + 1, strides[axis])))
            before.append(0)
        else:
            positions = len(range(0, size, strides[axis]))
            sizes.append(positions)
            before.append(max((positions - 1) * strides[axis] + extent - size, 0) // 2)
    y = np.zeros((n, *sizes, filters))
    for example, i, j, f in np.ndindex(*y.shape):
        total = 0.0
        for a in range(kernel_h):
            for b in range(kernel_w):
                for c in range(channels):
                    row = i * strides[0] + a * dilation[0] - before[0]
                    column = j * strides[1] + b * dilation[1] - before[1]
                    if 0 <= row < height and 0 <= column < width:
                        total += x[example, row, column, c] * kernel[a, b, c, f]
        y[example, i, j, f] = total
    return y


def random_pair(windows, channels=2, filters=3):
    random = np.random.default_rng(3)
    return random.normal(size=(2, *windows.image, channels)), random.normal(size=(*windows.window, channels, filters))


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_conv2d_is_the_loop(windows):
    x, kernel = random_pair(windows)
    y, _ = conv2d(x, kernel, windows)
    expected = loop_conv2d(x, kernel, windows.strides, windows.padding, windows.dilation)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_backward_is_the_adjoint(windows):
    """conv2d is linear in x and in the kernel: <conv2d(x, k), dy> = <x, dx> = <k, dkernel>."""
    x, kernel = random_pair(windows)
    y, columns = conv2d(x, kernel, windows)
    dy = np.random.default_rng(4).normal(size=y.shape)
    dx, dkernel = conv2d_backward(kernel, columns, dy, windows)
    assert (dy * y).sum() == pytest.approx((x * dx).sum(), rel=1e-11, abs=1e-11)
    assert (dy * y).sum() == pytest.approx((kernel * dkernel).sum(), rel=1e-11, abs=1e-11)
    # The same with another x and another kernel, so that dx and dkernel are seen along more than one direction.
    other_x, other_kernel = np.cos(x) + x[::-1], np.sin(kernel) + 1
    assert (dy * conv2d(other_x, kernel, windows)[0]).sum() == pytest.approx((other_x * dx).sum(), rel=1e-11, abs=1e-11)
    assert (dy * conv2d(x, other_kernel, windows)[0]).sum() == pytest.approx(
        (other_kernel * dkernel).sum(), rel=1e-11, abs=1e-11
    )
    none, alone = conv2d_backward(kernel, columns, dy, windows, need_dx=False)
    assert none is None
    np.testing.assert_array_equal(alone, dkernel)


@pytest.mark.parametrize("mode", ["valid", "full"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (1, 5), (5, 6)], ids=str)
def test_scipy_agrees_in_two_dimensions(mode, shape):
    random = np.random.default_rng(5)
    image, kernel = random.normal(size=(5, 6)), random.normal(size=shape)
    np.testing.assert_allclose(
        correlate2d(image, kernel, mode), signal.correlate2d(image, kernel, mode), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        convolve2d(image, kernel, mode), signal.convolve2d(image, kernel, mode), rtol=1e-12, atol=1e-12
    )


def test_scipy_agrees_in_same_mode_where_the_kernel_has_a_center():
    random = np.random.default_rng(6)
    image, kernel = random.normal(size=(5, 6)), random.normal(size=(3, 5))
    np.testing.assert_allclose(
        correlate2d(image, kernel, "same"), signal.correlate2d(image, kernel, "same"), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        convolve2d(image, kernel, "same"), signal.convolve2d(image, kernel, "same"), rtol=1e-12, atol=1e-12
    )


def test_same_mode_puts_the_odd_cell_after_as_keras():
    image, kernel = np.random.default_rng(7).normal(size=(4, 5)), np.random.default_rng(8).normal(size=(2, 4))
    expected = loop_conv2d(image[None, :, :, None], kernel[:, :, None, None], (1, 1), "same", (1, 1))[0, :, :, 0]
    np.testing.assert_allclose(correlate2d(image, kernel, "same"), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 7])
def test_numpy_agrees_in_one_dimension(mode, length):
    random = np.random.default_rng(9)
    x, kernel = random.normal(size=7), random.normal(size=length)
    np.testing.assert_allclose(correlate1d(x, kernel, mode), np.correlate(x, kernel, mode), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(convolve1d(x, kernel, mode), np.convolve(x, kernel, mode), rtol=1e-12, atol=1e-12)


def test_shapes_of_plain_arrays():
    image, plain = np.ones((4, 5, 3)), np.ones((4, 5))
    assert correlate2d(plain, np.ones((2, 2))).shape == (3, 4)
    assert correlate2d(plain, np.ones((2, 2, 1, 6))).shape == (3, 4, 6)
    assert correlate2d(image, np.ones((2, 2, 3))).shape == (3, 4)
    assert correlate2d(image, np.ones((2, 2, 3, 1)), "same").shape == (4, 5, 1)
    assert convolve2d(image, np.ones((2, 2, 3, 6)), "full").shape == (5, 6, 6)
    # A kernel larger than the image has overlaps in full mode only.
    assert correlate2d(plain, np.ones((6, 2)), "full").shape == (9, 6)


def test_convolution_does_not_mix_channels_up():
    random = np.random.default_rng(10)
    image, kernel = random.normal(size=(4, 5, 3)), random.normal(size=(2, 3, 3))
    by_channel = sum(signal.convolve2d(image[..., c], kernel[..., c], "valid") for c in range(3))
    np.testing.assert_allclose(convolve2d(image, kernel), by_channel, rtol=1e-12, atol=1e-12)


def test_integers_stay_exact():
    found = correlate2d(np.array([[2**40, 1], [1, 1]]), np.array([[3, 1], [1, 1]]))
    assert found.tolist() == [[3 * 2**40 + 3]]
    assert correlate2d(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: correlate2d(np.ones(3), np.ones((2, 2))), r"got shapes \(3,\) and \(2, 2\)"),
        (lambda: convolve2d(np.ones((3, 3)), np.ones(2)), r"got shapes \(3, 3\) and \(2,\)"),
        (lambda: correlate2d(np.ones((3, 0)), np.ones((1, 1))), "none empty"),
        (lambda: correlate2d(np.ones((3, 3, 2)), np.ones((2, 2))), "number of channels, got 2 and 1"),
        (lambda: correlate2d(np.ones((3, 3)), np.ones((4, 2))), r"\(4, 2\) does not fit into an image of \(3, 3\)"),
        (lambda: correlate2d(np.ones((3, 3)), np.ones((2, 2)), "half"), "mode must be one of .*got 'half'"),
        (lambda: correlate1d(np.ones(3), np.ones(4)), r"no longer than x, got shapes \(3,\) and \(4,\)"),
        (lambda: correlate1d(np.ones((3, 3)), np.ones(2)), "must be 1-D"),
        (lambda: convolve1d(np.ones(3), np.ones(2), "half"), "mode must be one of .*got 'half'"),
    ],
)
def test_what_cannot_be_convolved_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
