"""Data to train on: an embedded set, two verified image sets, a synthetic one, and the user's own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks import own_data
from benchmarks.own_files import BUNDLED, FORMS
from benchmarks.verified_data import SHA256, Dataset, load_verified
from model_spec.names import nearest
from model_spec.validation import positive_integer

Array: TypeAlias = np.ndarray

DATASETS = ("digits", "mnist", "fashion_mnist", "class_data")
"""The names :func:`load` knows, beside the user's own data; see :mod:`benchmarks.own_data`."""


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
            uint8 labels. "class_data": float64 points (n, 2), int64 labels. "iris", "wine", "breast_cancer" and
            "diabetes" (a regression): scikit-learn's tables. Or a path of
            the user's own data: ``.npz``, ``.npy``, a table, a folder of pictures.
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
    own = load_own(str(name))
    return own.train, own.test


def load_own(name: str, as_values: bool = False) -> own_data.OwnData:
    """Data of the user's own or a table of scikit-learn's, with what was done to its rows.

    Raises:
        ValueError: as :func:`benchmarks.own_data.read`; a word that is no path is told what names there are.
    """
    if name not in BUNDLED and not Path(name).expanduser().exists() and not Path(name).suffix:
        known = (*DATASETS, *BUNDLED)
        raise ValueError(
            f"unknown data set {name!r}{nearest(name, known)}; known are {', '.join(known)}, "
            f"or give the path of {FORMS}"
        )
    return own_data.read(name, as_values)


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
    return ready(train, limit, "limit", dtype), ready(test, limit_test, "limit_test", dtype)


def examples(name: str, limit: int | None = None, *, dtype: str = "float32") -> Dataset:
    """Return any data set as networks take it: images as :func:`images` gives them, points as they are.

    Args:
        name: as for :func:`load`.
        limit: take at most this many training rows, from the start; None takes all.
        dtype: "float32" or "float64".
    """
    train, test = load(name)
    return ready(train, limit, "limit", dtype), ready(test, None, "limit_test", dtype)


def ready(
    part: tuple[Array, Array], rows: int | None = None, label: str = "limit", dtype: str = "float32"
) -> tuple[Array, Array]:
    """Inputs and labels as networks take them; see :func:`examples`."""
    x, y = (values[: None if rows is None else positive_integer(label, rows)] for values in part)
    clean = np.divide(x, 255, dtype=dtype) if x.dtype == np.uint8 else x.astype(dtype)
    return clean[..., None] if x.ndim == 3 else clean, y.astype(dtype if y.dtype.kind == "f" else np.int64)


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
