"""The tricks of the fast tier and their plain counterparts, as tasks to be timed.

Each pair does the same work at the shapes of lenet or cnn on MNIST (docs/engine.md tells the tricks). One thread, but
for the shards.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from benchmarks.speed_studies.worker_process import Task

Array = np.ndarray

IMAGES, SIDE, CHANNELS, FILTERS = 32, 26, 16, 32
"""The second convolution of lenet: 26x26x16 in, 24x24x32 out, a chunk of 32."""

_OUT = SIDE - 2


def _random(*shape: int) -> Array:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def im2col_product() -> Task:
    """A convolution as the books write it: windows copied side by side, one product."""
    images, kernel = _random(IMAGES, SIDE, SIDE, CHANNELS), _random(9 * CHANNELS, FILTERS)

    def run() -> Array:
        # (n, out, out, c, 3, 3) -> (n * out * out, 9 c)
        windows = sliding_window_view(images, (3, 3), axis=(1, 2))
        return windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 9 * CHANNELS) @ kernel

    return run


def overlapping_windows() -> Task:
    """The same from windows that overlap in memory, the batch innermost."""
    images, kernel = _random(SIDE, SIDE, CHANNELS, IMAGES), _random(FILTERS, 9 * CHANNELS)
    panel = np.empty((_OUT, SIDE, 3, CHANNELS, IMAGES), np.float32)
    steps = panel.strides
    seen = as_strided(panel, (_OUT, _OUT, 9 * CHANNELS, IMAGES), (steps[0], steps[1], steps[3], steps[4]))
    step = images.strides
    rows = as_strided(images, panel.shape, (step[0], step[1], step[0], step[2], step[3]))
    out = np.empty((_OUT, _OUT, FILTERS, IMAGES), np.float32)

    def run() -> Array:
        np.copyto(panel, rows)
        return np.matmul(kernel, seen, out=out)

    return run


def _pooled(values: Array) -> list[Array]:
    return [values[row::2, column::2] for row in (0, 1) for column in (0, 1)]


def relu_before_pooling() -> Task:
    """relu of every value, then the largest of each window."""
    values = _random(_OUT, _OUT, FILTERS, IMAGES)
    active, out = np.empty_like(values), np.empty((_OUT // 2, _OUT // 2, FILTERS, IMAGES), np.float32)

    def run() -> Array:
        np.maximum(values, 0, out=active)
        first, *others = _pooled(active)
        np.copyto(out, first)
        for cell in others:
            np.maximum(out, cell, out=out)
        return out

    return run


def relu_behind_pooling() -> Task:
    """The largest of each window, then relu of a quarter of the values."""
    values = _random(_OUT, _OUT, FILTERS, IMAGES)
    out = np.empty((_OUT // 2, _OUT // 2, FILTERS, IMAGES), np.float32)

    def run() -> Array:
        first, *others = _pooled(values)
        np.maximum(first, others[0], out=out)
        for cell in others[1:]:
            np.maximum(out, cell, out=out)
        return np.maximum(out, 0, out=out)

    return run


def scattered_gradient() -> Task:
    """A max pooling's gradient put where argmax points to."""
    values = _random(_OUT, _OUT, FILTERS, IMAGES)
    dy, dx = _random(_OUT // 2, _OUT // 2, FILTERS, IMAGES), np.zeros_like(values)
    best = np.argmax(np.stack(_pooled(values)), axis=0)

    def run() -> Array:
        for number, cell in enumerate(_pooled(dx)):
            cell[...] = 0
            won = best == number
            cell[won] = dy[won]
        return dx

    return run


def masked_gradient() -> Task:
    """The same by multiplication with comparisons that forward has kept."""
    from core_numpy.engine.pooling import keep_largest, share_out

    values = _random(_OUT, _OUT, FILTERS, IMAGES)
    dy, dx = _random(_OUT // 2, _OUT // 2, FILTERS, IMAGES), np.zeros_like(values)
    better = [np.empty(dy.shape, np.bool_) for _ in range(3)]
    keep_largest(_pooled(values), np.empty_like(dy), better)
    spent = np.empty_like(dy)

    def run() -> Array:
        np.copyto(spent, dy)
        share_out(_pooled(dx), better, spent)
        return dx

    return run


def sum_of_products() -> Task:
    """The kernel gradient's products of all positions, added by a reduction."""
    products = _random(_OUT * 2, 9 * CHANNELS * FILTERS)
    return lambda: products.sum(axis=0)


def product_with_ones() -> Task:
    """The same sum as a product with a row of ones."""
    products, ones = _random(_OUT * 2, 9 * CHANNELS * FILTERS), np.ones((1, _OUT * 2), np.float32)
    return lambda: ones @ products


def _dense() -> tuple[Array, Array, Array]:
    """x, kernel and y of the Dense layer of the 2-layer CNN, 128 images."""
    return _random(6272, 128), _random(6272, 10), np.empty((10, 128), np.float32)


def one_product() -> Task:
    """A Dense layer behind a flattened image in one product."""
    x, kernel, y = _dense()
    return lambda: np.matmul(kernel.T, x, out=y)


def product_in_slabs() -> Task:
    """The same in slabs of inputs."""
    x, kernel, y = _dense()
    parts, ones = np.empty((14, 10, 128), np.float32), np.ones((1, 14), np.float32)
    slabs, images = kernel.reshape(14, 448, 10).swapaxes(1, 2), x.reshape(14, 448, 128)

    def run() -> Array:
        np.matmul(slabs, images, out=parts)
        return np.matmul(ones, parts.reshape(14, -1), out=y.reshape(1, -1))

    return run


def relu_beside_a_number() -> Task:
    """max(x, 0) on a strip of lenet's first convolution."""
    x = _random(8, 26, 16, 64)
    y = np.empty_like(x)
    return lambda: np.maximum(x, 0, out=y)


def relu_beside_zeros() -> Task:
    """The same beside an array of zeros, a row of the strip."""
    from core_numpy.engine.layout import zeros_beside

    x = _random(8, 26, 16, 64)
    y, zeros = np.empty_like(x), zeros_beside(x[0])
    return lambda: np.maximum(x, zeros, out=y)


def _adam(joined: bool) -> Task:
    from core_numpy.optimizers import OptimizerState
    from core_numpy.vectors import one_vector
    from model_spec import Adam, zoo

    parameters = {name: _random(*shape) for name, shape in zoo.lenet().parameter_shapes.items()}
    gradients = {name: _random(*value.shape) for name, value in parameters.items()}
    if joined:
        _, parameters = one_vector(parameters)
    state = OptimizerState.start(Adam(), parameters)
    return lambda: state.step(parameters, gradients)


def adam_by_parameter() -> Task:
    """Adam on every parameter of lenet by itself."""
    return _adam(joined=False)


def adam_on_one_vector() -> Task:
    """Adam on all parameters as one vector, in blocks that stay in the cache."""
    return _adam(joined=True)


def _lenet(threads: int, engine: str = "fast") -> Task:
    from benchmarks.speed_studies.arms import numpy_step

    return numpy_step("lenet", 128, "random", engine, threads)


def one_shard_thread() -> Task:
    """A training step of lenet, both shards on one thread."""
    return _lenet(1)


def two_shard_threads() -> Task:
    """The same with a thread a shard."""
    return _lenet(2)


def reference_step() -> Task:
    """A training step of lenet by the reference layers, BLAS with all threads."""
    return _lenet(2, "reference")


def strips(strip_bytes: int) -> Task:
    """A training step of lenet with strips of this size."""
    from core_numpy.engine import convolution

    kept = convolution.STRIP_BYTES
    try:
        convolution.STRIP_BYTES = strip_bytes
        task = _lenet(1)
        task()
    finally:
        convolution.STRIP_BYTES = kept
    return task


def _one_image(batch_last: bool) -> Task:
    from core_numpy import NumpyModel
    from core_numpy.engine.layout import Layout
    from core_numpy.engine.plan import Plan
    from model_spec import zoo

    model = NumpyModel(zoo.lenet())
    plan = Plan(model.network, Layout(batch_last), 1, np.dtype(np.float32), training=False)
    plan.begin(model.params, model.state, training=False)
    image = _random(1, 28, 28, 1)
    return lambda: plan.forward(image)


def one_image_batch_last() -> Task:
    """lenet on one image with the batch innermost."""
    return _one_image(batch_last=True)


def one_image_batch_first() -> Task:
    """The same by the plan for few images."""
    return _one_image(batch_last=False)
