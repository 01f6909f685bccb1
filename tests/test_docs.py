"""The documents name everything there is, their links lead somewhere, and all code and commands in them run."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import keras_models
from benchmarks.cli import main
from benchmarks.command_line import parse, subcommands
from benchmarks.options import build_parser
from model_spec import initializers, load_model, losses, optimizers, regularizers, schedules, zoo
from model_spec.activations import ACTIVATIONS
from model_spec.layers import LAYERS

PROJECT = Path(__file__).resolve().parents[1]
REFERENCE = (PROJECT / "docs/reference.md").read_text(encoding="utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", *(f"docs/{page.name}" for page in sorted(PROJECT.glob("docs/*.md")))]

# What makes a command short enough for a test: it is typed as it stands, with this behind it
SHORTER = {"compare": ["--limit", "150", "--epochs", "1"]}


def text_of(page):
    return (PROJECT / page).read_text(encoding="utf-8")


def blocks(page, language):
    """[(code, what is shown below it or "")] of the fenced blocks of a language."""
    found = re.findall(rf"```{language}\n(.*?)```(?:\n\n```\n(.*?)```)?", text_of(page), re.DOTALL)
    return [(code, shown) for code, shown in found]


def commands_in_blocks(page):
    fenced = re.findall(r"^\$ (crosscheck .*)$", text_of(page), re.MULTILINE)
    indented = re.findall(r"^    (crosscheck .*)$", text_of(page), re.MULTILINE)
    return [line.partition("#")[0].strip() for line in fenced + indented]


def commands_in_sentences(page):
    return [
        line
        for line in re.findall(r"`(crosscheck [a-z][^`]*)`", text_of(page).replace("\n", " "))
        if not re.search(r"[\[|]|\.\.\.", line)
    ]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """A directory with the files the documents speak of, for 28x28 digits."""
    from PIL import Image

    from bridge.conversion import to_numpy
    from keras_models import KerasModel
    from keras_models.runtime import keras
    from keras_models.weight_files import save_model

    monkeypatch.chdir(tmp_path)
    # Threads are set once a process, and this one has begun
    monkeypatch.setattr(keras_models, "set_threads", lambda threads: None)
    random = np.random.default_rng(0)
    save_model(KerasModel(zoo.lenet(), seed=1).keras_model, tmp_path / "model.keras")
    layers = keras.layers
    any_size = [keras.Input((None, None, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(2)]
    save_model(keras.Sequential(any_size), tmp_path / "any_size.keras")
    to_numpy(tmp_path / "model.keras", tmp_path / "model.npz", random.random((4, 28, 28, 1)))
    np.savez(tmp_path / "x.npz", x=random.random((4, 28, 28, 1), np.float32))
    Image.fromarray(random.integers(0, 256, (28, 28), dtype=np.uint8)).save(tmp_path / "digit.png")
    return tmp_path


@pytest.mark.parametrize(
    "names",
    [
        list(LAYERS),
        list(ACTIVATIONS),
        list(losses.LOSSES),
        list(optimizers.OPTIMIZERS),
        list(schedules.SCHEDULES),
        list(initializers.INITIALIZERS),
        [rule.__name__ for rule in regularizers.REGULARIZERS.values()],
    ],
)
def test_reference_names_everything(names):
    missing = [name for name in names if not re.search(rf"`{name}\b", REFERENCE)]
    assert not missing


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#:]+)\)", text_of(page))
    missing = [target for target in targets if not ((PROJECT / page).parent / target).exists()]
    assert not missing


def test_every_page_stands_in_the_table_of_contents():
    index, site = text_of("docs/index.md"), (PROJECT / "mkdocs.yml").read_text()
    for page in PAGES:
        name = Path(page).name
        if page.startswith("docs/") and name != "index.md":
            assert f"({name})" in index, name
            assert name in site, name


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_python_blocks_run_and_print_what_stands_below_them(page, workspace, capsys):
    names = {"images": np.zeros((1, 28, 28, 1), np.float32)}
    for code, shown in blocks(page, "python"):
        if "(crosscheck):" in code:  # a test for the plugin: run in tests/bridge/test_bring_your_own_page.py
            continue
        capsys.readouterr()
        exec(compile(code, page, "exec"), names)
        printed = capsys.readouterr().out
        assert printed.startswith(shown), printed


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "toml")])
def test_model_files_are_models(page, tmp_path):
    for code, _ in blocks(page, "toml"):
        (tmp_path / "model.toml").write_text(code)
        assert load_model(tmp_path / "model.toml").output_shape in [(10,), (1,)]


IN_BLOCKS = sorted({command for page in PAGES for command in commands_in_blocks(page)})
IN_SENTENCES = sorted({command for page in PAGES for command in commands_in_sentences(page)})


@pytest.mark.slow
@pytest.mark.parametrize("command", IN_BLOCKS)
def test_commands_in_blocks_run(command, workspace, capsys):
    arguments = shlex.split(command)[1:]
    if arguments[0] == "speed":
        pytest.skip("takes minutes; tests/benchmarks/speed_studies runs it on a small network")
    if arguments[0] == "compare" and "--fault" not in arguments:
        pytest.skip("takes half a minute; tests/benchmarks/test_cli.py runs it on a small network")
    expected = 1 if "--fault" in arguments else 0
    assert main([*arguments, "--quiet", *SHORTER.get(arguments[0], [])]) == expected, capsys.readouterr()


@pytest.mark.parametrize("command", [*IN_BLOCKS, *IN_SENTENCES])
def test_commands_are_spelled_right(command):
    words = [re.sub(r"^[A-Z]$", "3", word) for word in shlex.split(command)[1:]]
    words = ["slower:1.25" if word == "slower:RATIO" else word for word in words]
    parser = build_parser()
    if len(words) == 1:  # a command called by its name alone
        assert words[0] in subcommands(parser)
    else:
        assert parse(parser, words).command == words[0]


def test_the_readme_names_every_command():
    readme = text_of("README.md")
    missing = [name for name in subcommands(build_parser()) if f"`crosscheck {name}" not in readme]
    assert not missing


def test_every_command_has_help_with_an_example(capsys):
    parser = build_parser()
    for name, command in subcommands(parser).items():
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0
        shown = capsys.readouterr().out
        example = re.search(r"example: crosscheck (.*)", re.sub(r"\s+", " ", shown)).group(1)
        assert parse(build_parser(), shlex.split(example)).command == name
        assert re.sub(r"\s+", " ", command.description) in re.sub(r"\s+", " ", shown)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("comprae mlp", "crosscheck: unknown command 'comprae'; did you mean compare?"),
        ("compare mlp --epohcs 3", "crosscheck compare: unknown option --epohcs; did you mean --epochs?"),
        ("parity --paths eagre", "crosscheck parity: argument --paths: unknown value 'eagre'; did you mean eager?"),
        ("compare mlp --limit 0", "crosscheck compare: argument --limit: must be at least 1, got 0"),
        ("compare mlp --limit ten", "crosscheck compare: argument --limit: must be a whole number, got 'ten'"),
        ("convert model.keras", "crosscheck convert: the following arguments are required: target"),
    ],
)
def test_wrong_usage_says_what_to_type(line, answer, capsys):
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(answer)
    assert "or example: crosscheck " in error
    assert len(error.splitlines()) == 1
