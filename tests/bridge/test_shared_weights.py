"""One layer in several places: values, added gradients, training, culprits, conversion and back."""

import dataclasses

import keras
import numpy as np
import pytest

import bridge
import core_numpy
import model_spec as ms
from core_numpy import NumpyModel, gradient_check
from core_numpy.tiers import why_not_fast
from core_numpy.verification import verify
from keras_models import KerasModel, read
from keras_models.runtime import without_tracing_warnings
from model_spec.losses import BinaryCrossentropy
from tests.keras_models.test_branches import changed
from tests.keras_models.test_read_files import save

L = keras.layers

SIAMESE = ms.ModelSpec(
    "siamese",
    {"left": (6,), "right": (6,)},
    (
        ms.Dense(5, activation="tanh", inputs="left", name="encoder", kernel_regularizer="l2"),
        ms.Dense(5, activation="tanh", inputs="right", name="other", kernel_regularizer="l2", weights_of="encoder"),
        ms.Subtract(inputs=("encoder", "other")),
        ms.Dense(1, activation="sigmoid"),
    ),
)
FROZEN = {"trainable": False}
IMAGES = ms.ModelSpec(
    "images",
    (7, 7, 2),
    (
        ms.Conv2D(2, 3, padding="same", use_bias=False, name="conv"),
        ms.BatchNormalization(name="norm", **FROZEN),
        ms.MaxPooling2D(name="small"),
        ms.Conv2D(2, 3, padding="same", use_bias=False, weights_of="conv"),
        ms.BatchNormalization(weights_of="norm", name="norm_2", **FROZEN),
        ms.Dropout(0.3),
        ms.Flatten(),
        ms.Dense(3, activation="softmax"),
    ),
)
LINE = ms.ModelSpec(
    "line",
    (5,),
    (
        ms.Dense(5, activation="relu", name="tied", kernel_constraint="non_neg"),
        ms.Dense(5, activation="relu", weights_of="tied", kernel_constraint="non_neg", name="again"),
        ms.LayerNormalization(),
        ms.Dense(5, activation="relu", weights_of="tied", kernel_constraint="non_neg", name="third"),
        ms.Dense(3, activation="softmax"),
    ),
)
SAME_INPUT = ms.ModelSpec(
    "same_input",
    (4,),
    (ms.Dense(3, name="d"), ms.Dense(3, name="e", inputs="input", weights_of="d"), ms.Multiply(inputs=("d", "e"))),
)
SPECS = [SIAMESE, IMAGES, LINE, SAME_INPUT]


def data_of(spec):
    x = np.random.default_rng(0).normal(size=(8, *spec.input_shape))
    if spec is SAME_INPUT:
        return x, None, None
    return (x, np.arange(8) % 2, BinaryCrossentropy()) if spec is SIAMESE else (x, np.arange(8) % 3, None)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_both_backends_agree(spec):
    x, y, loss = data_of(spec)
    report = bridge.compare(spec, x, y, loss=loss, paths=("eager", "graph", "xla"))
    assert report.passed, str(report)
    names = {row.tensor for row in report.rows}
    assert {str(layer.name) for layer in spec.layers if not type(layer).__name__.startswith("Input")} <= names
    assert {f"gradient of {name}" for name in spec.trainable_parameters} <= names


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_gradients_by_differences(spec):
    x, y, loss = data_of(spec)
    model = NumpyModel(spec, seed=3, dtype="float64")
    assert gradient_check(model, x, y, loss=loss).passed


@pytest.mark.parametrize("spec", [SIAMESE, IMAGES, LINE], ids=lambda spec: spec.name)
def test_training_in_lock_step(spec):
    x, y, loss = data_of(spec)
    training = ms.TrainingSpec(
        optimizer=ms.optimizers.Adam(), batch_size=4, loss=loss or "sparse_categorical_crossentropy"
    )
    report = bridge.compare_training(spec, x, y, training, 6, controls=2)
    assert report.passed, str(report)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_plans_leave_such_networks_to_the_reference(spec):
    assert "share weights" in why_not_fast(NumpyModel(spec).network)
    x, y, loss = data_of(spec)
    with pytest.raises(ValueError, match="share weights"):
        NumpyModel(spec, engine="fast").predict(x)
    reference, auto = (NumpyModel(spec, seed=2, engine=engine) for engine in ("reference", "auto"))
    np.testing.assert_array_equal(reference.predict(x), auto.predict(x))
    if y is not None:
        for model in (reference, auto):
            model.fit(x, y, epochs=2, batch_size=3, loss=loss, verbose=0)
        for name, value in reference.weights.items():
            np.testing.assert_array_equal(value, auto.weights[name])


