"""Who may import whom: the table of docs/architecture.md, checked against every import in the source."""

import ast
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("model_spec", "core_numpy", "keras_models", "bridge", "benchmarks", "crosscheck")


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
            | {"rich", "threadpoolctl", "argcomplete"}
        ),
    ),
}

# It loads everything it offers by name, and only when it is asked for it.
RULES["crosscheck"] = Rule(frozenset(), frozenset({"benchmarks"}))

# The files of model_spec that use NumPy; `import model_spec` loads none of them. The one file pytest itself loads. And
# what is timed where somebody has installed it.
RULES_OF_FILES = {
    "crosscheck/pytest_plugin.py": Rule(frozenset({"pytest"})),
    "bridge/conversion/estimators.py": Rule(
        frozenset({"model_spec", "core_numpy", "numpy", "sklearn"}), frozenset({"keras_models"})
    ),
    "benchmarks/parser_fuzzing.py": Rule(
        frozenset({"model_spec", "core_numpy", "bridge", "numpy"}), frozenset({"atheris"})
    ),
    "benchmarks/pictures.py": Rule(frozenset({"numpy"}), frozenset({"PIL"})),
    "benchmarks/own_files.py": Rule(frozenset({"model_spec", "numpy"}), frozenset({"pandas", "sklearn"})),
    "benchmarks/speed_studies/peers.py": Rule(
        frozenset({"model_spec", "core_numpy", "numpy"}), frozenset({"onnx", "onnxruntime", "sklearn", "torch"})
    ),
    "model_spec/array_archives.py": Rule(frozenset({"numpy"})),
    "model_spec/checkpoints.py": Rule(frozenset({"numpy"})),
    "model_spec/inputs.py": Rule(frozenset({"numpy"})),
    "model_spec/targets.py": Rule(frozenset({"numpy"})),
    "model_spec/several.py": Rule(frozenset({"numpy"})),
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
    assert files
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
        ("crosscheck.pytest_plugin", ("numpy", "bridge", "core_numpy", "keras_models", "model_spec")),
        ("benchmarks", ("tensorflow", "keras", "scipy", "sklearn", "matplotlib")),
    ],
)
def test_import_loads_nothing_heavy(package, forbidden):
    code = f"import sys, {package}; print([name for name in {forbidden!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def test_a_network_loads_the_layers_it_has():
    code = (
        "import sys, numpy as np; from core_numpy import NumpyModel; from model_spec import Dense, Flatten, ModelSpec\n"
        "NumpyModel(ModelSpec('m', (2, 3), (Flatten(), Dense(4)))).predict(np.zeros((1, 2, 3)))\n"
        "print(sorted(name for name in sys.modules if name.startswith('model_spec.layers.')))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    loaded = {name.removeprefix("model_spec.layers.") for name in ast.literal_eval(run.stdout)}
    assert {"dense", "reshaping"} <= loaded
    assert not loaded & {"prelu", "layer_normalization", "separable_conv2d", "conv1d", "merging"}


def test_help_does_not_load_tensorflow():
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
    origin = importlib.util.find_spec(package).origin
    assert Path(origin).resolve() == ROOT / package / "__init__.py"


@pytest.mark.parametrize("package", OURS)
def test_every_file_says_what_it_is(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    without = []
    for file in files:
        text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        first = text.partition("\n")[0]
        if not first.endswith("."):
            without.append(f"{file.relative_to(ROOT)}: {first!r}")
    assert without == []


# Rooms of a package: each may use those before it. "" is what stands at the top of the package.
ROOMS = {
    "bridge": ("", "judge", "conventions", "lockstep", "outside", "conversion", "fuzzing", "selftest"),
}


def room_of(module, package):
    """The room a module stands in: the folder below the package, or "" where it stands at the top."""
    parts = module.split(".")[1:]
    return parts[0] if parts and (ROOT / package / parts[0]).is_dir() else ""


def climbing_arrows(sources, package):
    """Imports that lead from a room into a later one; those inside functions count like all others."""
    order = ROOMS[package]
    wrong = []
    for module, source in sources:
        here = room_of(module, package)
        for imported, _, line in imports(ast.parse(source)):
            if imported.split(".")[0] != package:
                continue
            there = room_of(imported, package)
            if here not in order or there not in order or order.index(there) > order.index(here):
                wrong.append(f"{module}:{line} imports {imported}")
    return wrong


def modules(package):
    """(dotted name, source) of every file of a package but its front page, which names what all rooms offer."""
    for file in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name != package:
            yield name, file.read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ROOMS)
def test_arrows_between_rooms_go_one_way(package):
    assert climbing_arrows(modules(package), package) == []


def test_a_climbing_arrow_is_seen():
    planted = "def f():\n    from bridge.selftest.faults import find"
    assert climbing_arrows([("bridge.judge.report", planted)], "bridge") != []
    assert climbing_arrows([("bridge.selftest.tasks", planted)], "bridge") == []


def targets(tree):
    """Every module an import may mean: ``from a import b`` is a module a.b, or else a name in a."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            is_package = any((ROOT / name.replace(".", "/")).with_suffix(".py").is_file() for name in inside)
            found |= inside if is_package else {node.module}
    return found


def circles(package):
    """Modules of a package that import each other in a circle, imports inside functions included."""
    sources = dict(modules(package))
    arrows = {module: targets(ast.parse(source)) & set(sources) for module, source in sources.items()}
    found = []
    for start in arrows:
        reached, front = set(), {start}
        while front:
            front = {after for module in front for after in arrows[module]} - reached
            reached |= front
        if start in reached:
            found.append(start)
    return found


@pytest.mark.parametrize("package", OURS)
def test_nothing_imports_in_circles(package):
    assert circles(package) == []
