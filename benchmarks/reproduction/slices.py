"""Which rows of a data set an experiment trains on, validates with and tests on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks import datasets
from benchmarks.reproduction.toml_tables import record_from
from model_spec.validation import non_negative_integer, positive_integer, real

Array = np.ndarray
Part = tuple[Array, Array]


@dataclass(frozen=True)
class Split:
    """A random part of the training rows is held out, by scikit-learn's ``train_test_split``."""

    share: float
    random_state: int
    stratify: bool = False

    def __post_init__(self) -> None:
        real("split.share", self.share, minimum=0, below=1)
        non_negative_integer("split.random_state", self.random_state)


@dataclass(frozen=True)
class Draw:
    """Rows drawn with replacement from the seed: training from the first ``pool`` rows, validation from the rest."""

    pool: int
    train: int
    validation: int

    def __post_init__(self) -> None:
        for name in ("pool", "train", "validation"):
            positive_integer(f"draw.{name}", getattr(self, name))


@dataclass(frozen=True)
class DataSlice:
    """What an experiment takes of a data set.

    Attributes:
        name: of ``benchmarks.datasets``.
        train, test: the first rows of each part; None takes all.
        split: holds a part of the training rows out for validation.
        draw: draws training and validation rows.
    """

    name: str
    train: int | None = None
    test: int | None = None
    split: Split | None = None
    draw: Draw | None = None

    def __post_init__(self) -> None:
        if self.name not in datasets.DATASETS:
            raise ValueError(f"unknown data set {self.name!r}; known are {', '.join(datasets.DATASETS)}")
        if self.split is not None and self.draw is not None:
            raise ValueError("data have split or draw, not both")

    def parts(self, seed: int, dtype: str = "float32") -> dict[str, Part]:
        """{"train": (x, y), "test": (x, y)} and "validation" where there is one; labels are integer classes.

        Raises:
            ValueError: the data set was not found, or holds too few rows.
        """
        train, test = _load(self.name, self.train, self.test, dtype)
        parts = {"train": train, "test": test}
        if self.split is not None:
            parts |= _split(train, self.split)
        if self.draw is not None:
            parts |= _drawn(train, self.draw, seed)
        return parts


@lru_cache(maxsize=1)
def _load(name: str, train_rows: int | None, test_rows: int | None, dtype: str) -> tuple[Part, Part]:
    """The last one is kept: the cells of a row follow each other."""
    if name != "class_data":
        return datasets.images(name, train_rows, test_rows, dtype=dtype)
    train, test = datasets.class_data()
    return (train[0].astype(dtype), train[1]), (test[0].astype(dtype), test[1])


def _split(train: Part, split: Split) -> dict[str, Part]:
    try:
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise ImportError('the courses split with scikit-learn: pip install "crosscheck[data]"') from None
    x, y = train
    kept, held = train_test_split(
        np.arange(len(x)),
        test_size=split.share,
        random_state=split.random_state,
        stratify=y if split.stratify else None,
    )
    return {"train": (x[kept], y[kept]), "validation": (x[held], y[held])}


def _drawn(train: Part, draw: Draw, seed: int) -> dict[str, Part]:
    x, y = train
    if draw.pool >= len(x):
        raise ValueError(f"draw.pool must leave rows for validation: {draw.pool} of {len(x)}")
    random = np.random.default_rng(seed)
    chosen = random.integers(draw.pool, size=draw.train)
    held = random.integers(draw.pool, len(x), size=draw.validation)
    return {"train": (x[chosen], y[chosen]), "validation": (x[held], y[held])}


def missing(name: str) -> str | None:
    """Why a data set cannot be loaded; None where it can."""
    try:
        datasets.load(name)
    except (ValueError, ImportError) as error:
        return str(error)
    return None


def from_entry(entry: Any) -> DataSlice:
    """A slice from its table; unknown keys are refused by name."""
    inner = dict(entry) if isinstance(entry, dict) else entry
    if isinstance(inner, dict):
        for key, kind in (("split", Split), ("draw", Draw)):
            if inner.get(key) is not None:
                inner[key] = record_from(kind, inner[key], key)
    return record_from(DataSlice, inner, "data")
