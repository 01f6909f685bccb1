"""Every layer of model_spec stands in every table, and docs/add_a_layer.md adds one that works, as it stands."""

import dataclasses
import importlib
import importlib.util
import re
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import Phase, given, seed, settings

import bridge
import model_spec
from bridge.fuzzing import fuzz
from bridge.judge import layers as judged
from core_numpy import NumpyModel
from core_numpy import layers as from_scratch
from keras_models import KerasModel, read
from keras_models import layers as in_keras
from keras_models.layers.form import KerasForm
from model_spec import Dense, Flatten, LayerSpec, ModelSpec
from model_spec.layers import LAYERS

PROJECT = Path(__file__).resolve().parents[1]
GUIDE = (PROJECT / "docs/add_a_layer.md").read_text(encoding="utf-8")


def of_test(path, name):
    """A table of another test file."""
    spec = importlib.util.spec_from_file_location(Path(path).stem + "_for_completeness", PROJECT / "tests" / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def drawn_at_random():
    found = set()

    @seed(0)
    @settings(max_examples=1000, derandomize=False, phases=[Phase.generate], database=None)
    @given(spec=fuzz.specs())
    def collect(spec):
        found.update(type(layer) for layer in spec.layers)

    collect()
    return found


@pytest.fixture(scope="module")
def places():
    """{place: the layers that stand there}."""
    contract = [
        *of_test("core_numpy/test_contract.py", "CASES"),
        *of_test("core_numpy/layers/test_merging.py", "CASES"),
    ]
    parity = of_test("bridge/test_parity_table.py", "TABLE")
    reference = (PROJECT / "docs/reference.md").read_text(encoding="utf-8")
    return {
        "model_spec/__init__.py, __all__": lambda kind: kind.__name__ in model_spec.__all__,
        "core_numpy/layers/__init__.py, LAYERS": lambda kind: kind.__name__ in from_scratch.LAYERS,
        "keras_models/layers/__init__.py, LAYERS": lambda kind: kind in in_keras.LAYERS,
        "bridge/judge/layers/__init__.py, LAYERS": lambda kind: kind in judged.LAYERS,
        "docs/reference.md, a row": lambda kind: re.search(rf"^\|.*`{kind.__name__}\b", reference, re.MULTILINE),
        "tests/core_numpy/test_contract.py, CASES": {type(case.layer) for case in contract}.__contains__,
        "tests/bridge/test_parity_table.py, TABLE, alone": {
            type(case.layers[-1]) for case in parity if len(case.layers) == 1 or case.layers[-1].merges
        }.__contains__,
        "tests/keras_models/test_read.py, READ": {
            type(expected)
            for table in ("READ", "READ_MERGES")
            for _, expected in of_test("keras_models/test_read.py", table)
        }.__contains__,
        "tests/model_spec/test_serialization.py, EVERY_LAYER": {
            type(layer) for layer in of_test("model_spec/test_serialization.py", "EVERY_LAYER").layers
        }.__contains__,
        "what bridge.fuzzing draws in 1000 networks": drawn_at_random().__contains__,
    }


def missing(kinds, places):
    """A line for each place a layer is missing from."""
    return [
        f"{kind.__name__} is missing in {where}" for kind in kinds for where, has in places.items() if not has(kind)
    ]


def test_every_layer_stands_in_every_table(places):
    found = missing(LAYERS.values(), places)
    assert not found, "\n" + "\n".join(found) + "\nsee docs/add_a_layer.md"


def test_a_layer_that_is_nowhere_is_missed_everywhere(places):
    @dataclass(frozen=True)
    class Nowhere(LayerSpec):
        pass

    assert missing([Nowhere], places) == [f"Nowhere is missing in {where}" for where in places]


class Smallest:
    """Draws the first and smallest of everything."""

    def integer(self, low, high):
        return low

    def of(self, choices):
        return choices[0]

    def boolean(self):
        return False

    def rarely(self):
        return False


@pytest.mark.parametrize("kind", LAYERS.values(), ids=LAYERS)
def test_every_variable_has_a_rule_for_its_first_values(kind):
    shape = (5, 4, 3)
    layer = judged.LAYERS[kind].draw(Smallest(), shape)
    assert type(layer) is kind
    variables = layer.parameter_shapes(shape) | layer.state_shapes(shape)
    assert set(variables) <= set(layer.initializers())
    assert set(layer.regularizers()) <= set(layer.initializers())


def guide_modules():
    """[(path, code)] of the guide."""
    return re.findall(r'```python title="([^"]+)"\n(.*?)```', GUIDE, re.DOTALL)


@pytest.fixture
def cropping(monkeypatch):
    """The guide's layer, written in all four packages for one test."""
    made = {}
    for path, code in guide_modules():
        name = path.removesuffix(".py").replace("/", ".")
        module = types.ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, path, "exec"), vars(module))
        made[path.partition("/")[0]] = module
    kind = made["model_spec"].Cropping1D
    for table in (LAYERS, from_scratch.LAYERS):
        assert f'"{kind.__name__}": "cropping1d",' in GUIDE
        monkeypatch.setitem(table.where, kind.__name__, "cropping1d")
    form = KerasForm((keras.layers.Cropping1D,), made["keras_models"].build, made["keras_models"].read)
    monkeypatch.setitem(in_keras.LAYERS, kind, form)
    line = judged.JudgedLayer(judged.reshaping.MovingRule(), made["bridge"].draw, ("steps",))
    monkeypatch.setitem(judged.LAYERS, kind, line)
    return kind


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_guide_adds_a_layer_that_agrees_with_keras(cropping, dtype):
    spec = ModelSpec("cropped", (7, 2), (cropping(2), Flatten(), Dense(3, activation="softmax")))
    ours, theirs = NumpyModel(spec, seed=1, dtype=dtype), KerasModel(spec, seed=1, dtype=dtype)
    x = np.random.default_rng(0).normal(size=(4, 7, 2))
    report = bridge.compare_models(ours, theirs, x, np.array([0, 1, 2, 0]))
    assert report.passed, str(report)
    assert "gradient of x" in {row.tensor for row in report.rows}
    assert read(theirs.keras_model).spec.layers == spec.layers


