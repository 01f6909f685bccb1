"""The noise floor: Keras against itself, with other kernels and other numbers of threads.

How far apart are two runs of ONE correct implementation? Each configuration runs in a process of its own, because
TensorFlow reads its switches when it starts; what it gives is compared with the first configuration's, by the same
judge and the same bounds as NumPy's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bridge.judge.comparison import compare_models
from bridge.judge.report import ParityReport
from bridge.judge.tensor import Row
from bridge.judge.truth import random_cotangent
from bridge.weights import random_weights
from core_numpy.contract import Array
from model_spec import Gradients, ModelSpec

MODES = (False, True)


@dataclass(frozen=True)
class Configuration:
    """One way to run TensorFlow on a CPU."""

    name: str
    onednn: bool
    threads: int


CONFIGURATIONS = (
    Configuration("oneDNN on, 2 threads", True, 2),
    Configuration("oneDNN on, 1 thread", True, 1),
    Configuration("oneDNN off, 2 threads", False, 2),
    Configuration("oneDNN off, 1 thread", False, 1),
)
"""The first is what the others are compared with."""


@dataclass(frozen=True)
class RecordedModel:
    """What a model gave on one batch, in both modes, behind a model's methods.

    Attributes:
        spec, dtype, dropout_seed, weights: the model's.
        activations_by_mode, losses_by_mode, pullbacks_by_mode: its results; the key is ``training``.
    """

    spec: ModelSpec
    dtype: str
    dropout_seed: int
    weights: dict[str, Array]
    activations_by_mode: dict[bool, dict[str, Array]]
    losses_by_mode: dict[bool, Gradients]
    pullbacks_by_mode: dict[bool, Gradients]

    def activations(self, x: Array, training: bool = False, preactivations: bool = False) -> dict[str, Array]:
        """The recorded outputs of every layer."""
        return self.activations_by_mode[training]

    def loss_and_gradients(self, x: Array, y: Array, loss: Any = None, training: bool = False) -> Gradients:
        """The recorded loss and its gradients."""
        return self.losses_by_mode[training]

    def pullback(self, x: Array, cotangent: Array, training: bool = False) -> Gradients:
        """The recorded pullback of the comparison's cotangent."""
        return self.pullbacks_by_mode[training]


@dataclass
class NoiseFloor:
    """Comparisons of Keras with itself, by the name of the configuration.

    Examples:
        >>> noise_floor(spec, x, y).worst("oneDNN off, 1 thread").tensor  # doctest: +SKIP
        'gradient of x'
    """

    reports: dict[str, ParityReport] = field(default_factory=dict)

    def worst(self, name: str) -> Row:
        """The tensor of one configuration that lies furthest from the first configuration's."""
        return max(self.reports[name].rows, key=lambda row: row.error_over_bound)

    def to_dict(self) -> dict[str, Any]:
        """{configuration: rows} as plain dicts, lists, numbers and strings."""
        return {name: [row.to_dict() for row in report.rows] for name, report in self.reports.items()}

    def __str__(self) -> str:
        lines = [f"Keras against itself ({CONFIGURATIONS[0].name}):"]
        for name in self.reports:
            worst = self.worst(name)
            lines.append(f"  {name:<32}{worst.error_over_scale:>12.2e}{worst.error_over_bound:>12.3g}  {worst.tensor}")
        return "\n".join(lines)


def noise_floor(spec: ModelSpec, x: Any, y: Any, seed: int = 0, dtype: str = "float32", loss: Any = None) -> NoiseFloor:
    """Run Keras in every configuration on one batch, with the weights and cotangents of ``compare``'s ``seed``.

    Args:
        spec: the network.
        x: inputs (examples, *input shape).
        y: targets in the form the loss needs.
        seed: of the random variables and cotangents.
        dtype: "float32" or "float64".
        loss: a loss or its name; cross-entropy by default.

    Examples:
        Each configuration of Keras is a process of its own, so this takes some seconds.

        >>> print(noise_floor(spec, x, y))  # doctest: +SKIP
        Keras against itself (oneDNN on, 2 threads):
          oneDNN on, 1 thread                 0.00e+00           0  dense/preactivation
          oneDNN off, 2 threads               1.33e-07       0.139  gradient of x
    """
    x = np.asarray(x, dtype)
    recorded = [_in_own_process(configuration, spec, x, y, seed, dtype, loss) for configuration in CONFIGURATIONS]
    floor = NoiseFloor()
    for configuration, other in zip(CONFIGURATIONS[1:], recorded[1:], strict=True):
        names = (CONFIGURATIONS[0].name, configuration.name)
        floor.reports[configuration.name] = compare_models(recorded[0], other, x, y, seed, loss, names, locate=False)
    return floor


def _in_own_process(configuration: Configuration, *arguments: Any) -> RecordedModel:
    from joblib.externals.loky import ProcessPoolExecutor

    switches = {"TF_ENABLE_ONEDNN_OPTS": str(int(configuration.onednn)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    with ProcessPoolExecutor(max_workers=1, env=switches) as pool:
        return pool.submit(_record, configuration.threads, *arguments).result()


def _record(threads: int, spec: ModelSpec, x: Array, y: Any, seed: int, dtype: str, loss: Any) -> RecordedModel:
    """Run Keras in this process."""
    import keras_models

    keras_models.set_threads(threads)
    model = keras_models.KerasModel(spec, seed + 2, dtype, dropout_seed=seed)
    model.set_weights(random_weights(spec, seed))
    cotangent = random_cotangent(spec, len(x), seed, dtype)
    return RecordedModel(
        spec,
        dtype,
        seed,
        model.weights,
        {mode: model.activations(x, training=mode, preactivations=True) for mode in MODES},
        {mode: model.loss_and_gradients(x, y, loss=loss, training=mode) for mode in MODES},
        {mode: model.pullback(x, cotangent, training=mode) for mode in MODES},
    )
