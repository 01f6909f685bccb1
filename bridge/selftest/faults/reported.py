"""Faults in what a model hands out: the computation is right, and the result returned is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.selftest.faults.fault import Fault
from core_numpy import NumpyModel
from core_numpy.contract import Array
from model_spec import Gradients

Wrap = Callable[[NumpyModel, Any], Any]


def _gradients(change: Callable[[Gradients], Gradients]) -> dict[str, Wrap]:
    """Other gradients of the loss and other pullbacks."""

    def wrap(model: NumpyModel, right: Any) -> Any:
        return lambda *arguments, **options: change(right(*arguments, **options))

    return {"loss_and_gradients": wrap, "pullback": wrap}


def _before_the_nonlinearity(model: NumpyModel, right: Any) -> Any:
    def activations(x: Any, training: bool = False, **options: Any) -> Any:
        values = right(x, training=training, **options)
        if not training and "dense/preactivation" in values:
            values["dense"] = values["dense/preactivation"]
        return values

    return activations


def _always_in_inference(model: NumpyModel, right: Any) -> Any:
    return lambda x, training=False, **options: right(x, training=False, **options)


def _exchanged(gradients: Gradients) -> Gradients:
    own = gradients.activations
    if "dense/preactivation" not in own or "dense" not in own:
        return gradients
    swapped = {**own, "dense": own["dense/preactivation"], "dense/preactivation": own["dense"]}
    return replace(gradients, activations=swapped)


def _with_kernel(gradients: Gradients, change: Callable[[Array], Array]) -> Gradients:
    changed = {name: change(g) for name, g in gradients.parameters.items() if name == "dense_1/kernel"}
    return replace(gradients, parameters=gradients.parameters | changed)


def _with_a_hole(gradients: Gradients) -> Gradients:
    return _with_kernel(
        gradients, lambda kernel: np.where(np.arange(kernel.size).reshape(kernel.shape) == 0, np.nan, kernel)
    )


def _with_zeros(gradients: Gradients) -> Gradients:
    return _with_kernel(gradients, np.zeros_like)


def _with_halved_input_gradient(gradients: Gradients) -> Gradients:
    return replace(gradients, inputs=None if gradients.inputs is None else gradients.inputs / 2)


REPORTED_FAULTS = (
    Fault(
        "reported-before-the-nonlinearity",
        "the preactivation is returned under the layer's name",
        "inference only",
        methods={"activations": _before_the_nonlinearity},
        blames="dense",
    ),
    Fault(
        "reported-without-dropout",
        "activations in training mode are those of inference",
        "training only",
        methods={"activations": _always_in_inference},
        probe="dropout",
        blames="dropout",
    ),
    Fault(
        "gradient-under-another-name",
        "the gradients before and behind an activation have changed names",
        "activation gradients only",
        methods=_gradients(_exchanged),
        blames="dense_1",
    ),
    Fault(
        "not-a-number",
        "one entry of a kernel gradient is NaN",
        "backward",
        methods=_gradients(_with_a_hole),
        blames="dense_1",
    ),
    Fault(
        "zero-tensor",
        "a kernel gradient is returned as zeros",
        "backward",
        methods=_gradients(_with_zeros),
        blames="dense_1",
    ),
    Fault(
        "halved-input-gradient",
        "the gradient of x is halved",
        "input gradient only",
        methods=_gradients(_with_halved_input_gradient),
        blames="dense",
    ),
)
