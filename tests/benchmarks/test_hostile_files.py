"""Hostile files, by Python and by the command: refused by name or read rightly; nothing written, no setting changed."""

import importlib
import json
import os
import re
import resource
import subprocess
import sys
import tomllib
from pathlib import Path

import keras
import numpy as np
import pytest

import benchmarks.commands.common
import core_numpy
import keras_models
import model_spec.model
from benchmarks.cli import main
from benchmarks.samples import load_samples
from bridge.fuzzing.saved_cases import SavedCase
from core_numpy import NumpyModel
from keras_models import read
from model_spec import TrainingSpec, limits
from tests.benchmarks.hostile_files import DATA, SMALL, Maker
from tests.benchmarks.hostile_keras import ARCHIVES, BOTH_FORMATS, CONFIGURATIONS, HDF5, of_old_format
from tests.benchmarks.hostile_own import CASES, CHECKPOINTS, MODELS, PICTURES, TABLES

ROOT = Path(__file__).resolve().parents[2]


def rows():
    """(what, kind, name, how it is made, words)."""
    for name, (change, words) in CONFIGURATIONS.items():
        yield "keras", name, lambda m, change=change: m.keras(change(m)), words
        if name in BOTH_FORMATS:
            yield "keras", f"{name}, .h5", of_old_format(change), words
    for name, (change, words) in HDF5.items():
        for kind in ("keras", "h5", "weights.h5"):
            yield "weights" if "weights" in kind else "keras", f"{name}, .{kind}", _hdf5(change, kind), words
    for kind, table in {
        "keras": ARCHIVES,
        "npz": MODELS,
        "checkpoint": CHECKPOINTS,
        "json": CASES,
        "toml": TABLES,
        "picture": PICTURES,
    }.items():
        yield from ((kind, name, make, words) for name, (make, words) in table.items())


def _hdf5(change, kind):
    return lambda maker: maker.hdf5(change, kind)


ROWS = {f"{kind}: {name}": (kind, make, words) for kind, name, make, words in rows()}


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    watched = tmp_path_factory.mktemp("watched")
    (watched / "secret").write_text("a secret of many words\n")
    made = Maker(tmp_path_factory.mktemp("hostile"), watched)
    NumpyModel(SMALL).save_weights(made.folder / "good.npz")
    return made


def resume(path):
    NumpyModel(SMALL).fit(*DATA, TrainingSpec(), verbose=0, checkpoint=path, resume=True)


CALLS = {
    "keras": read,
    "weights": lambda path: read(
        path, spec=model_spec.ModelSpec("w", (4,), (model_spec.Dense(5), model_spec.Dense(3)))
    ),
    "npz": core_numpy.load,
    "checkpoint": resume,
    "json": SavedCase.load,
    "toml": model_spec.load_model,
    "picture": lambda path: load_samples(path, model_spec.zoo.cnn((8, 8, 1))),
}

LINES = {
    "keras": ["convert", "{}", "out.npz"],
    "weights": ["convert", "{}", "out.npz"],
    "npz": ["predict", "{}", "x.npz"],
    "checkpoint": ["predict", "{}", "x.npz"],
    "json": ["replay", "{}"],
    "toml": ["compare", "{}", "--output", "runs", "--quiet"],
    "picture": ["predict", "good.npz", "{}"],
}


def settings():
    policy = keras.config.dtype_policy().name
    unsafe = keras.src.saving.serialization_lib.in_safe_mode()
    return keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format(), policy, unsafe


