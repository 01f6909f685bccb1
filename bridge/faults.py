"""Known faults, planted one at a time in the NumPy side, to prove that the judge would have noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core_numpy import NumpyModel
from core_numpy.contract import Array, Context, Layer, Variables
from core_numpy.layers.activation import Activation
from core_numpy.layers.build import Step
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dense import Dense
from core_numpy.layers.dropout import Dropout
from core_numpy.layers.pooling import MaxPooling2D


@dataclass(frozen=True)
class FaultyLayer(Layer):
    """A layer with a wrong forward or backward around the right one; what is not given is inherited."""

    inner: Layer
    wrong_forward: Callable[..., tuple[Array, Any]] | None = None
    wrong_backward: Callable[..., tuple[Array | None, dict[str, Array]]] | None = None

    def build(self, *arguments: Any) -> Any:
        return self.inner.build(*arguments)

    def forward(self, params: Variables, state: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        run = self.wrong_forward or (lambda inner, *rest: inner.forward(*rest))
        return run(self.inner, params, state, x, context)

    def backward(
        self, params: Variables, cache: Any, dy: Array, need_dx: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        run = self.wrong_backward or (lambda inner, *rest: inner.backward(*rest))
        return run(self.inner, params, cache, dy, need_dx)

    def next_state(self, state: Variables, cache: Any) -> Variables:
        return self.inner.next_state(state, cache)


@dataclass(frozen=True)
class Fault:
    """One mistake people make.

    Attributes:
        name: for the command line.
        description: what is wrong, in a sentence.
        shows: where it can be seen: "forward", "backward", "training only", ...
        applies: which layers it can be planted in; None plants it in the loss.
        forward, backward: the wrong computation.
        loss: wraps a loss function.
    """

    name: str
    description: str
    shows: str
    applies: Callable[[Layer], bool] | None = None
    forward: Callable[..., tuple[Array, Any]] | None = None
    backward: Callable[..., tuple[Array | None, dict[str, Array]]] | None = None
    loss: Callable[..., Any] | None = None

    def sites(self, model: NumpyModel) -> list[int]:
        """Steps of the network it can be planted in."""
        if self.applies is None:
            return []
        return [at for at, step in enumerate(model.network.steps) if self.applies(step.layer)]

    def plant(self, model: NumpyModel, at: int | None = None) -> str:
        """Plant it in the model (at a step, or in the first layer that fits) and return the layer to be blamed.

        Raises:
            ValueError: the network has no layer it fits.
        """
        if self.loss is not None:
            inner, wrong = model.loss_functions, self.loss
            model.loss_functions = lambda rule, from_logits: wrong(inner(rule, from_logits))
            return "loss"
        sites = self.sites(model)
        if not sites:
            raise ValueError(f"fault {self.name!r} ({self.description}) fits no layer of {model.spec.name!r}")
        chosen = sites[0] if at is None else at
        step: Step = model.network.steps[chosen]
        faulty = FaultyLayer(step.layer.spec, step.layer, self.forward, self.backward)
        model.network = model.network.replace_layer(chosen, faulty)
        return step.name


def _is(*kinds: type[Layer]) -> Callable[[Layer], bool]:
    return lambda layer: isinstance(layer, kinds)


def _is_activation(name: str) -> Callable[[Layer], bool]:
    return lambda layer: isinstance(layer, Activation) and layer.spec.activation == name


def _flipped_kernel(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward({**params, "kernel": params["kernel"][::-1]}, state, x, context)


def _missing_bias(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    return inner.forward({"kernel": params["kernel"]}, state, x, context)


def _uninverted(inner: Layer, params: Variables, state: Variables, x: Array, context: Context) -> Any:
    y, cache = inner.forward(params, state, x, context)
    if cache is None:
        return y, None
    mask = (cache > 0).astype(x.dtype)
    return x * mask, mask


def _zero_gradient(name: str) -> Callable[..., Any]:
    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        dx, grads = inner.backward(params, cache, dy, need_dx)
        return dx, {**grads, name: np.zeros_like(grads[name])}

    return backward


def _dx_times(factor: float) -> Callable[..., Any]:
    def backward(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
        dx, grads = inner.backward(params, cache, dy, need_dx)
        return None if dx is None else dx * dx.dtype.type(factor), grads

    return backward


def _passes_everything(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    return dy.copy(), {}


def _missing_one_minus_y(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    _, y = cache
    return dy * y, {}


def _first_window_only(inner: Layer, params: Variables, cache: Any, dy: Array, need_dx: bool) -> Any:
    cut = np.zeros_like(dy)
    cut[:, :1, :1] = dy[:, :1, :1]
    return inner.backward(params, cache, cut, need_dx)


def _missing_mean(function: Any) -> Any:
    def wrong(output: Array, targets: Array) -> Any:
        losses, gradients = function(output, targets)
        return losses, gradients * gradients.dtype.type(len(gradients))

    return wrong


def _missing_target(function: Any) -> Any:
    def wrong(output: Array, targets: Array) -> Any:
        losses, gradients = function(output, targets)
        return losses, np.abs(gradients)

    return wrong


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "flipped-kernel",
            "the kernel's first axis is reversed, as in a true convolution",
            "forward",
            _is(Conv2D, Dense),
            forward=_flipped_kernel,
        ),
        Fault(
            "missing-bias",
            "the bias is not added; shows only where it is not zero",
            "forward, only in a bias",
            lambda layer: isinstance(layer, (Conv2D, Dense)) and layer.spec.use_bias,
            forward=_missing_bias,
        ),
        Fault(
            "uninverted-dropout",
            "kept values are not scaled by 1 / (1 - rate)",
            "forward, training only",
            _is(Dropout),
            forward=_uninverted,
        ),
        Fault(
            "dropped-bias-gradient",
            "the bias gradient is zero",
            "backward, only in a bias",
            lambda layer: isinstance(layer, (Conv2D, Dense)) and layer.spec.use_bias,
            backward=_zero_gradient("bias"),
        ),
        Fault(
            "dropout-backward-ignores-mask",
            "backward lets the gradient of dropped values through",
            "backward, training only",
            _is(Dropout),
            backward=_passes_everything,
        ),
        Fault(
            "relu-backward-ignores-sign",
            "backward lets the gradient through where x was negative",
            "backward",
            _is_activation("relu"),
            backward=_passes_everything,
        ),
        Fault(
            "sigmoid-backward-forgets-factor",
            "dy * y in place of dy * y * (1 - y)",
            "backward",
            _is_activation("sigmoid"),
            backward=_missing_one_minus_y,
        ),
        Fault(
            "pooling-backward-returns-early",
            "only the first window passes its gradient",
            "backward",
            _is(MaxPooling2D),
            backward=_first_window_only,
        ),
        Fault(
            "wrong-sign-input-gradient",
            "dx has the wrong sign",
            "backward",
            _is(Dense, Conv2D),
            backward=_dx_times(-1),
        ),
        Fault(
            "slightly-wrong-input-gradient",
            "dx is off by one part in ten thousand",
            "backward",
            _is(Dense, Conv2D),
            backward=_dx_times(1.0001),
        ),
        Fault("missing-mean", "the loss gradient is not divided by the batch size", "backward", loss=_missing_mean),
        Fault("missing-target", "the target is not subtracted with its sign", "backward", loss=_missing_target),
    )
}


def find(fault: str | Fault) -> Fault:
    """Return the fault of that name, or the fault itself.

    Raises:
        ValueError: no such fault; the known ones are listed.
    """
    if isinstance(fault, Fault):
        return fault
    if fault not in FAULTS:
        raise ValueError(f"unknown fault {fault!r}; known are {', '.join(FAULTS)}")
    return replace(FAULTS[fault])
