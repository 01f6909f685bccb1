"""What is timed: training steps, inference and epochs of one network, as tasks without arguments.

Each ``build`` function is called in a process of its own (see ``resident``) and returns a task that has finished its
work when it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from model_spec import Conv2D, Dense, Flatten, MaxPooling2D, ModelSpec, TrainingSpec, model_from_json, zoo

Array = np.ndarray
Task = Callable[[], object]

NETWORKS: dict[str, Callable[[], ModelSpec]] = {
    "784-16 sigmoid-10": lambda: zoo.mlp(),
    "784-100-50-10": lambda: zoo.mlp(hidden=(100, 50), activation="relu"),
    "cnn": lambda: zoo.cnn(),
    "Conv 10 - pool - 100 - 10": lambda: ModelSpec(
        "conv10",
        (28, 28, 1),
        (
            Conv2D(10, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Flatten(),
            Dense(100, activation="relu"),
            Dense(10, activation="softmax"),
        ),
    ),
    "lenet": lambda: zoo.lenet(),
}

RANDOM = "random"

TRAINING = TrainingSpec(optimizer="adam", batch_size=128)


def network_of(text: str) -> ModelSpec:
    """One of ``NETWORKS`` by name, or any network by its JSON (``model_spec.to_json``)."""
    return NETWORKS[text]() if text in NETWORKS else model_from_json(text, bounds=None)


def batch_for(spec: ModelSpec, rows: int, data: str) -> tuple[Array, Array]:
    """The first rows of a data set as float32 inputs and labels, repeated where there are fewer.

    "random" gives noise of the network's input shape: enough for time, and always there.
    """
    if data == RANDOM:
        random = np.random.default_rng(0)
        labels = random.integers(0, spec.output_shape[-1], rows)
        return random.random((rows, *spec.input_shape), np.float32), labels
    from benchmarks import datasets

    (x, y), _ = datasets.images(data, limit=rows)
    order = np.arange(rows) % len(x)
    return x[order].astype(np.float32), y[order]


def check_data(networks: Sequence[str], data: str) -> None:
    """Refuse a data set that is not there, or whose images these networks do not take.

    Raises:
        ValueError: what does not fit, or how to get the data set.
    """
    if data == RANDOM:
        return
    from benchmarks import datasets

    (x, _), _ = datasets.images(data, limit=1)
    for network in networks:
        expected = network_of(network).input_shape
        if x.shape[1:] != expected:
            raise ValueError(
                f"{network} takes inputs {expected}, data set {data!r} has {x.shape[1:]}; "
                f"give --data mnist, fashion_mnist or random"
            )


def _numpy(network: str, engine: str, threads: int, workers: str = "threads") -> Any:
    from core_numpy import NumpyModel

    return NumpyModel(network_of(network), masks="fast", engine=engine, threads=threads, workers=workers)


def numpy_step(network: str, batch: int, data: str, engine: str, threads: int, workers: str = "threads") -> Task:
    """A training step of NumpyModel on one batch in memory."""
    model = _numpy(network, engine, threads, workers)
    x, y = batch_for(model.spec, batch, data)
    model.start_training(TRAINING)
    return lambda: model.train_on_batch(x, y)


def numpy_gradients(network: str, batch: int, data: str, threads: int) -> Task:
    """Forward and backward of NumpyModel in training mode: gradients of all parameters and of the input."""
    model = _numpy(network, "fast", threads)
    x, y = batch_for(model.spec, batch, data)
    return lambda: model.loss_and_gradients(x, y, training=True)


def numpy_inference(network: str, batch: int, data: str, engine: str, threads: int, workers: str = "threads") -> Task:
    """``predict`` of NumpyModel on one batch in memory."""
    model = _numpy(network, engine, threads, workers)
    x, _ = batch_for(model.spec, batch, data)
    return lambda: model.predict(x)


def numpy_epoch(
    network: str, batch: int, rows: int, data: str, engine: str, threads: int, workers: str = "threads"
) -> Task:
    """One epoch of ``fit``."""
    model = _numpy(network, engine, threads, workers)
    x, y = batch_for(model.spec, rows, data)
    return lambda: model.fit(x, y, TRAINING, verbose=0, batch_size=batch, epochs=1)


def textbook_step(network: str, batch: int, data: str) -> Task:
    """A training step of the textbooks' code."""
    from benchmarks.speed_studies.textbook import TextbookNetwork

    spec = network_of(network)
    model = TextbookNetwork(spec)
    x, y = batch_for(spec, batch, data)
    x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return lambda: model.train_step(x, y)


def _keras(network: str, threads: int) -> Any:
    import keras_models

    keras_models.set_threads(threads)
    return keras_models.KerasModel(network_of(network))


def tensorflow_step(network: str, batch: int, data: str, threads: int, jit: bool | None) -> Task:
    """A training step as one compiled function on device-resident data; the loss is fetched.

    ``jit`` None compiles nothing: Keras' eager mode.
    """
    model = _keras(network, threads)
    import keras
    import tensorflow as tf

    x, y = (tf.constant(part) for part in batch_for(model.spec, batch, data))
    keras_model = model.keras_model
    optimizer = keras.optimizers.Adam()
    optimizer.build(keras_model.trainable_variables)

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, keras_model(x, training=True)))
        gradients = tape.gradient(loss, keras_model.trainable_variables)
        optimizer.apply(gradients)
        return loss

    run = step if jit is None else tf.function(step, jit_compile=jit)
    return lambda: run(x, y).numpy()


def tensorflow_gradients(network: str, batch: int, data: str, threads: int, jit: bool) -> Task:
    """Forward and backward as one compiled function: gradients of all parameters and of the input, fetched."""
    model = _keras(network, threads)
    import keras
    import tensorflow as tf

    x, y = (tf.constant(part) for part in batch_for(model.spec, batch, data))
    keras_model = model.keras_model

    @tf.function(jit_compile=jit)  # type: ignore[untyped-decorator, unused-ignore]
    def gradients(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, keras_model(x, training=True)))
        return tape.gradient(loss, [*keras_model.trainable_variables, x])

    return lambda: [gradient.numpy() for gradient in gradients(x, y)]


def tensorflow_inference(network: str, batch: int, data: str, threads: int, jit: bool) -> Task:
    """The network as one compiled function on device-resident data; the result is fetched."""
    model = _keras(network, threads)
    import tensorflow as tf

    x = tf.constant(batch_for(model.spec, batch, data)[0])
    function = tf.function(lambda x: model.keras_model(x, training=False), jit_compile=jit)
    return lambda: function(x).numpy()


def keras_predict(network: str, batch: int, data: str, threads: int) -> Task:
    """Keras' own ``predict`` on one batch in memory."""
    model = _keras(network, threads)
    x, _ = batch_for(model.spec, batch, data)
    return lambda: model.keras_model.predict(x, batch_size=batch, verbose=0)


def keras_epoch(network: str, batch: int, rows: int, data: str, threads: int) -> Task:
    """One epoch of Keras' own ``fit``."""
    model = _keras(network, threads)
    x, y = batch_for(model.spec, rows, data)
    model.keras_model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return lambda: model.keras_model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