def without_gradient(layer):
    """The layer with half the gradient of its kernel."""

    @dataclasses.dataclass(frozen=True)
    class Half(type(layer)):
        def backward(self, params, cache, dy, need_dx=True):
            dx, grads = super().backward(params, cache, dy, need_dx)
            return dx, {name: value / 2 for name, value in grads.items()}

    return Half(layer.spec)


@pytest.mark.parametrize(("spec", "name"), [(SIAMESE, "encoder"), (SIAMESE, "other"), (LINE, "again"), (LINE, "third")])
def test_a_wrong_gradient_of_one_use_is_laid_at_this_use(spec, name):
    x, _, _ = data_of(spec)
    ours, theirs = NumpyModel(spec, dtype="float64", seed=1), KerasModel(spec, dtype="float64")
    bridge.copy_weights(ours, theirs)
    at = next(at for at, step in enumerate(ours.network.steps) if step.name == name)
    ours.network = ours.network.replace_layer(at, without_gradient(ours.network.steps[at].layer))
    report = bridge.compare_models(ours, theirs, x)
    assert not report.passed
    assert {culprit.row.layer for culprit in report.culprits} == {name}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_folding_leaves_shared_layers(spec):
    model = NumpyModel(spec, dtype="float64", weights=bridge.random_weights(spec, 1))
    x, _, _ = data_of(spec)
    expected = model.predict(x)
    model.fold_for_inference()
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-13)


def encoder():
    layers = [
        L.Conv2D(3, 3, use_bias=False),
        L.BatchNormalization(),
        L.ReLU(),
        L.MaxPooling2D(),
        L.Flatten(),
        L.Dense(4),
    ]
    return keras.Sequential([keras.Input((8, 8, 1)), *layers], name="encoder")


def siamese():
    shared, inputs = encoder(), [keras.Input((8, 8, 1), name=name) for name in ("first", "second")]
    return keras.Model(inputs, L.Dense(1, activation="sigmoid")(L.Subtract()([shared(one) for one in inputs])))


def triplet():
    shared, inputs = encoder(), [keras.Input((8, 8, 1)) for _ in range(3)]
    return keras.Model(inputs, [shared(one) for one in inputs])


def tied():
    inputs, dense = keras.Input((6,)), L.Dense(6, activation="relu", name="tied")
    return keras.Model(inputs, L.Dense(2)(dense(dense(dense(inputs)))))


def heads():
    inputs, relu = keras.Input((16, 16, 3)), L.ReLU()
    fine = relu(L.Conv2D(4, 3, padding="same")(inputs))
    head, pooling = L.Conv2D(2, 3, padding="same", name="head"), L.GlobalAveragePooling2D()
    coarse = L.MaxPooling2D()(fine)
    return keras.Model(inputs, L.concatenate([pooling(relu(head(fine))), pooling(relu(head(coarse)))]))


def inner_model():
    inside = keras.Input((4,))
    inner = keras.Model(inside, L.Add()([L.Dense(4, activation="tanh")(inside), inside]), name="inner")
    inputs = keras.Input((4,))
    return keras.Model(inputs, inner(inner(inputs)))


def calls_apart():
    """Every call of a layer, and of a model inside, is told from the others."""
    inside = keras.Input((4,))
    dense = L.Dense(4, activation="tanh")
    inner = keras.Model(inside, L.Subtract()([dense(dense(inside)), inside]), name="inner")
    one, two, outer = keras.Input((4,)), keras.Input((4,)), L.Dense(4, name="outer")
    first, second, third = inner(one), inner(two), inner(outer(one))
    return keras.Model([one, two], [inner(third), second, L.Subtract()([outer(third), first]), outer(second)])


