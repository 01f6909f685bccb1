"""Weight files: what was written comes back; what is damaged is refused and leaves the model and the disk alone."""

import errno
import io
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

import core_numpy
import model_spec as ms
from core_numpy import NumpyModel, WeightFileError
from model_spec import seals, weight_files

ROOT = Path(__file__).resolve().parents[2]


def make(seed=1, dtype="float32", units=5):
    layers = (
        ms.Conv2D(2, 3, activation="relu"),
        ms.BatchNormalization(),
        ms.Flatten(),
        ms.Dense(units, activation="relu"),
        ms.Dense(3, activation="softmax"),
    )
    return NumpyModel(ms.ModelSpec("small", (4, 4, 1), layers), seed=seed, dtype=dtype)


def bits(model):
    return {name: value.tobytes() for name, value in model.weights.items()}


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.npz"
    make(seed=1).save_weights(path)
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [str, Path])
def test_round_trip(tmp_path, dtype, kind):
    first, second = make(1, dtype), make(2, dtype)
    random = np.random.default_rng(0)
    first.set_weights({name: random.random(value.shape) for name, value in first.weights.items()})
    path = kind(tmp_path / "model.npz")
    first.save_weights(path)
    assert bits(second) != bits(first)
    second.load_weights(path)
    assert bits(second) == bits(first)
    assert {value.dtype for value in second.weights.values()} == {np.dtype(dtype)}
    assert os.listdir(tmp_path) == ["model.npz"]


def test_what_the_file_says_of_itself(saved):
    with np.load(saved, allow_pickle=False) as file:
        meta = json.loads(file["__meta__"].tobytes())
        names = [name for name in file.files if name != "__meta__"]
    assert names == list(make().weights)
    assert (meta["version"], meta["backend"], meta["dtype"]) == (2, "numpy", "float32")
    assert meta["numpy"] == np.__version__
    assert sorted(meta["sha256"]) == sorted(names)
    assert ms.model_from_dict(meta["spec"]) == make().spec


def test_dtypes_are_converted_on_loading(saved):
    model = make(2, "float64")
    model.load_weights(saved)
    for name, value in make(1).weights.items():
        np.testing.assert_array_equal(model.weights[name], value)


def assert_refused(model, path, content, before):
    path.write_bytes(content)
    with pytest.raises(WeightFileError, match="model.npz"):
        model.load_weights(path)
    assert bits(model) == before


def test_truncation_anywhere(saved):
    whole = saved.read_bytes()
    model = make(seed=2)
    before = bits(model)
    for size in range(len(whole)):
        assert_refused(model, saved, whole[:size], before)


def test_a_change_of_any_byte_is_refused(saved):
    """All of them: in arrays, in dates and flags that mean nothing, and in the seal itself."""
    whole = saved.read_bytes()
    model = make(seed=2)
    before = bits(model)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        assert_refused(model, saved, bytes(damaged), before)
    saved.write_bytes(whole)
    model.load_weights(saved)
    assert bits(model) == bits(make(seed=1))


def test_bytes_behind_the_end_are_refused(saved):
    whole = saved.read_bytes()
    model = make(seed=2)
    for more in (b"\n", b"0", whole):
        assert_refused(model, saved, whole + more, bits(model))


def test_the_damaged_array_is_named(saved):
    whole = saved.read_bytes()
    at = whole.index(make(seed=1).weights["dense/kernel"].tobytes())
    damaged = bytearray(whole)
    damaged[at] ^= 1
    saved.write_bytes(damaged)
    with pytest.raises(WeightFileError, match=r"Bad CRC-32 for file 'dense/kernel.npy'; its bytes have changed"):
        weight_files.load(saved)


def test_an_entry_larger_than_the_file_is_refused(saved):
    """A few hundred bytes that unpack to a hundred megabytes are not unpacked."""
    archive = io.BytesIO()
    np.savez_compressed(archive, **{"dense/kernel": np.zeros(25_000_000, np.float32)})
    content = seals.sealed(archive)
    assert len(content) < 200_000
    saved.write_bytes(content)
    with pytest.raises(WeightFileError, match=r"entries \['dense/kernel.npy'\] claim to be larger than the file"):
        weight_files.load(saved)


@pytest.mark.parametrize("seed", range(4))
def test_mutated_and_sealed_again(seed):
    """Behind the seal, too, nothing but the named error comes out of 500 damaged archives."""
    model = make(seed=1)
    archive = io.BytesIO()
    np.savez(archive, **model.weights)
    random = np.random.default_rng(seed)
    for _ in range(500):
        damaged = bytearray(archive.getvalue())
        for at in random.integers(0, len(damaged), random.integers(1, 4)):
            damaged[at] = random.integers(256)
        content = bytes(damaged[:-2]) + (25).to_bytes(2, "little") + b"crosscheck crc32 "
        with pytest.raises(WeightFileError):
            weight_files.parse(content + b"%08x" % zlib.crc32(content))


