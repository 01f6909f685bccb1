"""Networks with several inputs and outputs: values, gradients, culprits, files, conversion, training."""

import dataclasses
import itertools

import keras
import numpy as np
import pytest

import bridge
import core_numpy
import model_spec as ms
from core_numpy import NumpyModel
from keras_models import KerasModel, read
from model_spec import serialization

L = keras.layers

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

LAYERS = (
    ms.Conv2D(3, 3, inputs="image", name="conv"),
    ms.BatchNormalization(),
    ms.Flatten(),
    ms.Dense(4, activation="relu", inputs="meta", name="side"),
    ms.Concatenate(inputs=("flatten", "side"), name="both"),
    ms.Dropout(0.2),
    ms.Dense(3, activation="softmax", name="kind"),
    ms.Dense(2, activation="tanh", name="place", inputs="both"),
)
INPUTS = {"image": (5, 4, 2), "meta": (3,)}
SPEC = ms.ModelSpec("both", INPUTS, LAYERS, outputs=("kind", "place"))
KEYED = ms.ModelSpec("keyed", INPUTS, LAYERS, outputs={"where": "place", "a": "kind"})
ONE = ms.ModelSpec("one", INPUTS, LAYERS[:-1])
FROM_ONE = ms.ModelSpec(
    "from_one", (6,), (ms.Dense(4), ms.Dense(2, name="b"), ms.Dense(3, inputs="dense")), None, ("b", "dense_1")
)

RANDOM = np.random.default_rng(0)
X = {name: RANDOM.normal(size=(6, *shape)).astype("float32") for name, shape in INPUTS.items()}
COTANGENTS = [RANDOM.normal(size=(6, 3)), RANDOM.normal(size=(6, 2))]


def test_predictions_come_in_the_form_that_keras_gives():
    ours, theirs = NumpyModel(SPEC, seed=1), KerasModel(SPEC, seed=1)
    found = ours.predict(X)
    assert isinstance(found, list)
    assert [one.shape for one in found] == [(6, 3), (6, 2)]
    for mine, other in zip(found, theirs.keras_model.predict(X, verbose=0), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)
    for form in ([X["image"], X["meta"]], (X["image"], X["meta"]), dict(reversed(X.items()))):
        for model in (ours, theirs):
            np.testing.assert_array_equal(model.predict(form)[1], model.predict(X)[1])
    keyed = NumpyModel(KEYED, weights=ours.weights).predict(X)
    assert list(keyed) == list(KerasModel(KEYED).predict(X)) == ["a", "where"]
    np.testing.assert_array_equal(keyed["where"], found[1])
    assert [one.shape for one in ours.predict([one[:0] for one in X.values()])] == [(0, 3), (0, 2)]
    assert NumpyModel(FROM_ONE).predict(np.ones((2, 6)))[1].shape == (2, 3)


def test_pullback_takes_a_cotangent_for_each_output():
    ours = NumpyModel(SPEC, seed=1, dtype="float64")
    whole = ours.pullback(X, COTANGENTS)
    parts = [
        ours.pullback(X, [one if at == other else 0 * one for other, one in enumerate(COTANGENTS)]) for at in (0, 1)
    ]
    for name, gradient in whole.parameters.items():
        np.testing.assert_allclose(gradient, parts[0].parameters[name] + parts[1].parameters[name], atol=1e-14)
    assert not parts[0].parameters["place/kernel"].any()
    named = dict(zip(KEYED.shapes_of_outputs, reversed(COTANGENTS), strict=True))
    assert named.keys() == {"a", "where"}
    other = NumpyModel(KEYED, dtype="float64", weights=ours.weights).pullback(
        X, {"a": COTANGENTS[0], "where": COTANGENTS[1]}
    )
    np.testing.assert_allclose(other.activations["image"], whole.activations["image"], atol=1e-15)
    assert whole.activations["meta"].shape == X["meta"].shape


@pytest.mark.parametrize("spec", [SPEC, KEYED, FROM_ONE], ids=lambda spec: spec.name)
def test_both_backends_agree(spec):
    x = X if spec.input_parts else RANDOM.normal(size=(6, 6))
    report = bridge.compare(spec, x, paths=("eager", "graph", "xla"))
    assert report.passed, str(report)
    tensors = {row.tensor for row in report.rows if row.stage == "pullback"}
    assert "gradient of x" in tensors
    if spec.input_parts:
        assert {"gradient of image", "gradient of meta", "gradient of place/kernel", "gradient of conv"} <= tensors


