"""Other libraries at the same task, timed where they are installed: scikit-learn, PyTorch and onnxruntime."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.speed_studies.arms import Task, batch_for, network_of
from model_spec import Activation, AveragePooling2D, Conv2D, Dense, Dropout, Flatten, LayerSpec, MaxPooling2D, ModelSpec

Array = np.ndarray

_SKLEARN_ACTIVATIONS = {"sigmoid": "logistic", "relu": "relu", "tanh": "tanh", None: "identity"}
_ONNX_ACTIVATIONS = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh", "softmax": "Softmax"}


def has_onnxruntime() -> bool:
    """True where both onnx and onnxruntime are installed."""
    return find_spec("onnx") is not None and find_spec("onnxruntime") is not None


def has_torch() -> bool:
    """True where PyTorch is installed."""
    return find_spec("torch") is not None


def fits_sklearn(spec: ModelSpec) -> bool:
    """True for hidden Dense layers of one activation in front of a softmax, and nothing else."""
    layers = [layer for layer in spec.layers if not isinstance(layer, Flatten)]
    if not layers or not all(isinstance(layer, Dense) for layer in layers):
        return False
    *hidden, last = (layer.activation for layer in layers)  # type: ignore[attr-defined]
    return len(set(hidden)) == 1 and hidden[0] in _SKLEARN_ACTIVATIONS and last == "softmax"


def sklearn_step(network: str, batch: int, data: str) -> Task:
    """One step of scikit-learn's MLPClassifier: ``partial_fit`` on one batch, Adam, no penalty."""
    from sklearn.neural_network import MLPClassifier

    spec = network_of(network)
    layers = [layer for layer in spec.layers if isinstance(layer, Dense)]
    model = MLPClassifier(
        hidden_layer_sizes=tuple(layer.units for layer in layers[:-1]),
        activation=_SKLEARN_ACTIVATIONS[layers[0].activation],
        alpha=0.0,
        batch_size=batch,
        random_state=0,
    )
    x, y = batch_for(spec, batch, data)
    x, classes = x.reshape(batch, -1), np.arange(spec.output_shape[-1])
    model.partial_fit(x, y, classes=classes)
    return lambda: model.partial_fit(x, y)


def torch_step(network: str, batch: int, data: str, threads: int) -> Task:
    """A training step of PyTorch's eager mode: cross-entropy of the logits, Adam; the loss is fetched."""
    import torch

    torch.set_num_threads(threads)
    spec = network_of(network)
    x, y = (torch.from_numpy(np.ascontiguousarray(part)) for part in _channels_first(spec, batch, data))
    model = torch_model(spec).train()
    optimizer = torch.optim.Adam(model.parameters(), eps=1e-7)

    def step() -> float:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def torch_inference(network: str, batch: int, data: str, threads: int) -> Task:
    """PyTorch's probabilities without recording gradients."""
    import torch

    torch.set_num_threads(threads)
    spec = network_of(network)
    x = torch.from_numpy(np.ascontiguousarray(_channels_first(spec, batch, data)[0]))
    model = torch_model(spec).eval()

    def run() -> Array:
        with torch.inference_mode():
            result: Array = torch.softmax(model(x), 1).numpy()
        return result

    return run


def _channels_first(spec: ModelSpec, batch: int, data: str) -> tuple[Array, Array]:
    x, y = batch_for(spec, batch, data)
    return (x.transpose(0, 3, 1, 2) if x.ndim == 4 else x), y.astype(np.int64)


def torch_model(spec: ModelSpec) -> Any:
    """The network as a ``torch.nn.Sequential`` up to its logits, with PyTorch's own initial weights.

    A Flatten takes channels first, another order of the same numbers and the same work.

    Raises:
        ValueError: a layer this benchmark does not translate.
    """
    from torch import nn

    activations = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
    modules: list[Any] = []
    for layer, shape in zip(spec.layers, spec.input_shapes, strict=True):
        match layer:
            case Conv2D(strides=(1, 1)):
                padding = layer.padding
                modules.append(nn.Conv2d(shape[-1], layer.filters, layer.kernel_size, padding=padding))
            case MaxPooling2D(padding="valid") | AveragePooling2D(padding="valid"):
                kind = nn.MaxPool2d if isinstance(layer, MaxPooling2D) else nn.AvgPool2d
                modules.append(kind(layer.pool_size, layer.strides))
            case Flatten():
                modules.append(nn.Flatten())
            case Dense():
                modules.append(nn.Linear(shape[0], layer.units))
            case Dropout():
                modules.append(nn.Dropout(layer.rate))
            case _:
                raise ValueError(f"{layer!r} is not translated to PyTorch; leave PyTorch out for this network")
        activation = getattr(layer, "activation", None)
        if activation in activations:
            modules.append(activations[activation]())
    return nn.Sequential(*modules)


def onnxruntime_inference(network: str, batch: int, data: str, threads: int) -> Task:
    """onnxruntime on the same network with a NumpyModel's weights."""
    import onnxruntime

    from core_numpy import NumpyModel

    spec = network_of(network)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    model = onnx_model(spec, NumpyModel(spec).weights)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    x, _ = batch_for(spec, batch, data)
    return lambda: session.run(None, {"x": x})[0]


def onnx_model(spec: ModelSpec, weights: dict[str, Array]) -> Any:
    """The network as an ONNX graph: channels first inside, turned back in front of a Flatten.

    Raises:
        ValueError: a layer this benchmark does not translate.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants = {name: np.asarray(value) for name, value in weights.items()}
    current = "x"

    def add(kind: str, *extra: str, **attributes: Any) -> None:
        nonlocal current
        following = f"value_{len(nodes)}"
        nodes.append(helper.make_node(kind, [current, *extra], [following], **attributes))
        current = following

    is_image = len(spec.input_shape) == 3
    if is_image:
        add("Transpose", perm=[0, 3, 1, 2])
    for layer in spec.layers:
        match layer:
            case Conv2D() if tuple(layer.dilation_rate) == (1, 1):
                kernel = f"{layer.name}/kernel"
                # (h, w, c, filters) -> (filters, c, h, w)
                constants[kernel] = np.ascontiguousarray(constants[kernel].transpose(3, 2, 0, 1))
                bias = [f"{layer.name}/bias"] if layer.use_bias else []
                add("Conv", kernel, *bias, auto_pad=_padding(layer), strides=list(layer.strides))
            case MaxPooling2D() | AveragePooling2D():
                kind = "MaxPool" if isinstance(layer, MaxPooling2D) else "AveragePool"
                add(kind, kernel_shape=list(layer.pool_size), strides=list(layer.strides), auto_pad=_padding(layer))
            case Flatten():
                if is_image:
                    add("Transpose", perm=[0, 2, 3, 1])
                add("Flatten")
                is_image = False
            case Dense():
                bias = [f"{layer.name}/bias"] if layer.use_bias else []
                add("Gemm", f"{layer.name}/kernel", *bias)
            case Dropout() | Activation():
                pass
            case _:
                raise ValueError(f"{layer!r} is not translated to ONNX; leave onnxruntime out for this network")
        activation = getattr(layer, "activation", None)
        if activation is not None:
            add(_ONNX_ACTIVATIONS[activation])
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        spec.name,
        [tensor("x", TensorProto.FLOAT, [None, *spec.input_shape])],
        [tensor(current, TensorProto.FLOAT, [None, *spec.output_shape])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _padding(layer: LayerSpec) -> str:
    """Keras' "same" pads more behind than in front, which ONNX calls the upper end."""
    return "SAME_UPPER" if layer.padding == "same" else "VALID"  # type: ignore[attr-defined]
