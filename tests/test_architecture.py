"""Who may import whom: the table of docs/architecture.md, checked against every import in the source."""

import ast
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("model_spec", "core_numpy", "keras_models", "bridge", "benchmarks")


@dataclass(frozen=True)
class Rule:
    """What a package may import besides itself and the standard library: anywhere, or only inside functions."""

    anywhere: frozenset[str]
    inside_functions: frozenset[str] = frozenset()


RULES = {
    "model_spec": Rule(frozenset()),
    "core_numpy": Rule(frozenset({"model_spec", "numpy"}), frozenset({"threadpoolctl"})),
    "keras_models": Rule(frozenset({"model_spec", "numpy", "keras", "tensorflow", "h5py"})),
    "bridge": Rule(
        frozenset({"model_spec", "core_numpy", "numpy"}),
        frozenset({"keras_models", "keras", "tensorflow", "hypothesis", "joblib", "distributed"}),
    ),
    # Heavy packages only inside functions: `crosscheck --help` must not wait for TensorFlow.
    "benchmarks": Rule(
        frozenset({"model_spec", "core_numpy", "bridge", "numpy"}),
        frozenset(
            {"keras_models", "keras", "tensorflow", "sklearn", "scipy", "matplotlib", "jinja2", "joblib", "distributed"}
            | {"rich", "threadpoolctl"}
        ),
    ),
}

# The files of model_spec that use NumPy; `import model_spec` loads none of them. The one file pytest itself loads. And
# what is timed where somebody has installed it.
RULES_OF_FILES = {
    "bridge/pytest_plugin.py": Rule(frozenset({"pytest"})),
    "bridge/estimators.py": Rule(
        frozenset({"model_spec", "core_numpy", "numpy", "sklearn"}), frozenset({"keras_models"})
    ),
    "benchmarks/parser_fuzzing.py": Rule(
        frozenset({"model_spec", "core_numpy", "bridge", "numpy"}), frozenset({"atheris"})
    ),
    "benchmarks/samples.py": Rule(frozenset({"numpy"}), frozenset({"PIL"})),
    "benchmarks/speed_studies/peers.py": Rule(
        frozenset({"model_spec", "core_numpy", "numpy"}), frozenset({"onnx", "onnxruntime", "sklearn", "torch"})
    ),
    "model_spec/array_archives.py": Rule(frozenset({"numpy"})),
    "model_spec/checkpoints.py": Rule(frozenset({"numpy"})),
    "model_spec/inputs.py": Rule(frozenset({"numpy"})),
    "model_spec/weight_files.py": Rule(frozenset({"numpy"})),
    "model_spec/fitting.py": Rule(frozenset({"numpy"})),
    "model_spec/streams.py": Rule(frozenset({"numpy"})),
}


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def imports(tree):
    """(module, whether inside a function, line) of every import that runs."""
    found = []

    def walk(node, inside):
        for child in ast.iter_child_nodes(node):
            if is_type_checking(child):
                continue
            if isinstance(child, ast.Import):
                found.extend((alias.name, inside, child.lineno) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                # A relative import stays inside its package.
                if child.level == 0:
                    found.append((child.module, inside, child.lineno))
            walk(child, inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    walk(tree, False)
    return found


def violations(source, package, rule, where):
    wrong = []
    for module, inside, line in imports(ast.parse(source)):
        top = module.partition(".")[0]
        if top == package or top in sys.stdlib_module_names or top in rule.anywhere:
            continue
        if inside and top in rule.inside_functions:
            continue
        place = "inside a function" if inside else "at the top of the module"
        wrong.append(f"{where}:{line} imports {module} {place}")
    return wrong


@pytest.mark.parametrize("package", OURS)
def test_imports_follow_the_table(package):
    files = sorted((ROOT / package).rglob("*.py"))
    if not files:
        pytest.skip(f"package {package} does not exist yet")
    wrong = []
    for file in files:
        where = file.relative_to(ROOT).as_posix()
        rule = RULES_OF_FILES.get(where, RULES[package])
        wrong += violations(file.read_text(encoding="utf-8"), package, rule, where)
    assert wrong == []


@pytest.mark.parametrize(
    ("source", "package", "count"),
    [
        ("import numpy", "model_spec", 1),
        ("import json, hashlib", "model_spec", 0),
        ("from keras_models import KerasModel", "core_numpy", 1),
        ("import threadpoolctl", "core_numpy", 1),
        ("def f():\n    import threadpoolctl", "core_numpy", 0),
        ("from core_numpy import NumpyModel", "keras_models", 1),
        ("import keras", "bridge", 1),
        ("try:\n    import keras\nexcept ImportError:\n    pass", "bridge", 1),
        ("class A:\n    def f(self):\n        from keras import layers", "bridge", 0),
        ("if TYPE_CHECKING:\n    import keras", "bridge", 0),
        ("from tests import helper", "benchmarks", 1),
    ],
)
def test_the_walk_sees_what_it_should(source, package, count):
    assert len(violations(source, package, RULES[package], "example")) == count


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("model_spec", ("numpy", "keras", "tensorflow")),
        ("core_numpy", ("tensorflow", "keras", "scipy", "sklearn", "matplotlib")),
        ("bridge", ("numpy", "tensorflow", "keras")),
        ("bridge.pytest_plugin", ("numpy", "tensorflow", "keras", "bridge.report")),
        ("benchmarks", ("tensorflow", "keras", "scipy", "sklearn", "matplotlib")),
    ],
)
def test_import_loads_nothing_heavy(package, forbidden):
    if not (ROOT / package.partition(".")[0] / "__init__.py").is_file():
        pytest.skip(f"package {package} is not importable yet")
    code = f"import sys, {package}; print([name for name in {forbidden!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def test_help_does_not_load_tensorflow():
    if not (ROOT / "benchmarks" / "cli.py").is_file():
        pytest.skip("benchmarks.cli does not exist yet")
    code = (
        "import sys\nfrom benchmarks import cli\n"
        "try:\n    cli.main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('heavy', [name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip().endswith("heavy []")


@pytest.mark.parametrize("package", OURS)
def test_imported_package_is_this_one(package):
    """A foreign package called "benchmarks" or "bridge" in the environment would otherwise be tested unseen."""
    if not (ROOT / package / "__init__.py").is_file():
        pytest.skip(f"package {package} does not exist yet")
    origin = importlib.util.find_spec(package).origin
    assert Path(origin).resolve() == ROOT / package / "__init__.py"


@pytest.mark.parametrize("package", OURS)
def test_every_file_says_what_it_is(package):
    files = sorted((ROOT / package).rglob("*.py"))
    if not files:
        pytest.skip(f"package {package} does not exist yet")
    without = []
    for file in files:
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        first = text.partition("\n")[0]
        if not first.endswith("."):
            without.append(f"{file.relative_to(ROOT)}: {first!r}")
    assert without == []
