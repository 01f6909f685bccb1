"""Any Keras model of supported layers is read exactly; what a specification cannot say is refused by name."""

import keras
import numpy as np
import pytest

import keras_models
import model_spec as ms
from keras_models import KerasModel, read
from keras_models.reading.names import unique_names
from keras_models.runtime import tensorflow
from keras_models.weight_files import save_model, save_weights
from model_spec import zoo
from model_spec.constraints import MaxNorm

layers = keras.layers


def sequential(*members, shape=(8, 8, 1), name=None):
    return keras.Sequential([keras.Input(shape), *members], name=name)


@pytest.mark.parametrize("name", ["mlp", "cnn", "lenet", "bn_cnn"])
def test_what_was_built_from_a_specification_is_read_back(name):
    spec = zoo.build(name, (12, 12, 1))
    built = KerasModel(spec, seed=3)
    found = read(built.keras_model)
    assert found.spec.layers == spec.layers
    assert found.spec.input_shape == spec.input_shape
    assert found.dtype == "float32"
    for variable, value in built.weights.items():
        np.testing.assert_array_equal(found.weights[variable], value)


READ = [
    (layers.ReLU(), ms.Activation("relu")),
    (layers.ReLU(6), ms.Activation("relu6")),
    (layers.ReLU(max_value=2, negative_slope=0.1, threshold=0.5), ms.ReLU(2.0, 0.1, 0.5)),
    (layers.ReLU(negative_slope=0.1), ms.ReLU(negative_slope=0.1)),
    (layers.Dense(2, activation=layers.ReLU(6)), ms.Dense(2, activation="relu6")),
    (layers.LeakyReLU(negative_slope=0.2), ms.Activation("leaky_relu")),
    (layers.LeakyReLU(negative_slope=0.1), ms.LeakyReLU(0.1)),
    (layers.ELU(), ms.Activation("elu")),
    (layers.ELU(alpha=0.5), ms.ELU(0.5)),
    (layers.Softmax(), ms.Activation("softmax")),
    (layers.Identity(), ms.Activation("linear")),
    (layers.Activation(keras.activations.tanh), ms.Activation("tanh")),
    (layers.Activation("swish"), ms.Activation("silu")),
    (layers.Dense(2, kernel_constraint="non_neg"), ms.Dense(2, kernel_constraint="non_neg")),
    (
        layers.Conv2D(2, 3, kernel_constraint=keras.constraints.MaxNorm(3, [0, 1, 2]), bias_constraint="unit_norm"),
        ms.Conv2D(2, 3, kernel_constraint=MaxNorm(3, (0, 1, 2)), bias_constraint="unit_norm"),
    ),
    (layers.Dense(2, activation="gelu"), ms.Dense(2, activation="gelu")),
    (layers.Dropout(0.3), ms.Dropout(0.3)),
    (layers.SpatialDropout2D(0.3), ms.Dropout(0.3, (None, 1, 1, None))),
    (layers.Rescaling(1 / 255), ms.Rescaling(1 / 255)),
    (layers.Rescaling([2.0], offset=np.array([0.5])), ms.Rescaling(2.0, 0.5)),
    (layers.ZeroPadding2D(((1, 0), (2, 1))), ms.ZeroPadding2D(((1, 0), (2, 1)))),
    (layers.UpSampling2D((2, 1)), ms.UpSampling2D((2, 1))),
    (layers.Reshape((4, 16, 1)), ms.Reshape((4, 16, 1))),
    (layers.AveragePooling2D(3, 2, "same"), ms.AveragePooling2D(3, 2, "same")),
    (layers.GlobalMaxPooling2D(), ms.GlobalMaxPooling2D()),
    (layers.Conv2D(2, 3, activation=layers.ReLU()), ms.Conv2D(2, 3, activation="relu")),
    (layers.Conv2D(2, 3, dilation_rate=2, use_bias=False), ms.Conv2D(2, 3, dilation_rate=2, use_bias=False)),
    (layers.Conv1D(4, 3, padding="causal", dilation_rate=2), ms.Conv1D(4, 3, padding="causal", dilation_rate=2)),
    (layers.Conv1D(4, 3, 2, "same", kernel_regularizer="l2"), ms.Conv1D(4, 3, 2, "same", kernel_regularizer="l2")),
    (layers.ZeroPadding1D((1, 0)), ms.ZeroPadding1D((1, 0))),
    (layers.Cropping2D(1), ms.Cropping2D(1)),
    (layers.Cropping2D(((1, 0), (2, 1))), ms.Cropping2D(((1, 0), (2, 1)))),
    (layers.MaxPooling1D(3, 2, "same"), ms.MaxPooling1D(3, 2, "same")),
    (layers.AveragePooling1D(2), ms.AveragePooling1D()),
    (layers.GlobalMaxPooling2D(keepdims=True), ms.GlobalMaxPooling2D(keepdims=True)),
    (layers.GlobalAveragePooling1D(keepdims=True), ms.GlobalAveragePooling1D(keepdims=True)),
    (layers.GlobalMaxPooling1D(), ms.GlobalMaxPooling1D()),
    (layers.GlobalAveragePooling1D(), ms.GlobalAveragePooling1D()),
    (
        layers.SeparableConv2D(4, 3, 2, "same", depth_multiplier=2, use_bias=False, pointwise_regularizer="l2"),
        ms.SeparableConv2D(4, 3, 2, "same", depth_multiplier=2, use_bias=False, pointwise_regularizer="l2"),
    ),
    (layers.Conv2DTranspose(2, 3, 2, "same"), ms.Conv2DTranspose(2, 3, 2, "same")),
    (
        layers.Conv2DTranspose(2, 3, 2, output_padding=1, activation="relu", use_bias=False, kernel_regularizer="l2"),
        ms.Conv2DTranspose(2, 3, 2, output_padding=1, activation="relu", use_bias=False, kernel_regularizer="l2"),
    ),
    (layers.DepthwiseConv2D(3, 2, "same", 2, use_bias=False), ms.DepthwiseConv2D(3, 2, "same", 2, use_bias=False)),
    (
        layers.DepthwiseConv2D(2, dilation_rate=2, activation="relu6", depthwise_regularizer="l2"),
        ms.DepthwiseConv2D(2, dilation_rate=2, activation="relu6", depthwise_regularizer="l2"),
    ),
    (layers.Conv2D(2, 3, kernel_regularizer="l2"), ms.Conv2D(2, 3, kernel_regularizer="l2")),
    (
        layers.Dense(2, kernel_regularizer=keras.regularizers.L1L2(0.25, 0.5), trainable=False),
        ms.Dense(2, kernel_regularizer=ms.regularizers.L1L2(0.25, 0.5), trainable=False),
    ),
    (layers.Dense(2, kernel_initializer="orthogonal"), ms.Dense(2)),
    (layers.PReLU("ones", "l2", shared_axes=[1, 2]), ms.PReLU("ones", "l2", (1, 2))),
    (layers.PReLU(shared_axes=1), ms.PReLU(shared_axes=1)),
    (layers.Conv2D(4, 3, groups=1), ms.Conv2D(4, 3)),
    (layers.Dense(2, activation=layers.LeakyReLU(negative_slope=0.1)), ms.Dense(2, activation=ms.LeakyReLU(0.1))),
    (layers.Dense(2, activation=layers.ReLU(max_value=5)), ms.Dense(2, activation=ms.ReLU(5.0))),
    (layers.Conv2D(2, 3, activation=layers.ELU(alpha=2.0)), ms.Conv2D(2, 3, activation=ms.ELU(2.0))),
    (layers.Activation(layers.LeakyReLU(negative_slope=0.1)), ms.LeakyReLU(0.1)),
    (layers.Activation("log_softmax"), ms.Activation("log_softmax")),
    (layers.Softmax(axis=1), ms.Softmax(1)),
    (layers.GroupNormalization(1, epsilon=1e-5, center=False), ms.GroupNormalization(1, 1e-5, False)),
    (layers.GroupNormalization(-1), ms.GroupNormalization(1)),
    (layers.UnitNormalization(axis=[1, 2]), ms.UnitNormalization((1, 2))),
    (layers.Normalization(axis=None), ms.Normalization(None)),
    (layers.Normalization(axis=(1, -1)), ms.Normalization((1, -1))),
    (layers.Normalization(mean=3.0, variance=2.0), ms.Normalization()),
    (layers.RepeatVector(3), ms.RepeatVector(3)),
    (layers.Permute((2, 1, 3)), ms.Permute((2, 1, 3))),
    (layers.UpSampling2D(2, interpolation="bilinear"), ms.UpSampling2D(2, "bilinear")),
    (layers.LayerNormalization(), ms.LayerNormalization()),
    (layers.LayerNormalization([2, 1], 1e-5, False), ms.LayerNormalization((1, 2), 1e-5, False)),
    (layers.Flatten(), ms.Flatten()),
    (layers.MaxPooling2D(2), ms.MaxPooling2D(2)),
    (layers.GlobalAveragePooling2D(), ms.GlobalAveragePooling2D()),
    (layers.Dense(2, kernel_initializer=keras.initializers.RandomNormal(0, 0.5)), None),
    (layers.BatchNormalization(momentum=0.9, scale=False), ms.BatchNormalization(0.9, scale=False)),
]


