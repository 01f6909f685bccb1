"""Every parser answers any input with a result or the named error: properties checked on drawn and mutated files."""

import gzip
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import data_files
from core_numpy import NumpyModel, WeightFileError
from keras_models import KerasModel, read
from keras_models.weight_files import load_weights, save_model
from model_spec import Dense, Flatten, ModelSpec, load_model, model_from_dict, model_from_json, to_json, weight_files

SPEC = ModelSpec("small", (2, 2, 1), (Flatten(), Dense(3, activation="relu"), Dense(2, activation="softmax")))
TOML = """name = "small"
input_shape = [2, 2, 1]
[[layers]]
type = "Flatten"
[[layers]]
type = "Dense"
units = 3
activation = "relu"
kernel_initializer = "he_normal"
"""
IMAGES = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)
PARTS = {"x_train": IMAGES, "y_train": np.arange(4, dtype=np.uint8), "x_test": IMAGES[:2], "y_test": IMAGES[0, 0, :2]}

many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# (place as a share of the length, new byte), and how much of the end is cut off
changes = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4)
cuts = st.one_of(st.just(0.0), st.floats(0, 1))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["Dense", "relu"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def mutated(content, places, cut):
    damaged = bytearray(content)
    for share, value in places:
        damaged[int(share * len(damaged))] = value
    return bytes(damaged[: len(damaged) - int(cut * len(damaged))])


def archive(save, arrays):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


WEIGHTS = NumpyModel(SPEC, seed=1).weights
PLAIN, PACKED = archive(np.savez, PARTS), archive(np.savez_compressed, PARTS)
IDX = b"\0\0\x08\x03" + struct.pack(">3I", *IMAGES.shape) + IMAGES.tobytes()


@many
@given(changes, cuts, st.booleans())
def test_data_archives(tmp_path, places, cut, packed):
    path = tmp_path / "data.npz"
    path.write_bytes(mutated(PACKED if packed else PLAIN, places, cut))
    try:
        assert set(data_files.read_npz(path)) == set(PARTS)
    except ValueError as error:
        assert "data.npz" in str(error)


@many
@given(changes, cuts, st.booleans())
def test_idx_files(tmp_path, places, cut, packed):
    path = tmp_path / ("data.gz" if packed else "data")
    path.write_bytes(mutated(gzip.compress(IDX) if packed else IDX, places, cut))
    try:
        assert data_files.read_idx(path).dtype == np.uint8
    except ValueError as error:
        assert path.name in str(error)


@many
@given(changes)
def test_weight_files_behind_a_whole_seal(tmp_path, places):
    """As if somebody had sealed the damage: what comes out is what was written, or the named error."""
    path = tmp_path / "weights.npz"
    NumpyModel(SPEC, seed=1).save_weights(path)
    body = mutated(path.read_bytes()[:-8], places, 0)
    try:
        found = weight_files.parse(body + b"%08x" % zlib.crc32(body)).arrays
    except WeightFileError:
        return
    assert all(np.array_equal(found[name], value) for name, value in WEIGHTS.items())


@many
@given(values)
def test_models_from_any_json(value):
    with pytest.raises(ValueError):
        model_from_json(json.dumps(value))
    with pytest.raises(ValueError):
        model_from_dict({"name": "m", "input_shape": [2, 2, 1], "layers": value})


@many
@given(changes, cuts)
def test_model_files(tmp_path, places, cut):
    for name, text in (("model.toml", TOML), ("model.json", to_json(SPEC))):
        path = tmp_path / name
        path.write_bytes(mutated(text.encode(), places, cut))
        try:
            assert isinstance(load_model(path), ModelSpec)
        except ValueError as error:
            assert name in str(error)


@few
@given(changes, cuts)
def test_keras_weight_files(tmp_path_factory, places, cut):
    directory = tmp_path_factory.mktemp("h5")
    path = directory / "small.weights.h5"
    model = KerasModel(SPEC, seed=1)
    model.save_weights(path)
    path.write_bytes(mutated(path.read_bytes(), places, cut))
    before = model.get_weights()
    try:
        found = load_weights(KerasModel(SPEC, seed=2).keras_model, path)
        assert [array.shape for array in found.values()] == [array.shape for array in before]
    except ValueError as error:
        assert "small.weights.h5" in str(error)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@few
@given(changes, cuts)
def test_keras_models(tmp_path_factory, places, cut):
    directory = tmp_path_factory.mktemp("keras")
    path = directory / "small.keras"
    save_model(KerasModel(SPEC, seed=1).keras_model, path)
    path.write_bytes(mutated(Path(path).read_bytes(), places, cut))
    try:
        assert isinstance(read(path).spec, ModelSpec)
    except ValueError as error:
        assert "small.keras" in str(error) or "layer" in str(error)