def contents(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*")}


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@pytest.mark.parametrize("row", ROWS)
def test_hostile_files_are_refused_by_name(row, maker, tmp_path, monkeypatch, capsys):
    kind, make, words = ROWS[row]
    monkeypatch.chdir(maker.folder)
    path = make(maker)
    monkeypatch.chdir(tmp_path)
    os.symlink(maker.folder / "good.npz", "good.npz")
    monkeypatch.setattr(keras_models, "set_threads", lambda threads: None)
    before = settings(), contents(maker.watched), contents(maker.folder), contents(tmp_path), peak()
    if words is None:
        CALLS[kind](path)
    else:
        with pytest.raises(ValueError, match=words) as refused:
            CALLS[kind](path)
        assert str(path) in str(refused.value) or kind == "picture"
        assert str(refused.value).isprintable()
        code = main([word.format(path) for word in LINES[kind]])
        captured = capsys.readouterr()
        assert (code, captured.out) == (2, "")
        assert len(captured.err.splitlines()) == 1
        assert captured.err[:-1].isprintable()
        assert "Traceback" not in captured.err
    after = settings(), contents(maker.watched), contents(maker.folder), contents(tmp_path), peak()
    assert after[:4] == before[:4]
    assert after[4] - before[4] < 1


def test_the_table_is_long():
    assert len(ROWS) >= 40
    assert {kind for kind, _, _ in ROWS.values()} == set(CALLS)


# ---- the same files where the guard is away


def former_load(path, bounds, input_shape=None):
    """As the files were opened before they were looked at."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def without_sizes(monkeypatch):
    monkeypatch.setattr(limits.Limits, "check", lambda self, spec, examples=1: None)


def without_names(monkeypatch):
    for module in (model_spec.model, benchmarks.commands.common):
        monkeypatch.setattr(module, "check_folder_name", lambda what, name: name)


def writes(call, path, folder):
    call(path)
    return (folder / "written.png").exists()


def sets(call, path, folder):
    before = settings()
    try:
        call(path)
        return settings() != before
    finally:
        keras.config.set_epsilon(before[1])
        keras.config.set_floatx(before[0])


def is_taken(call, path, folder):
    call(path)
    return True


def raises(*kinds):
    def fails(call, path, folder):
        with pytest.raises(kinds) as error:
            call(path)
        return not isinstance(error.value, ValueError)

    return fails


def climbs(call, path, folder):
    spec = call(path)
    parent = folder / "one" / "two"
    benchmarks.commands.common.run_directory(parent, f"{spec.name}-training")
    return (folder / "escaped-training").exists()


def turns_red(call, path, folder):
    return "\x1b[31m" in call(path).spec.summary()


def to(name, value):
    """A guard replaced: "module.name" by ``value``."""
    module, _, attribute = name.rpartition(".")
    return lambda monkeypatch: monkeypatch.setattr(importlib.import_module(module), attribute, value)


def np_load(file, size, expansion=1, wanted=bool):
    with np.load(file, allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    return found, dict.fromkeys(found, 0)


UNGUARDED = {
    "keras: function that writes a picture": (to("keras_models.reading.files.load_model", former_load), writes),
    "keras: function that sets epsilon": (to("keras_models.reading.files.load_model", former_load), sets),
    "keras: function that sets epsilon, .h5": (to("keras_models.reading.files.load_model", former_load), sets),
    "keras: layer off the way": (to("keras_models.reading.files.load_model", former_load), is_taken),
    "keras: assets": (
        to("keras_models.reading.archive._ENTRIES", ("config.json", "model.weights.h5", "metadata.json", "assets/x")),
        is_taken,
    ),
    "keras: two configurations": (to("keras_models.reading.files.load_model", former_load), is_taken),
    "keras: external storage, .h5": (
        to("keras_models.reading.hdf5._check_storage", lambda path, dataset: None),
        is_taken,
    ),
    "keras: virtual array, .keras": (
        to("keras_models.reading.hdf5._check_storage", lambda path, dataset: None),
        is_taken,
    ),
    "keras: large chunks, .h5": (to("keras_models.reading.hdf5._NEVER_TOO_LARGE", 2**40), is_taken),
    "npz: padding": (without_sizes, is_taken),
    "npz: windows of a convolution": (without_sizes, is_taken),
    "json: batch": (without_sizes, is_taken),
    "toml: units": (without_sizes, is_taken),
    "toml: name that climbs": (without_names, climbs),
    "npz: name of control characters": (without_names, turns_red),
    "npz: two arrays of one name": (to("model_spec.array_archives.read_with_checksums", np_load), is_taken),
    "json: deep": (to("model_spec.untrusted.parse_json", json.loads), raises(RecursionError)),
    "toml: deep": (to("model_spec.untrusted.parse_toml", tomllib.loads), raises(RecursionError)),
    "checkpoint: training is a list": (
        to("model_spec.checkpoints._of", lambda name, value, *kinds: value),
        raises(AttributeError),
    ),
}
"""What the first table refuses: (the guard taken away, what is seen then)."""


@pytest.mark.parametrize("row", UNGUARDED)
def test_each_kind_does_harm_without_its_guard(row, maker, tmp_path, monkeypatch):
    kind, make, _ = ROWS[row]
    take_away, harm = UNGUARDED[row]
    monkeypatch.chdir(maker.folder)
    path = make(maker)
    take_away(monkeypatch)
    folder = maker.watched if harm is writes else tmp_path
    assert harm(CALLS[kind], path, folder)
    (maker.watched / "written.png").unlink(missing_ok=True)


PROCESSES = ("keras: function that writes a picture", "npz: padding", "toml: name that climbs")


@pytest.mark.parametrize("row", PROCESSES)
def test_real_processes(row, maker, tmp_path, monkeypatch):
    kind, make, words = ROWS[row]
    monkeypatch.chdir(maker.folder)
    path = make(maker)
    line = [word.format(path) for word in LINES[kind]]
    before = contents(maker.watched)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *line],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(words, done.stderr.splitlines()[-1])
    assert list(tmp_path.iterdir()) == []
    assert contents(maker.watched) == before