def on_its_input(layer):
    """A model of this layer alone, on steps or on images."""
    shape = (8, 2) if "1D" in type(layer).__name__ else (8,) if isinstance(layer, layers.RepeatVector) else (8, 8, 1)
    return sequential(layer, shape=shape)


@pytest.mark.parametrize(("layer", "expected"), READ, ids=lambda value: getattr(value, "name", None))
def test_layers_and_options(layer, expected):
    found = read(on_its_input(layer)).spec.layers[0]
    if expected is None:
        expected = ms.Dense(2, kernel_initializer=ms.initializers.RandomNormal(0, 0.5))
    assert found.describe() == expected.describe()
    assert found.name == layer.name


READ_MERGES = [
    *((getattr(layers, kind)(), getattr(ms, kind)()) for kind in ("Add", "Subtract", "Multiply", "Average")),
    *((getattr(layers, kind)(), getattr(ms, kind)()) for kind in ("Maximum", "Minimum", "Concatenate")),
    (layers.Concatenate(axis=2), ms.Concatenate(2)),
]


@pytest.mark.parametrize(("layer", "expected"), READ_MERGES, ids=lambda value: getattr(value, "name", None))
def test_merges(layer, expected):
    inputs = keras.Input((4, 3))
    side, other = layers.Dense(3, name="side")(inputs), layers.Activation("tanh", name="other")(inputs)
    found = read(keras.Model(inputs, layer([other, side])))
    merged = found.spec.layers[-1]
    assert [one.name for one in found.spec.layers[:2]] == ["other", "side"]
    assert merged.inputs == ("other", "side")
    assert type(merged) is type(expected)
    assert getattr(merged, "axis", None) == getattr(expected, "axis", None)


