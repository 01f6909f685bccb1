"""A second opinion on layers: the operators of ONNX, as its reference evaluator computes them from their definition."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import model_spec as ms
from core_numpy.network import Network

onnx = pytest.importorskip("onnx", reason="the test extra has it")
reference = pytest.importorskip("onnx.reference")

IMAGE, STEPS, ROW = (6, 5, 4), (9, 4), (5,)


class Case(NamedTuple):
    """One layer and its operator; ``weights`` are names of variables, or functions of all of them that give arrays."""

    layer: ms.LayerSpec
    shape: tuple
    operator: str
    attributes: dict[str, Any] = {}
    weights: tuple = ()


def kernel(value):
    """(h, w, c / groups, filters) -> (filters, c / groups, h, w); a sequence has no h."""
    return np.moveaxis(value, (-1, -2), (0, 1))


def of_groups(value):
    """(h, w, c, multiplier) -> (c * multiplier, 1, h, w)."""
    return value.transpose(2, 3, 0, 1).reshape(-1, 1, *value.shape[:2])


def scales(rows, columns):
    return lambda p: np.array([1.0, 1.0, rows, columns], np.float32)


def values(*numbers):
    return lambda p: np.array(numbers)


NO_REGION = (lambda p: np.zeros(0),)
CONVOLUTION = (lambda p: kernel(p["kernel"]), "bias")
DEPTHWISE = (lambda p: of_groups(p["kernel"]), "bias")
TRANSPOSED = (lambda p: p["kernel"].transpose(3, 2, 0, 1), "bias")
LINEAR = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
NAMES = {
    **{"relu": "Relu", "elu": "Elu", "selu": "Selu", "softplus": "Softplus", "sigmoid": "Sigmoid", "tanh": "Tanh"},
    **{"softsign": "Softsign", "exponential": "Exp", "mish": "Mish", "hard_silu": "HardSwish", "gelu": "Gelu"},
}

CASES = [
    Case(ms.Conv2D(4, 3), IMAGE, "Conv", {}, CONVOLUTION),
    Case(ms.Conv2D(4, (3, 2), (2, 1)), IMAGE, "Conv", {"strides": [2, 1]}, CONVOLUTION),
    Case(ms.Conv2D(4, 3, padding="same"), IMAGE, "Conv", {"auto_pad": "SAME_UPPER"}, CONVOLUTION),
    Case(ms.Conv2D(4, 2, dilation_rate=2), IMAGE, "Conv", {"dilations": [2, 2]}, CONVOLUTION),
    Case(ms.Conv2D(6, 3, groups=2), IMAGE, "Conv", {"group": 2}, CONVOLUTION),
    Case(ms.Conv2D(4, 2, groups=4), IMAGE, "Conv", {"group": 4}, CONVOLUTION),
    Case(ms.Conv1D(3, 3, 2), STEPS, "Conv", {"strides": [2]}, CONVOLUTION),
    Case(
        ms.Conv1D(4, 2, padding="causal", dilation_rate=2),
        STEPS,
        "Conv",
        {"dilations": [2], "pads": [2, 0]},
        CONVOLUTION,
    ),
    Case(ms.Conv1D(6, 3, groups=2), STEPS, "Conv", {"group": 2}, CONVOLUTION),
    Case(ms.DepthwiseConv2D(3), IMAGE, "Conv", {"group": 4}, DEPTHWISE),
    Case(ms.DepthwiseConv2D(2, 2, depth_multiplier=3), IMAGE, "Conv", {"group": 4, "strides": [2, 2]}, DEPTHWISE),
    Case(ms.Conv2DTranspose(3, 3), IMAGE, "ConvTranspose", {}, TRANSPOSED),
    Case(ms.Conv2DTranspose(3, 3, 2), IMAGE, "ConvTranspose", {"strides": [2, 2]}, TRANSPOSED),
    Case(ms.MaxPooling2D(2), IMAGE, "MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    Case(ms.AveragePooling2D(3, 1, "same"), IMAGE, "AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    Case(ms.MaxPooling1D(3, 2), STEPS, "MaxPool", {"kernel_shape": [3], "strides": [2]}),
    Case(ms.GlobalAveragePooling2D(True), IMAGE, "GlobalAveragePool"),
    Case(ms.GlobalMaxPooling2D(True), IMAGE, "GlobalMaxPool"),
    Case(ms.UpSampling2D((2, 3)), IMAGE, "Resize", NEAREST, (*NO_REGION, scales(2, 3))),
    Case(ms.UpSampling2D(2, "bilinear"), IMAGE, "Resize", LINEAR, (*NO_REGION, scales(2, 2))),
    Case(ms.UpSampling2D((3, 1), "bilinear"), IMAGE, "Resize", LINEAR, (*NO_REGION, scales(3, 1))),
    Case(
        ms.LayerNormalization(epsilon=0.01), ROW, "LayerNormalization", {"axis": -1, "epsilon": 0.01}, ("gamma", "beta")
    ),
    Case(
        ms.GroupNormalization(2, 0.01),
        IMAGE,
        "GroupNormalization",
        {"num_groups": 2, "epsilon": 0.01},
        ("gamma", "beta"),
    ),
    Case(ms.GroupNormalization(-1, 0.01), IMAGE, "InstanceNormalization", {"epsilon": 0.01}, ("gamma", "beta")),
    Case(
        ms.BatchNormalization(epsilon=0.01),
        IMAGE,
        "BatchNormalization",
        {"epsilon": 0.01},
        ("gamma", "beta", "moving_mean", "moving_variance"),
    ),
    Case(ms.UnitNormalization(), ROW, "LpNormalization", {"axis": -1, "p": 2}),
    Case(ms.PReLU(), ROW, "PRelu", {}, ("alpha",)),
    Case(ms.ELU(0.5), ROW, "Elu", {"alpha": 0.5}),
    Case(ms.LeakyReLU(0.25), ROW, "LeakyRelu", {"alpha": 0.25}),
    Case(ms.Softmax(1), IMAGE, "Softmax", {"axis": 2}),
    Case(ms.Softmax(), IMAGE, "Softmax", {"axis": 1}),
    Case(ms.Activation("log_softmax"), ROW, "LogSoftmax", {"axis": -1}),
    Case(ms.Activation("hard_sigmoid"), ROW, "HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    Case(ms.Activation("relu6"), ROW, "Clip", {}, (values(0.0), values(6.0))),
    *(Case(ms.Activation(name), ROW, operator) for name, operator in NAMES.items()),
    Case(ms.Dense(3), ROW, "Gemm", {}, ("kernel", "bias")),
    Case(ms.Permute((2, 1)), STEPS, "Transpose", {"perm": [0, 2, 1]}),
    Case(ms.Rescaling(0.5), ROW, "Mul", {}, (values(0.5),)),
    Case(ms.Add(inputs=("input", "input")), ROW, "Sum", {}, ("x",)),
    Case(ms.Average(inputs=("input", "input")), ROW, "Mean", {}, ("x",)),
    Case(ms.Concatenate(inputs=("input", "input")), IMAGE, "Concat", {"axis": 1}, ("x",)),
]


def evaluated(operator, attributes, arrays):
    """What the operator gives for these arrays."""
    names = [f"in{at}" for at in range(len(arrays))]
    node = onnx.helper.make_node(operator, names, ["out"], **attributes)
    kinds = [onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for array in arrays]
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info(name, kind, None) for name, kind in zip(names, kinds, strict=True)],
        [onnx.helper.make_tensor_value_info("out", kinds[0], None)],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 22)])
    (found,) = reference.ReferenceEvaluator(model).run(None, dict(zip(names, arrays, strict=True)))
    return found


def both(case):
    """The layer's output and the operator's, both channels last."""
    random = np.random.default_rng(list(case.layer.describe().encode()))
    spec = ms.ModelSpec("case", case.shape, (case.layer,))
    network = Network.of(spec)
    x = random.normal(size=(3, *case.shape))
    shapes = case.layer.parameter_shapes(case.shape) | case.layer.state_shapes(case.shape) if network.steps else {}
    variables = {name: random.uniform(0.5, 1.5, shape) for name, shape in shapes.items()}
    name = network.steps[0].name
    y = network.infer({name: variables}, {name: variables}, x)
    # ONNX has the channels behind the batch; Permute stands for itself
    turned = len(case.shape) > 1 and not isinstance(case.layer, ms.Permute)
    given = np.moveaxis(x, -1, 1) if turned else x
    arrays = [given]
    for weight in case.weights:
        arrays.append(given if weight == "x" else variables[weight] if isinstance(weight, str) else weight(variables))
    found = evaluated(case.operator, case.attributes, [np.ascontiguousarray(array) for array in arrays])
    return y, np.moveaxis(found, 1, -1) if turned else found


SINGLE = ("gelu", "selu", "hard_sigmoid", "hard_silu")
"""Functions whose constants Keras or ONNX rounds to float32; see docs/reference.md."""


def tolerance(layer):
    """float64 rounding; that of float32 where a constant or, in ONNX's definition, a normalization is in float32."""
    is_single = getattr(layer, "activation", None) in SINGLE or "epsilon" in vars(layer)
    return 3e-7 if is_single else 1e-12


every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.layer.describe()}-{case.operator}")


@every_case
def test_the_operator_of_onnx_says_the_same(case):
    y, expected = both(case)
    assert y.shape == expected.shape
    np.testing.assert_allclose(y, expected, rtol=tolerance(case.layer), atol=tolerance(case.layer))


LOWER = {"auto_pad": "SAME_LOWER", "strides": [2, 2]}
CORNERS = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
WRONG = [
    Case(ms.Conv2D(6, 3, 2, "same"), IMAGE, "Conv", LOWER, CONVOLUTION),
    Case(ms.ELU(0.5), ROW, "Elu", {"alpha": 0.51}),
    Case(ms.UpSampling2D(2, "bilinear"), IMAGE, "Resize", CORNERS, (*NO_REGION, scales(2, 2))),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.operator)
def test_another_option_is_seen(case):
    """The check above can fail: the other way of padding, another alpha, other places of the cells."""
    y, other = both(case)
    assert np.abs(y - other).max() > 1e-3
