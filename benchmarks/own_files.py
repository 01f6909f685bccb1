"""Data as people keep it - arrays, tables, folders of pictures - read into inputs and labels; nothing is judged yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data_files import IDX_FILES, PARTS, idx_path, read_arrays, read_idx_directory
from benchmarks.pictures import picture_channels, picture_size, read_picture
from benchmarks.table_doubts import doubts_of_table, is_called_label
from model_spec import untrusted
from model_spec.names import printable, shown

Array = np.ndarray

FORMS = (
    "a .npz file with x_train, y_train, x_test, y_test or x, y; x.npy beside y.npy; a table (.csv, .tsv, .parquet); "
    "a folder with one folder of pictures for each class"
)
"""What a path may be, for errors and help."""

BUNDLED = ("iris", "wine", "breast_cancer", "diabetes")
"""Tables that come with scikit-learn."""

_TABLES = (".csv", ".tsv", ".parquet")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_MOST_PICTURE_BYTES = 4 << 30


@dataclass
class OwnRows:
    """Rows as a file has them.

    Attributes:
        train: inputs and labels, one row an example.
        test: the same for testing; None where the file does not part them.
        notes: what was decided in reading them.
        is_table: True for columns in units of their own.
        class_names: names of the classes 0, 1, ..., where the labels are such numbers already.
        has_values: True where the targets are known to be values, not classes.
    """

    train: tuple[Array, Array]
    test: tuple[Array, Array] | None
    notes: tuple[str, ...] = ()
    is_table: bool = False
    class_names: tuple[str, ...] = ()
    has_values: bool = False


def read_rows(name: str) -> OwnRows:
    """The rows of a path, or of a table that comes with scikit-learn.

    Raises:
        ValueError: nothing there, another form, or damage; by name.
        ImportError: a library that this form needs is missing.
    """
    if name in BUNDLED:
        return _bundled(name)
    path = Path(name).expanduser()
    suffix = path.suffix.lower()
    if path.is_dir():
        return _folder(path)
    if suffix == ".npz":
        return _archive(path)
    if suffix == ".npy":
        return _pair(path)
    if suffix in _TABLES:
        return _table(path)
    if not path.exists():
        raise ValueError(f"no data at {printable(name)}; give {FORMS}")
    raise ValueError(f"{printable(name)} is none of the known forms; give {FORMS}")


def _archive(path: Path) -> OwnRows:
    arrays = read_arrays(path, (*PARTS, "x", "y"))
    if all(part in arrays for part in PARTS):
        return OwnRows((arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"]))
    if {"x_train", "y_train"} == set(arrays) & set(PARTS):
        return OwnRows((arrays["x_train"], arrays["y_train"]), None)
    if "x" in arrays and "y" in arrays:
        return OwnRows((arrays["x"], arrays["y"]), None)
    missing = [part for part in PARTS if part not in arrays]
    raise ValueError(f"{path} lacks {', '.join(missing)}; a data file holds {', '.join(PARTS)}, or x and y")


def _pair(path: Path) -> OwnRows:
    """x.npy beside y.npy, images_x.npy beside images_y.npy, x_train.npy beside y_train.npy and perhaps x_test.npy."""
    words = path.stem.split("_")
    places = [at for at, word in enumerate(words) if word.lower() == "x"]
    if not places:
        raise ValueError(f"{path} has no x in its name to tell its labels from it; call the two files x.npy and y.npy")

    def named(**other: str) -> Path:
        renamed = [other.get(word.lower(), word) for word in words]
        return path.with_name("_".join(renamed) + path.suffix)

    train = _array(path), _array(named(x="y", X="Y"))
    x_test = named(train="test")
    if "train" not in words or not x_test.exists():
        return OwnRows(train, None)
    return OwnRows(train, (_array(x_test), _array(named(train="test", x="y", X="Y"))))


def _array(path: Path) -> Array:
    try:
        untrusted.check_size(path, untrusted.LARGEST_FILE)
        # Mapped first: a header that claims more than the file holds takes no memory
        array = np.array(np.load(path, allow_pickle=False, mmap_mode="r"))
    except FileNotFoundError:
        raise ValueError(f"no file {path}; labels lie beside their inputs as y.npy beside x.npy") from None
    except Exception as error:  # NumPy raises several kinds for a damaged file
        raise ValueError(f"{path} cannot be read as a plain array: {printable(str(error))}") from None
    return array


def _table(path: Path) -> OwnRows:
    """Columns of numbers and one of labels, which is called label, class, target or y, or is the last."""
    try:
        import pandas
    except ImportError:
        raise ImportError('reading tables needs pandas: pip install "crosscheck[data]"') from None
    readers: dict[str, Callable[[Path], Any]] = {
        ".csv": pandas.read_csv,
        ".tsv": lambda place: pandas.read_csv(place, sep="\t"),
        ".parquet": pandas.read_parquet,
    }
    try:
        untrusted.check_size(path, untrusted.LARGEST_FILE)
        frame = readers[path.suffix.lower()](path)
    except FileNotFoundError:
        raise ValueError(f"no file {path}; give {FORMS}") from None
    except ImportError as error:
        raise ImportError(f"{path} needs another library: {error}") from None
    except Exception as error:  # the readers raise many kinds for damaged files
        raise ValueError(f"{path} cannot be read as a table: {printable(str(error))}") from None
    if frame.shape[1] < 2 or not len(frame):
        said = f"{path} has {len(frame)} rows of {frame.shape[1]} columns; inputs and a label were expected"
        mark = next((mark for mark in ";\t|" if frame.shape[1] == 1 and mark in str(frame.columns[0])), None)
        raise ValueError(said + (f": its cells are parted by {mark!r}, write it with commas" if mark else ""))
    columns = [str(column) for column in frame.columns]
    known = [at for at, column in enumerate(columns) if is_called_label(column)]
    label = known[0] if known else len(columns) - 1
    features = frame.drop(columns=frame.columns[label])
    words = [str(column) for column in features.columns if not pandas.api.types.is_numeric_dtype(features[column])]
    if words:
        raise ValueError(f"{path}: columns {shown(words)} are no numbers; encode or leave out such columns")
    empty = [str(column) for column in frame.columns if frame[column].isna().any()]
    if empty:
        raise ValueError(
            f"{path}: columns {shown(empty)} have empty cells (or words such as NA and None, which are read as such); "
            f"fill them or leave these rows out"
        )
    x = features.to_numpy(np.float64)
    notes = (
        f"labels are the column {shown(columns[label])}, inputs the other {features.shape[1]} columns",
        *doubts_of_table([str(column) for column in features.columns], x),
    )
    labels = frame[frame.columns[label]]
    y = labels.to_numpy() if pandas.api.types.is_numeric_dtype(labels) else labels.astype(str).to_numpy(str)
    return OwnRows((x, y), None, notes, is_table=True)


def _bundled(name: str) -> OwnRows:
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(f'data set "{name}" needs scikit-learn: pip install "crosscheck[data]"') from None
    bunch = getattr(datasets, f"load_{name}")()
    names = tuple(str(each) for each in bunch.get("target_names", ()))
    return OwnRows((bunch.data, bunch.target), None, is_table=True, class_names=names, has_values=not names)


def _folder(path: Path) -> OwnRows:
    """idx files, x.npy and y.npy, or one folder of pictures a class, perhaps in folders train and test."""
    if any(idx_path(path, part) for part in IDX_FILES):
        arrays = read_idx_directory(path)
        return OwnRows((arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"]))
    for x in ("x_train.npy", "X_train.npy", "x.npy", "X.npy"):
        if (path / x).is_file():
            return _pair(path / x)
    folders = {each.name.lower(): each for each in sorted(path.iterdir()) if each.is_dir()}
    train = next((folders[name] for name in ("train", "training") if name in folders), None)
    test = next((folders[name] for name in ("test", "testing", "val", "valid", "validation") if name in folders), None)
    if train is None or test is None:
        files, names, empty = _pictures(path)
        rows, notes = _read_pictures(files, _size_and_channels([file for file, _ in files]))
        return OwnRows(rows, None, (*empty, *notes), class_names=names)
    (files, names, empty), (test_files, test_names, test_empty) = _pictures(train), _pictures(test)
    unknown = sorted(set(test_names) - set(names))
    if unknown:
        raise ValueError(f"{test} has classes {shown(unknown)} that {train} lacks; name their folders alike")
    test_files = [(file, names.index(test_names[label])) for file, label in test_files]
    size = _size_and_channels([file for file, _ in (*files, *test_files)])
    rows, notes = _read_pictures(files, size)
    test_rows, test_notes = _read_pictures(test_files, size)
    return OwnRows(
        rows, test_rows, (f"{test.name} is the test part", *empty, *test_empty, *notes, *test_notes), class_names=names
    )


def _pictures(path: Path) -> tuple[list[tuple[Path, int]], tuple[str, ...], tuple[str, ...]]:
    """((file, class) of every picture, names of the classes, notes): each folder in this one is a class."""
    folders = [each for each in sorted(path.iterdir()) if each.is_dir() and not each.name.startswith(".")]
    found = [
        sorted(file for file in folder.iterdir() if file.suffix.lower() in _PICTURES and file.is_file())
        for folder in folders
    ]
    kept = [(folder, files) for folder, files in zip(folders, found, strict=True) if files]
    if len(kept) < 2:
        raise ValueError(f"{path} holds {len(kept)} folders with pictures, two classes at least were expected; {FORMS}")
    pairs = [(file, label) for label, (_, files) in enumerate(kept) for file in files]
    empty = [folder.name for folder, files in zip(folders, found, strict=True) if not files]
    notes = (f"folders {shown(empty)} of {path.name} hold no pictures and are left out",) if empty else ()
    return pairs, tuple(folder.name for folder, _ in kept), notes


def _size_and_channels(files: Sequence[Path]) -> tuple[tuple[int, int], int]:
    """The size of the first picture; 3 channels where one of them has colours, else 1."""
    return picture_size(files[0]), max(picture_channels(file) for file in files)


def _read_pictures(
    files: Sequence[tuple[Path, int]], size: tuple[tuple[int, int], int]
) -> tuple[tuple[Array, Array], tuple[str, ...]]:
    """((n, height, width, channels) of uint8, the classes (n,)), and what was done to pictures."""
    (height, width), channels = size
    taken = len(files) * height * width * channels
    if taken > _MOST_PICTURE_BYTES:
        raise ValueError(f"{len(files):,} pictures of {height} x {width} take {taken:,} bytes; give fewer or smaller")
    x = np.empty((len(files), height, width, channels), np.uint8)
    done: Counter[str] = Counter()
    for row, (file, _) in enumerate(files):
        picture = read_picture(file, (height, width), channels)
        x[row] = np.rint(picture.values * (255 / picture.white))
        done.update(picture.notes)
    notes = tuple(f"{count} of {len(files)} pictures: {note}" for note, count in done.items())
    return (x, np.array([label for _, label in files], np.int64)), notes
