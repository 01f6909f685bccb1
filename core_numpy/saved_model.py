"""A model from one file: ``core_numpy.load(path)`` reads specification and weights, and needs NumPy alone."""

from __future__ import annotations

from pathlib import Path

from core_numpy.model import NumpyModel
from core_numpy.model_of_file import model_of
from model_spec import limits, weight_files


def load(
    path: str | Path,
    engine: str = "auto",
    threads: int | None = None,
    verify: bool = False,
    bounds: limits.Limits | None = limits.DEFAULT,
) -> NumpyModel:
    """The model that ``save_weights`` or ``crosscheck convert`` wrote to an ``.npz`` file, ready to predict.

    It predicts by the folded network; the whole one is there too, for training on: ``model.loss`` is the loss the Keras
    model was compiled with, where the file says one, and ``model.compiled`` that and the optimizer.

    Args:
        path: the file.
        engine: see :class:`NumpyModel`.
        threads: see :class:`NumpyModel`.
        verify: whether to repeat the certificate of the file on this machine first; see
            :func:`core_numpy.verification.verify`.
        bounds: what the network may ask for; None for a file that you trust.

    Raises:
        WeightFileError: the file is missing, damaged, holds no model, or other weights than its certificate was made
            for; nothing is loaded. With ``verify`` also where it has no certificate to repeat.
        ValueError: an engine that there is not, or a number of threads below 1.
        VerificationError: with ``verify``, this machine computes something else than the certificate says.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> import tempfile
        >>> from pathlib import Path
        >>> from core_numpy import NumpyModel
        >>> model = NumpyModel(spec)
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     model.save(Path(directory) / "net.npz")
        ...     loaded = load(Path(directory) / "net.npz")
        >>> np.array_equal(loaded.predict(np.ones((2, 4))), model.predict(np.ones((2, 4))))
        True
    """
    file = weight_files.read(path, samples=verify)
    model = model_of(file, path, engine, threads, bounds)
    if verify:
        from core_numpy.verification import refuse_if_different, repeat

        refuse_if_different(repeat(model, file, path), path)
    return model