def test_one_output_of_several_inputs_has_a_loss_and_trains():
    y = np.array([0, 1, 2, 0, 1, 2])
    report = bridge.compare(ONE, X, y)
    assert report.passed, str(report)
    assert "loss gradient" in {row.stage for row in report.rows}
    models = [kind(ONE, seed=3, dtype="float64") for kind in (NumpyModel, KerasModel)]
    histories = [model.fit(X, y, epochs=2, batch_size=4, validation_data=(X, y), verbose=0).history for model in models]
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(*(history[name] for history in histories), rtol=1e-12)
    assert models[0].evaluate(X, y)["loss"] == pytest.approx(models[1].evaluate(X, y)["loss"], rel=1e-12)
    for model in models:
        model.start_training(ms.TrainingSpec())
    assert models[0].train_on_batch(X, y) == pytest.approx(models[1].train_on_batch(X, y), rel=1e-12)


@pytest.mark.parametrize("position", [2, 5, 9])
def test_a_fault_in_a_branch_is_laid_at_its_layer(position):
    """Off by one part in 100,000: the convolution of one input, the Dense of the other, one of the outputs."""
    ours, theirs = NumpyModel(SPEC, dtype="float64"), KerasModel(SPEC, dtype="float64")
    bridge.copy_weights(ours, theirs)
    at = next(at for at, step in enumerate(ours.network.steps) if step.index == position)
    layer = ours.network.steps[at].layer

    @dataclasses.dataclass(frozen=True)
    class Off(type(layer)):
        def forward(self, params, state, x, context):
            y, cache = super().forward(params, state, x, context)
            return y * (1 + 1e-5), cache

    ours.network = ours.network.replace_layer(at, Off(layer.spec))
    report = bridge.compare_models(ours, theirs, X)
    assert not report.passed
    assert {culprit.row.layer for culprit in report.culprits} == {SPEC.layers[position].name}
    assert next(row.layer for row in report.rows if not row.agrees) == SPEC.layers[position].name


@pytest.mark.parametrize("spec", [SPEC, KEYED, ONE, FROM_ONE], ids=lambda spec: spec.name)
def test_written_and_read(spec):
    assert serialization.model_from_json(serialization.to_json(spec)) == spec
    assert dataclasses.replace(spec, name="other").layers == spec.layers
    entry = serialization.to_dict(spec)
    assert not {layer["type"] for layer in entry["layers"]} & {"InputPart", "Outputs"}


def test_a_file_written_by_hand(tmp_path):
    (tmp_path / "net.toml").write_text(
        """
        name = "net"
        input_shape = { image = [5, 4, 2], meta = [3] }
        outputs = ["flatten", "dense"]
        [[layers]]
        type = "Flatten"
        inputs = "image"
        [[layers]]
        type = "Dense"
        units = 2
        inputs = "meta"
        """
    )
    spec = serialization.load_model(tmp_path / "net.toml")
    assert spec.shapes_of_outputs == {"flatten": (40,), "dense": (2,)}
    assert spec.summary().splitlines()[0] == "Model net: inputs image (5, 4, 2), meta (3,)"
    assert spec.summary().splitlines()[-2] == "Outputs: flatten (40,), dense (2,)"


@pytest.mark.parametrize(("suffix", "spec"), list(itertools.product([".keras", ".h5"], [SPEC, KEYED])))
def test_converted_and_back_from_models_and_files(suffix, spec, tmp_path):
    model = KerasModel(spec, seed=2).keras_model
    certificate = bridge.convert(model, tmp_path / "model.npz", samples=X)
    assert certificate.passed, str(certificate)
    assert core_numpy.verify(tmp_path / "model.npz").passed
    loaded = core_numpy.load(tmp_path / "model.npz")
    assert loaded.spec == read(model).spec
    assert type(loaded.predict(X)) is type(model.predict(X, verbose=0))
    model.save(tmp_path / f"model{suffix}")
    found = read(tmp_path / f"model{suffix}")
    assert found.spec == read(model).spec
    assert bridge.convert(tmp_path / "model.npz", tmp_path / "back.keras").passed
    back = read(tmp_path / "back.keras")
    for name, value in loaded.weights.items():
        np.testing.assert_array_equal(back.weights[name], value)


