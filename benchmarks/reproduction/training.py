"""The ways of training, each the same lines for both backends: fit, step by step, by numerical gradients."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks import course_variants
from benchmarks.reproduction.experiment import Variant
from benchmarks.reproduction.measuring import Part, Watch, block_means, thinned
from core_numpy import NumpyModel
from model_spec import TrainingSpec, streams

Array = np.ndarray

WIDTH = 1e-3
"""Half the width of a central difference, as the course has it; its error is WIDTH**2 times a third derivative."""

STEP_POINTS = 100
"""Points of a curve over steps, each the mean of a block of steps."""


@dataclass
class Trained:
    """What a training gives besides the trained model.

    Attributes:
        seconds: of training alone; measuring in between is not counted.
        count: epochs or steps that were run.
        axis: "epoch" or "step", what the history is counted in; measurements are counted in epochs.
        curves: {"history": {"at": [...], "loss": [...]}, "measured": {"at": [...], "inference.test_accuracy": ...}}.
        late: the last five measurements, a list a figure.
        lowest: (epoch, counted from 1, and value) of the lowest validation loss, where there is one.
    """

    seconds: float
    count: int
    axis: str
    curves: dict[str, dict[str, list[Any]]] = field(default_factory=dict)
    late: dict[str, list[float]] = field(default_factory=dict)
    lowest: tuple[int, float] | None = None


def train(model: Any, variant: Variant, parts: dict[str, Part], seed: int) -> Trained:
    """Train a model in place, in the variant's way.

    Args:
        model: a NumpyModel or a KerasModel of the variant's network.
        variant: one that trains.
        parts: "train", "test", and "validation" where there is one.
        seed: of the batch order.
    """
    ways = {"fit": by_fit, "steps": by_steps, "numerical": by_numerical_gradients}
    return ways[variant.way](model, variant, parts, variant.training_spec(seed))


def by_fit(model: Any, variant: Variant, parts: dict[str, Part], training: TrainingSpec) -> Trained:
    """Train by the model's own ``fit``; its own figures are the history, and ``variant.watch`` is measured beside."""
    x, y = parts["train"]
    watched = {name: parts[name] for name in variant.watch}
    watch = Watch(variant.readings, watched, streams.epoch_count(training, len(x)))
    history = model.fit(x, y, training, validation_data=parts.get("validation"), callbacks=[watch], verbose=0)
    curves = {"history": _history(history.history), "measured": watch.curves}
    losses = history.history.get("val_loss")
    lowest = (int(np.argmin(losses)) + 1, min(losses)) if losses else None
    return Trained(history.seconds - watch.seconds, len(history.epoch), "epoch", curves, watch.late, lowest)


def by_steps(model: Any, variant: Variant, parts: dict[str, Part], training: TrainingSpec) -> Trained:
    """Train batch by batch and keep the loss of every one, by the optimizer or by a rule of the courses."""
    x, y = parts["train"]
    rule = variant.course_rule()
    epochs = streams.epoch_count(training, len(x))
    watch = Watch(variant.readings, {name: parts[name] for name in variant.watch}, epochs)
    watch.set_model(model)
    losses: list[float] = []
    started = time.perf_counter()
    model.start_training(training)
    if rule is not None:
        course_variants.use(rule, model)
    for epoch in range(epochs):
        for rows in streams.batch_indices(training, len(x), epoch):
            losses.append(model.train_on_batch(x[rows], y[rows]))
        watch.on_epoch_end(epoch)
    seconds = time.perf_counter() - started - watch.seconds
    numbers, means = block_means(losses, STEP_POINTS)
    curves: dict[str, dict[str, list[Any]]] = {"history": {"at": numbers, "loss": means}, "measured": watch.curves}
    return Trained(seconds, len(losses), "step", curves, watch.late)


def by_numerical_gradients(model: Any, variant: Variant, parts: dict[str, Part], training: TrainingSpec) -> Trained:
    """Full-batch gradient descent whose gradient is a central difference of the loss for every single parameter.

    Each backend computes its own losses; ``training.epochs`` steps are taken at the optimizer's learning rate.
    """
    x, y = parts["train"]
    rate = float(training.optimizer.learning_rate)  # type: ignore[union-attr, arg-type]
    losses: list[float] = []
    started = time.perf_counter()
    model.start_training(training)
    parameters, loss = loss_of_parameters(model, x, y)
    for _ in range(training.epochs):
        losses.append(loss(parameters))
        gradients = [_differences(parameters, value, loss) for value in parameters]
        for value, gradient in zip(parameters, gradients, strict=True):
            value -= rate * gradient
    model.set_weights(parameters)
    seconds = time.perf_counter() - started
    numbers, means = block_means(losses, STEP_POINTS)
    return Trained(seconds, len(losses), "step", {"history": {"at": numbers, "loss": means}})


def _differences(parameters: list[Array], value: Array, loss: Callable[[list[Array]], float]) -> Array:
    """d loss / d value, for one of the parameters; it is changed and put back entry by entry."""
    gradient = np.empty_like(value)
    for index in np.ndindex(value.shape):
        kept = value[index]
        value[index] = kept + WIDTH
        above = loss(parameters)
        value[index] = kept - WIDTH
        below = loss(parameters)
        value[index] = kept
        gradient[index] = (above - below) / (2 * WIDTH)
    return gradient


def loss_of_parameters(model: Any, x: Array, y: Array) -> tuple[list[Array], Callable[[list[Array]], float]]:
    """(copies of the model's variables, a function that gives its loss on (x, y) with other values for them).

    The model must have been given its loss by ``start_training``. Keras' loss is a traced graph, as in its own fit.
    """
    if isinstance(model, NumpyModel):

        def numpy_loss(values: list[Array]) -> float:
            model.set_weights(values)
            return float(model.evaluate(x, y)["loss"])

        return model.get_weights(), numpy_loss
    return model.get_weights(), _keras_loss(model.keras_model, x, y)


def _keras_loss(keras_model: Any, x: Array, y: Array) -> Callable[[list[Array]], float]:
    import tensorflow

    images, classes = tensorflow.constant(x), tensorflow.constant(y)
    known = [variable.numpy().copy() for variable in keras_model.weights]

    def eager() -> Any:
        return keras_model.compute_loss(y=classes, y_pred=keras_model(images, training=False))

    graph = tensorflow.function(eager)

    def keras_loss(values: list[Array]) -> float:
        # What has not changed since the last call need not be written again
        for variable, value, last in zip(keras_model.weights, values, known, strict=True):
            if not np.array_equal(value, last):
                variable.assign(value)
                last[...] = value
        return float(graph())

    return keras_loss


def _history(history: dict[str, list[float]]) -> dict[str, list[Any]]:
    kept: dict[str, list[Any]] = {}
    for name, values in history.items():
        kept["at"], kept[name] = thinned(values)
    return kept
