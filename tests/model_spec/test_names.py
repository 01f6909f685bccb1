"""Names from files: those that a folder cannot have are refused, and nothing of a file reaches the terminal raw."""

import argparse

import pytest

from benchmarks.commands.common import run_directory, typed
from model_spec import Dense, Flatten, ModelSpec, ReduceLROnPlateau, model_from_json
from model_spec.callbacks import improves
from model_spec.limits import Limits
from model_spec.names import check_folder_name, printable, shown

TAKEN = ["net", "my model", "lenet-5", "v1.2", "modèle", "モデル", "a'b", "(a)", "-x", "console", "n" * 100, ".hidden"]

REFUSED = [
    *("", "..", ".", "...", "a/b", "/a", "../a", "a\\b", "C:", "a:b", "a?", "a*", "a|b", "<a>", '"a"'),
    *(" a", "a ", "a.", "a\0", "a\n", "a\r", "a\t", "a\x1b[0m", "a\x7f", "a\x9b", "a\u202eb", "a\u2066b", "a\u200bb"),
    *(
        "a\u2028b",
        "\ud800",
        "con",
        "NUL",
        "aux.txt",
        "Com1",
        "lpt9.x",
        "n" * 101,
        "é" * 101,
        "語" * 100,
        None,
        3,
        ["a"],
    ),
]


@pytest.mark.parametrize("name", TAKEN)
def test_plain_names_are_taken(name):
    assert ModelSpec(name, (2,), (Dense(1),)).name == name


@pytest.mark.parametrize("name", REFUSED, ids=ascii)
def test_other_names_are_refused_and_shown_escaped(name, tmp_path):
    for make in (
        lambda: ModelSpec(name, (2,), (Dense(1),)),
        lambda: check_folder_name("a name", name),
        lambda: run_directory(tmp_path / "runs", name),
    ):
        with pytest.raises(ValueError, match="name") as refused:
            make()
        assert str(refused.value).isprintable()
        assert len(str(refused.value)) < 500
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "'plain'"),
        ("\x1b]0;x\x07", r"'\x1b]0;x\x07'"),
        (["\u202e"], r"['\u202e']"),
        ({"a": (1, None)}, "{'a': (1, None)}"),
        (10**5000, "a int too large to be shown"),
        ("a" * 300, "'" + "a" * 199 + "..."),
        (list(range(10**6)), repr(list(range(100)))[:200] + "..."),
    ],
    ids=range(7),
)
def test_shown(value, text):
    assert shown(value) == text


def test_printable_keeps_letters_of_all_scripts():
    assert printable("Größe 大きさ حجم") == "Größe 大きさ حجم"
    assert printable("a\nb\x9b\ufeff") == r"a\nb\x9b\ufeff"


def test_a_record_keeps_no_place_of_this_machine():
    for words in (
        ["speed", "--record=/home/me/secret.md"],
        ["speed", "--record", "/home/me/secret.md"],
        ["speed", "--rec", "/home/me/secret.md"],
        ["speed", "--output=/home/me/x.json", "--cluster", "tcp://me:1"],
    ):
        assert typed(argparse.Namespace(arguments=words)) == "crosscheck speed"
    words = ["compare", "/home/me/net.toml", "--data=/home/me/x.npz", "--seed", "3"]
    assert typed(argparse.Namespace(arguments=words)) == "crosscheck compare net.toml --data=x.npz --seed 3"


def test_a_network_of_one_layer_is_a_sequence_too():
    for layers in (Dense(3), None, 3):
        with pytest.raises(ValueError, match=r"layers must be a sequence of layers, got .*such as \(Dense\(3\),\)"):
            ModelSpec("m", (4,), layers)


def test_a_network_in_python_has_no_bounds_and_takes_no_memory():
    spec = ModelSpec("large", (10**6, 10**6, 3), (Flatten(), Dense(10**9)))
    assert spec.parameter_count > 10**21
    with pytest.raises(ValueError, match="one prediction of model 'large' takes 21.83 TiB in float32"):
        Limits().check(spec)
    assert len(ModelSpec("long", (4,), [Dense(3) for _ in range(5000)]).layers) == 5000


def test_deep_text_is_a_value_error():
    for text in ("[" * 100_000, '{"a":' * 100_000, "[" * 200 + "]" * 200):
        with pytest.raises(ValueError, match="nested more than 100 deep|Expecting"):
            model_from_json(text)


def test_figures_beyond_float32():
    assert not improves(1e39, 1.0, 0.0, False)
    assert improves(1e39, 1.0, 0.0, True)
    assert not improves(1e39, 2e39, 0.0, False)


def test_a_factor_of_nothing_is_refused():
    """When training begins: Keras lets one construct it."""
    with pytest.raises(ValueError, match=r"factor=0\) would set the learning rate to 0.*give a factor above 0"):
        ReduceLROnPlateau(factor=0).on_train_begin()
    ReduceLROnPlateau(factor=0, min_lr=1e-6).on_train_begin()


def test_a_rate_never_falls_to_nothing():
    class Model:
        learning_rate = 1.0

    callback = ReduceLROnPlateau("loss", factor=1e-300, patience=1, min_delta=0.0)
    callback.set_model(Model())
    callback.on_train_begin()
    for epoch in range(5):
        callback.on_epoch_end(epoch, {"loss": 1.0})
    assert callback.model.learning_rate == 2.0**-126
