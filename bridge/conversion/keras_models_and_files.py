"""From Keras to NumPy and back: a model is read, both are compared layer by layer, and what is written is certified."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from bridge.judge.bounds import value_name
from bridge.judge.tensor import VACUOUS, Place, Row, judge
from bridge.judge.truth import truth_of
from core_numpy import NumpyModel, saved_model
from model_spec import ModelSpec, Rescaling, weight_files

Array = np.ndarray

SAMPLES = 64
"""Generated inputs where none are given."""


@dataclass(frozen=True)
class Certificate:
    """What a conversion was judged by.

    Attributes:
        rows: one for each layer's output, and for the folded network's.
        samples: number of inputs.
        drawn_from: where the inputs come from.
        facts: versions, date, names and hashes.
    """

    rows: tuple[Row, ...]
    samples: int
    drawn_from: str
    facts: dict[str, Any]

    @property
    def failing(self) -> list[Row]:
        """The rows that differ by more than rounding; outputs that are zero on both sides do not."""
        return [row for row in self.rows if not row.agrees and row.verdict != VACUOUS]

    @property
    def passed(self) -> bool:
        """True where every layer agrees within rounding, and not all of them by being zero on both sides."""
        return any(row.agrees for row in self.rows) and not self.failing

    @property
    def worst(self) -> Row:
        """The row with the largest error over bound."""
        return max(self.rows, key=lambda row: row.error_over_bound)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {
            "verdict": "AGREE" if self.passed else "DIFFER",
            "largest_error_over_bound": _plain(self.worst.error_over_bound),
            "worst_tensor": self.worst.tensor,
            "largest_error_over_scale": _plain(max(row.error_over_scale for row in self.rows)),
            "samples": self.samples,
            "drawn_from": self.drawn_from,
            **self.facts,
            "layers": {
                row.tensor: {"verdict": row.verdict, "error_over_bound": _plain(row.error_over_bound)}
                for row in self.rows
            },
        }

    def __str__(self) -> str:
        lines = [
            f"{'AGREE' if self.passed else 'DIFFER'}: {len(self.rows)} outputs compared on {self.samples} samples, "
            f"{self.drawn_from}",
            f"largest error/bound {self.worst.error_over_bound:.3g} at {self.worst.tensor} (at most 1 is rounding)",
        ]
        lines += [f"  {row.tensor}: {row.verdict}, error/bound {row.error_over_bound:.3g}" for row in self.failing]
        return "\n".join(lines)


def _plain(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)


def to_numpy(source: Any, path: str | Path, samples: Any = None, seed: int = 0) -> Certificate:
    """Write a Keras model as an ``.npz`` file for ``core_numpy.load``, with a certificate inside it.

    Args:
        source: a Keras model, or the path of one (see :func:`keras_models.read`).
        path: the file to write; nothing is written where the two models differ.
        samples: inputs (examples, *input shape), channels last, to compare on; None draws some.
        seed: of the inputs that are drawn.

    Raises:
        ValueError: the model cannot be read, or the samples do not fit it.
    """
    from keras_models import ReadModel, read

    weight_files.check_path(path)
    theirs: ReadModel = read(source)
    ours = NumpyModel(theirs.spec, dtype=theirs.dtype, engine="reference", weights=theirs.weights)
    facts = {"source": _file_facts(source), "channels_first_source": theirs.channels_first}
    certificate = certify(ours, theirs, samples, seed, facts)
    if certificate.passed:
        weight_files.save(
            path,
            ours.weights,
            ours.spec,
            backend="numpy",
            dtype=ours.dtype,
            certificate=certificate.to_dict(),
        )
    return certificate


def to_keras(source: str | Path, path: str | Path, samples: Any = None, seed: int = 0) -> Certificate:
    """Write an ``.npz`` model as a Keras model in a ``.keras`` file, whole or not at all; see :func:`to_numpy`."""
    from keras_models import KerasModel, ReadModel
    from keras_models.weight_files import save_model

    ours = saved_model.load(source, engine="reference")
    built = KerasModel(ours.spec, dtype=ours.dtype)
    built.set_weights(ours.weights)
    certificate = certify(ours, ReadModel(built.keras_model), samples, seed, {"source": _file_facts(source)})
    if certificate.passed:
        save_model(built.keras_model, path)
    return certificate


def convert(source: Any, path: str | Path, samples: Any = None, seed: int = 0) -> Certificate:
    """Convert a Keras model, or its file, for NumPy alone; or an ``.npz`` file back to Keras.

    Args:
        source: a Keras model, or the path of a .keras, .h5 or .npz file.
        path: of the file to write: .npz, or .keras where the source is .npz.
        samples: inputs to compare on, shape (examples, *input shape); drawn by ``seed`` where None.
        seed: of the inputs that are drawn.

    Returns:
        the certificate; the file is written only where it has passed.
    """
    is_numpy = isinstance(source, (str, os.PathLike)) and Path(source).suffix == ".npz"
    return (to_keras if is_numpy else to_numpy)(source, path, samples, seed)


def certify(ours: NumpyModel, theirs: Any, samples: Any, seed: int, facts: dict[str, Any]) -> Certificate:
    """Compare every layer's output in inference mode, and the folded network's output, with Keras'."""
    from model_spec.inputs import check_x

    drawn_from = "given" if samples is not None else f"drawn with seed {seed}"
    x = check_x(draw(ours.spec, seed) if samples is None else samples, ours.spec.input_shape, ours.dtype)
    truth = truth_of(ours, x, training=False)
    expected = truth.forward()
    place = Place(ours.dtype, "inference", "eager", "forward")
    mine, others = ours.activations(x), theirs.activations(x)
    rows = [
        judge(mine[step.name], others[step.name], expected[value_name(step)], place, step.name, step.name)
        for step in truth.network.steps
        if step.ends_layer
    ]
    last = truth.network.steps[-1]
    predicting = NumpyModel(ours.spec, dtype=ours.dtype, weights=ours.weights)
    predicting.fold_for_inference()
    graph = Place(ours.dtype, "inference", "graph", "forward")
    sides = predicting.predict(x), theirs.predict(x)
    rows.append(judge(*sides, expected[value_name(last)], graph, "prediction of the folded network", last.name))
    return Certificate(tuple(rows), len(x), drawn_from, {**_versions(), **facts, "weights_sha256": _digest(ours)})


def draw(spec: ModelSpec, seed: int, count: int = SAMPLES) -> Array:
    """Inputs as images have them: uniform in [0, 1), or in [0, 255) where the network scales its input itself."""
    first = spec.layers[0]
    largest = 255.0 if isinstance(first, Rescaling) and abs(first.scale) < 0.02 else 1.0
    return np.random.default_rng(seed).random((count, *spec.input_shape)) * largest


def _digest(model: NumpyModel) -> str:
    """A hash of all variables, names and shapes included."""
    digest = hashlib.sha256()
    for name, value in model.weights.items():
        digest.update(f"{name}{value.shape}{value.dtype}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def _file_facts(source: Any) -> dict[str, str]:
    if isinstance(source, (str, os.PathLike)):
        return {"name": Path(source).name, "sha256": hashlib.sha256(Path(source).read_bytes()).hexdigest()}
    return {"name": f"{type(source).__name__} {getattr(source, 'name', '')}".strip()}


def _versions() -> dict[str, Any]:
    found = {"python": platform.python_version(), "numpy": np.__version__}
    for name in ("keras", "tensorflow", "crosscheck"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"versions": found, "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")}
