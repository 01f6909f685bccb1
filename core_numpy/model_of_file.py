"""The model in a file of weights that has been read."""

from __future__ import annotations

from pathlib import Path

import core_numpy.engine.runner  # noqa: F401 - what predict runs on, loaded with the rest
from core_numpy.contract import Array
from core_numpy.model import NumpyModel
from core_numpy.tiers import ENGINES
from model_spec import ModelSpec, limits, losses, weight_files
from model_spec.serialization import model_from_dict
from model_spec.validation import one_of, positive_integer


def model_of(
    file: weight_files.WeightFile,
    path: str | Path,
    engine: str = "auto",
    threads: int | None = None,
    bounds: limits.Limits | None = limits.DEFAULT,
) -> NumpyModel:
    """The model in a file that has been read."""
    # Wrong arguments are no fault of the file
    one_of("engine", engine, ENGINES)
    if threads is not None:
        positive_integer("threads", threads)
    try:
        spec, dtype = model_from_dict(file.meta["spec"], bounds), file.meta["dtype"]
        _check_variances(spec, file.arrays)
        model = NumpyModel(spec, dtype=dtype, engine=engine, threads=threads, weights=file.arrays)
        model.compiled_as = file.meta.get("training")
        if model.compiled_as is not None and model.compiled_as["loss"] is not None:
            model.loss = _loss(model.compiled_as["loss"])
    except (ValueError, KeyError, TypeError) as error:
        raise weight_files.WeightFileError(f"{path} holds no model that can be loaded: {error}") from None
    model.fold_for_inference()
    return model


def _check_variances(spec: ModelSpec, arrays: dict[str, Array]) -> None:
    """Refuse a variance without a real square root: all that is predicted would be NaN."""
    for layer in spec.layers:
        for variable in ("moving_variance", "variance"):
            values = arrays.get(f"{layer.name}/{variable}")
            if values is not None and (values + getattr(layer, "epsilon", 0) < 0).any():
                raise ValueError(
                    f"{layer.name}/{variable} has {values.min():g}, and a variance is at least 0; convert or train the "
                    f"model again"
                )


def _loss(entry: dict[str, object]) -> losses.Loss:
    """The loss as ``to_dict`` wrote it, without loading optimizers and all else a training run is made of."""
    kinds = {kind.__name__: kind for kind in losses.LOSSES.values()}
    return kinds[str(entry["type"])](**{name: value for name, value in entry.items() if name != "type"})
