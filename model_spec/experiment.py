"""A network with how it is trained and on what: all that one TOML or JSON file may say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from model_spec import limits, optimizers
from model_spec.limits import Limits
from model_spec.model import ModelSpec
from model_spec.names import nearest, printable, shown
from model_spec.serialization import from_dict, model_from_dict, read_table
from model_spec.training import EarlyStopping, TrainingSpec

OF_TRAINING = (*(item.name for item in dataclasses.fields(TrainingSpec)), "learning_rate")
OF_DATA = ("path", "limit")


class Experiment(NamedTuple):
    """What a file says.

    Attributes:
        spec: the network.
        training: the table ``[training]``, for :func:`with_table`.
        data: the table ``[data]``: ``path``, of a file beside this one or the name of a data set, and ``limit``.
    """

    spec: ModelSpec
    training: dict[str, Any]
    data: dict[str, Any]


def load_experiment(path: str | Path, bounds: Limits | None = limits.DEFAULT) -> Experiment:
    """Read a ``.toml`` or ``.json`` file: a model and, perhaps, the tables ``training`` and ``data``.

    Args:
        path: the file.
        bounds: what the network may ask for; None for a file that you have written yourself.

    Raises:
        ValueError: names the file and what is wrong in it.
    """
    path = Path(path)
    entry = read_table(path)
    try:
        spec = model_from_dict(entry, bounds)
        training, data = (_table(entry, name, known) for name, known in (("training", OF_TRAINING), ("data", OF_DATA)))
        with_table(TrainingSpec(), training)
        if not isinstance(data.get("path", ""), str):
            raise ValueError(f"data: path must be a text, got {shown(data['path'])}")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    beside = path.parent / data.get("path", "")
    if "path" in data and beside.exists():
        data["path"] = str(beside)
    return Experiment(spec, training, data)


def _table(entry: Mapping[str, Any], name: str, known: tuple[str, ...]) -> dict[str, Any]:
    table = entry.get(name, {})
    if not isinstance(table, dict):
        raise ValueError(f"{name} must be a table of {', '.join(known)}, got {shown(table)}")
    for word in table:
        if word not in known:
            option = printable(str(word)[:100])
            raise ValueError(f"{name} has no option {option}{nearest(word, known)}; known are {', '.join(known)}")
    return dict(table)


def with_table(training: TrainingSpec, table: Mapping[str, Any]) -> TrainingSpec:
    """A training run with what a table says of it; options that are None or left out stay as they were.

    ``optimizer``, ``loss`` and a schedule are names or tables with a ``type``; ``learning_rate`` belongs to the
    optimizer, ``early_stopping`` is a table of its options, or false.

    Raises:
        ValueError: an option that a training run does not have, or a value that it does not take.

    >>> with_table(TrainingSpec(), {"optimizer": "sgd", "learning_rate": 0.5}).optimizer.learning_rate
    0.5
    """
    options = {name: value for name, value in table.items() if value is not None}
    options = {name: from_dict(value) if _is_part(value) else value for name, value in options.items()}
    rate = options.pop("learning_rate", None)
    if rate is not None:
        optimizer = optimizers.get(options.get("optimizer", training.optimizer))
        options["optimizer"] = dataclasses.replace(optimizer, learning_rate=rate)
    stopping = options.get("early_stopping")
    if stopping is False:
        options["early_stopping"] = None
    elif isinstance(stopping, dict):
        options["early_stopping"] = from_dict({"type": EarlyStopping.__name__, **stopping})
    if options.get("epochs") == 0:
        raise ValueError("epochs must be at least 1, got 0; leave it out for the usual number")
    return training.replace(**options)


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) and "type" in value