def rewritten(path, change):
    """The file with changed arrays, its zip checksums right again."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(arrays["__meta__"].tobytes())
    change(arrays, meta)
    if "__meta__" in arrays:
        arrays["__meta__"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "x"}, "engine must be one of auto, fast, reference, got 'x'"),
        ({"threads": 0}, "threads must be an integer of at least 1, got 0"),
    ],
)
def test_a_wrong_argument_is_no_fault_of_the_file(saved, arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        core_numpy.load(saved, **arguments)
    assert type(caught.value) is ValueError


def test_a_negative_variance_is_not_loaded(saved):
    model = make()
    model.set_weights(model.weights | {"batch_normalization/moving_variance": np.array([1.0, -2.0])})
    model.save_weights(saved)
    with pytest.raises(WeightFileError, match="batch_normalization/moving_variance has -2, and a variance is at least"):
        core_numpy.load(saved)


CHANGES = {
    "another value": (lambda arrays, meta: arrays["dense/bias"].__iadd__(1), "checksum differs for .*dense/bias"),
    "another dtype": (
        lambda arrays, meta: arrays.update({"dense/bias": arrays["dense/bias"].astype(np.float16)}),
        "checksum differs for .*dense/bias|shape",
    ),
    "missing": (lambda arrays, meta: arrays.pop("dense/bias"), "missing are .*dense/bias"),
    "one more": (lambda arrays, meta: arrays.update({"dense/more": np.ones(2)}), "dense/more"),
    "no meta": (lambda arrays, meta: arrays.pop("__meta__"), "no __meta__ entry"),
    "other version": (lambda arrays, meta: meta.update(version=99), "schema version 99, this program reads 2"),
    "no sums": (lambda arrays, meta: meta.pop("sha256"), "damaged __meta__ entry"),
    "sums of another kind": (lambda arrays, meta: meta.update(sha256=["abc"]), "damaged __meta__ entry"),
    "no version": (lambda arrays, meta: meta.pop("version"), "damaged __meta__ entry"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=[name.replace(" ", "-") for name in CHANGES])
def test_a_changed_file_is_refused(saved, change, message):
    rewritten(saved, change)
    model = make(seed=2)
    before = bits(model)
    with pytest.raises(WeightFileError, match=message):
        model.load_weights(saved)
    assert bits(model) == before


def test_files_of_another_kind(tmp_path):
    model = make(seed=2)
    path = tmp_path / "array.npz"
    with open(path, "wb") as file:
        np.save(file, np.ones(3))
    for content in (path.read_bytes(), b"", b"PK\x05\x06" + bytes(18), b"\x80\x04N.", b"text"):
        path.write_bytes(content)
        with pytest.raises(WeightFileError, match="array.npz"):
            model.load_weights(path)
    with pytest.raises(WeightFileError, match="absent.npz"):
        model.load_weights(tmp_path / "absent.npz")
    with pytest.raises(WeightFileError):
        model.load_weights(tmp_path)


def test_pickled_arrays_are_refused(tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(WeightFileError, match="objects.npz"):
        weight_files.load(path)


def test_another_architecture_lists_every_difference(saved):
    other = NumpyModel(
        ms.ModelSpec(
            "other", (4, 4, 1), (ms.Conv2D(2, 2), ms.Flatten(), ms.Dense(7, name="mine"), ms.Dense(3, name="dense_1"))
        )
    )
    before = bits(other)
    with pytest.raises(ValueError) as caught:
        other.load_weights(saved)
    message = str(caught.value)
    for words in (
        "conv2d/kernel: expected shape (2, 2, 1, 2), got (3, 3, 1, 2)",
        "mine/kernel: missing",
        "mine/bias: missing",
        "dense_1/kernel: expected shape (7, 3), got (5, 3)",
        "batch_normalization/gamma: unknown here",
        "batch_normalization/beta: unknown here",
        "batch_normalization/moving_mean: unknown here",
        "batch_normalization/moving_variance: unknown here",
        "dense/kernel: unknown here",
        "dense/bias: unknown here",
    ):
        assert words in message
    assert "conv2d/bias" not in message
    assert bits(other) == before


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match="written as .npz, got model.h5; name the file model.npz"):
        make().save_weights(tmp_path / "model.h5")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("broken", ["fsync", "savez", "replace"])
def test_a_full_disk_keeps_the_old_file(saved, monkeypatch, broken):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = saved.read_bytes()
    monkeypatch.setattr(np if broken == "savez" else os, broken, full)
    with pytest.raises(OSError, match="No space left"):
        make(seed=2).save_weights(saved)
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["model.npz"]


def test_an_interrupt_keeps_the_old_file(saved, monkeypatch):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    before = saved.read_bytes()
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        make(seed=2).save_weights(saved)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["model.npz"]


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on file sizes is set through resource, which is POSIX")
def test_a_real_limit_on_file_sizes_keeps_the_old_file(saved):
    before = saved.read_bytes()
    code = (
        "import resource, signal, sys\n"
        "import model_spec as ms\n"
        "from core_numpy import NumpyModel\n"
        "model = NumpyModel(ms.ModelSpec('large', (100,), (ms.Dense(100),)))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n"
        "    model.save_weights(sys.argv[1])\n"
        "except OSError:\n"
        "    print('refused')\n"
    )
    run = subprocess.run(
        [sys.executable, "-B", "-c", code, str(saved)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.stdout.strip() == "refused", run.stderr
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == ["model.npz"]
