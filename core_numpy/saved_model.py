"""A model from one file: ``core_numpy.load(path)`` reads specification and weights, and needs NumPy alone."""

from __future__ import annotations

from pathlib import Path

import core_numpy.engine.runner  # noqa: F401 - what predict runs on, loaded with the rest
from core_numpy.model import NumpyModel
from model_spec import losses, weight_files
from model_spec.serialization import model_from_dict


def load(path: str | Path, engine: str = "auto", threads: int | None = None, verify: bool = False) -> NumpyModel:
    """The model that ``save_weights`` or ``crosscheck convert`` wrote to an ``.npz`` file, ready to predict.

    It predicts by the folded network; the whole one is there too, for training on: ``model.loss`` is the loss the Keras
    model was compiled with, where the file says one, and ``model.compiled`` that and the optimizer.

    Args:
        path: the file.
        engine: see :class:`NumpyModel`.
        threads: see :class:`NumpyModel`.
        verify: whether to repeat the certificate of the file on this machine first; see
            :func:`core_numpy.verification.verify`.

    Raises:
        WeightFileError: the file is missing, damaged, holds no model, or other weights than its certificate was made
            for; nothing is loaded. With ``verify`` also where it has no certificate to repeat.
        VerificationError: with ``verify``, this machine computes something else than the certificate says.
    """
    file = weight_files.read(path, samples=verify)
    model = model_of(file, path, engine, threads)
    if verify:
        from core_numpy.verification import refuse_if_different, repeat

        refuse_if_different(repeat(model, file, path), path)
    return model


def model_of(
    file: weight_files.WeightFile, path: str | Path, engine: str = "auto", threads: int | None = None
) -> NumpyModel:
    """The model in a file that has been read."""
    try:
        spec, dtype = model_from_dict(file.meta["spec"]), file.meta["dtype"]
        model = NumpyModel(spec, dtype=dtype, engine=engine, threads=threads, weights=file.arrays)
        model.compiled_as = file.meta.get("training")
        if model.compiled_as is not None and model.compiled_as["loss"] is not None:
            model.loss = _loss(model.compiled_as["loss"])
    except (ValueError, KeyError, TypeError) as error:
        raise weight_files.WeightFileError(f"{path} holds no model that can be loaded: {error}") from None
    model.fold_for_inference()
    return model


def _loss(entry: dict[str, object]) -> losses.Loss:
    """The loss as ``to_dict`` wrote it, without loading optimizers and all else a training run is made of."""
    kinds = {kind.__name__: kind for kind in losses.LOSSES.values()}
    return kinds[str(entry["type"])](**{name: value for name, value in entry.items() if name != "type"})
