"""MNIST and Fashion-MNIST: found in several places or fetched, and taken only where every byte is theirs."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.request
from pathlib import Path
from typing import TypeAlias

import numpy as np

from benchmarks.data_files import IDX_FILES, PARTS, idx_path, read_idx_directory, read_npz

Array: TypeAlias = np.ndarray
Dataset: TypeAlias = tuple[tuple[Array, Array], tuple[Array, Array]]
"""((x_train, y_train), (x_test, y_test)), as Keras' loaders return it."""

IMAGE_SHAPES = {"x_train": (60000, 28, 28), "y_train": (60000,), "x_test": (10000, 28, 28), "y_test": (10000,)}

# The hashes are of the arrays' bytes, not of the file around them: a file that was packed anew is as good.
SHA256 = {
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


def load_verified(name: str, path: str | Path | None, allow_download: bool, download_url: str | None) -> Dataset:
    """A data set whose arrays have the checksums of the published one; arguments as of ``datasets.load``."""
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
        array, shape = arrays[part], IMAGE_SHAPES[part]
        if array.shape != shape or array.dtype != np.uint8:
            differences.append(f"{part} is {array.dtype} {array.shape}, expected uint8 {shape}")
        elif hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() != SHA256[name][part]:
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
