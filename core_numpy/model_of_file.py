"""The model in a file of weights that has been read."""

from __future__ import annotations

from pathlib import Path

import core_numpy.engine.runner  # noqa: F401 - what predict runs on, loaded with the rest
from core_numpy.model import NumpyModel
from model_spec import limits, losses, weight_files
from model_spec.serialization import model_from_dict


def model_of(
    file: weight_files.WeightFile,
    path: str | Path,
    engine: str = "auto",
    threads: int | None = None,
    bounds: limits.Limits | None = limits.DEFAULT,
) -> NumpyModel:
    """The model in a file that has been read."""
    try:
        spec, dtype = model_from_dict(file.meta["spec"], bounds), file.meta["dtype"]
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