def test_the_guide_s_layer_is_drawn_and_its_reader_refuses(cropping):
    assert cropping in drawn_at_random()
    model = keras.Sequential([keras.Input((6, 1)), keras.layers.Cropping1D((1, 0))])
    with pytest.raises(ValueError, match=r"cropping=\(1, 0\) is not supported"):
        read(model)


def test_the_guide_names_the_files_and_tables_there_are():
    for path in re.findall(r"`((?:model_spec|core_numpy|keras_models|bridge|tests)/[^`]*)`", GUIDE):
        assert (PROJECT / path).exists(), path


def described(kind):
    """{argument: its text} in the docstring of a layer."""
    arguments = re.search(r"\n    Args:\n(.*?)\n\n", f"{kind.__doc__}\n\n", re.DOTALL)
    entries = re.findall(
        r"^ {8}(\w+): (.*?)(?=^ {8}\w|\Z)", arguments[1] if arguments else "", re.DOTALL | re.MULTILINE
    )
    return dict(entries)


@pytest.mark.parametrize("name", LAYERS)
def test_every_argument_is_described_with_its_default(name):
    """One by one, on the layer's page of the site; those of all layers stand with LayerSpec."""
    shared = {each.name for each in dataclasses.fields(LayerSpec)}
    own = [each for each in dataclasses.fields(LAYERS[name]) if each.name not in shared]
    found = described(LAYERS[name])
    assert list(found) == [each.name for each in own]
    for each in own:
        has_default = each.default is not dataclasses.MISSING
        assert ("default" in found[each.name].lower()) == has_default, each.name
        assert re.match('integer|float|boolean|tuple|name|object|number|cells|the same|"', found[each.name]), each.name
    assert shared == set(described(LayerSpec))
