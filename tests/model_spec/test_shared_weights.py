"""Layers that compute with the weights of an earlier one: what is written, checked, counted and saved."""

import dataclasses

import pytest

import model_spec as ms
from model_spec import load_model, model_from_json, to_json
from model_spec.schema import json_schema
from model_spec.serialization import to_dict

LAYERS = (
    ms.Dense(5, activation="tanh", inputs="left", name="encoder"),
    ms.Dense(5, activation="tanh", inputs="right", name="other", weights_of="encoder"),
    ms.Subtract(inputs=("encoder", "other")),
    ms.Dense(1, activation="sigmoid"),
)
SIAMESE = ms.ModelSpec("siamese", {"left": (6,), "right": (6,)}, LAYERS)
DENSE = ms.Dense(4, name="first")


def test_weights_are_counted_once():
    assert list(SIAMESE.parameter_shapes) == ["encoder/kernel", "encoder/bias", "dense/kernel", "dense/bias"]
    assert SIAMESE.variable_shapes == SIAMESE.parameter_shapes
    assert SIAMESE.parameter_count == 6 * 5 + 5 + 6
    rows = {line.split(":")[0]: line.split() for line in SIAMESE.summary().splitlines()}
    assert "35" in rows["encoder"]
    assert "0" in rows["other"]
    assert "weights_of='encoder'" in SIAMESE.summary()
    assert "Parameters: 41" in SIAMESE.summary()
    # The work is done twice
    assert SIAMESE.flops["other"] == SIAMESE.flops["encoder"] == 60


def test_to_json_toml_and_back(tmp_path):
    assert model_from_json(to_json(SIAMESE)) == SIAMESE
    entries = to_dict(SIAMESE)["layers"]
    assert [entry.get("weights_of") for entry in entries] == [None, "encoder", None, None]
    assert "weights_of" not in entries[0]
    path = tmp_path / "model.toml"
    path.write_text(
        'name = "tied"\ninput_shape = [4]\n[[layers]]\ntype = "Dense"\nunits = 4\nname = "first"\n'
        '[[layers]]\ntype = "Dense"\nunits = 4\nweights_of = "first"\n'
    )
    assert load_model(path).parameter_count == 20
    assert "weights_of" in json_schema()["$defs"]["layer"]["allOf"][0]["then"]["properties"]


def test_what_is_frozen_is_frozen_everywhere():
    frozen = SIAMESE.freeze("encoder")
    assert [layer.trainable for layer in frozen.layers if layer.name in ("encoder", "other")] == [False, False]
    assert frozen.trainable_parameters == ("dense/kernel", "dense/bias")


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((DENSE, ms.Dense(4, weights_of="second")), "weights_of='second' is no earlier layer with weights of its own"),
        ((ms.Dense(4, weights_of="first"), DENSE), "is no earlier layer"),
        ((DENSE, ms.Dense(4, weights_of="first", name="b"), ms.Dense(4, weights_of="b")), "is no earlier layer"),
        ((DENSE, ms.Dense(3, weights_of="first")), r"is Dense\(4\), this layer Dense\(3, .*of one kind"),
        ((DENSE, ms.Dense(4, activation="relu", weights_of="first")), "with the same options"),
        ((DENSE, ms.Activation("relu", weights_of="first")), "of one kind"),
        ((ms.Dense(5, name="first"), ms.Dense(5, weights_of="first")), r"\{'kernel': \(5, 5\), .*\(4, 5\)"),
        ((ms.Activation("relu", name="a"), ms.Activation("relu", weights_of="a")), "needs variables of no kind"),
        (
            (ms.BatchNormalization(name="n"), ms.BatchNormalization(weights_of="n")),
            "move once for each use.*freeze 'n' with trainable=False",
        ),
    ],
)
def test_refusals(layers, said):
    with pytest.raises(ValueError, match=said):
        ms.ModelSpec("m", (4,), layers)


def test_the_option_has_to_be_a_name():
    with pytest.raises(ValueError, match="weights_of must be the name of an earlier layer, got 3"):
        ms.Dense(4, weights_of=3)
    normalization = ms.BatchNormalization(name="n", trainable=False)
    shared = ms.ModelSpec("m", (4,), (normalization, dataclasses.replace(normalization, name="o", weights_of="n")))
    assert list(shared.variable_shapes) == [f"n/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")]
