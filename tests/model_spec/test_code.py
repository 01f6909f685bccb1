"""The repr of a specification is the code that makes it, and says nothing that is at its default."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import model_spec as ms
from bridge.fuzzing.random_cases import cases
from bridge.fuzzing.random_networks import Draw
from bridge.judge.layers import LAYERS
from model_spec import constraints, initializers, layers, losses, optimizers, regularizers, schedules, training
from model_spec.layers import ends

MODULES = (layers, ends, optimizers, losses, initializers, regularizers, constraints, schedules, training, ms)
NAMES = {name: value for module in MODULES for name, value in vars(module).items()} | {"ModelSpec": ms.ModelSpec}

CASES = {
    "Dense(10)": ms.Dense(10),
    "Dense(10, kernel_regularizer=L2(l2=0.1), name='head', trainable=False)": ms.Dense(
        10, name="head", trainable=False, kernel_regularizer=regularizers.L2(0.1)
    ),
    "SGD()": optimizers.SGD(0.01),
    "Adam(learning_rate=ExponentialDecay(0.1, 100, 0.5), clipnorm=1.0)": optimizers.Adam(
        schedules.ExponentialDecay(0.1, 100, 0.5), clipnorm=1
    ),
    "Huber(delta=0.5)": losses.Huber(0.5),
    "TrainingSpec(optimizer=SGD(learning_rate=0.1), epochs=5)": ms.TrainingSpec(optimizers.SGD(0.1), epochs=5),
    "EarlyStopping(patience=3)": ms.EarlyStopping(patience=3),
    "ModelSpec('net', (4,), (Dense(3),))": ms.ModelSpec("net", (4,), (ms.Dense(3),)),
    "ModelSpec('net', (4,), (Dense(4, name='dense'), Add(inputs=('input', 'dense'))))": ms.ModelSpec(
        "net", (4,), (ms.Dense(4), ms.Add(inputs=("input", "dense")))
    ),
}


@pytest.mark.parametrize("text", CASES)
def test_what_is_at_its_default_is_not_said(text):
    assert repr(CASES[text]) == text
    assert eval(repr(CASES[text]), NAMES) == CASES[text]


@pytest.mark.parametrize(
    "table", [losses.LOSSES, optimizers.OPTIMIZERS, initializers.INITIALIZERS, regularizers.REGULARIZERS]
)
def test_every_kind_with_its_defaults_is_a_call_without_arguments(table):
    for kind in table.values():
        if not any(item.default is dataclasses.MISSING for item in dataclasses.fields(kind)):
            assert repr(kind()) == f"{kind.__name__}()"
        assert eval(repr(kind()), NAMES) == kind()


@pytest.mark.parametrize("kind", list(LAYERS), ids=lambda kind: kind.__name__)
def test_every_layer_drawn_at_random(kind):
    shapes = {"image": (6, 5, 3), "row": (7,), "steps": (9, 2), "end": (6, 5, 3), "end of steps": (9, 2)}

    @settings(max_examples=15)
    @given(some.data())
    def check(data):
        for place in LAYERS[kind].places:
            layer = kind() if place == "merge" else LAYERS[kind].draw(Draw(data.draw), shapes[place])
            assert eval(repr(layer), NAMES) == layer
            assert ", inputs=None" not in repr(layer) and "merges" not in repr(layer)

    check()


@settings(max_examples=200)
@given(cases())
def test_networks_drawn_at_random(case):
    assert eval(repr(case.spec), NAMES) == case.spec
    assert eval(repr(case.loss), NAMES) == case.loss


def test_a_long_network_has_a_line_for_each_layer_and_its_ends_by_name():
    spec = ms.ModelSpec(
        "two",
        {"image": (8, 8, 1), "meta": (3,)},
        (
            ms.Conv2D(4, 3, activation="relu", inputs="image"),
            ms.Flatten(),
            ms.Concatenate(inputs=("flatten", "meta")),
            ms.Dense(10, activation="softmax", name="class"),
            ms.Dense(4, inputs="concatenate", name="box"),
        ),
        outputs={"a": "class", "b": "box"},
    )
    lines = repr(spec).splitlines()
    assert lines[0] == "ModelSpec('two', {'image': (8, 8, 1), 'meta': (3,)}, ("
    assert lines[1] == "    Conv2D(4, (3, 3), activation='relu', inputs=('image',)),"
    assert lines[-1] == "), outputs={'a': 'class', 'b': 'box'})"
    assert eval(repr(spec), NAMES) == spec


def test_what_needs_more_than_its_first_arguments_is_shown():
    """A rate of 0 stands only in front of a warm-up: the class alone refuses it."""
    schedule = schedules.CosineDecay(0.0, 40, alpha=0.1, warmup_target=0.05, warmup_steps=10)
    assert repr(schedule) == "CosineDecay(0.0, 40, alpha=0.1, warmup_target=0.05, warmup_steps=10)"
