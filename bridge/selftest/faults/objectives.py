"""Faults in what training makes small: losses and penalties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bridge.selftest.faults.change import LossFunctions, PenaltyFunction
from bridge.selftest.faults.fault import Fault
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


def _next_classes(right: LossFunctions) -> LossFunctions:
    def functions(rule: Loss, from_logits: bool) -> LossFunction:
        inner = right(rule, from_logits)
        return lambda output, targets: inner(output, (targets + 1) % output.shape[-1])

    return functions


def _without_smoothing(right: LossFunctions) -> LossFunctions:
    return lambda rule, from_logits: right(_unsmoothed(rule), from_logits)


def _unsmoothed(rule: Any) -> Any:
    return replace(rule, label_smoothing=0.0) if getattr(rule, "label_smoothing", 0.0) else rule


def _smoothed_without_share(right: LossFunctions) -> LossFunctions:
    def functions(rule: Any, from_logits: bool) -> Any:
        kept = 1 - getattr(rule, "label_smoothing", 0.0)
        inner = right(_unsmoothed(rule), from_logits)
        return lambda output, targets: inner(output, targets * targets.dtype.type(kept))

    return functions


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


OBJECTIVE_FAULTS = (
    Fault(
        "missing-mean",
        "the loss gradient is not divided by the batch size",
        "backward",
        loss=result(lambda losses, gradients: (losses, gradients * gradients.dtype.type(len(gradients)))),
    ),
    Fault(
        "summed-loss",
        "the loss's value is the sum over examples in place of the mean",
        "loss value only",
        loss=result(lambda losses, gradients: (losses * losses.dtype.type(len(losses)), gradients)),
    ),
    Fault(
        "missing-target",
        "the target is not subtracted with its sign",
        "backward",
        loss=result(lambda losses, gradients: (losses, np.abs(gradients))),
    ),
    Fault(
        "halved-squares",
        "the squared error has a half in front",
        "loss and backward",
        loss=result(lambda losses, gradients: (losses / 2, gradients / 2)),
        probe="regression",
    ),
    Fault(
        "summed-outputs",
        "the squared error is summed over outputs in place of averaged",
        "loss and backward",
        loss=result(lambda losses, gradients: (losses * losses.dtype.type(2), gradients * gradients.dtype.type(2))),
        probe="regression",
    ),
    Fault(
        "ignored-label-smoothing",
        "targets are not smoothed",
        "loss and backward",
        loss=_without_smoothing,
        probe="smoothed",
    ),
    Fault(
        "label-smoothing-without-share",
        "targets are made smaller, and the classes get no share of it",
        "loss and backward",
        loss=_smoothed_without_share,
        probe="smoothed",
    ),
    Fault(
        "epsilon-in-the-logarithm",
        "log(p + epsilon) in place of the logarithm of the clipped probability",
        "loss and backward",
        loss=_with_epsilon_in_the_logarithm,
        probe="probabilities",
    ),
    Fault(
        "targets-off-by-one",
        "the classes count from one",
        "loss and backward",
        loss=_next_classes,
    ),
    Fault(
        "halved-penalty-gradient",
        "the penalty's gradient is w in place of 2 w",
        "backward",
        penalty=penalty_result(lambda cost, gradient: (cost, gradient / 2)),
        blames="dense",
        probe="penalties",
    ),
    Fault(
        "penalty-missing-in-gradient",
        "the penalty is added to the loss and not to the gradient",
        "backward",
        penalty=penalty_result(lambda cost, gradient: (cost, np.zeros_like(gradient))),
        blames="dense",
        probe="penalties",
    ),
    Fault(
        "penalty-missing-in-loss",
        "the penalty is added to the gradient and not to the loss",
        "loss value only",
        penalty=penalty_result(lambda cost, gradient: (0.0, gradient)),
        probe="penalties",
    ),
)
