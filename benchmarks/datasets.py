"""Data to train on: an embedded set, two verified image sets, a synthetic one, and the user's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.data_files import PARTS, read_npz
from benchmarks.verified_data import SHA256, Dataset, load_verified
from model_spec.validation import positive_integer

Array: TypeAlias = np.ndarray

DATASETS = ("digits", "mnist", "fashion_mnist", "class_data")
"""The names :func:`load` knows; it also takes the path of a ``.npz`` file."""


def load(
    name: str,
    path: str | Path | None = None,
    allow_download: bool = False,
    *,
    download_url: str | None = None,
) -> Dataset:
    """Return ``((x_train, y_train), (x_test, y_test))``.

    Args:
        name: "digits" (images (n, 8, 8)), "mnist" or "fashion_mnist" (images (n, 28, 28)): uint8 images in 0..255,
            uint8 labels. "class_data": float64 points (n, 2), int64 labels. Or the path of a ``.npz`` file holding
            x_train, y_train, x_test and y_test: its shapes and dtypes are checked, its content is the user's.
        path: for "mnist" and "fashion_mnist": a ``.npz`` file, or a directory holding ``<name>.npz`` or the four
            idx files (plain or ``.gz``). Without it, ``$CROSSCHECK_DATA``, Keras' cache (only read, never changed)
            and this program's cache are looked at, in this order.
        allow_download: fetch the file where none was found, from ``download_url`` or ``$CROSSCHECK_DOWNLOAD_URL``.
        download_url: address of the ``.npz`` file; ``{name}`` in it stands for the data set's name.

    Raises:
        ValueError: unknown name, no file found (with the places looked at), or a file with other content.
        ImportError: "digits" without scikit-learn.
    """
    if name in SHA256:
        return load_verified(name, path, allow_download, download_url)
    if name in DATASETS and path is not None:
        raise ValueError(f"data set {name!r} is made by this program and read from no file, got path {path}; leave it")
    if name == "digits":
        return _digits()
    if name == "class_data":
        return class_data()
    if str(name).endswith(".npz"):
        return _user_file(Path(name))
    raise ValueError(
        f"unknown data set {name!r}; known are {', '.join(DATASETS)}, or give the path of a .npz file "
        f"holding {', '.join(PARTS)}"
    )


def images(
    name: str,
    limit: int | None = None,
    limit_test: int | None = None,
    *,
    dtype: str = "float32",
    path: str | Path | None = None,
    allow_download: bool = False,
    download_url: str | None = None,
) -> Dataset:
    """Return a data set of images as networks take it: floats (n, height, width, channels) and int64 labels (n,).

    uint8 images are divided by 255; images that are floats already are only cast to ``dtype``.

    Args:
        name: as for :func:`load`.
        limit: take at most this many training rows, from the start; None takes all.
        limit_test: the same for the test rows.
        dtype: "float32" or "float64".
        path: as for :func:`load`.
        allow_download: as for :func:`load`.
        download_url: as for :func:`load`.

    Raises:
        ValueError: as :func:`load`, and where the data set holds no images.
    """
    train, test = load(name, path, allow_download, download_url=download_url)
    for x, _ in (train, test):
        if x.ndim not in (3, 4):
            raise ValueError(
                f"images of shape (n, height, width) or (n, height, width, channels) were expected, data set "
                f"{name!r} holds x of shape {x.shape}; use datasets.load for data that are not images"
            )
    return _ready(train, limit, "limit", dtype), _ready(test, limit_test, "limit_test", dtype)


def examples(name: str, limit: int | None = None, *, dtype: str = "float32") -> Dataset:
    """Return any data set as networks take it: images as :func:`images` gives them, points as they are.

    Args:
        name: as for :func:`load`.
        limit: take at most this many training rows, from the start; None takes all.
        dtype: "float32" or "float64".
    """
    train, test = load(name)
    return _ready(train, limit, "limit", dtype), _ready(test, None, "limit_test", dtype)


def _ready(part: tuple[Array, Array], rows: int | None, label: str, dtype: str) -> tuple[Array, Array]:
    x, y = (values[: None if rows is None else positive_integer(label, rows)] for values in part)
    clean = np.divide(x, 255, dtype=dtype) if x.dtype == np.uint8 else x.astype(dtype)
    return clean[..., None] if x.ndim == 3 else clean, y.astype(np.int64)


_BEYOND_SCALED = 16
"""No image that was scaled to 0..1, or to mean 0 and deviation 1, has such a value."""


def doubts(x: Array) -> tuple[str, ...]:
    """What looks wrong with inputs as networks would get them, in words: images on the scale of bytes."""
    largest = float(np.max(np.abs(x), initial=0))
    if x.ndim == 4 and largest > _BEYOND_SCALED:
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


def class_data() -> Dataset:
    """The synthetic three-class set of the two-layer network: float64 points (100, 2) and int64 labels, twice.

    200 points from NumPy's legacy generator with seed 1, the first 100 for training. For each point one uniform draw
    picks the class by the cumulative shares 0.4, 0.8, 1; then one normal draw for each coordinate is scaled by the
    class's standard deviation and moved by its mean.
    """
    means = np.array([[-0.5, -0.5], [0.5, 1.0], [1.0, -0.5]])
    deviations = np.array([[0.7, 0.7], [0.8, 0.3], [0.3, 0.8]])
    cumulative_shares = np.array([0.4, 0.8, 1.0])
    random = np.random.RandomState(1)
    x, y = np.empty((200, 2)), np.empty(200, dtype=np.int64)
    # One draw after the other: the courses' figures depend on the order of the draws.
    for row in range(200):
        y[row] = np.argmax(random.rand() < cumulative_shares)
        for axis in range(2):
            x[row, axis] = random.randn() * deviations[y[row], axis] + means[y[row], axis]
    return (x[:100], y[:100]), (x[100:], y[100:])


def _digits() -> Dataset:
    """scikit-learn's 1797 real digits, 1437 for training and 360 for testing, always the same ones.

    Their values 0..16 become ``round(value * 255 / 16)``, so that dividing by 255 gives 0..1 as for every other set.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise ImportError('data set "digits" needs scikit-learn: pip install "crosscheck[data]"') from None
    bunch = load_digits()
    x = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    y = bunch.target.astype(np.uint8)
    # The legacy generator's stream is frozen for good; default_rng may change between versions of NumPy.
    order = np.random.RandomState(0).permutation(len(x))
    train, test = order[:1437], order[1437:]
    return (x[train], y[train]), (x[test], y[test])