@keras.saving.register_keras_serializable("tests")
class Doubled(layers.Dense):
    def call(self, inputs):
        return 2 * super().call(inputs)


def dot():
    inputs = keras.Input((4,))
    return keras.Model(inputs, layers.Dot(axes=1)([layers.Dense(2)(inputs), layers.Dense(2)(inputs)]))


def repeated_sum():
    inputs = keras.Input((4, 3))
    return keras.Model(inputs, layers.Add()([inputs, layers.Dense(1)(inputs)]))


def other_ranks():
    inputs = keras.Input((4, 3))
    return keras.Model(inputs, layers.Multiply()([inputs, layers.GlobalAveragePooling1D()(inputs)]))


def nested_outputs():
    inputs = keras.Input((4,))
    outputs = [layers.Dense(size)(inputs) for size in (2, 3, 4)]
    return keras.Model(inputs, [outputs[0], outputs[1:]])


def other_kinds_of_inputs():
    inputs = [keras.Input((4,)), keras.Input((4,), dtype="uint8")]
    return keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(inputs)))


def bare_operation():
    inputs = keras.Input((4,))
    return keras.Model(inputs, keras.ops.sin(layers.Dense(2)(inputs)))


class Subclassed(keras.Model):
    def call(self, inputs):
        return inputs


def test_slopes_behind_a_channels_first_flatten_change_places():
    """A value of its own for every feature, or one for all, in the order of channels last."""
    random = np.random.default_rng(0)
    for shared, count in ((None, 48), ([1], 1)):
        model = sequential(
            layers.ZeroPadding2D(0, data_format="channels_first"),
            layers.Flatten(),
            layers.PReLU(shared_axes=shared),
            layers.Dense(2),
            shape=(3, 4, 4),
        )
        alpha = random.normal(size=count).astype("float32")
        model.layers[2].set_weights([alpha])
        found = read(model)
        expected = alpha.reshape(3, 4, 4).transpose(1, 2, 0).reshape(-1) if count > 1 else alpha
        np.testing.assert_array_equal(found.weights[f"{model.layers[2].name}/alpha"], expected)


