"""Data sets: the right content, from the right place, or an error that names the file and what is wrong."""

import gzip
import hashlib
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import data_files, datasets, verified_data

DATA = os.environ.get("CROSSCHECK_DATA")
needs_images = pytest.mark.skipif(
    not DATA or not Path(DATA, "mnist.npz").is_file() or not Path(DATA, "fashion_mnist.npz").is_file(),
    reason="needs mnist.npz and fashion_mnist.npz in $CROSSCHECK_DATA",
)


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No data set is to be found in any of the usual places."""
    monkeypatch.delenv("CROSSCHECK_DATA", raising=False)
    monkeypatch.delenv("CROSSCHECK_DOWNLOAD_URL", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """A stand-in for mnist: four small arrays, and the constants that verify them."""
    random = np.random.default_rng(5)
    arrays = {
        "x_train": random.integers(0, 256, (12, 28, 28), dtype=np.uint8),
        "y_train": random.integers(0, 10, 12, dtype=np.uint8),
        "x_test": random.integers(0, 256, (4, 28, 28), dtype=np.uint8),
        "y_test": random.integers(0, 10, 4, dtype=np.uint8),
    }
    monkeypatch.setattr(verified_data, "IMAGE_SHAPES", {part: array.shape for part, array in arrays.items()})
    hashes = {part: hashlib.sha256(array.tobytes()).hexdigest() for part, array in arrays.items()}
    monkeypatch.setitem(verified_data.SHA256, "mnist", hashes)
    return arrays


def write_idx(directory, arrays, packed=True):
    directory.mkdir(parents=True, exist_ok=True)
    for part, array in arrays.items():
        content = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        name = data_files.IDX_FILES[part]
        if packed:
            (directory / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (directory / name).write_bytes(content)


def assert_is(dataset, arrays):
    (x_train, y_train), (x_test, y_test) = dataset
    for part, array in zip(data_files.PARTS, (x_train, y_train, x_test, y_test), strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, arrays[part])


def test_class_data_gives_the_figures_of_the_course():
    (x_train, y_train), (x_test, y_test) = datasets.load("class_data")
    assert (x_train.shape, x_train.dtype, y_train.shape, y_train.dtype) == ((100, 2), np.float64, (100,), np.int64)
    assert (x_test.shape, y_test.shape) == ((100, 2), (100,))
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == [76, 82, 42]

    # Two inputs - Dense 2 sigmoid - Dense 3 softmax, every weight and bias 1: all units of a layer are equal.
    hidden_sums = x_train[:2].sum(axis=1) + 1
    np.testing.assert_allclose(hidden_sums, [1.72359839, -1.12079826], atol=5e-9)
    hidden = 1 / (1 + np.exp(-hidden_sums))
    np.testing.assert_allclose(hidden, [0.84859175, 0.24586324], atol=5e-9)
    output_sums = 2 * hidden + 1
    np.testing.assert_allclose(output_sums, [2.6971835, 1.49172649], atol=5e-9)
    outputs = np.exp(np.repeat(output_sums[:, None], 3, axis=1))
    probabilities = outputs / outputs.sum(axis=1, keepdims=True)
    loss = -np.log(probabilities[np.arange(2), y_train[:2]]).mean()
    assert loss == pytest.approx(1.0986122886681098, abs=1e-15)


def test_digits_are_embedded_and_always_split_alike():
    pytest.importorskip("sklearn")
    (x_train, y_train), (x_test, y_test) = datasets.load("digits")
    assert (x_train.shape, x_test.shape) == ((1437, 8, 8), (360, 8, 8))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
    assert (x_train.min(), x_train.max()) == (0, 255)
    content = b"".join(array.tobytes() for array in (x_train, y_train, x_test, y_test))
    assert hashlib.sha256(content).hexdigest() == "b678268270c88df34a8b30552451a287ae8abb818f4c4ebd27201ef0f2093173"
    assert set(y_test.tolist()) == set(range(10))


def test_digits_hold_every_image_of_scikit_learn_once():
    bunch = pytest.importorskip("sklearn.datasets").load_digits()
    (x_train, y_train), (x_test, y_test) = datasets.load("digits")
    back = np.rint(np.concatenate([x_train, x_test]) * (16 / 255))
    ours = sorted(zip(back.reshape(-1, 64).tolist(), np.concatenate([y_train, y_test]).tolist(), strict=True))
    theirs = sorted(zip(bunch.images.reshape(-1, 64).tolist(), bunch.target.tolist(), strict=True))
    assert ours == theirs


def test_without_scikit_learn_the_pip_line_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "crosscheck\[data\]"'):
        datasets.load("digits")


def test_images_are_floats_with_a_channel_axis():
    pytest.importorskip("sklearn")
    (x_train, y_train), (x_test, y_test) = datasets.images("digits", limit=20)
    assert (x_train.shape, x_train.dtype, y_train.dtype) == ((20, 8, 8, 1), np.float32, np.int64)
    assert (x_test.shape, y_test.shape) == ((360, 8, 8, 1), (360,))
    assert (x_test.min(), x_test.max()) == (0.0, 1.0)
    (raw, _), _ = datasets.load("digits")
    np.testing.assert_array_equal(x_train[..., 0], raw[:20].astype(np.float32) / np.float32(255))
    (x_train, _), (x_test, _) = datasets.images("digits", limit=5000, limit_test=7, dtype="float64")
    assert (len(x_train), len(x_test), x_train.dtype) == (1437, 7, np.float64)


def test_images_refuses_what_holds_none():
    with pytest.raises(ValueError, match=r"data set 'class_data' holds x of shape \(100, 2\); use datasets.load"):
        datasets.images("class_data")
    with pytest.raises(ValueError, match="limit must be an integer of at least 1, got 0"):
        datasets.images("digits", limit=0)


def test_unknown_names_and_needless_paths_are_refused():
    with pytest.raises(
        ValueError, match="unknown data set 'cifar'; known are digits, mnist, fashion_mnist, class_data"
    ):
        datasets.load("cifar")
    with pytest.raises(ValueError, match="read from no file, got path somewhere"):
        datasets.load("digits", "somewhere")


def test_nothing_found_lists_the_places_and_the_file(nowhere, monkeypatch):
    with pytest.raises(ValueError, match=r"Wanted is fashion_mnist.npz") as caught:
        datasets.load("fashion_mnist")
    for part in ("$CROSSCHECK_DATA: not set", str(nowhere / "keras" / "datasets"), str(nowhere / "cache"), "idx files"):
        assert part in str(caught.value)
    monkeypatch.setenv("CROSSCHECK_DATA", str(nowhere))
    with pytest.raises(ValueError, match="was not found") as caught:
        datasets.load("mnist")
    assert f"$CROSSCHECK_DATA: {nowhere};" in str(caught.value)
    with pytest.raises(ValueError, match="nothing at .*absent.npz; give a .npz file or a directory"):
        datasets.load("mnist", nowhere / "absent.npz")
    with pytest.raises(ValueError, match="data set 'mnist': nothing at"):
        datasets.load("mnist", nowhere)


def test_places_are_tried_in_order(nowhere, small, monkeypatch):
    cache = nowhere / "cache" / "crosscheck"
    cache.mkdir(parents=True)
    np.savez(cache / "mnist.npz", **small)
    assert_is(datasets.load("mnist"), small)
    # A damaged file in a place that comes earlier is reported, never passed over.
    keras = nowhere / "keras" / "datasets"
    keras.mkdir(parents=True)
    (keras / "mnist.npz").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="keras.*mnist.npz cannot be read"):
        datasets.load("mnist")
    assert (keras / "mnist.npz").read_bytes() == b"damaged"
    data = nowhere / "data"
    write_idx(data, small)
    monkeypatch.setenv("CROSSCHECK_DATA", str(data))
    assert_is(datasets.load("mnist"), small)
    assert_is(datasets.load("mnist", cache / "mnist.npz"), small)


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_read(nowhere, small, packed):
    write_idx(nowhere / "idx", small, packed)
    assert_is(datasets.load("mnist", nowhere / "idx"), small)
    assert_is(datasets.load("mnist", str(nowhere / "idx")), small)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no idx file of bytes"),
        (b"PK\x03\x04....", "no idx file of bytes: it begins with"),
        (b"\0\0\x08\x03\0\0", "is cut short: 6 bytes do not hold the 3 sizes"),
        (b"\0\0\x08\x01\0\0\0\x0c" + b"1" * 11, r"holds 11 values, its header \(12,\) wants 12"),
        (b"\0\0\x08\x03" + b"\xff" * 12, r"holds 0 values, its header \(4294967295, "),
    ],
)
def test_damaged_idx_files_are_named(nowhere, small, content, message):
    write_idx(nowhere / "idx", small, packed=False)
    file = nowhere / "idx" / "train-labels-idx1-ubyte"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        datasets.load("mnist", nowhere / "idx")
    assert str(file) in str(caught.value)


def test_a_truncated_gz_file_is_named(nowhere, small):
    write_idx(nowhere / "idx", small)
    file = nowhere / "idx" / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ValueError, match="train-images-idx3-ubyte.gz cannot be read"):
        datasets.load("mnist", nowhere / "idx")


def test_other_content_is_refused_and_named(nowhere, small):
    path = nowhere / "mnist.npz"
    changed = {**small, "x_test": small["x_test"] ^ 1, "y_train": small["y_train"].astype(np.int64)}
    np.savez(path, **changed)
    with pytest.raises(ValueError, match="does not hold data set 'mnist'") as caught:
        datasets.load("mnist", path)
    assert str(path) in str(caught.value)
    assert "x_test has the right shape but other values" in str(caught.value)
    assert "y_train is int64 (12,), expected uint8 (12,)" in str(caught.value)
    assert "x_train" not in str(caught.value)


def test_a_memory_order_is_not_content(nowhere, small):
    path = nowhere / "mnist.npz"
    np.savez_compressed(path, **{part: np.asfortranarray(array) for part, array in small.items()})
    assert_is(datasets.load("mnist", path), small)


def test_every_truncation_of_a_file_is_a_clear_error(nowhere, small):
    path = nowhere / "mnist.npz"
    np.savez_compressed(path, **small)
    whole = path.read_bytes()
    for length in range(0, len(whole), 997):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="mnist.npz cannot be read as a .npz file of plain arrays"):
            datasets.load("mnist", path)


def test_pickled_objects_are_never_loaded(nowhere):
    path = nowhere / "own.npz"
    parts = {part: np.array([{"a": 1}], dtype=object) for part in data_files.PARTS}
    np.savez(path, allow_pickle=True, **parts)
    with pytest.raises(ValueError, match="own.npz cannot be read as a .npz file of plain arrays"):
        datasets.load(str(path))


def test_a_download_is_verified_before_it_is_kept(nowhere, small):
    served = nowhere / "served"
    served.mkdir()
    np.savez(served / "mnist.npz", **small)
    address = f"{served.as_uri()}/{{name}}.npz"
    cache = nowhere / "cache" / "crosscheck"

    with pytest.raises(ValueError, match="was not found"):
        datasets.load("mnist", download_url=address)
    assert not cache.exists()
    assert_is(datasets.load("mnist", allow_download=True, download_url=address), small)
    assert [file.name for file in cache.iterdir()] == ["mnist.npz"]
    assert_is(datasets.load("mnist"), small)

    (cache / "mnist.npz").unlink()
    np.savez(served / "mnist.npz", **{**small, "x_test": small["x_test"] ^ 1})
    with pytest.raises(ValueError, match="download from .*x_test has the right shape but other values"):
        datasets.load("mnist", allow_download=True, download_url=address)
    assert list(cache.iterdir()) == []


def test_a_download_needs_an_address_that_answers(nowhere, monkeypatch):
    with pytest.raises(ValueError, match="no address is known; give download_url or set CROSSCHECK_DOWNLOAD_URL"):
        datasets.load("mnist", allow_download=True)
    monkeypatch.setenv("CROSSCHECK_DOWNLOAD_URL", (nowhere / "absent.npz").as_uri())
    with pytest.raises(ValueError, match="download of 'mnist' from .*absent.npz failed: .*; check the address"):
        datasets.load("mnist", allow_download=True)
    with pytest.raises(ValueError, match="failed: unknown url type"):
        datasets.load("mnist", allow_download=True, download_url="mnist.npz")
    assert list((nowhere / "cache" / "crosscheck").iterdir()) == []


def own_arrays(**changes):
    arrays = {
        "x_train": np.zeros((5, 6, 6, 3), np.float32),
        "y_train": np.arange(5),
        "x_test": np.ones((2, 6, 6, 3), np.float32),
        "y_test": np.arange(2),
    }
    return {name: array for name, array in {**arrays, **changes}.items() if array is not None}


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **own_arrays())
    (x_train, y_train), (x_test, y_test) = datasets.load(str(path))
    assert (x_train.shape, x_test.shape) == ((5, 6, 6, 3), (2, 6, 6, 3))
    (x_train, y_train), (x_test, _) = datasets.images(str(path), limit=3)
    assert (x_train.shape, y_train.tolist()) == ((3, 6, 6, 3), [0, 1, 2])
    assert x_test.max() == 1.0
    described = datasets.describe(datasets.load(str(path)))
    assert described == {
        "train_rows": 5,
        "test_rows": 2,
        "input_shape": [6, 6, 3],
        "classes": 5,
        "dtype": "float32",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "own.npz lacks y_test; a data file holds x_train, y_train, x_test, y_test"),
        ({"x_train": np.zeros(5)}, r"x_train must be numbers of shape \(n, ...\), got float64 \(5,\)"),
        ({"x_train": np.full((5, 2), "a")}, r"x_train must be numbers of shape \(n, ...\), got <U1"),
        ({"y_train": np.zeros(5)}, "all rows for training are of class 0.0; give two classes"),
        ({"y_test": np.arange(2) + 0.5}, "y_test holds fractions, y_train does not"),
        ({"y_train": np.array([0, 1, np.nan, 1, 0])}, "y holds nan; leave out rows without a label"),
        ({"y_train": np.array(3)}, r"y_train must have one label a row, got int64 \(\)"),
        ({"y_train": np.arange(4)}, "x_train and y_train must have the same number of rows, at least 1, got 5 and 4"),
        (
            {"x_test": np.ones((2, 6, 5, 3), np.float32)},
            r"must agree in all axes but the first, got \(5, 6, 6, 3\) and \(2, 6, 5, 3\)",
        ),
        ({"x_test": np.ones((2, 6, 6, 3))}, "must have one dtype, got float32, float64"),
    ],
)
def test_a_wrong_file_of_ones_own_is_refused(changes, message, tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, **own_arrays(**changes))
    with pytest.raises(ValueError, match=message):
        datasets.load(str(path))
    with pytest.raises(ValueError, match="no file .*absent.npz; give a .npz file holding x_train"):
        datasets.load(str(tmp_path / "absent.npz"))


def test_a_single_array_is_no_data_file(tmp_path):
    path = tmp_path / "own.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ValueError, match="own.npz cannot be read as .*: it holds a single array; replace the file"):
        datasets.load(str(path))


@needs_images
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_images(name):
    (x_train, y_train), (x_test, y_test) = datasets.load(name)
    assert (x_train.shape, y_train.shape) == ((60000, 28, 28), (60000,))
    assert (x_test.shape, y_test.shape) == ((10000, 28, 28), (10000,))
    assert {array.dtype for array in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
    assert set(y_train.tolist()) == set(range(10))


@needs_images
def test_one_set_is_not_taken_for_the_other():
    with pytest.raises(
        ValueError, match="fashion_mnist.npz does not hold data set 'mnist'.*x_train has the right shape"
    ):
        datasets.load("mnist", Path(DATA, "fashion_mnist.npz"))
