"""The documents name everything there is, and the README's examples run."""

import re
from pathlib import Path

import pytest

from model_spec import initializers, losses, optimizers, regularizers, schedules
from model_spec.activations import ACTIVATIONS
from model_spec.layers import LAYERS

PROJECT = Path(__file__).resolve().parents[1]
REFERENCE = (PROJECT / "docs/reference.md").read_text(encoding="utf-8")


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


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in PROJECT.glob("docs/*.md"))]
)
def test_links_lead_somewhere(page):
    text = (PROJECT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#:]+)\)", text)
    missing = [target for target in targets if not ((PROJECT / page).parent / target).exists()]
    assert not missing


def test_readme_python_example_runs(capsys):
    code = re.search(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
    exec(compile(code, "README.md", "exec"), {})
    assert "AGREE: lenet (8, 8, 1)" in capsys.readouterr().out


def test_readme_model_file_is_a_model(tmp_path):
    from model_spec import load_model

    text = re.search(r"```toml\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
    path = tmp_path / "my_model.toml"
    path.write_text(text)
    assert load_model(path).output_shape == (10,)


def test_leaving_tensorflow_page_runs(tmp_path, monkeypatch, capsys):
    text = (PROJECT / "docs/leaving_tensorflow.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(code, "leaving_tensorflow.md", "exec"), names)
    assert names["certificate"].passed
    assert names["probabilities"].shape == (1, 10)
