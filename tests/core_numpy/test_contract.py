"""The contract of core_numpy.contract, kept by every layer under every option: a new layer adds lines to CASES."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel
from core_numpy.contract import Context
from core_numpy.network import Network
from model_spec.activations import ACTIVATIONS, KINKS
from model_spec.layers import LAYERS
from model_spec.regularizers import L2

EXAMPLES = 4
IMAGE = (5, 6, 2)


class Case(NamedTuple):
    id: str
    layer: ms.LayerSpec
    input_shape: tuple[int, ...]


CASES = [
    Case("dense", ms.Dense(3), (5,)),
    Case("dense-no-bias", ms.Dense(3, use_bias=False), (5,)),
    Case("dense-3d", ms.Dense(2), (3, 4)),
    Case("dense-image", ms.Dense(2, use_bias=False), (2, 3, 4)),
    Case("dense-one-to-one", ms.Dense(1), (1,)),
    Case("dense-frozen", ms.Dense(3, trainable=False), (5,)),
    Case(
        "dense-initializers-penalties",
        ms.Dense(
            3,
            kernel_initializer="he_normal",
            bias_initializer="ones",
            kernel_regularizer=L2(0.1),
            bias_regularizer="l1",
        ),
        (5,),
    ),
    *(Case(f"dense-{name}", ms.Dense(4, activation=name), (5,)) for name in ACTIVATIONS),
    Case("conv-valid", ms.Conv2D(3, 3), IMAGE),
    Case("conv-same", ms.Conv2D(3, 3, padding="same"), IMAGE),
    Case("conv-no-bias", ms.Conv2D(3, 3, use_bias=False), IMAGE),
    Case("conv-frozen", ms.Conv2D(3, 2, trainable=False), IMAGE),
    Case("conv-3-channels", ms.Conv2D(2, 3, padding="same"), (5, 5, 3)),
    Case("conv-1-channel", ms.Conv2D(1, 2), (4, 4, 1)),
    Case("conv-whole-image", ms.Conv2D(3, (5, 6)), IMAGE),
    *(
        Case(f"conv-{kernel}-{padding}", ms.Conv2D(2, kernel, padding=padding), IMAGE)
        for kernel in (1, (2, 3), (3, 2), 5)
        for padding in ("valid", "same")
    ),
    *(
        Case(f"conv-strides-{strides}-{padding}", ms.Conv2D(2, (3, 2), strides=strides, padding=padding), (7, 8, 2))
        for strides in (2, (1, 2), (2, 1), 3)
        for padding in ("valid", "same")
    ),
    *(
        Case(f"conv-dilation-{rate}-{padding}", ms.Conv2D(2, (3, 2), dilation_rate=rate, padding=padding), (6, 5, 2))
        for rate in (2, (2, 1))
        for padding in ("valid", "same")
    ),
    Case(
        "conv-initializers-penalties",
        ms.Conv2D(
            2,
            2,
            kernel_initializer="random_normal",
            bias_initializer="ones",
            kernel_regularizer="l2",
            bias_regularizer="l1_l2",
        ),
        IMAGE,
    ),
    *(Case(f"conv-{name}", ms.Conv2D(2, 3, padding="same", activation=name), (4, 4, 2)) for name in ACTIVATIONS),
    *(
        Case(
            f"depthwise-{kernel}-{stride}-{padding}-{multiplier}",
            ms.DepthwiseConv2D(kernel, stride, padding, multiplier),
            IMAGE,
        )
        for kernel in (1, 3, (2, 3))
        for stride in (1, 2)
        for padding in ("valid", "same", ((1, 0), (0, 2)))
        for multiplier in (1, 3)
    ),
    *(
        Case(f"transpose-{kernel}-{strides}-{padding}", ms.Conv2DTranspose(2, kernel, strides, padding), (4, 3, 2))
        for kernel in (1, 2, (2, 3))
        for strides in (1, 2, (1, 3))
        for padding in ("valid", "same")
    ),
    *(
        Case(f"transpose-{padding}-{chosen}", ms.Conv2DTranspose(2, 3, 2, padding, chosen, "tanh"), (3, 4, 3))
        for padding in ("valid", "same")
        for chosen in (0, (1, 0))
    ),
    Case("transpose-frozen", ms.Conv2DTranspose(4, 3, use_bias=False, trainable=False), (3, 3, 2)),
    Case(
        "transpose-options",
        ms.Conv2DTranspose(
            2,
            2,
            kernel_initializer="he_normal",
            bias_initializer="ones",
            kernel_regularizer="l2",
            bias_regularizer="l1",
        ),
        (3, 3, 2),
    ),
    *(
        Case(
            f"separable-{kernel}-{stride}-{padding}-{multiplier}",
            ms.SeparableConv2D(4, kernel, stride, padding, depth_multiplier=multiplier),
            IMAGE,
        )
        for kernel in (1, (2, 3))
        for stride in (1, 2)
        for padding in ("valid", "same", ((1, 0), (0, 2)))
        for multiplier in (1, 3)
    ),
    Case("separable-dilation", ms.SeparableConv2D(2, 2, dilation_rate=(2, 3), activation="tanh"), (6, 5, 3)),
    Case("separable-frozen", ms.SeparableConv2D(2, 2, padding="same", use_bias=False, trainable=False), IMAGE),
    Case(
        "separable-options",
        ms.SeparableConv2D(
            2,
            2,
            depthwise_initializer="he_normal",
            pointwise_initializer="he_uniform",
            bias_initializer="ones",
            depthwise_regularizer="l2",
            pointwise_regularizer="l1",
            bias_regularizer="l1",
        ),
        IMAGE,
    ),
    *(
        Case(f"conv1d-{size}-{stride}-{padding}", ms.Conv1D(3, size, stride, padding), (6, 2))
        for size in (1, 3)
        for stride in (1, 2)
        for padding in ("valid", "same", "causal")
    ),
    *(
        Case(f"conv1d-dilation-{padding}", ms.Conv1D(2, 2, 1, padding, 2, "tanh"), (6, 3))
        for padding in ("valid", "same", "causal")
    ),
    Case("conv1d-frozen", ms.Conv1D(2, 2, use_bias=False, trainable=False), (5, 2)),
    Case(
        "conv1d-options",
        ms.Conv1D(
            2,
            2,
            kernel_initializer="he_normal",
            bias_initializer="ones",
            kernel_regularizer="l2",
            bias_regularizer="l1",
        ),
        (5, 2),
    ),
    *(
        Case(f"{kind.__name__}-{size}-{strides}-{padding}", kind(size, strides, padding), (7, 2))
        for kind in (ms.MaxPooling1D, ms.AveragePooling1D)
        for size, strides in ((2, None), (3, 2), (3, 1))
        for padding in ("valid", "same")
    ),
    *(Case(f"padding-1d-{padding}", ms.ZeroPadding1D(padding), (4, 2)) for padding in (0, 2, (1, 0))),
    *(
        Case(f"cropping-{cropping}", ms.Cropping2D(cropping), (5, 4, 2))
        for cropping in (0, 1, (2, 0), ((1, 0), (0, 2)))
    ),
    Case("global-max-keepdims", ms.GlobalMaxPooling2D(True), (4, 5, 3)),
    Case("global-average-keepdims", ms.GlobalAveragePooling2D(True), (4, 5, 3)),
    Case("global-max-1d-keepdims", ms.GlobalMaxPooling1D(True), (5, 3)),
    Case("global-average-1d-keepdims", ms.GlobalAveragePooling1D(True), (5, 3)),
    Case("global-max-1d", ms.GlobalMaxPooling1D(), (5, 3)),
    Case("global-average-1d", ms.GlobalAveragePooling1D(), (5, 3)),
    Case("depthwise-dilation", ms.DepthwiseConv2D(2, dilation_rate=(2, 3), activation="tanh"), (6, 5, 3)),
    Case("depthwise-frozen", ms.DepthwiseConv2D(2, padding="same", use_bias=False, trainable=False), IMAGE),
    Case(
        "depthwise-options",
        ms.DepthwiseConv2D(
            2,
            depthwise_initializer="he_normal",
            bias_initializer="ones",
            depthwise_regularizer="l2",
            bias_regularizer="l1",
        ),
        IMAGE,
    ),
    *(
        Case(f"{kind.__name__}-{pool}-{strides}-{padding}", kind(pool, strides=strides, padding=padding), (7, 5, 2))
        for kind in (ms.MaxPooling2D, ms.AveragePooling2D)
        for pool in (2, 3, (2, 3), (3, 1))
        for strides in (None, 1, (1, 2), 3)
        for padding in ("valid", "same")
    ),
    Case("global-average", ms.GlobalAveragePooling2D(), (5, 3, 4)),
    Case("global-max", ms.GlobalMaxPooling2D(), (5, 3, 4)),
    Case("zero-padding", ms.ZeroPadding2D(), (3, 4, 2)),
    Case("zero-padding-2", ms.ZeroPadding2D(2), (3, 4, 2)),
    Case("zero-padding-pair", ms.ZeroPadding2D((1, 2)), (3, 4, 2)),
    Case("zero-padding-pairs", ms.ZeroPadding2D(((0, 2), (3, 1))), (3, 4, 2)),
    *(Case(f"up-sampling-{size}", ms.UpSampling2D(size), (3, 4, 2)) for size in (1, 2, (1, 3), (3, 2))),
    Case("flatten", ms.Flatten(), (3, 4, 2)),
    Case("flatten-flat", ms.Flatten(), (4,)),
    Case("reshape", ms.Reshape((6, 4)), (3, 4, 2)),
    Case("reshape-infer", ms.Reshape((2, -1, 3)), (3, 4, 2)),
    Case("rescaling", ms.Rescaling(1 / 3), (3, 4)),
    Case("rescaling-offset", ms.Rescaling(-2.5, 0.7), (3, 4, 2)),
    Case("rescaling-channels", ms.Rescaling([-2.5, 0.3], [0.7, 1.5]), (3, 4, 2)),
    Case("dropout", ms.Dropout(0.3), (7, 5)),
    Case("dropout-channels", ms.Dropout(0.3, (None, 1, 1, None)), (3, 4, 7)),
    Case("dropout-rows", ms.Dropout(0.3, (None, 6, 1)), (6, 5)),
    Case("dropout-0", ms.Dropout(0.0), (7,)),
    *(
        Case(
            f"batch-normalization-{len(shape)}d-{center}-{scale}",
            ms.BatchNormalization(center=center, scale=scale),
            shape,
        )
        for shape in ((3,), (3, 2, 3))
        for center in (True, False)
        for scale in (True, False)
    ),
    Case("batch-normalization-frozen", ms.BatchNormalization(trainable=False), (3,)),
    Case("batch-normalization-numbers", ms.BatchNormalization(momentum=0.7, epsilon=0.1), (3,)),
    *(
        Case(f"layer-normalization-{axis}-{center}-{scale}", ms.LayerNormalization(axis, 0.1, center, scale), IMAGE)
        for axis in (-1, 1, (1, 3), (1, 2, 3), (-3, -2))
        for center in (True, False)
        for scale in (True, False)
    ),
    Case("layer-normalization-row", ms.LayerNormalization(trainable=False), (5,)),
    *(Case(f"activation-{name}", ms.Activation(name), (3, 4)) for name in ACTIVATIONS),
    *(Case(f"prelu-{axes}", ms.PReLU(shared_axes=axes), IMAGE) for axes in (None, 3, (1, 2), (1, 2, 3))),
    *(Case(f"elu-{alpha}", ms.ELU(alpha), (3, 4)) for alpha in (1.0, 0.5, 2.0, 0.0)),
    *(Case(f"leaky-relu-{slope}", ms.LeakyReLU(slope), (3, 4)) for slope in (0.3, 0.01, 1.5, 0.0)),
    *(
        Case(f"relu-{largest}-{slope}-{threshold}", ms.ReLU(largest, slope, threshold), (3, 4))
        for largest in (None, 6.0, 0.7)
        for slope in (0.0, 0.2)
        for threshold in (0.0, 0.5)
    ),
    *(
        Case(f"conv-groups-{groups}", ms.Conv2D(4, 2, groups=groups, use_bias=groups > 2), (4, 5, 4))
        for groups in (2, 4)
    ),
    Case("conv-groups-options", ms.Conv2D(6, 2, (1, 2), "same", activation="tanh", groups=2), (4, 5, 2)),
    Case("conv1d-groups", ms.Conv1D(4, 2, 1, "causal", 2, groups=2), (6, 2)),
    *(
        Case(f"dense-{type(function).__name__}", ms.Dense(4, activation=function), (5,))
        for function in (ms.LeakyReLU(0.1), ms.ELU(0.5), ms.ReLU(1.0, 0.1))
    ),
    Case("conv-leaky-relu", ms.Conv2D(2, 2, activation=ms.LeakyReLU(0.3)), IMAGE),
    *(Case(f"softmax-{axis}", ms.Softmax(axis), IMAGE) for axis in (1, 2, -1, -3)),
    *(
        Case(
            f"group-normalization-{groups}-{len(shape)}d-{center}-{scale}",
            ms.GroupNormalization(groups, 0.1, center, scale),
            shape,
        )
        for groups, shape in ((1, IMAGE), (2, (3, 2, 4)), (-1, IMAGE), (2, (6,)), (2, (5, 4)))
        for center in (True, False)
        for scale in (True, False)
    ),
    Case("group-normalization-frozen", ms.GroupNormalization(2, trainable=False), (3, 4)),
    *(Case(f"unit-normalization-{axis}", ms.UnitNormalization(axis), IMAGE) for axis in (-1, 1, (1, 3), (1, 2, 3))),
    *(Case(f"normalization-{axis}", ms.Normalization(axis), IMAGE) for axis in (-1, 1, None, (3, 1), (1, 2, 3))),
    *(Case(f"permute-{dims}", ms.Permute(dims), IMAGE) for dims in ((2, 1, 3), (3, 1, 2), (2, 3, 1), (1, 2, 3))),
    *(Case(f"repeat-vector-{n}", ms.RepeatVector(n), (4,)) for n in (1, 3)),
    *(Case(f"bilinear-{size}", ms.UpSampling2D(size, "bilinear"), (3, 4, 2)) for size in (1, 2, (1, 3), (3, 2))),
    Case("prelu-options", ms.PReLU("ones", "l2", trainable=False), (4,)),
]

every_case = pytest.mark.parametrize("case", [pytest.param(case, id=case.id.replace(" ", "")) for case in CASES])
both_modes = pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])


class RowMasks:
    """Masks fixed for each example, so that an example keeps its mask when the batch is split."""

    def __init__(self, first_row=0):
        self.first_row = first_row

    def keep_mask(self, shape, rate, dtype):
        whole = np.random.default_rng(5).random((EXAMPLES, *shape[1:])) >= rate
        return whole[self.first_row : self.first_row + shape[0]]


@dataclasses.dataclass
class Bench:
    """One layer with random data, and the plain loops over its steps."""

    case: Case
    dtype: str = "float64"

    def __post_init__(self):
        # A generator of the case's own: a case added elsewhere in the table changes nothing here.
        random = np.random.default_rng(list(self.case.id.encode()))
        self.spec = ms.ModelSpec("case", self.case.input_shape, (self.case.layer,))
        self.network = Network.of(self.spec)
        self.step = self.network.steps[0]
        built = self.step.layer.build(self.case.input_shape, lambda purpose: 1, np.dtype(self.dtype))
        self.built_params, self.built_state = built
        for _ in range(500):
            self._draw(random)
            if not self._near_a_kink():
                break
        else:
            pytest.fail("no draw without a value near a kink; widen the range or lower MARGIN")
        self.dy = random.normal(size=(EXAMPLES, *self.spec.output_shape)).astype(self.dtype)

    # Central differences move a preactivation by at most H * |direction| * |weights|, about 1e-4.
    MARGIN = 1e-3

    def _draw(self, random):
        size = EXAMPLES * int(np.prod(self.case.input_shape))
        # Evenly spaced in random order: no two values of one pooling window tie, none is 0.
        x = random.permutation(np.linspace(-2.0, 2.1, size)).reshape(EXAMPLES, *self.case.input_shape)
        self.x = x.astype(self.dtype)

        def values(variables):
            return {
                name: np.array(
                    random.uniform(0.5, 1.5, value.shape)
                    if name.endswith("variance")
                    else random.normal(size=value.shape) + 0.1,
                    self.dtype,
                )
                for name, value in variables.items()
            }

        self.params, self.state = values(self.built_params), values(self.built_state)

    def _near_a_kink(self):
        preactivation = self.x
        if len(self.network.steps) == 2:
            preactivation, _ = self.step.layer.forward(self.params, self.state, self.x, Context())
        activation = getattr(self.case.layer, "activation", "linear")
        has_kink = activation != "linear" or isinstance(self.case.layer, (ms.PReLU, ms.LeakyReLU, ms.ReLU, ms.ELU))
        kinks = (0.0, *(place for place, _ in KINKS.get(activation, ())))
        if isinstance(self.case.layer, ms.ReLU):
            kinks = (self.case.layer.threshold, self.case.layer.max_value or 0.0)
        return has_kink and min(np.abs(preactivation - place).min() for place in kinks) < self.MARGIN

    @property
    def has_backward(self):
        return getattr(self.case.layer, "activation", None) != "step"

    def variables(self, step):
        return ({}, {}) if step.is_activation else (self.params, self.state)

    def forward(self, x, training, first_row=0):
        caches = []
        for step in self.network.steps:
            x, cache = step.layer.forward(*self.variables(step), x, Context(training, RowMasks(first_row)))
            caches.append(cache)
        return x, caches

    def backward(self, caches, dy, need_dx=True):
        grads = {}
        for at in range(len(caches) - 1, -1, -1):
            step = self.network.steps[at]
            params, _ = self.variables(step)
            dy, own = step.layer.backward(params, caches[at], dy, need_dx or at > 0)
            assert list(own) == list(params)
            grads |= own
        return dy, grads

    def next_state(self, caches):
        return self.step.layer.next_state(self.state, caches[0])

    def run(self, training, x=None, dy=None, first_row=0):
        """Everything that comes out of one forward and backward pass, by name."""
        x, dy = self.x if x is None else x, self.dy if dy is None else dy
        y, caches = self.forward(x, training, first_row)
        found = {"y": y, **{f"next {name}": value for name, value in self.next_state(caches).items()}}
        if self.has_backward:
            dx, grads = self.backward(caches, dy)
            found |= {"dx": dx, **{f"d{name}": value for name, value in grads.items()}}
        return found


def assert_same_bits(found, expected):
    assert list(found) == list(expected)
    for name, value in found.items():
        assert value.dtype == expected[name].dtype
        assert value.shape == expected[name].shape
        assert value.tobytes() == expected[name].tobytes(), name


# The table is complete


def test_the_table_has_every_layer():
    # Merges, which take several inputs, have a table of their own in layers/test_merging.py
    assert {type(case.layer) for case in CASES} == {kind for kind in LAYERS.values() if not kind.merges}


@pytest.mark.parametrize("kind", [ms.Activation, ms.Dense, ms.Conv2D])
def test_the_table_has_every_activation(kind):
    assert {case.layer.activation for case in CASES if type(case.layer) is kind} >= set(ACTIVATIONS)


@pytest.mark.parametrize("kind", [kind for kind in LAYERS.values() if not kind.merges], ids=lambda kind: kind.__name__)
def test_the_table_varies_every_option(kind):
    # Names compute nothing, nor do constraints, which are the optimizer's; freezing a layer without parameters neither.
    cases = [case for case in CASES if type(case.layer) is kind]
    layers = [case.layer for case in cases]
    trained = any(case.layer.parameter_shapes(case.input_shape) for case in cases)
    idle = {"name", "inputs", "weights_of"} | (set() if trained else {"trainable"})
    for item in dataclasses.fields(kind):
        if item.name not in idle and not item.name.endswith("_constraint"):
            assert len({getattr(layer, item.name) for layer in layers}) > 1, f"{kind.__name__}.{item.name}"


def test_ids_are_unique():
    assert len({case.id for case in CASES}) == len(CASES)


# Shapes and dtypes


@every_case
def test_declared_shapes_are_the_actual_ones(case):
    bench = Bench(case)
    y, _ = bench.forward(bench.x, False)
    assert y.shape == (EXAMPLES, *case.layer.output_shape(case.input_shape))
    assert {name: value.shape for name, value in bench.built_params.items()} == case.layer.parameter_shapes(
        case.input_shape
    )
    assert {name: value.shape for name, value in bench.built_state.items()} == case.layer.state_shapes(case.input_shape)
    assert list(bench.built_params) == list(case.layer.parameter_shapes(case.input_shape))


@every_case
@both_modes
def test_shapes_of_gradients_and_state(case, training):
    bench = Bench(case)
    found = bench.run(training)
    for name, value in bench.state.items():
        assert found[f"next {name}"].shape == value.shape
    if bench.has_backward:
        assert found["dx"].shape == bench.x.shape
        for name, value in bench.params.items():
            assert found[f"d{name}"].shape == value.shape


@every_case
@both_modes
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_stays(case, training, dtype):
    bench = Bench(case, dtype)
    assert {value.dtype.name for value in (*bench.built_params.values(), *bench.built_state.values())} <= {dtype}
    found = bench.run(training)
    assert {name: value.dtype.name for name, value in found.items()} == dict.fromkeys(found, dtype)


# Values

H = 1e-5
# A central difference along a direction of unit entries has two errors, relative to the sum of |gradient * direction|:
# rounding, eps * |sum of cotangent * output| / H, about 2e-16 * 100 / 1e-5 = 2e-9, and the series' next term,
# H**2 / 6 * |third derivative|, below 1e-9 (batch normalization over four rows has the largest). Seen: below 4e-9 over
# the whole table; the rest is room for another processor's rounding. A wrong term costs 1e-3 and more.
TOLERANCE = 2e-7


@every_case
@both_modes
def test_gradients_are_the_derivatives(case, training):
    bench = Bench(case)
    if not bench.has_backward:
        _, caches = bench.forward(bench.x, training)
        with pytest.raises(ValueError, match="step activation has no useful derivative"):
            bench.backward(caches, bench.dy)
        return
    found = bench.run(training)
    random = np.random.default_rng(11)
    start = {"x": bench.x, **bench.params}
    for name in start:
        gradient = found[f"d{name}"]
        for _ in range(3):
            direction = random.normal(size=gradient.shape)

            def projected(t, name=name, direction=direction):
                moved = {**start, name: start[name] + t * direction}
                bench.x, bench.params = moved.pop("x"), moved
                y, _ = bench.forward(bench.x, training)
                bench.x, bench.params = start["x"], {key: start[key] for key in bench.params}
                return (bench.dy * y).sum()

            measured = (projected(H) - projected(-H)) / (2 * H)
            computed = (gradient * direction).sum()
            assert abs(measured - computed) <= TOLERANCE * (np.abs(gradient * direction).sum() + 1e-2), name


@every_case
@both_modes
def test_network_is_the_loop_over_its_steps(case, training):
    bench = Bench(case)
    found = bench.run(training)
    name = bench.step.name
    params, state = {name: bench.params}, {name: bench.state}
    forward = bench.network.forward(params, state, bench.x, training, lambda index: RowMasks())
    result = {"y": forward.output}
    result |= {f"next {key}": value for key, value in bench.network.next_state(state, forward)[name].items()}
    if bench.has_backward:
        backward = bench.network.backward(params, forward, bench.dy)
        result["dx"] = backward.values[0]
        # A frozen layer's gradients are left out.
        assert (name in backward.parameters) == (case.layer.trainable and bool(bench.params))
        result |= {f"d{key}": value for key, value in backward.parameters.get(name, {}).items()}
        if not case.layer.trainable:
            found = {key: value for key, value in found.items() if key[1:] not in bench.params}
    assert_same_bits(result, found)
    if not training:
        assert_same_bits({"y": bench.network.infer(params, state, bench.x)}, {"y": found["y"]})


# Purity


@every_case
@both_modes
def test_nothing_given_is_written(case, training):
    bench = Bench(case)
    given = {"x": bench.x, "dy": bench.dy, **bench.params, **bench.state}
    before = {name: value.tobytes() for name, value in given.items()}
    bench.run(training)
    assert {name: value.tobytes() for name, value in given.items()} == before
    assert list(bench.params) == list(bench.built_params)
    assert list(bench.state) == list(bench.built_state)
    # Writing and writing back would pass the comparison, but not this.
    for value in given.values():
        value.flags.writeable = False
    bench.run(training)


@every_case
@both_modes
def test_results_do_not_depend_on_other_calls(case, training):
    bench = Bench(case)
    first = bench.run(training)
    assert_same_bits(bench.run(training), first)
    if not bench.has_backward:
        return
    _, caches = bench.forward(bench.x, training)
    # Another forward and backward pass in between, then this cache twice.
    other = bench.run(training, x=bench.x[::-1] * 0.5, dy=bench.dy[::-1])
    assert other["y"].tobytes() != first["y"].tobytes()
    for _ in range(2):
        dx, grads = bench.backward(caches, bench.dy)
        again = {"dx": dx, **{f"d{name}": value for name, value in grads.items()}}
        assert_same_bits(again, {name: first[name] for name in again})


@every_case
@both_modes
def test_without_dx_the_gradients_are_the_same(case, training):
    bench = Bench(case)
    if not bench.has_backward:
        return
    _, caches = bench.forward(bench.x, training)
    dx, grads = bench.backward(caches, bench.dy)
    none, alone = bench.backward(caches, bench.dy, need_dx=False)
    if len(bench.network.steps) == 1 or bench.params:
        assert none is None
    assert dx is not None
    assert_same_bits(alone, grads)


def couples(case, training):
    return Network.of(ms.ModelSpec("case", case.input_shape, (case.layer,))).couples_examples and training


@every_case
@both_modes
def test_a_batch_is_its_rows(case, training):
    bench = Bench(case)
    whole = bench.run(training)
    rows = [
        bench.run(training, bench.x[row : row + 1], bench.dy[row : row + 1], first_row=row) for row in range(EXAMPLES)
    ]
    if couples(case, training):
        stacked = np.concatenate([row["y"] for row in rows])
        assert not np.allclose(whole["y"], stacked), "declared to couple examples, but does not"
        return
    for name, value in whole.items():
        # y and dx are stacked, gradients of parameters added; sums in another order differ in the last bits.
        parts = [row[name] for row in rows]
        if name.startswith("next "):
            assert all(part.tobytes() == value.tobytes() for part in parts)
            continue
        joined = np.concatenate(parts) if name in ("y", "dx") else sum(parts)
        np.testing.assert_allclose(joined, value, rtol=1e-12, atol=1e-12, err_msg=name)


@every_case
@pytest.mark.usefixtures("two_blas_threads")
@both_modes
def test_two_threads_give_the_bits_of_one(case, training):
    bench = Bench(case)
    half = EXAMPLES // 2

    def shard(first_row):
        rows = slice(first_row, first_row + half)
        return bench.run(training, bench.x[rows], bench.dy[rows], first_row)

    expected = [shard(0), shard(half)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            # Several times each, so that the two overlap.
            for found, alone in zip(pool.map(shard, [0, half] * 4), expected * 4, strict=True):
                assert_same_bits(found, alone)


# Bad input


@every_case
@pytest.mark.parametrize("wrong", ["longer", "extra axis", "no batch axis"])
def test_a_wrong_input_is_refused(case, wrong):
    model = NumpyModel(ms.ModelSpec("case", case.input_shape, (case.layer,)))
    shape = {
        "longer": (EXAMPLES, case.input_shape[0] + 1, *case.input_shape[1:]),
        "extra axis": (EXAMPLES, *case.input_shape, 2),
        "no batch axis": case.input_shape,
    }[wrong]
    with pytest.raises(ValueError) as caught:
        model.predict(np.zeros(shape))
    assert f"(examples, *{case.input_shape})" in str(caught.value)
    assert f"got {shape}" in str(caught.value)


def takes_images_only(case):
    return isinstance(
        case.layer,
        (
            ms.Conv2D,
            ms.MaxPooling2D,
            ms.AveragePooling2D,
            ms.GlobalAveragePooling2D,
            ms.GlobalMaxPooling2D,
            ms.ZeroPadding2D,
        ),
    )


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case.id.replace(" ", "")) for case in CASES if takes_images_only(case)]
)
@pytest.mark.parametrize("shape", [(7,), (7, 5), (2, 7, 5, 1)], ids=str)
def test_what_is_no_image_is_refused(case, shape):
    with pytest.raises(ValueError) as caught:
        ms.ModelSpec("case", shape, (dataclasses.replace(case.layer, name="mine"),))
    message = str(caught.value)
    assert "layer 0 'mine'" in message
    assert f"got shape {shape}" in message
    assert "(height, width, channels)" in message
    assert "Reshape" in message


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (ms.Conv2D(2, 3), (2, 5, 1), ("(3, 3)", "(2, 5)", 'padding="same"')),
        (ms.Conv2D(2, 3, dilation_rate=2), (4, 9, 1), ("(5, 5)", "(4, 9)")),
        (ms.MaxPooling2D(3), (5, 2, 1), ("(3, 3)", "(5, 2)")),
        (ms.AveragePooling2D((1, 4)), (5, 3, 1), ("(1, 4)", "(5, 3)")),
        (ms.Reshape((5, 2)), (3, 4), ("(5, 2)", "12", "(3, 4)")),
        (ms.Reshape((5, -1)), (3, 4), ("(5, -1)", "12")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ms.LayerSpec) else "",
)
def test_what_does_not_fit_is_refused(layer, shape, words):
    with pytest.raises(ValueError) as caught:
        ms.ModelSpec("case", shape, (layer,))
    for word in words:
        assert word in str(caught.value)
