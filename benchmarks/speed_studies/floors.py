"""The least a network can cost on a machine: its products and its memory traffic, at the machine's best rates."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from model_spec import Activation, Conv2D, Dense, Dropout, Flatten, ModelSpec, Reshape
from model_spec.shapes import element_count

FLOAT_BYTES = 4
_NO_TRAFFIC = (Activation, Dropout, Flatten, Reshape)
"""Layers that could work in place."""


@dataclass(frozen=True)
class Work:
    """What one example costs.

    Attributes:
        flops: additions and multiplications of the matrix products.
        bytes: the input and the output of every convolution, Dense and pooling layer written once and read once,
            float32; parameters are shared by the batch and left out.
    """

    flops: float
    bytes: float


def work_of(spec: ModelSpec, training: bool) -> Work:
    """Work of one example, forward, or forward and backward.

    Backward costs a product for the parameters and one for the input, which the first layer with parameters does
    without, and moves the gradient of every activation as forward moves the activation.
    """
    flops, first = 0.0, True
    for layer, output in zip(spec.layers, spec.output_shapes, strict=True):
        if not isinstance(layer, (Conv2D, Dense)):
            continue
        kernel = element_count(spec.parameter_shapes[f"{layer.name}/kernel"])
        # A kernel is applied at every position of the output
        forward = 2.0 * kernel * element_count(output[:-1])
        flops += forward * (1 if not training else 2 if first else 3)
        first = False
    moving = [
        shape
        for layer, shape in zip(spec.layers, spec.output_shapes, strict=True)
        if not isinstance(layer, _NO_TRAFFIC)
    ]
    values = sum(element_count(shape) for shape in [spec.input_shape, *moving])
    return Work(flops, 2.0 * FLOAT_BYTES * values * (2 if training else 1))


@dataclass(frozen=True)
class Ceilings:
    """What the machine can do at most, measured.

    Attributes:
        flops: a second, in a product of two square matrices of 2048 rows, float32.
        bytes: a second, read and written by copying 64 MiB.
    """

    flops: float
    bytes: float

    def floor(self, work: Work, examples: int) -> float:
        """Seconds below which nobody gets; computing and moving may overlap."""
        return examples * max(work.flops / self.flops, work.bytes / self.bytes)


def measure() -> tuple[float, float]:
    """(flops, bytes) a second of this process with its threads and BLAS kernels; the best of several tries."""
    left = np.ones((2048, 2048), np.float32)
    product, memory = np.empty_like(left), np.ones(1 << 24, np.float32)
    copy = np.empty_like(memory)
    seconds = _least(lambda: np.matmul(left, left, out=product))
    return 2 * 2048**3 / seconds, 2 * memory.nbytes / _least(lambda: np.copyto(copy, memory))


def _least(task: Callable[[], object], tries: int = 7) -> float:
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return min(times)
