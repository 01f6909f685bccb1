"""Data of the user's own, made ready for networks: labels as classes 0, 1, ..., a test part, and what was done."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.own_files import BUNDLED, OwnRows, read_rows
from model_spec.names import printable, shown

Array = np.ndarray

TEST_SHARE = 0.2
"""Of the rows, where nothing says which are for testing."""

_MOST_CLASSES = 1000
_DARK = 64
_BEYOND_SCALED = 16
"""No image that was scaled to 0..1, or to mean 0 and deviation 1, has such a value."""


@dataclass(frozen=True)
class OwnData:
    """Rows for training and testing.

    Attributes:
        train, test: inputs as they were stored, tables standardized, and int64 classes, or
            the values of a regression (n, targets) as float64; one row an example.
        class_names: what the classes 0, 1, ... are called; empty where the file has such numbers.
        notes: what was done to the rows, and what looks wrong with them.
    """

    train: tuple[Array, Array]
    test: tuple[Array, Array]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


def read(name: str, as_values: bool = False) -> OwnData:
    """Read a path or a table that comes with scikit-learn (iris, wine, breast_cancer, diabetes).

    Args:
        name: of the table, or the path.
        as_values: take numbers that could be classes for the values of a regression.

    Raises:
        ValueError: nothing there, damage, or rows that no classifier can be trained on; by name.
        ImportError: a library that this form of data needs is missing.
    """
    rows = read_rows(name)
    where = printable(name)
    parts = [rows.train] if rows.test is None else [rows.train, rows.test]
    for end, (x, y) in zip(("",) if rows.test is None else ("_train", "_test"), parts, strict=True):
        _check(where, end, x, y)
    if len(parts) > 1:
        _check_alike(where, *parts)
    targets = [y for _, y in parts]
    is_regression = rows.has_values or all(as_values and y.dtype.kind in "uif" or has_fractions(y) for y in targets[:1])
    labels, names, notes = _values(where, targets) if is_regression else _classes(where, targets, rows)
    notes = [*rows.notes, *notes]
    if rows.test is None:
        train, test = _held_out(where, parts[0][0], labels[0])
        share = "at random, always the same" if is_regression else "each class in its share"
        notes.append(f"no test part: {len(test[1])} of {len(labels[0])} rows are held out for it, {share}")
    else:
        train, test = (parts[0][0], labels[0]), (parts[1][0], labels[1])
        if not is_regression and is_grouped(train[1]):
            order = mixed_classes(train[1])
            train = train[0][order], train[1][order]
            notes.append("the rows stand grouped by class: they were shuffled, each class in its share")
    if rows.is_table:
        train, test = _standardized(train, test)
        notes.append("each column has the mean 0 and the deviation 1 of its training rows")
    return OwnData(train, test, names, (*notes, *doubts(train[0])))


def digest(name: str) -> str | None:
    """A hash of all that lies at a path; None for tables that come with scikit-learn."""
    if name in BUNDLED:
        return None
    path, found = Path(name).expanduser(), hashlib.sha256()
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else _with_partners(path)
    for file in files:
        found.update(file.name.encode() + b"\0" + str(file.parent.relative_to(path.parent)).encode() + b"\0")
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _with_partners(path: Path) -> list[Path]:
    """A file, and those that are read with it: y.npy with x.npy."""
    return sorted(path.parent.glob("*.npy")) if path.suffix.lower() == ".npy" else [path]


def doubts(x: Array) -> tuple[str, ...]:
    """What looks wrong with inputs as they were stored, in words: floats on the scale of bytes, bytes that are dark."""
    largest = float(np.max(np.abs(x), initial=0))
    if x.dtype == np.uint8 and 0 < largest < _DARK:
        return (f"no uint8 value is above {largest:g}: divided by 255 all lie below {largest / 255 + 0.001:.2f}",)
    if x.ndim in (3, 4) and x.dtype != np.uint8 and largest > _BEYOND_SCALED:
        return (
            f"images reach {largest:g}: only uint8 images are divided by 255, others are taken as they are; "
            f"store them as uint8, or divide them in the file",
        )
    return ()


def is_grouped(y: Array) -> bool:
    """True where rows of one class stand together: neighbours differ less than half as often as by chance.

    >>> is_grouped(np.repeat([0, 1, 2], 20)), is_grouped(np.tile([0, 1, 2], 20))
    (True, False)
    """
    shares = np.unique(y, return_counts=True)[1] / max(len(y), 1)
    expected = (1 - np.square(shares).sum()) * (len(y) - 1)
    return bool(np.count_nonzero(np.diff(y)) < expected / 2)


def mixed_classes(y: Array, seed: int = 0) -> Array:
    """An order of rows in which every part holds each class in its share; within a class it is random.

    >>> [int(label) for label in np.array([0, 0, 0, 0, 1, 1])[mixed_classes(np.array([0, 0, 0, 0, 1, 1]))]]
    [0, 1, 0, 0, 1, 0]
    """
    random = np.random.default_rng(seed)
    places = np.empty(len(y))
    for label in np.unique(y):
        rows = random.permutation(np.flatnonzero(y == label))
        places[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(places, kind="stable")


def _check(where: str, end: str, x: Array, y: Array) -> None:
    if x.ndim < 2 or x.dtype.kind not in "buif":
        raise ValueError(f"{where}: x{end} must be numbers of shape (n, ...), got {x.dtype} {x.shape}")
    if y.ndim == 0:
        raise ValueError(f"{where}: y{end} must have one label a row, got {y.dtype} {y.shape}")
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(
            f"{where}: x{end} and y{end} must have the same number of rows, at least 1, got {len(x)} and {len(y)}"
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ValueError(f"{where}: x{end} holds {x[first]} at {list(first)}; clean or leave out such rows")


def _check_alike(where: str, train: tuple[Array, Array], test: tuple[Array, Array]) -> None:
    if train[0].shape[1:] != test[0].shape[1:]:
        raise ValueError(
            f"{where}: x_train and x_test must agree in all axes but the first, got {train[0].shape} and "
            f"{test[0].shape}"
        )
    if train[0].dtype != test[0].dtype:
        raise ValueError(f"{where}: x_train and x_test must have one dtype, got {train[0].dtype}, {test[0].dtype}")


def has_fractions(y: Array) -> bool:
    """True for targets that no classes have: finite fractions, one or several an example.

    >>> has_fractions(np.array([0.5, 1])), has_fractions(np.array([0.0, 1])), has_fractions(np.array([1, 7]))
    (True, False, False)
    """
    return y.dtype.kind == "f" and y.ndim <= 2 and bool((y[np.isfinite(y)] % 1 != 0).any())


def _values(where: str, parts: list[Array]) -> tuple[list[Array], tuple[str, ...], list[str]]:
    """(values of each part (n, targets), no names, what was decided) of a regression."""
    found = []
    for y in parts:
        if y.ndim > 2 or y.dtype.kind not in "uif":
            raise ValueError(
                f"{where}: values to predict must be numbers (n,) or (n, targets), got {y.dtype} {y.shape}"
            )
        if not np.isfinite(y).all():
            raise ValueError(f"{where}: y holds {y[~np.isfinite(y)][0]}; leave out rows without a value")
        found.append(y.astype(np.float64).reshape(len(y), -1))
    if len({y.shape[1] for y in found}) > 1:
        raise ValueError(
            f"{where}: y_train and y_test must have as many values a row, got {found[0].shape[1]} and "
            f"{found[1].shape[1]}"
        )
    low, high = float(found[0].min()), float(found[0].max())
    if low == high:
        raise ValueError(f"{where}: every value to predict is {low:g}; there is nothing to learn")
    return found, (), [f"the targets are values in {low:g}..{high:g}, not classes: a regression"]


def _classes(where: str, parts: list[Array], rows: OwnRows) -> tuple[list[Array], tuple[str, ...], list[str]]:
    """(labels of each part as 0, 1, ..., names of the classes, what was done)."""
    notes = []
    if all(y.ndim == 2 and y.shape[1] == 1 for y in parts):
        parts = [y[:, 0] for y in parts]
    if all(y.ndim == 2 and y.dtype.kind in "buif" for y in parts):
        for y in parts:
            if not (((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all()):
                raise ValueError(f"{where}: y of shape {y.shape} is not one-hot: {_ASKS_FOR_CLASSES}")
        notes.append("labels are one-hot rows: the class is the column of the 1")
        parts = [y.argmax(axis=1) for y in parts]
    if any(y.ndim != 1 or y.dtype.kind not in "buifUS" for y in parts):
        raise ValueError(f"{where}: y is {parts[0].dtype} {parts[0].shape}; {_ASKS_FOR_CLASSES}")
    for y in parts:
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise ValueError(f"{where}: y holds {y[~np.isfinite(y)][0]}; leave out rows without a label")
        if has_fractions(y):
            raise ValueError(f"{where}: y_test holds fractions, y_train does not; give both classes, or both values")
    known = np.unique(parts[0])
    if len(known) < 2:
        raise ValueError(f"{where}: all rows for training are of class {shown(known[0].item())}; give two classes")
    for y in parts[1:]:
        strange = np.setdiff1d(y, known)
        if strange.size:
            notes.append(f"the test part has classes that training lacks: {shown(strange[:5].tolist())}")
            known = np.union1d(known, y)
    if len(known) > _MOST_CLASSES:
        raise ValueError(f"{where}: y has {len(known)} different values; {_ASKS_FOR_CLASSES}")
    if known.dtype.kind in "uif" and len(known) > len(parts[0]) / 2 > 5:
        notes.append(
            f"y has {len(known)} different numbers in {len(parts[0])} rows: if they are values to predict, take "
            f"--loss mse and a network that ends with Dense(1)"
        )
    # Classes without rows are outputs that are never right; numbers far apart are names
    if known.dtype.kind not in "US" and int(known[0]) == 0 and int(known[-1]) < 2 * len(known):
        return [y.astype(np.int64) for y in parts], rows.class_names, notes
    names = tuple(str(label.decode() if isinstance(label, bytes) else label) for label in known.tolist())
    notes.append(f"labels {shown(list(names[:5]))[1:-1]}{' ...' * (len(names) > 5)} are the classes 0, 1, ...")
    return [np.searchsorted(known, y).astype(np.int64) for y in parts], names, notes


_ASKS_FOR_CLASSES = (
    "labels must be whole numbers, words or one-hot rows; values with fractions are a regression, and whole numbers "
    "are one with --loss mse and a network of your own that ends with Dense(1)"
)


def _held_out(where: str, x: Array, y: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    order = mixed_classes(y) if y.ndim == 1 else np.random.default_rng(0).permutation(len(y))
    cut = len(y) - max(round(TEST_SHARE * len(y)), 1)
    if cut < 1:
        raise ValueError(f"{where}: one row cannot be parted into training and testing; give more")
    return (x[order[:cut]], y[order[:cut]]), (x[order[cut:]], y[order[cut:]])


def _standardized(
    train: tuple[Array, Array], test: tuple[Array, Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    mean, deviation = train[0].mean(axis=0), train[0].std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    return ((train[0] - mean) / deviation, train[1]), ((test[0] - mean) / deviation, test[1])
