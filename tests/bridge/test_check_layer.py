"""Foreign layers: right ones are certified in both precisions, faulty ones refused with the right tensor named."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import bridge
import model_spec
from tests.bridge import book_layers as books


def values(*shape, dtype="float64"):
    return np.random.default_rng(5).standard_normal(shape).astype(dtype)


def convolution(kind=books.Convolution, dtype="float64", **options):
    return kind(values(4, 2, 3, 3, dtype=dtype), values(4, dtype=dtype), **options)


def affine(kind=books.Affine, dtype="float64"):
    return kind(values(6, 5, dtype=dtype), values(5, dtype=dtype))


def batch_normalization(kind=books.BatchNormalization, dtype="float64"):
    return kind(values(6, dtype=dtype), values(6, dtype=dtype))


class ChannelDropout(books.Dropout):
    """One unit of the mask for each channel of an example."""

    def forward(self, x, train_flg=True):
        if not train_flg:
            return x
        kept = self.random.random((len(x), 1, x.shape[-1])) >= self.rate
        self.mask = kept.astype(x.dtype) * x.dtype.type(1 / (1 - self.rate))
        return x * self.mask


LAYERS = {
    "convolution": (convolution, model_spec.Conv2D(4, 3), (7, 6, 2), {"layout": "NCHW"}),
    "padded convolution": (
        lambda **options: convolution(stride=1, pad=1, **options),
        model_spec.Conv2D(4, 3, padding="same"),
        (5, 6, 2),
        {"layout": "NCHW"},
    ),
    "strided convolution": (
        lambda **options: convolution(stride=2, **options),
        model_spec.Conv2D(4, 3, strides=2),
        (7, 7, 2),
        {"layout": "NCHW"},
    ),
    "affine": (affine, model_spec.Dense(5), (6,), {}),
    "relu": (lambda dtype: books.Relu(), model_spec.Activation("relu"), (7, 6, 2), {"layout": "NCHW"}),
    "softmax": (lambda dtype: books.Softmax(), model_spec.Activation("softmax"), (6,), {}),
    "pooling": (lambda dtype: books.Pooling(2, 2), model_spec.MaxPooling2D(2), (6, 8, 3), {"layout": "NCHW"}),
    "overlapping pooling": (
        lambda dtype: books.Pooling(3, 3),
        model_spec.MaxPooling2D(3, strides=2),
        (7, 9, 2),
        {"layout": "NCHW"},
    ),
    "batch normalization": (
        batch_normalization,
        model_spec.BatchNormalization(0.9, epsilon=1e-6),
        (6,),
        {"training": True, "batch": 8},
    ),
    "batch normalization, inference": (
        batch_normalization,
        model_spec.BatchNormalization(0.9, epsilon=1e-6),
        (6,),
        {"backward": False},
    ),
    "dropout": (lambda dtype: books.Dropout(0.25), model_spec.Dropout(0.25), (40,), {"training": True}),
    "dropout of channels": (
        lambda dtype: ChannelDropout(0.25),
        model_spec.Dropout(0.25, (None, 1, None)),
        (3, 40),
        {"training": True},
    ),
    "dropout, inference": (lambda dtype: books.Dropout(0.25), model_spec.Dropout(0.25), (40,), {"backward": False}),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", list(LAYERS))
def test_book_layers_are_certified(name, dtype, seed):
    make, claim, shape, options = LAYERS[name]
    report = bridge.check_layer(make(dtype=dtype), claim, shape, seed=seed, **options)
    assert report.passed, str(report)
    assert report.verdict == "AGREE" and report.first_divergence is None
    assert str(report).startswith("AGREE: ")
    assert {row.dtype for row in report.rows} == {"float64", "float32"}
    tensors = {row.tensor for row in report.rows}
    assert "y" in tensors
    if options.get("training"):
        assert set(claim.state_shapes(shape)) <= tensors
        tensors -= set(claim.state_shapes(shape))
    if options.get("backward", True):
        assert tensors == {"y", "gradient of x", *(f"gradient of {each}" for each in claim.parameter_shapes(shape))}
    else:
        assert tensors == {"y"}


def test_float32_layers_answer_in_float32():
    """Else the float32 rows would prove nothing about float32."""
    report = bridge.check_layer(convolution(dtype="float32"), model_spec.Conv2D(4, 3), (7, 6, 2), layout="NCHW")
    assert report.notes == []
    single = [row.error_over_bound for row in report.rows if row.dtype == "float32"]
    assert max(single) > 1e-3
    report = bridge.check_layer(convolution(), model_spec.Conv2D(4, 3), (7, 6, 2), layout="NCHW")
    assert report.notes == ["fed float32, the layer answers in float64"]
    # Moving statistics that the float64 run made are gone before the float32 run
    make, claim, shape, options = LAYERS["batch normalization, inference"]
    assert bridge.check_layer(make(dtype="float32"), claim, shape, **options).notes[1:] == []


class ForgottenBias(books.Convolution):
    def forward(self, x):
        return super().forward(x) - self.b[:, None, None]


class ForgottenDb(books.Convolution):
    def backward(self, dout):
        dx = super().backward(dout)
        self.db = np.zeros_like(self.b)
        return dx


class NoDb(books.Convolution):
    def backward(self, dout):
        dx = super().backward(dout)
        self.db = None
        return dx


class FlippedKernel(books.Convolution):
    def forward(self, x):
        right = self.W
        self.W = right[:, :, ::-1, ::-1]
        y = super().forward(x)
        self.W = right
        return y


class OneExampleOnly(books.Convolution):
    def backward(self, dout):
        dx = super().backward(dout)
        rows = len(self.col) // len(dout)
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, len(self.W))
        self.dW = np.dot(self.col[:rows].T, dout[:rows]).T.reshape(self.W.shape)
        return dx


class AveragedDW(books.Affine):
    def backward(self, dout):
        dx = super().backward(dout)
        self.dW, self.db = self.dW / len(dout), self.db / len(dout)
        return dx


class WrongSign(books.Affine):
    def backward(self, dout):
        return -super().backward(dout)


class SlightlyWrongDW(books.Affine):
    def backward(self, dout):
        dx = super().backward(dout)
        self.dW[2, 3] *= 1 + 1e-4
        return dx


class NoMask(books.Relu):
    def backward(self, dout):
        return dout


class EarlyReturn(books.Pooling):
    def backward(self, dout):
        dx = super().backward(dout)
        dx[1:] = 0
        return dx


class WrongEpsilon(books.BatchNormalization):
    def forward(self, x, train_flg=True):
        return super().forward(x, train_flg) * (1 - 1e-6)


class MeanIsConstant(books.BatchNormalization):
    def backward(self, dout):
        dx = super().backward(dout)
        return dx + 0.1 * dout.mean(axis=0)


class Uninverted(books.Dropout):
    def forward(self, x, train_flg=True):
        return super().forward(x, train_flg) * (1 - self.rate)


class OtherRate(books.Dropout):
    def __init__(self, rate):
        super().__init__(rate)
        self.rate = 0.5


class DropsTooMany(books.Dropout):
    """The scale is right, so only the share of dropped values gives it away."""

    def forward(self, x, train_flg=True):
        super().forward(x, train_flg)
        self.mask *= self.random.random(x.shape) >= 0.5
        return x * self.mask


class NotANumber(books.Affine):
    def forward(self, x):
        return super().forward(x) * np.nan


FAULTS = {
    ForgottenBias: ("convolution", "y"),
    ForgottenDb: ("convolution", "gradient of bias"),
    NoDb: ("convolution", "gradient of bias"),
    FlippedKernel: ("convolution", "y"),
    OneExampleOnly: ("convolution", "gradient of kernel"),
    AveragedDW: ("affine", "gradient of kernel"),
    SlightlyWrongDW: ("affine", "gradient of kernel"),
    WrongSign: ("affine", "gradient of x"),
    NotANumber: ("affine", "y"),
    NoMask: ("relu", "gradient of x"),
    EarlyReturn: ("pooling", "gradient of x"),
    WrongEpsilon: ("batch normalization", "y"),
    MeanIsConstant: ("batch normalization", "gradient of x"),
    Uninverted: ("dropout", "y"),
    OtherRate: ("dropout", "y"),
    DropsTooMany: ("dropout", "dropout mask"),
}
MAKERS = {"convolution": convolution, "affine": affine, "batch normalization": batch_normalization}
PLAIN = {"relu": (), "pooling": (2, 2), "dropout": (0.25,)}


@pytest.mark.parametrize("kind", list(FAULTS))
def test_faulty_layers_are_refused_with_the_tensor_named(kind):
    like, tensor = FAULTS[kind]
    faulty = MAKERS[like](kind) if like in MAKERS else kind(*PLAIN[like])
    _, claim, shape, options = LAYERS[like]
    report = bridge.check_layer(faulty, claim, shape, **options)
    assert not report.passed and report.verdict == "DIFFER"
    assert report.first_divergence.tensor == tensor
    assert report.first_divergence.dtype == "float64"
    text = str(report).splitlines()
    assert text[0].startswith(f"DIFFER: {kind.__name__}")
    assert text[1] == f"first failing tensor: {tensor} (float64)"
    assert any(line.startswith("  BUG float64") and f"{tensor}" in line for line in text)


def test_only_the_faulty_tensor_fails_and_is_listed_with_index_and_values():
    report = bridge.check_layer(affine(SlightlyWrongDW), model_spec.Dense(5), (6,))
    assert {row.tensor for row in report.failures} == {"gradient of kernel"}
    first = report.first_divergence
    assert first.index == (2, 3) and first.failing == 1
    given, _, truth = first.values
    assert given == pytest.approx(truth * (1 + 1e-4), rel=1e-9)
    assert f"gradient of kernel[2, 3] = {given:.9g}, truth {truth:.9g}" in str(report)


def test_gradients_averaged_over_the_batch_can_be_declared():
    report = bridge.check_layer(affine(AveragedDW), model_spec.Dense(5), (6,), gradient_scale="mean", batch=3)
    assert report.passed, str(report)
    assert not bridge.check_layer(affine(), model_spec.Dense(5), (6,), gradient_scale="mean").passed


class Raising(books.Affine):
    def backward(self, dout):
        return np.dot(dout, self.W)


class WrongShape(books.Affine):
    def backward(self, dout):
        return super().backward(dout)[:, :2]


class ReturnsATuple(books.Affine):
    def backward(self, dout):
        return super().backward(dout), self.dW


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Raising, "raised ValueError in backward, line "),
        (WrongShape, "gradient of x: has shape (4, 2) (channels last), expected (4, 6)"),
        (ReturnsATuple, "backward must return dx, one array"),
    ],
)
def test_what_the_layer_raises_or_returns_is_reported(kind, message):
    report = bridge.check_layer(affine(kind), model_spec.Dense(5), (6,))
    assert not report.passed and report.first_divergence.tensor == "gradient of x"
    assert message in str(report)
    assert ".py" not in str(report)


def test_without_backward_only_forward_is_judged_and_said():
    report = bridge.check_layer(
        SimpleNamespace(forward=lambda x: np.maximum(x, 0)), model_spec.Activation("relu"), (5,)
    )
    assert report.passed and {row.tensor for row in report.rows} == {"y"}
    assert "only forward was judged: SimpleNamespace has no backward(dy)" in str(report)
    step = SimpleNamespace(forward=lambda x: (x > 0).astype(x.dtype), backward=lambda dy: 0 * dy)
    assert "no useful derivative" in str(bridge.check_layer(step, model_spec.Activation("step"), (5,)))


class Dicts:
    """params and grads dicts, kernel (out, in), gradients added up, not set."""

    def __init__(self, names=("W", "b")):
        self.kernel_name, self.bias_name = names
        self.params = {names[0]: values(5, 6), names[1]: values(5, 1)}
        self.grads = {name: np.zeros_like(value) for name, value in self.params.items()}

    def forward(self, x, training=False):
        self.x = x
        return x @ self.params[self.kernel_name].T + self.params[self.bias_name][:, 0]

    def backward(self, dy):
        self.grads[self.kernel_name] += dy.T @ self.x
        self.grads[self.bias_name] += dy.sum(axis=0)[:, None]
        return dy @ self.params[self.kernel_name]


class KerasNames:
    def __init__(self):
        self.kernel, self.bias = values(6, 5), None

    def forward(self, x):
        self.x, self.y = x, np.tanh(x @ self.kernel + self.bias)
        return self.y

    def backward(self, dy):
        dz = dy * (1 - self.y**2)
        self.dkernel, self.dbias = self.x.T @ dz, dz.sum(axis=0)
        return dz @ self.kernel.T


class Lists(books.Affine):
    """params and grads lists; the arrays are also reached by another name."""

    def __init__(self):
        self.params = [values(6, 5), values(5)]
        self.grads = [None, None]

    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dy):
        self.grads = [self.x.T @ dy, dy.sum(axis=0)]
        return dy @ self.params[0].T


@pytest.mark.parametrize(
    ("layer", "claim"),
    [
        (Dicts(), model_spec.Dense(5)),
        (Dicts(("kernel", "bias")), model_spec.Dense(5)),
        (KerasNames(), model_spec.Dense(5, activation="tanh")),
        (Lists(), model_spec.Dense(5)),
    ],
)
def test_attribute_styles(layer, claim):
    report = bridge.check_layer(layer, claim, (6,), accumulates=isinstance(layer, Dicts))
    assert report.passed, str(report)
    assert len(report.rows) == 8
    assert not bridge.check_layer(layer, model_spec.Dense(5, activation="sigmoid"), (6,)).passed


def test_the_layer_keeps_its_own_arrays_and_values():
    layer = convolution()
    array, before = layer.W, layer.W.copy()
    bridge.check_layer(layer, model_spec.Conv2D(4, 3), (7, 6, 2), layout="NCHW")
    assert layer.W is array and np.array_equal(layer.W, before)
    integers = books.Affine(np.arange(30).reshape(6, 5), np.arange(5))
    assert bridge.check_layer(integers, model_spec.Dense(5), (6,)).passed
    assert integers.W.dtype.kind == "i" and np.array_equal(integers.W, np.arange(30).reshape(6, 5))
    normalization = batch_normalization()
    bridge.check_layer(normalization, model_spec.BatchNormalization(0.9, epsilon=1e-6), (6,), training=True)
    assert normalization.running_mean is None


def test_a_variable_that_cannot_be_found_gives_the_list():
    layer = SimpleNamespace(theta=values(6, 5), b=values(5), forward=lambda x: x)
    with pytest.raises(ValueError, match="but no array for 'kernel' of 30 values") as caught:
        bridge.check_layer(layer, model_spec.Dense(5), (6,))
    for part in ("looked for W, w, ", "theta (6, 5)", "b (5,)", 'names={"kernel": "theta"}', " more"):
        assert part in str(caught.value)


def test_a_gradient_that_cannot_be_found_gives_the_list():
    class NoGradients(books.Affine):
        def __init__(self, W, b):
            self.W, self.b = W, b

        def backward(self, dout):
            return dout @ self.W.T

    report = bridge.check_layer(affine(NoGradients), model_spec.Dense(5), (6,))
    assert "no gradient of 'kernel' (W) after backward; name it: names={" in str(report)
    assert report.first_divergence.tensor == "gradient of kernel"


def test_ambiguity_is_refused_and_can_be_settled():
    square = books.Affine(values(6, 6), values(6))
    with pytest.raises(ValueError, match="fits several layouts; give kernel_layout= one of IO, OI"):
        bridge.check_layer(square, model_spec.Dense(6), (6,))
    assert bridge.check_layer(square, model_spec.Dense(6), (6,), kernel_layout="IO").passed
    assert not bridge.check_layer(square, model_spec.Dense(6), (6,), kernel_layout="OI").passed
    cube = books.Convolution(values(3, 3, 3, 3), values(3))
    with pytest.raises(ValueError, match="give kernel_layout= one of HWIO, OIHW"):
        bridge.check_layer(cube, model_spec.Conv2D(3, 3), (6, 5, 3), layout="NCHW")
    options = {"layout": "NCHW", "kernel_layout": "FCHW"}
    assert bridge.check_layer(cube, model_spec.Conv2D(3, 3), (6, 5, 3), **options).passed
    twice = affine()
    twice.params = {"W": values(6, 5), "b": values(5)}
    with pytest.raises(ValueError, match=r"two arrays for 'kernel', params\['W'\] and W; say which one"):
        bridge.check_layer(twice, model_spec.Dense(5), (6,))
    assert bridge.check_layer(twice, model_spec.Dense(5), (6,), style="books").passed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "CHWN"}, "layout must be one of NCHW, NHWC"),
        ({"kernel_layout": "HWIO"}, "kernel_layout must be one of IO, OI"),
        ({"kernel_layout": "OI"}, r"has shape \(6, 5\), but OI is \(5, 6\)"),
        ({"style": "torch"}, "style must be one of"),
        ({"gradient_scale": "max"}, "gradient_scale must be one of mean, sum"),
        ({"batch": 0}, "batch must be an integer of at least 1"),
        ({"seed": -1}, "seed must be an integer of at least 0"),
        ({"dtypes": "float16"}, 'dtype must be "float32" or "float64"'),
        ({"dtypes": ()}, "give at least one precision"),
        ({"training": 1}, "training must be True or False"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        bridge.check_layer(affine(), model_spec.Dense(5), (6,), **options)


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="has no method forward"):
        bridge.check_layer(SimpleNamespace(), model_spec.Dense(5), (6,))
    with pytest.raises(ValueError, match="differs from Keras' by design"):
        bridge.check_layer(books.Relu(), model_spec.Flatten(), (3, 3, 2), layout="NCHW")
    half = affine(dtype="float16")
    with pytest.raises(ValueError, match="does not hold the values of 'kernel'"):
        bridge.check_layer(half, model_spec.Dense(5), (6,))
    without_statistics = batch_normalization()
    del without_statistics.running_mean
    with pytest.raises(ValueError, match="but no array for 'moving_mean'"):
        bridge.check_layer(without_statistics, model_spec.BatchNormalization(0.9, epsilon=1e-6), (6,))


def test_keras_beside():
    report = bridge.check_layer(
        convolution(), model_spec.Conv2D(4, 3, activation="linear"), (7, 6, 2), layout="NCHW", with_keras=True
    )
    assert report.passed
    assert set(report.keras) == {(row.dtype, row.tensor) for row in report.rows}
    assert all(0 <= beside.error_over_bound < 1 for beside in report.keras.values())
    assert "Keras" in str(report)
    faulty = bridge.check_layer(
        convolution(FlippedKernel), model_spec.Conv2D(4, 3), (7, 6, 2), layout="NCHW", with_keras=True
    )
    first = faulty.first_divergence
    # Keras stands with the truth, not with the layer
    assert faulty.keras[first.dtype, first.tensor].value == pytest.approx(first.values[2], rel=1e-10)
    assert ", Keras " in str(faulty)


def test_report_as_json_and_html():
    report = bridge.check_layer(affine(NoDbAffine), model_spec.Dense(5), (6,))
    entry = json.loads(json.dumps(report.to_dict()))
    assert entry["verdict"] == "DIFFER" and entry["first_divergence"] == "gradient of bias"
    assert entry["broken"][0]["message"] == "NoDbAffine.db is None after backward"
    assert len(entry["rows"]) == len(report.rows) == 6
    assert report._repr_html_().startswith("<pre>DIFFER")


class NoDbAffine(books.Affine):
    def backward(self, dout):
        dx = super().backward(dout)
        self.db = None
        return dx
