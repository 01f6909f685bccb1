"""From Keras to NumPy and back: a model is read, both are compared layer by layer, and what is written is certified."""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from bridge.conversion.certificate import Certificate, certify
from bridge.conversion.drawn_inputs import SAMPLES, draw
from bridge.conversion.memory import LARGEST, bytes_of_one
from core_numpy import NumpyModel, saved_model
from model_spec import losses, to_dict, weight_files

__all__ = ["SAMPLES", "Certificate", "certify", "draw", "to_keras", "to_numpy"]


def to_numpy(source: Any, path: str | Path, samples: Any = None, seed: int = 0, input_shape: Any = None) -> Certificate:
    """Write a Keras model as an ``.npz`` file for ``core_numpy.load``, with a certificate inside it.

    The loss and the optimizer the model was compiled with come along (``model.compiled``), and a few of the samples,
    on which :func:`core_numpy.verify` repeats the certificate on another machine.

    Args:
        source: a Keras model, or the path of one (see :func:`keras_models.read`).
        path: the file to write; nothing is written where the two models differ.
        samples: inputs (examples, *input shape), channels last, to compare on; None draws some.
        seed: of the inputs that are drawn.
        input_shape: of a model that leaves sizes open (see :func:`keras_models.read`).

    Raises:
        ValueError: the model cannot be read, or the samples do not fit it.
    """
    from keras_models import ReadModel, read
    from keras_models.reading.compiled import compiled

    weight_files.check_path(path)
    theirs: ReadModel = read(source, input_shape=input_shape)
    ours = NumpyModel(theirs.spec, dtype=theirs.dtype, engine="reference", weights=theirs.weights)
    needed = bytes_of_one(ours)
    if isinstance(source, (str, Path)) and needed > LARGEST:
        raise ValueError(
            f"{source}: judging one example takes {needed / 2**30:.2f} GiB, for a model from a file at most "
            f"{LARGEST >> 30} are taken; where you trust it, read it with keras_models.read and give to_numpy its "
            f".keras_model"
        )
    compilation = compiled(source, theirs.keras_model)
    facts = {
        "source": _file_facts(source),
        "channels_first_source": theirs.channels_first,
        "not_kept": theirs.notes + compilation.notes,
    }
    certificate = certify(ours, theirs, samples, seed, _facts(ours, facts))
    if certificate.passed:
        training = {}
        if compilation.training is not None:
            training = {"training": to_dict(compilation.training), "one_hot_targets": compilation.one_hot_targets}
        weight_files.save(
            path,
            ours.weights,
            ours.spec,
            certificate.repeatable.arrays,
            backend="numpy",
            dtype=ours.dtype,
            certificate=certificate.to_dict(),
            **training,
        )
    return certificate


def to_keras(source: str | Path, path: str | Path, samples: Any = None, seed: int = 0) -> Certificate:
    """Write an ``.npz`` model as a Keras model in a ``.keras`` file, whole or not at all; see :func:`to_numpy`."""
    from keras_models import KerasModel, ReadModel
    from keras_models.reading.compiled import HUBER_NOTE, compile_as
    from keras_models.weight_files import save_model

    ours = saved_model.load(source, engine="reference")
    built = KerasModel(ours.spec, dtype=ours.dtype)
    built.set_weights(ours.weights)
    loss = None if ours.compiled is None else ours.compiled.loss
    lost = (HUBER_NOTE,) if isinstance(loss, losses.Huber) and loss.delta != 1 else ()
    facts = _facts(ours, {"source": _file_facts(source), "not_kept": lost})
    certificate = certify(ours, ReadModel(built.keras_model), samples, seed, facts)
    if certificate.passed:
        if ours.compiled is not None:
            compile_as(built.keras_model, ours.spec, ours.compiled, weight_files.read(source).meta, ours.dtype)
        save_model(built.keras_model, path)
    return certificate


def convert(source: Any, path: str | Path, samples: Any = None, seed: int = 0, input_shape: Any = None) -> Certificate:
    """Convert a Keras model, or its file, for NumPy alone; or an ``.npz`` file back to Keras.

    Args:
        source: a Keras model, or the path of a .keras, .h5 or .npz file.
        path: of the file to write: .npz, or .keras where the source is .npz.
        samples: inputs to compare on, shape (examples, *input shape); drawn by ``seed`` where None.
        seed: of the inputs that are drawn.
        input_shape: the shape of one input where the Keras model leaves sizes open, such as ``(64, 64, 3)`` for
            ``keras.Input((None, None, 3))``; of several inputs a dict of names and shapes. The certificate is for it.

    Returns:
        the certificate; the file is written only where it has passed.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> import tempfile
        >>> from pathlib import Path
        >>> from keras_models import KerasModel
        >>> from core_numpy import load
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     path = Path(directory) / "net.npz"
        ...     certificate = convert(KerasModel(spec).keras_model, path)
        ...     model = load(path)
        >>> certificate.passed, model.predict(np.ones((2, 4))).shape
        (True, (2, 3))
    """
    folder = Path(path).parent
    if not folder.is_dir():
        raise ValueError(f"{path} cannot be written: there is no folder {folder}; make it, or give another place")
    is_numpy = isinstance(source, (str, os.PathLike)) and Path(source).suffix == ".npz"
    if not is_numpy:
        return to_numpy(source, path, samples, seed, input_shape)
    if input_shape is not None:
        raise ValueError(
            f"{source} knows the sizes of its inputs; input_shape is for Keras models that leave them open"
        )
    return to_keras(source, path, samples, seed)


def _facts(model: NumpyModel, facts: dict[str, Any]) -> dict[str, Any]:
    parts = {str(part.name): list(part.shape) for part in model.spec.input_parts}
    return {
        **_versions(),
        **facts,
        "input_shape": parts or list(model.spec.input_shape),
        "weights_sha256": _digest(model),
        **weight_files.fingerprints(model.weights),
    }


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
