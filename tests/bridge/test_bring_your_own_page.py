"""The examples of docs/bring_your_own.md run and say what the page says."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs/bring_your_own.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

pytest_plugins = "pytester"


def test_check_layer_example_prints_what_the_page_says(capsys):
    exec(compile(EXAMPLES[0], "check_layer example", "exec"), {})
    shown = re.search(r"```\n(DIFFER.*?)```", PAGE, re.DOTALL).group(1)
    assert capsys.readouterr().out.startswith(shown)


def test_functions_as_a_layer():
    names = {}
    exec(compile(EXAMPLES[1], "from_functions example", "exec"), names)
    assert names["check_layer"](names["layer"], names["Dense"](5), (6,)).verdict == "AGREE"
    fault = EXAMPLES[1].replace("dy.sum(axis=0)", "dy.mean(axis=0)")
    with pytest.raises(AssertionError):
        exec(compile(fault, "from_functions example with a fault", "exec"), {})


def test_check_loss_example_prints_what_the_page_says(capsys):
    exec(compile(EXAMPLES[2], "check_loss example", "exec"), {})
    shown = [
        line.strip() for line in re.search(r"    DIFFER: CrossEntropy.*?p - t\n", PAGE, re.DOTALL).group(0).splitlines()
    ]
    assert capsys.readouterr().out.splitlines()[: len(shown)] == shown


def test_compare_models_example_agrees(capsys):
    exec(compile(EXAMPLES[3], "compare_models example", "exec"), {})
    assert capsys.readouterr().out.startswith("AGREE: mlp (8, 8, 1), NumPy and exported, 1 tensors compared")


def test_fuzz_example_prints_what_the_page_says(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(EXAMPLES[4], "fuzz example", "exec"), names)
    # Which networks Hypothesis draws depends on constants in the source too: what is found is a little different then
    shown = re.search(r"    (DIFFER: [0-9]+ networks.*?)\n\n", PAGE, re.DOTALL).group(1)
    lines = capsys.readouterr().out.splitlines()
    for line, printed in zip([line.strip() for line in shown.splitlines()], lines, strict=False):
        assert re.fullmatch(re.sub(r"[0-9]+", "[0-9]+", re.escape(line.partition("(")[0])) + ".*", printed.strip())
    spec = names["report"].finding.case.spec
    (convolution,) = (layer for layer in spec.layers if isinstance(layer, names["Conv2D"]))
    assert len(spec.layers) <= 3 and convolution.strides[0] != convolution.strides[1]
    assert names["report"].saved.is_file()
    mended = EXAMPLES[4].replace("layer.strides[0], layer.strides[0]", "layer.strides")
    exec(compile(mended, "fuzz example, mended", "exec"), names)
    assert names["report"].passed and names["report"].networks > 40


def test_fixture_example_passes_and_would_fail(pytester):
    assert len(EXAMPLES) == 6
    pytester.makepyfile(test_page=EXAMPLES[5], test_fault=EXAMPLES[5].replace("return dy * self.mask", "return dy"))
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1, failed=1)