def test_a_dict_of_inputs_and_models_in_models_are_read(tmp_path):
    first, second = keras.Input((3,), name="b"), keras.Input((4,), name="a")
    inner = keras.Model([first, second], [L.Dense(2)(first), L.Concatenate()([first, second])])
    entries = {name: keras.Input(shape, name=name) for name, shape in (("v", (3,)), ("u", (4,)))}
    halves = inner([entries["v"], entries["u"]])
    model = keras.Model(entries, {"z": L.Dense(3)(halves[1]), "y": halves[0]})
    assert bridge.convert(model, tmp_path / "model.npz").passed
    spec = core_numpy.load(tmp_path / "model.npz").spec
    assert [part.name for part in spec.input_parts] == ["u", "v"]
    assert spec.shapes_of_outputs == {"y": (2,), "z": (3,)}
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="has 2 inputs and is part of another model"):
        read(tmp_path / "model.keras")


@pytest.mark.parametrize("suffix", [None, ".keras", ".h5"])
@pytest.mark.parametrize(
    ("outputs", "note"),
    [
        (
            lambda y: {"z": y},
            "Keras gives the output of 'one' in a dict of the one key 'z'; here it is the array",
        ),
        (lambda y: [y], ""),
        (lambda y: y, ""),
    ],
)
def test_a_dict_of_one(outputs, note, suffix, tmp_path):
    a = keras.Input((4,), name="a")
    source = theirs = keras.Model({"a": a}, outputs(L.Dense(3)(a)), name="one")
    if suffix:
        source = tmp_path / f"one{suffix}"
        theirs.save(source)
    assert "; ".join(bridge.convert(source, tmp_path / "one.npz").notes) == note
    loaded = core_numpy.load(tmp_path / "one.npz")
    x = np.random.default_rng(0).random((5, 4), np.float32)
    expected = loaded.predict(x)
    for given in ({"a": x}, [x], (x,)):
        np.testing.assert_array_equal(loaded.predict(given), expected)
        np.testing.assert_array_equal(KerasModel(loaded.spec).predict(given), KerasModel(loaded.spec).predict(x))
    (given,) = keras.tree.flatten(theirs.predict({"a": x}, verbose=0))
    np.testing.assert_allclose(given, expected, atol=1e-6)
    with pytest.raises(ValueError, match="x is a dict of 'a, b', and one array is expected"):
        loaded.predict({"a": x, "b": x})
    with pytest.raises(ValueError, match=r"x must have shape \(examples, \*\(4,\)\), got \(1, 1, 5, 4\)"):
        loaded.predict([x[None]])


def model():
    return NumpyModel(SPEC)


REFUSED = [
    (lambda: model().predict([X["image"]]), "list of 2 arrays, one for each input .image, meta., or a dict, got 1 of"),
    (lambda: model().predict({"image": X["image"]}), "must have the inputs image, meta, got image"),
    (lambda: model().predict(X["image"]), "list of 2 arrays"),
    (lambda: model().predict([X["image"], X["meta"][:2]]), "as many examples for each input, got image 6, meta 2"),
    (lambda: model().predict([X["meta"], X["image"]]), r"input 'image', must have shape .examples, \*.5, 4, 2.., got"),
    (lambda: model().pullback(X, COTANGENTS[:1]), "cotangent must be a list of 2 arrays, one for each output"),
    (lambda: model().fit(X, [0] * 6), "training takes a network with one output, and 'both' has 2: kind, place"),
    (lambda: model().evaluate(X, [0] * 6), "evaluate takes a network with one output"),
    (lambda: model().loss_and_gradients(X, [0] * 6), "a loss takes a network with one output"),
    (lambda: KerasModel(SPEC).fit(X, [0] * 6), "training takes a network with one output"),
    (lambda: bridge.compare(SPEC, X, [0] * 6), "a loss takes a network with one output"),
    (lambda: ms.ModelSpec("m", {"a": (3,)}, (ms.Dense(2),)), "names 1 inputs"),
    (lambda: ms.ModelSpec("m", INPUTS, (ms.Flatten(inputs="input"),)), "several inputs; name one of image, meta"),
    (lambda: ms.ModelSpec("m", INPUTS, (ms.Flatten(inputs="image"),)), "nobody reads the output of 'meta'"),
    (lambda: ms.ModelSpec("m", (3,), (ms.Dense(2),), outputs=("dense",)), "names of two layers or more"),
    (lambda: ms.ModelSpec("m", (3,), (ms.Dense(2),), outputs=("dense", "b")), "reads 'b', which is no earlier layer"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