REFUSED = [
    (lambda: sequential(layers.SpectralNormalization(layers.Dense(2))), "SpectralNormalization.*supported are Dense"),
    (lambda: sequential(layers.GroupNormalization(1, axis=1)), "axis=1"),
    (lambda: sequential(layers.Normalization(invert=True)), "invert=True"),
    (lambda: sequential(layers.UpSampling2D(interpolation="bicubic")), "interpolation='bicubic'"),
    (lambda: sequential(layers.UnitNormalization(axis=(0, 1))), "axis=.0, 1."),
    (lambda: sequential(Doubled(2)), "Doubled"),
    (
        lambda: sequential(layers.Conv1D(2, 3, data_format="channels_first"), shape=(8, 9)),
        "data_format='channels_first'",
    ),
    (
        lambda: sequential(layers.MaxPooling1D(data_format="channels_first"), shape=(8, 9)),
        "data_format='channels_first'",
    ),
    (lambda: sequential(layers.GlobalMaxPooling1D("channels_first"), shape=(8, 9)), "data_format='channels_first'"),
    (lambda: sequential(layers.Conv2DTranspose(2, 3, dilation_rate=2), shape=(8, 8, 2)), r"dilation_rate=\(2, 2\)"),
    (lambda: sequential(layers.Dense(2, activation="celu")), "activation celu"),
    (lambda: sequential(layers.Dense(2, activation=lambda x: x)), "activation <lambda>"),
    (lambda: sequential(layers.Dense(2, activation=layers.PReLU())), "this layer as an activation"),
    (
        lambda: sequential(layers.Conv2D(3, 1, data_format="channels_first"), layers.PReLU(), layers.Flatten()),
        "this layer on channels-first images is not supported",
    ),
    (lambda: sequential(layers.Dense(2, activation=layers.Softmax(axis=1))), "axis=1"),
    (lambda: sequential(layers.Softmax(axis=(1, 2))), "axis=.1, 2."),
    (lambda: sequential(layers.RandomCrop(4, 4)), "RandomCrop"),
    (lambda: sequential(layers.Rescaling([[1.0, 2.0, 3.0]]), shape=(8, 8, 3)), "a flat list"),
    (
        lambda: sequential(layers.Conv2D(3, 1, data_format="channels_first"), layers.Rescaling([1.0] * 9)),
        "a number for each channel of channels-first images",
    ),
    (lambda: sequential(layers.Rescaling([1.0, 2.0]), shape=(8, 8, 3)), "2 numbers, expected one number or 3"),
    (lambda: sequential(layers.BatchNormalization(axis=1)), "axis=1"),
    (lambda: sequential(layers.Dropout(0.2, noise_shape=(3, None, 1, 1))), "noise_shape"),
    (
        lambda: sequential(
            layers.Conv2D(3, 1, data_format="channels_first"), layers.LayerNormalization(), layers.Flatten()
        ),
        "LayerNormalization.*channels-first images",
    ),
    (lambda: sequential(layers.Dense(2, dtype="mixed_float16")), "float16"),
    (lambda: sequential(layers.Dense(2, dtype="bfloat16")), "bfloat16"),
    (lambda: sequential(layers.Flatten(), layers.Dense(2, dtype="float64")), "different precisions"),
    (lambda: keras.Sequential([layers.Dense(2)]), "has not been built"),
    (lambda: sequential(layers.GlobalMaxPooling2D(), shape=(None, None, 1)), r"any size.*input_shape=\(64, 64, 1\)"),
    (lambda: sequential(layers.Conv2D(2, 3), layers.MaxPooling2D(data_format="channels_first")), "mix data formats"),
    (dot, r"takes 2 inputs; write keras\.layers\.Multiply, then keras\.layers\.Dense\(1, use_bias=False"),
    (repeated_sum, r"shapes \(4, 3\) and \(4, 1\), which must be the same;"),
    (other_ranks, r"shapes \(4, 3\) and \(3,\), which must be the same, or 1"),
    (nested_outputs, "nests its outputs"),
    (other_kinds_of_inputs, "casts its inputs to float32 and uint8"),
    (bare_operation, "operation .*Sin.*supported are layers"),
    (Subclassed, "can compute anything"),
    (lambda: sequential(), "no layers|has not been built"),
]


@pytest.mark.parametrize(("build", "message"), REFUSED)
def test_what_cannot_be_said_is_refused_by_name(build, message):
    with keras_models.runtime.without_tracing_warnings(), pytest.raises(ValueError, match=message):
        read(build())


