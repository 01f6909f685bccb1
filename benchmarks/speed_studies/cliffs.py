"""Is there a network on which the fast tier is slow: random networks, timed beside the reference and TensorFlow."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.speed_studies.contestants import TENSORFLOW, Contestants, against_best, contestants
from benchmarks.timing import SpeedComparison
from bridge.progress import Show, silent
from model_spec import (
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    LayerSpec,
    MaxPooling2D,
    ModelSpec,
    to_json,
)

BATCH = 64
REFERENCE, FAST = "reference", "engine"
LEAST_OF_TENSORFLOW = 0.6
"""An engine slower than this share of TensorFlow's speed counts as a cliff."""

_SIDES, _CHANNELS, _FILTERS, _UNITS = (8, 11, 14, 28, 32), (1, 3), (4, 8, 16, 24, 32), (10, 32, 100)
_ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu")


@dataclass(frozen=True)
class Steepness:
    """One random network: a training step of the engine beside both others."""

    spec: ModelSpec
    comparison: SpeedComparison

    @property
    def of_tensorflow(self) -> float:
        """The engine's speed as a share of TensorFlow's best."""
        return self.comparison.times_as_fast(FAST)[0]

    @property
    def of_reference(self) -> float:
        """The engine's speed as a multiple of the reference's."""
        arms = self.comparison.arms
        return arms[REFERENCE].median / arms[FAST].median

    @property
    def is_cliff(self) -> bool:
        """True where the engine is slower than the reference, or far slower than TensorFlow."""
        return self.of_tensorflow < LEAST_OF_TENSORFLOW or self.of_reference < 1

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {"spec": to_json(self.spec), **self.comparison.to_dict()}

    def __str__(self) -> str:
        layers = " - ".join(_short(layer) for layer in self.spec.layers)
        return f"{self.of_tensorflow:>6.2f}{self.of_reference:>8.2f}  {self.spec.input_shape}: {layers}"


def _short(layer: LayerSpec) -> str:
    shown = {
        name: value
        for name in ("filters", "units", "kernel_size", "pool_size", "strides", "padding", "activation", "rate")
        if (value := getattr(layer, name, None)) not in (None, (1, 1), "valid")
    }
    return f"{type(layer).__name__}({', '.join(str(value) for value in shown.values())})"


def random_image_network(random: np.random.Generator, number: int) -> ModelSpec:
    """A classifier of images as people build them: one to three convolutions with what usually follows them."""

    def one_of(values: Any) -> Any:
        return values[random.integers(len(values))]

    side = one_of(_SIDES)
    shape = (side, side, one_of(_CHANNELS))
    layers: list[LayerSpec] = []
    for _ in range(random.integers(1, 4)):
        kernel = int(one_of((1, 3, 3, 3, 5)))
        # TensorFlow's gradient of a strided 1x1 convolution writes beyond its memory
        strides = int(one_of((1, 1, 1, 2))) if kernel > 1 else 1
        padding = one_of(("same", "valid"))
        here = ModelSpec("part", shape, tuple(layers)).output_shape if layers else shape
        if min(here[:2]) < 5:
            break
        normalized = random.random() < 0.3
        activation = one_of((*_ACTIVATIONS, "relu"))
        layers.append(Conv2D(int(one_of(_FILTERS)), kernel, strides=strides, padding=padding, activation=activation))
        if normalized:
            layers.append(BatchNormalization())
        if random.random() < 0.5 and min(ModelSpec("part", shape, tuple(layers)).output_shape[:2]) > 1:
            kind = one_of((MaxPooling2D, MaxPooling2D, AveragePooling2D))
            layers.append(kind(2, padding=one_of(("valid", "same"))))
        if random.random() < 0.3:
            layers.append(Dropout(0.25))
    layers.append(GlobalAveragePooling2D() if random.random() < 0.2 else Flatten())
    if random.random() < 0.6:
        layers.append(Dense(int(one_of(_UNITS)), activation=one_of(_ACTIVATIONS)))
    layers.append(Dense(10, activation="softmax"))
    return ModelSpec(f"random_{number}", shape, tuple(layers))


def run(
    count: int,
    seed: int = 0,
    threads: int = 2,
    blas_core: str | None = "auto",
    blocks: int = 5,
    show: Show = silent,
    keep: Callable[[list[Steepness]], None] | None = None,
) -> list[Steepness]:
    """Time a training step of ``count`` random networks, the slowest beside TensorFlow first.

    Ctrl-C ends it with the networks that have been measured; ``keep`` is called with them after each one.
    """
    random = np.random.default_rng(seed)
    specs = [random_image_network(random, number) for number in range(count)]
    found: list[Steepness] = []
    try:
        for first in range(0, count, 10):
            # TensorFlow keeps every compiled function; new processes keep its memory small
            with contestants(threads, blas_core) as who:
                for spec in specs[first : first + 10]:
                    show(spec.name, len(found), count)
                    insort(found, _measure(who, spec, blocks), key=_of_tensorflow)
                    if keep:
                        keep(found)
    except KeyboardInterrupt:
        if not found:
            raise
    return found


def _measure(who: Contestants, spec: ModelSpec, blocks: int) -> Steepness:
    task = (to_json(spec), BATCH, "random")
    arms = {TENSORFLOW[0]: who.tensorflow_arm("tensorflow_step", *task, who.threads, False)}
    arms[FAST] = who.numpy_arm("numpy_step", *task, "fast", who.threads)
    arms[REFERENCE] = who.numpy_arm("numpy_step", *task, "reference", who.threads)
    return Steepness(spec, against_best(arms, blocks, 0.1, until_settled=False))


def _of_tensorflow(steepness: Steepness) -> float:
    return steepness.of_tensorflow


def lines(found: list[Steepness], count: int, worst: int = 5) -> list[str]:
    """How many cliffs there are among ``count`` networks, and the worst ones beside TensorFlow and the reference."""
    cliffs = [steepness for steepness in found if steepness.is_cliff]
    beside = sorted(found, key=lambda steepness: steepness.of_reference)
    median, other = (
        float(np.median([getattr(steepness, name) for steepness in found]))
        for name in ("of_tensorflow", "of_reference")
    )
    return [
        *([f"INTERRUPTED after {len(found)} of {count} networks"] if len(found) < count else []),
        f"{len(found)} random networks, training step at batch {BATCH}: {len(cliffs)} cliffs",
        f"the engine's speed: median {median:.2f} of TensorFlow's, {other:.2f} of the reference's",
        f"{'of TF':>6}{'of ref':>8}  slowest beside TensorFlow",
        *(str(steepness) for steepness in found[:worst]),
        f"{'of TF':>6}{'of ref':>8}  slowest beside the reference",
        *(str(steepness) for steepness in beside[:worst]),
    ]
