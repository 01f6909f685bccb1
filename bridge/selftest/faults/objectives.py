"""Faults in what training makes small: losses and penalties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.selftest.faults.change import LossFunctions, PenaltyFunction
from bridge.selftest.faults.fault import Declarations, Fault
from core_numpy.contract import Array
from core_numpy.losses import LossFunction
from model_spec.losses import BinaryCrossentropy, Loss


def result(change: Callable[[Array, Array], tuple[Array, Array]]) -> Callable[[LossFunctions], LossFunctions]:
    """Another result of every loss function: from (losses, gradients)."""

    def wrap(right: LossFunctions) -> LossFunctions:
        return lambda rule, from_logits: lambda output, targets: change(*right(rule, from_logits)(output, targets))

    return wrap


def penalty_result(
    change: Callable[[float, Array], tuple[float, Array]],
) -> Callable[[PenaltyFunction], PenaltyFunction]:
    """Another result of every penalty: from (cost, gradient)."""
    return lambda right: lambda rule, value: change(*right(rule, value))


faults = Declarations(Fault)
loss = faults.of("loss", shows="loss and backward")
loss_result = faults.of("loss", result, shows="loss and backward")
penalty = faults.of("penalty", penalty_result, probe="penalties")

loss_result("missing-mean", "the loss gradient is not divided by the batch size", shows="backward")(
    lambda losses, gradients: (losses, gradients * gradients.dtype.type(len(gradients)))
)
loss_result("summed-loss", "the loss's value is the sum over examples in place of the mean", shows="loss value only")(
    lambda losses, gradients: (losses * losses.dtype.type(len(losses)), gradients)
)
loss_result("missing-target", "the target is not subtracted with its sign", shows="backward")(
    lambda losses, gradients: (losses, np.abs(gradients))
)
loss_result("halved-squares", "the squared error has a half in front", probe="regression")(
    lambda losses, gradients: (losses / 2, gradients / 2)
)
loss_result("summed-outputs", "the squared error is summed over outputs in place of averaged", probe="regression")(
    lambda losses, gradients: (losses * losses.dtype.type(2), gradients * gradients.dtype.type(2))
)


def _unsmoothed(rule: Any) -> Any:
    return replace(rule, label_smoothing=0.0) if getattr(rule, "label_smoothing", 0.0) else rule


@loss("ignored-label-smoothing", "targets are not smoothed", probe="smoothed")
def _without_smoothing(right: LossFunctions) -> LossFunctions:
    return lambda rule, from_logits: right(_unsmoothed(rule), from_logits)


@loss("label-smoothing-without-share", "targets are made smaller, and the classes get no share of it", probe="smoothed")
def _smoothed_without_share(right: LossFunctions) -> LossFunctions:
    def functions(rule: Any, from_logits: bool) -> Any:
        kept = 1 - getattr(rule, "label_smoothing", 0.0)
        inner = right(_unsmoothed(rule), from_logits)
        return lambda output, targets: inner(output, targets * targets.dtype.type(kept))

    return functions


@loss(
    "epsilon-in-the-logarithm",
    "log(p + epsilon) in place of the logarithm of the clipped probability",
    probe="probabilities",
)
def _with_epsilon_in_the_logarithm(right: LossFunctions) -> LossFunctions:
    """log(p + epsilon) on values kept in 0..1, in place of the logarithm of the clipped probability."""

    def binary(probabilities: Array, targets: Array) -> tuple[Array, Array]:
        epsilon = probabilities.dtype.type(1e-7)
        inside = (probabilities >= 0) & (probabilities <= 1)
        p = np.clip(probabilities, 0, 1)
        losses = -(targets * np.log(p + epsilon) + (1 - targets) * np.log(1 - p + epsilon))
        gradients = ((1 - targets) / (1 - p + epsilon) - targets / (p + epsilon)) * inside
        return losses.mean(axis=1), gradients / losses.dtype.type(losses.shape[1])

    def functions(rule: Loss, from_logits: bool) -> LossFunction:
        return binary if isinstance(rule, BinaryCrossentropy) and not from_logits else right(rule, from_logits)

    return functions


@loss("targets-off-by-one", "the classes count from one")
def _next_classes(right: LossFunctions) -> LossFunctions:
    def functions(rule: Loss, from_logits: bool) -> LossFunction:
        inner = right(rule, from_logits)
        return lambda output, targets: inner(output, (targets + 1) % output.shape[-1])

    return functions


penalty("halved-penalty-gradient", "the penalty's gradient is w in place of 2 w", shows="backward", blames="dense")(
    lambda cost, gradient: (cost, gradient / 2)
)
penalty(
    "penalty-missing-in-gradient",
    "the penalty is added to the loss and not to the gradient",
    shows="backward",
    blames="dense",
)(lambda cost, gradient: (cost, np.zeros_like(gradient)))
penalty("penalty-missing-in-loss", "the penalty is added to the gradient and not to the loss", shows="loss value only")(
    lambda cost, gradient: (0.0, gradient)
)