def test_nested_models_become_one_line_with_unique_names():
    part = keras.Sequential([keras.Input((6,)), layers.Dense(5, name="dense"), layers.Dense(4, name="other>layer")])
    model = keras.Sequential([keras.Input((6,)), part, layers.Dense(3, name="dense")])
    found = read(model)
    assert [layer.name for layer in found.spec.layers] == ["dense", "other_layer", "dense_1"]
    x = np.random.default_rng(0).random((3, 6)).astype("float32")
    np.testing.assert_allclose(found.predict(x), model.predict(x, verbose=0))
    assert list(found.activations(x)) == ["dense", "other_layer", "dense_1"]


def test_unique_names():
    assert unique_names(["dense", "dense", "a b", "dense_1"]) == ["dense", "dense_2", "a_b", "dense_1"]


@pytest.mark.parametrize("flatten", ["channels_first", "channels_last"])
def test_channels_first_becomes_channels_last(flatten):
    model = sequential(
        layers.Conv2D(3, 3, data_format="channels_first", activation="tanh"),
        layers.MaxPooling2D((2, 1), data_format="channels_first"),
        layers.Flatten(data_format=flatten),
        layers.BatchNormalization(),
        layers.Dense(4),
        layers.Dense(3),
        shape=(2, 7, 6),
    )
    random = np.random.default_rng(1)
    for variable in model.weights:
        variable.assign(random.uniform(0.5, 1.5, variable.shape))
    found = read(model)
    assert found.spec.input_shape == (7, 6, 2)
    x = random.random((5, 7, 6, 2)).astype("float32")
    from core_numpy import NumpyModel

    ours = NumpyModel(found.spec)
    ours.set_weights(found.weights)
    np.testing.assert_allclose(ours.predict(x), found.predict(x), rtol=1e-4)
    mine = ours.activations(x)
    for name, value in found.activations(x).items():
        np.testing.assert_allclose(mine[name], value, rtol=1e-4)


def test_numbers_are_those_keras_computes_with():
    with keras_models.floatx("float64"):
        model = sequential(layers.Rescaling(0.1, dtype="float64"), shape=(3,))
    # TensorFlow casts a Python float to float64 by way of float32
    assert read(model).spec.layers[0].scale == float(np.float32(0.1))
    x = np.random.default_rng(0).random((4, 3))
    np.testing.assert_array_equal(read(model).predict(x), x * float(np.float32(0.1)))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(6, 1, data_format="channels_first", kernel_initializer="zeros"),
        layers.Conv2DTranspose(6, 1, data_format="channels_first", kernel_initializer="zeros"),
        layers.SeparableConv2D(6, 1, data_format="channels_first", pointwise_initializer="zeros"),
        layers.DepthwiseConv2D(1, depth_multiplier=6, data_format="channels_first", depthwise_initializer="zeros"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_keras_adds_a_bias_to_the_columns_where_there_are_as_many(layer):
    model = sequential(layer, layers.Flatten(), shape=(1, 4, 6))
    bias = np.arange(6, dtype="float32")
    layer.bias.assign(bias)
    output = tensorflow.function(layer, jit_compile=True)(np.zeros((1, 1, 4, 6), "float32")).numpy()
    # (n, filters, h, w): right would be bias[None, :, None, None]
    np.testing.assert_array_equal(output, np.broadcast_to(bias, (1, 6, 4, 6)))
    with pytest.raises(ValueError, match="as many channels-first filters as there are columns"):
        read(model)


def test_channels_first_values_need_an_end():
    with pytest.raises(ValueError, match="ends with channels-first"):
        read(sequential(layers.Conv2D(2, 3, data_format="channels_first"), shape=(2, 7, 6)))


def test_files(tmp_path):
    model = sequential(layers.Flatten(), layers.Dense(3))
    save_model(model, tmp_path / "model.keras")
    save_weights(model, tmp_path / "model.weights.h5")
    first = read(tmp_path / "model.keras")
    second = read(tmp_path / "model.weights.h5", first.spec)
    for found in (first, second):
        np.testing.assert_array_equal(found.weights["dense/kernel"] if "dense/kernel" in found.weights else
                                      next(iter(found.weights.values())), model.weights[0].numpy())  # fmt: skip
    with pytest.raises(ValueError, match="weights only"):
        read(tmp_path / "model.weights.h5")
    with pytest.raises(ValueError, match="no such file"):
        read(tmp_path / "other.keras")
    with pytest.raises(ValueError, match="no file of a Keras model"):
        read(tmp_path / "model.onnx")
    (tmp_path / "damaged.keras").write_bytes(b"not a zip file")
    with pytest.raises(ValueError, match="damaged.keras cannot be read"):
        read(tmp_path / "damaged.keras")
