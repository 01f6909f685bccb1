"""A model from one file: ``core_numpy.load(path)`` reads specification and weights, and needs NumPy alone."""

from __future__ import annotations

from pathlib import Path

import core_numpy.engine.runner  # noqa: F401 - what predict runs on, loaded with the rest
from core_numpy.model import NumpyModel
from model_spec import limits, weight_files
from model_spec.serialization import model_from_dict


def load(
    path: str | Path,
    engine: str = "auto",
    threads: int | None = None,
    bounds: limits.Limits | None = limits.DEFAULT,
) -> NumpyModel:
    """The model that ``save_weights`` or ``crosscheck convert`` wrote to an ``.npz`` file, ready to predict.

    It predicts by the folded network; the whole one is there too, for training on.

    Args:
        path: the file.
        engine: see :class:`NumpyModel`.
        threads: see :class:`NumpyModel`.
        bounds: what the network may ask for; None for a file that you trust.

    Raises:
        WeightFileError: the file is missing, damaged, or holds no model; nothing is loaded.
    """
    file = weight_files.read(path)
    try:
        spec, dtype = model_from_dict(file.meta["spec"], bounds), file.meta["dtype"]
        model = NumpyModel(spec, dtype=dtype, engine=engine, threads=threads, weights=file.arrays)
    except (ValueError, KeyError, TypeError) as error:
        raise weight_files.WeightFileError(f"{path} holds no model that can be loaded: {error}") from None
    model.fold_for_inference()
    return model
