"""The front package: its names, what it loads, and projects that have packages of the same names."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import crosscheck as cc
from crosscheck.ours import PACKAGES, ShadowedPackageError, need_ours

PROJECT = Path(cc.__file__).resolve().parent.parent


def python(*arguments, cwd, path=()):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize("package", ["crosscheck", "bridge"])
def test_the_stub_names_what_there_is(package):
    module = sys.modules[package] if package in sys.modules else __import__(package)
    tree = ast.parse((PROJECT / package / "__init__.pyi").read_text())
    named = {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert named == set(module.__all__) - {"__version__"}
    assert dir(module) == sorted(module.__all__)


@pytest.mark.parametrize("name", sorted(" ".join(cc.PUBLIC.values()).split()))
def test_every_name_leads_somewhere(name):
    assert getattr(cc, name) is getattr(
        __import__(next(p for p, names in cc.PUBLIC.items() if name in names.split())), name
    )


def test_the_version_is_that_of_the_distribution():
    import importlib.metadata

    assert cc.__version__ == importlib.metadata.version("crosscheck")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'never_was'"):
        cc.never_was  # noqa: B018


def test_importing_it_loads_nothing(tmp_path):
    code = f"import sys, crosscheck; print([name for name in {(*PACKAGES, 'numpy', 'keras')!r} if name in sys.modules])"
    run = python("-c", code, cwd=tmp_path, path=[PROJECT])
    assert run.stdout.strip() == "[]", run.stderr


@pytest.fixture
def foreign(tmp_path):
    """Somebody's project, with packages called bridge and benchmarks and a test of them."""
    for package in ("bridge", "benchmarks"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("VALUE = 'mine'\n")
    (tmp_path / "test_mine.py").write_text(
        "import benchmarks, bridge\n\ndef test_mine():\n    assert bridge.VALUE == benchmarks.VALUE == 'mine'\n\n"
        "def test_asked(crosscheck):\n    crosscheck.compare(None, None, None)\n"
    )
    return tmp_path


@pytest.mark.parametrize("command", [("-m", "pytest"), ("-c", "import sys, pytest; sys.exit(pytest.main())")])
def test_a_project_with_packages_of_our_names_runs_its_own(foreign, command):
    run = python(*command, "-q", "-p", "no:cacheprovider", cwd=foreign, path=[foreign, PROJECT])
    assert "1 failed, 1 passed" in run.stdout, run.stdout + run.stderr
    expected = f"the name 'bridge' leads to {foreign / 'bridge' / '__init__.py'}, not to Crosscheck's own package"
    assert expected in run.stdout


def test_the_command_says_which_file_answers(foreign):
    run = python("-m", "crosscheck", "list", cwd=foreign, path=[foreign, PROJECT])
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert f"leads to {foreign / 'bridge' / '__init__.py'}" in run.stderr


def test_beside_a_clone_of_this_name_the_package_is_found(tmp_path):
    # setuptools installs an editable package as a path, not as a finder that comes after the folder, where it says so
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert settings["tool"]["setuptools"]["package-dir"] == {"": "."}
    (tmp_path / "crosscheck" / "docs").mkdir(parents=True)
    run = python("-c", "import crosscheck; print(crosscheck.__version__)", cwd=tmp_path, path=[PROJECT])
    assert run.stdout.strip() == cc.__version__, run.stderr


def test_our_own_packages_are_ours(monkeypatch):
    for package in PACKAGES:
        need_ours(package)
    monkeypatch.setitem(sys.modules, "bridge", pytest)
    with pytest.raises(ShadowedPackageError, match="the name 'bridge' leads to"):
        need_ours("bridge")


def test_timing_needs_names_that_differ():
    with pytest.raises(ValueError, match="different names, got 'a' twice"):
        cc.timing.compare(int, float, names=("a", "a"))


@pytest.mark.parametrize(
    ("functions", "names"),
    [
        ((int, float), ["int", "float"]),
        ((int, lambda: 0), ["int", "second"]),
        ((lambda: 0, lambda: 1), ["first", "second"]),
        ((int, int), ["first", "second"]),
    ],
)
def test_timing_calls_functions_by_their_names_and_says_one_number(functions, names):
    found = cc.timing.compare(*functions, blocks=5, minimum_sample_seconds=0.001, warmup_seconds=0.001)
    assert list(found.arms) == names
    times, low, high = found.times_as_fast(names[1])
    assert f"{times:.3g} times as fast (95 % {low:.3g} to {high:.3g})" in str(found)
    assert "ratio" not in repr(found)
