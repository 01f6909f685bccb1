"""Bad input on the command line: one line that says what to do, exit code 2, no traceback, and no file touched."""

import json
from pathlib import Path

import numpy as np
import pytest

import keras_models
from benchmarks.cli import main
from core_numpy import NumpyModel
from model_spec import zoo

MODEL = 'name = "mine"\ninput_shape = [8, 8, 1]\n'
DENSE = '[[layers]]\ntype = "Dense"\nunits = 10\n'
FLATTEN = '[[layers]]\ntype = "Flatten"\n'

# The line, and words of the answer
LINES = {
    "unknown command": ("comprae", "unknown command 'comprae'; did you mean compare?"),
    "unknown option": ("compare --sed 3", "unknown option --sed; did you mean --seed?"),
    "option without a value": ("compare --seed", "expected one argument"),
    "seed as text": ("compare --seed one", "must be a whole number, got 'one'"),
    "threads 0": ("compare --threads 0", "must be at least 1, got 0"),
    "limit -5": ("train --limit -5", "must be at least 1, got -5"),
    "unknown network": ("compare typo", "unknown architecture 'typo'; known are mlp, cnn, lenet"),
    "unknown data": ("train mlp --data typo", "unknown data set 'typo'"),
    "data without a file": ("train mlp --data none.npz", "none.npz"),
    "data of rubbish": ("train mlp --data rubbish.npz", "rubbish.npz"),
    "data without labels": ("train mlp --data x.npz", "x_train"),
    "network file without a file": ("compare none.toml", "no file none.toml"),
    "network file of rubbish": ("compare rubbish.toml", "rubbish.toml cannot be read"),
    "network without layers": ("compare empty.toml", "empty.toml"),
    "network with an unknown layer": ("compare unknown.toml", "Conv3D"),
    "network with an unknown option": ("compare option.toml", "unit"),
    "network for other data": ("compare flat.toml", "takes input (64,), data set 'digits' has (8, 8, 1)"),
    "network with other classes": ("compare classes.toml", "end the network with Dense(10)"),
    "network without a Flatten": ("compare images.toml", "end the network with Flatten() and Dense(10)"),
    "network with several inputs": ("compare several.toml", "has several inputs (image, meta) and several outputs"),
    "several outputs to train": ("train several.toml", "the commands take networks with one of each"),
    "several outputs to sweep": ("sweep several.toml", "has several inputs (image, meta)"),
    "files with one name": (
        "compare mine.toml mine2.toml",
        "2 of the networks are called 'mine' (mine.toml, mine2.toml)",
    ),
    "speed of a file": ("speed mine.toml", "crosscheck compare mine.toml times a network of your own"),
    "network too small for its kernel": ("compare small.toml", "layer 0 'conv2d'"),
    "unknown fault": ("compare mlp --fault typo", "unknown fault 'typo'"),
    "configuration without a file": ("compare --config none.toml", "no file none.toml"),
    "configuration of rubbish": ("compare --config rubbish.toml", "rubbish.toml cannot be read"),
    "configuration with an unknown name": ("compare --config unknown_name.toml", "unknown option epoch"),
    "batch size 0": ("compare mlp --batch-size 0", "--batch-size: must be at least 1, got 0"),
    "epochs -1": ("train mlp --epochs -1", "--epochs: must be at least 1, got -1"),
    "unknown path": ("parity mlp --paths eagre", "did you mean eager?"),
    "predict without a model": ("predict none.npz x.npz", "none.npz cannot be read as weights"),
    "predict by rubbish": ("predict rubbish.npz x.npz", "rubbish.npz cannot be read as weights"),
    "predict by a damaged model": ("predict damaged.npz x.npz", "damaged.npz"),
    "predict nothing": ("predict model.npz none.npz", "none.npz"),
    "predict images of another size": ("predict model.npz large.npz", "x must have shape (examples, *(8, 8, 1))"),
    "predict NaN": ("predict model.npz nan.npz", "x contains NaN"),
    "predict text": ("predict model.npz rubbish.toml", "rubbish.toml"),
    "convert without a model": ("convert none.keras new.npz", "none.keras"),
    "convert rubbish": ("convert rubbish.keras new.npz", "rubbish.keras"),
    "convert to another ending": ("convert model.npz new.pkl", "new.pkl"),
    "convert into a folder": ("convert model.npz folder.keras", "a file was expected; give another target"),
    "convert over its samples": ("convert rubbish.keras x.npz --data x.npz", "x.npz would be overwritten"),
    "predict over the model": ("predict model.npz x.npz --output model.npz", "model.npz would be overwritten"),
    "replay over the case": ("replay rubbish.json --pytest rubbish.json", "rubbish.json would be overwritten"),
    "picture over the data": ("data x.npz --picture x.npz", "x.npz would be overwritten"),
    "speed over the earlier run": (
        "speed cnn --compare rubbish.json --output rubbish.json",
        "rubbish.json would be overwritten, and this command reads it; give --output another place",
    ),
    "convert without a target": ("convert model.npz", "the following arguments are required: target"),
    "replay without a case": ("replay none.json", "no file none.json"),
    "replay rubbish": ("replay rubbish.json", "rubbish.json"),
    "reproduce an unknown row": ("reproduce typo", "typo"),
    "speed of an unknown network": ("speed typo", "typo"),
    "speed against no file": ("speed cnn --compare none.json", "none.json"),
    "speed on unknown data": ("speed cnn --data nosuch", "unknown data set 'nosuch'"),
    "speed on images of another size": ("speed cnn --data digits", "takes inputs (28, 28, 1), data set 'digits' has"),
    "speed with too few blocks": ("speed cnn --blocks 4", "--blocks: must be at least 5, got 4"),
    "speed with a negative seed": ("speed cnn --seed -1", "--seed: must be at least 0, got -1"),
    "speed of an unknown phase": ("speed cnn --phases trian", "unknown value 'trian'; did you mean train?"),
    "speed with a limit and nothing earlier": (
        "speed cnn --fail-if slower:1.2",
        "--fail-if needs an earlier run to compare with; add --compare OLD.json",
    ),
    "speed with a limit that nothing passes": (
        "speed cnn --compare rubbish.json --fail-if slower:nan",
        "--fail-if takes slower:RATIO",
    ),
    "speed with another study's option": ("speed cnn --python none", "--python is of --study deployed"),
    "speed of a model where no Python is": ("speed --study deployed --python none", "no Python was found at none"),
    "selftest of an unknown fault": ("selftest --only typo", "typo"),
    "sweep of an unknown network": ("sweep typo", "unknown architecture 'typo'"),
    "sweep with an unknown optimizer": ("sweep mlp --optimizer adamm", "unknown optimizer 'adamm'"),
    "sweep on an unknown backend": ("sweep mlp --backends torch", "unknown value 'torch'; choose from numpy, keras"),
    "endurance of an unknown study": ("endure typo", "unknown study typo; known are kills, memory, together"),
    "fuzz of none": ("fuzz -n 0", "must be at least 1, got 0"),
    "fuzz with an unknown fault": ("fuzz --fault typo", "unknown fault 'typo'; known are"),
    "compare with an unknown optimizer": ("compare --optimizer adamm", "did you mean 'adam'?"),
    "compare with an unknown loss": ("compare --loss msee", "unknown loss 'msee'"),
    "learning rate -1": ("compare mlp --learning-rate -1", "learning_rate must be a finite number above 0, got -1.0"),
    "epochs 0": ("train mlp --epochs 0", "must be at least 1, got 0"),
    "resume without a run": ("train mlp --resume", "expected one argument"),
    "an argument too many": ("compare mlp cnn --data digits mnist", "unknown argument mnist"),
    "another command's option": ("compare mlp --paths eager", "unknown option --paths"),
    "unknown study of speed": ("speed lenet --study tabel", "unknown value 'tabel'; did you mean table?"),
    "look at data without a file": ("data none", "unknown data set 'none'"),
    "look at rubbish": ("data rubbish.npz", "rubbish.npz"),
    "grade without an assignment": ("grade none.toml none.py", "no file none.toml"),
    "grade by rubbish": ("grade rubbish.toml none.py", "rubbish.toml"),
    "open without a report": ("open none", "no report in none"),
    "verify without a file": ("verify none.npz", "none.npz cannot be read as weights"),
    "verify a damaged file": ("verify damaged.npz", "damaged.npz"),
    "verify a file without a certificate": ("verify model.npz", "model.npz"),
    "calibrate by no networks": ("calibrate -n 0", "must be at least 1, got 0"),
    "reproduce in no processes": ("reproduce --jobs 0", "must be at least 1, got 0"),
    "schema of something": ("schema lenet", "unknown argument lenet"),
    "predict without images": ("predict model.npz", "the following arguments are required: images"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bad")
    NumpyModel(zoo.cnn((8, 8, 1)), seed=1).save_weights(directory / "model.npz")
    damaged = bytearray((directory / "model.npz").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (directory / "damaged.npz").write_bytes(damaged)
    images = np.random.default_rng(0).random((2, 8, 8, 1))
    np.savez(directory / "x.npz", x=images)
    np.savez(directory / "large.npz", x=np.ones((2, 9, 9, 1)))
    np.savez(directory / "nan.npz", x=images * np.nan)
    (directory / "folder.keras").mkdir()
    for name in ("rubbish.npz", "rubbish.keras", "rubbish.toml", "rubbish.json"):
        (directory / name).write_text("= rubbish {\n")
    for name, text in {
        "empty": MODEL,
        "unknown": MODEL + '[[layers]]\ntype = "Conv3D"\n',
        "option": MODEL + FLATTEN + '[[layers]]\ntype = "Dense"\nunit = 10\n',
        "flat": 'name = "mine"\ninput_shape = [64]\n' + DENSE,
        "classes": MODEL + FLATTEN + DENSE.replace("10", "9"),
        "images": MODEL + DENSE,
        "small": MODEL + '[[layers]]\ntype = "Conv2D"\nfilters = 2\nkernel_size = 9\n' + FLATTEN + DENSE,
        "mine": MODEL + FLATTEN + DENSE,
        "mine2": MODEL + FLATTEN + DENSE,
        "several": SEVERAL,
        "unknown_name": "epoch = 3\n",
    }.items():
        (directory / f"{name}.toml").write_text(text)
    return directory


SEVERAL = """
name = "several"
input_shape = {image = [8, 8, 1], meta = [3]}
outputs = ["class", "box"]
layers = [
    {type = "Flatten", name = "flat", inputs = "image"},
    {type = "Concatenate", name = "joined", inputs = ["flat", "meta"]},
    {type = "Dense", name = "class", units = 10, activation = "softmax", inputs = "joined"},
    {type = "Dense", name = "box", units = 4, inputs = "joined"},
]
"""
PAGE = Path(__file__).parents[2] / "docs" / "wrong_use.md"
HEAD = """# Wrong use

What `crosscheck` answers to a wrong command line: one line on standard error that says what came, what was expected and
how to go on; exit code 2; no file is touched. This page is held against what is printed by
`tests/benchmarks/test_bad_command_lines.py`, which writes it anew with `--rewrite-pages`. `rubbish.*` hold no such
thing, `damaged.npz` is a model with one byte changed, `none.*` do not exist.

| what is wrong | `crosscheck ...` | what is printed |
|---|---|---|
"""
MOST_SHOWN = 240
ROWS = {}


def row(name, line, printed):
    """A row of the page; long lists are cut."""
    shown = printed if len(printed) <= MOST_SHOWN else printed[:MOST_SHOWN] + "..."
    return f"| {name} | `{line}` | {shown.replace('|', chr(92) + '|')} |"


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", LINES)
def test_one_line_and_exit_code_2(name, files, monkeypatch, capsys, pytestconfig):
    line, words = LINES[name]
    monkeypatch.chdir(files)
    monkeypatch.setattr(keras_models, "set_threads", lambda threads: None)
    before = contents(files)
    try:
        code = main(line.split())
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    assert code == 2, captured
    assert words in captured.err
    assert captured.err.startswith("crosscheck")
    assert len(captured.err.splitlines()) == 1, captured.err
    assert "Traceback" not in captured.out + captured.err
    assert contents(files) == before
    shown = row(name, line, captured.err.strip())
    if pytestconfig.getoption("--rewrite-pages"):
        ROWS[name] = shown
        PAGE.write_text(HEAD + "\n".join(ROWS[known] for known in LINES if known in ROWS) + "\n")
    assert shown in PAGE.read_text(encoding="utf-8").splitlines(), "run this file with --rewrite-pages"


def test_the_page_has_no_other_rows():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert len(rows) == len(LINES) + 1


def test_json_output_of_what_fails_is_no_half_json(files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    assert main(["predict", "model.npz", "nan.npz", "--json"]) == 2
    assert capsys.readouterr().out == ""
    assert main(["predict", "model.npz", "x.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
