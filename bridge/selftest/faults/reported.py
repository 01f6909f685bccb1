"""Faults in what a model hands out: the computation is right, and the result returned is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Declarations, Fault
from core_numpy import NumpyModel
from core_numpy.contract import Array
from model_spec import Gradients

Wrap = Callable[[NumpyModel, Any], Any]


def _gradients(change: Callable[[Gradients], Gradients]) -> dict[str, Wrap]:
    """Other gradients of the loss and other pullbacks."""

    def wrap(model: NumpyModel, right: Any) -> Any:
        return lambda *arguments, **options: change(right(*arguments, **options))

    return {"loss_and_gradients": wrap, "pullback": wrap}


def _kernel_gradient(change: Callable[[Array], Array]) -> dict[str, Wrap]:
    """Another gradient of one kernel."""

    def changed(gradients: Gradients) -> Gradients:
        kernels = {name: change(g) for name, g in gradients.parameters.items() if name == "dense_1/kernel"}
        return replace(gradients, parameters=gradients.parameters | kernels)

    return _gradients(changed)


faults = Declarations(Fault)
activations = faults.of("methods", lambda wrap: {"activations": wrap})
gradients = faults.of("methods", _gradients)
kernel_gradient = faults.of("methods", _kernel_gradient, shows="backward", blames="dense_1")


@activations(
    "reported-before-the-nonlinearity",
    "the preactivation is returned under the layer's name",
    shows="inference only",
    blames="dense",
)
def _before_the_nonlinearity(model: NumpyModel, right: Any) -> Any:
    def activations(x: Any, training: bool = False, **options: Any) -> Any:
        values = right(x, training=training, **options)
        if not training and "dense/preactivation" in values:
            values["dense"] = values["dense/preactivation"]
        return values

    return activations


@activations(
    "reported-without-dropout",
    "activations in training mode are those of inference",
    shows="training only",
    probe="dropout",
    blames="dropout",
)
def _always_in_inference(model: NumpyModel, right: Any) -> Any:
    return lambda x, training=False, **options: right(x, training=False, **options)


@gradients(
    "gradient-under-another-name",
    "the gradients before and behind an activation have changed names",
    shows="activation gradients only",
    blames="dense_1",
)
def _exchanged(gradients: Gradients) -> Gradients:
    own = gradients.activations
    if "dense/preactivation" not in own or "dense" not in own:
        return gradients
    swapped = {**own, "dense": own["dense/preactivation"], "dense/preactivation": own["dense"]}
    return replace(gradients, activations=swapped)


kernel_gradient("not-a-number", "one entry of a kernel gradient is NaN")(
    lambda kernel: np.where(np.arange(kernel.size).reshape(kernel.shape) == 0, np.nan, kernel)
)
kernel_gradient("zero-tensor", "a kernel gradient is returned as zeros")(np.zeros_like)


@gradients("halved-input-gradient", "the gradient of x is halved", shows="input gradient only", blames="dense")
def _with_halved_input_gradient(gradients: Gradients) -> Gradients:
    return replace(gradients, inputs=None if gradients.inputs is None else gradients.inputs / 2)