MODELS = {build.__name__: build for build in (siamese, triplet, tied, heads, inner_model, calls_apart)}


def with_values(model):
    random = np.random.default_rng(4)
    for variable in model.variables:
        if variable.dtype == "float32":
            low = 0.5 if variable.name in ("moving_variance", "gamma") else -0.5
            variable.assign(random.uniform(low, low + 1, variable.shape))
    return model


def as_list(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


@pytest.mark.parametrize("source", ["memory", "keras", "h5"])
@pytest.mark.parametrize("name", MODELS)
def test_converted_and_back(name, source, tmp_path):
    model = with_values(MODELS[name]())
    x = [np.random.default_rng(1).random((3, *one.shape[1:]), np.float32) for one in model.inputs]
    x = x if len(x) > 1 else x[0]
    with without_tracing_warnings():
        given = model if source == "memory" else save(model, tmp_path / f"model.{source}")
        certificate = bridge.convert(given, tmp_path / "model.npz")
        expected = model.predict(x, verbose=0)
        back = bridge.convert(tmp_path / "model.npz", tmp_path / "back.keras")
    assert certificate.passed, str(certificate)
    assert back.passed, str(back)
    assert verify(tmp_path / "model.npz").passed
    ours = core_numpy.load(tmp_path / "model.npz")
    # Of the model that was saved, whatever was read
    for found, right in zip(as_list(ours.predict(x)), as_list(expected), strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5)
    assert sum(value.size for value in ours.weights.values()) == model.count_params()
    frozen = [note for note in certificate.notes if "read as frozen" in note]
    assert len(frozen) == (name in ("siamese", "triplet"))
    # Back in Keras it is one layer again, with the same bits
    again = keras.saving.load_model(tmp_path / "back.keras")
    values = [sorted(variable.numpy().tobytes() for variable in one.weights) for one in (model, again)]
    assert values[0] == values[1]


def test_a_weight_that_is_off_in_one_use_is_seen(tmp_path):
    """The certificate can fail: the specification without the sharing, one kernel off by a part in ten thousand."""
    model = with_values(tied())
    found = read(model)
    spec = found.spec
    layers = [dataclasses.replace(layer, weights_of=None) for layer in spec.layers]
    apart = ms.ModelSpec("apart", spec.input_shape, tuple(layers))
    weights = {
        name: found.weights[name if name in found.weights else f"tied/{name.split('/')[1]}"]
        for name in apart.variable_shapes
    }
    right = NumpyModel(apart, weights=weights)
    assert bridge.conversion.certify(right, found, None, 0, {}).passed
    weights["tied_2/kernel"] = weights["tied_2/kernel"] * np.float32(1.0001)
    certificate = bridge.conversion.certify(NumpyModel(apart, weights=weights), found, None, 0, {})
    assert not certificate.passed
    assert certificate.failing[0].layer == "tied_2"


def test_foreign_layers_have_weights_of_their_own():
    with pytest.raises(ValueError, match="shares weights, and every foreign layer has its own"):
        bridge.model_from_layers([None] * 8, LINE)


def test_files_that_call_too_much_are_refused(tmp_path):
    """A model inside is taken apart once for each call, and calls multiply from one model to the next."""
    layer, shape = L.Dense(4), (4,)
    for name in "abcd":
        inputs = keras.Input(shape)
        x = inputs
        for _ in range(12):
            x = layer(x)
        layer = keras.Model(inputs, x, name=name)
    with without_tracing_warnings():
        path = save(layer, tmp_path / "model.keras")
    with pytest.raises(ValueError, match="more than 10,000 layers"):
        read(path)


def test_calls_of_keras_2_that_mean_two_things_are_refused(tmp_path):
    def as_keras_2(found):
        found["subtract"]["inbound_nodes"] = [[["encoder", 1, 0, {}], ["encoder", 2, 0, {}]]]

    model = siamese()
    with without_tracing_warnings():
        path = save(model, tmp_path / "model.keras")
    name = next(layer.name for layer in model.layers if isinstance(layer, L.Subtract))
    changed(path, lambda found: as_keras_2({**found, "subtract": found[name]}))
    with pytest.raises(ValueError, match="'encoder' is called more than once, in a file of Keras 2"):
        read(path)
