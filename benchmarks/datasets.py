"""Data to train on: an embedded set, two verified image sets, a synthetic one, and the user's own file."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.request
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from benchmarks.data_files import IDX_FILES, PARTS, idx_path, read_idx_directory, read_npz
from model_spec.validation import positive_integer

Array: TypeAlias = np.ndarray
Dataset: TypeAlias = tuple[tuple[Array, Array], tuple[Array, Array]]
"""((x_train, y_train), (x_test, y_test)), as Keras' loaders return it."""

DATASETS = ("digits", "mnist", "fashion_mnist", "class_data")
"""The names :func:`load` knows; it also takes the path of a ``.npz`` file."""

_IMAGE_SHAPES = {"x_train": (60000, 28, 28), "y_train": (60000,), "x_test": (10000, 28, 28), "y_test": (10000,)}

# The hashes are of the arrays' bytes, not of the file around them: a file that was packed anew is as good.
_SHA256 = {
    "mnist": {
        "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    "fashion_mnist": {
        "x_train": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "y_train": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "x_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
}


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
    if name in _SHA256:
        return _load_verified(name, path, allow_download, download_url)
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
        name: as for :func:`load`; also ``path``, ``allow_download`` and ``download_url``.
        limit: take at most this many training rows, from the start; None takes all.
        limit_test: the same for the test rows.
        dtype: "float32" or "float64".

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


def _load_verified(name: str, path: str | Path | None, allow_download: bool, download_url: str | None) -> Dataset:
    if path is not None:
        path = Path(path).expanduser()
        found = _find(name, path) if path.is_dir() else path
        if found is None or not found.exists():
            wanted = f"{name}.npz or {', '.join(IDX_FILES.values())} (also .gz)"
            raise ValueError(f"data set {name!r}: nothing at {path}; give a .npz file or a directory holding {wanted}")
        return _read_verified(name, found)
    places = _places(name)
    for _, directory in places:
        found = None if directory is None else _find(name, directory)
        if found is not None:
            return _read_verified(name, found)
    if allow_download:
        return _download(name, download_url)
    looked = "; ".join(f"{label}: {'not set' if place is None else place}" for label, place in places)
    raise ValueError(
        f"data set {name!r} was not found. Looked at {looked}. Wanted is {name}.npz (arrays {', '.join(PARTS)}) or the "
        f"four idx files {', '.join(IDX_FILES.values())} (also .gz): put it there, set CROSSCHECK_DATA to its "
        f"directory, give its path, or allow a download"
    )


def _places(name: str) -> list[tuple[str, Path | None]]:
    """Directories to look in, with the words for the error that lists them."""
    data = os.environ.get("CROSSCHECK_DATA")
    keras_home = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    return [
        ("$CROSSCHECK_DATA", Path(data).expanduser() if data else None),
        ("Keras' cache", keras_home / "datasets"),
        ("Keras' cache of idx files", keras_home / "datasets" / name.replace("_", "-")),
        ("own cache", _cache_directory()),
    ]


def _cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "crosscheck"


def _find(name: str, directory: Path) -> Path | None:
    """The ``.npz`` file in the directory, the directory itself where it holds the four idx files, or None."""
    archive = directory / f"{name}.npz"
    if archive.is_file():
        return archive
    # idx files carry no name of their data set: only the hashes tell MNIST from Fashion-MNIST.
    if all(idx_path(directory, part) is not None for part in PARTS):
        return directory
    return None


def _read_verified(name: str, path: Path) -> Dataset:
    arrays = read_idx_directory(path) if path.is_dir() else read_npz(path)
    differences = []
    for part in PARTS:
        array, shape = arrays[part], _IMAGE_SHAPES[part]
        if array.shape != shape or array.dtype != np.uint8:
            differences.append(f"{part} is {array.dtype} {array.shape}, expected uint8 {shape}")
        elif hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() != _SHA256[name][part]:
            differences.append(f"{part} has the right shape but other values")
    if differences:
        raise ValueError(
            f"{path} does not hold data set {name!r}: {'; '.join(differences)}; replace the file, or give your own "
            f"data by the path of its .npz file in place of the name {name!r}"
        )
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def _download(name: str, address: str | None) -> Dataset:
    """Fetch, verify, and only then put the file into the cache: nothing half-done is ever found there."""
    address = address or os.environ.get("CROSSCHECK_DOWNLOAD_URL")
    if not address:
        raise ValueError(
            f"a download of {name!r} was allowed, but no address is known; give download_url or set "
            f"CROSSCHECK_DOWNLOAD_URL to the address of {name}.npz"
        )
    address = address.replace("{name}", name)
    directory = _cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    handle, temporary_name = tempfile.mkstemp(dir=directory, prefix=f".{name}-", suffix=".npz")
    temporary = Path(temporary_name)
    try:
        try:
            with os.fdopen(handle, "wb") as file, urllib.request.urlopen(address, timeout=60) as response:
                shutil.copyfileobj(response, file)
        except (OSError, ValueError) as error:
            raise ValueError(f"download of {name!r} from {address} failed: {error}; check the address") from None
        try:
            dataset = _read_verified(name, temporary)
        except ValueError as error:
            raise ValueError(f"download from {address}: {error}") from None
        os.replace(temporary, directory / f"{name}.npz")
    finally:
        temporary.unlink(missing_ok=True)
    return dataset


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