def _user_file(path: Path) -> Dataset:
    """The user's own arrays: form checked, values not."""
    arrays = read_npz(path.expanduser())
    problems = []
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.ndim < 2 or x.dtype.kind not in "buif":
            problems.append(f"x_{part} must be numbers of shape (n, ...), got {x.dtype} {x.shape}")
        if y.ndim != 1 or y.dtype.kind not in "ui":
            problems.append(f"y_{part} must be integer classes of shape (n,), got {y.dtype} {y.shape}")
        if len(x.shape) and len(y.shape) and (len(x) != len(y) or len(x) == 0):
            problems.append(f"x_{part} and y_{part} must have the same number of rows, at least 1: {len(x)}, {len(y)}")
    if arrays["x_train"].shape[1:] != arrays["x_test"].shape[1:]:
        shapes = f"{arrays['x_train'].shape} and {arrays['x_test'].shape}"
        problems.append(f"x_train and x_test must agree in all axes but the first, got {shapes}")
    if arrays["x_train"].dtype != arrays["x_test"].dtype:
        problems.append(
            f"x_train and x_test must have one dtype, got {arrays['x_train'].dtype}, {arrays['x_test'].dtype}"
        )
    if problems:
        raise ValueError(f"{path}: {'; '.join(problems)}")
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def describe(dataset: Dataset) -> dict[str, Any]:
    """What a result says about its data: rows, shape of one example, classes and dtype."""
    (x_train, y_train), (x_test, y_test) = dataset
    return {
        "train_rows": len(x_train),
        "test_rows": len(x_test),
        "input_shape": list(x_train.shape[1:]),
        "classes": int(max(y_train.max(), y_test.max())) + 1,
        "dtype": str(x_train.dtype),
    }
