"""What is timed: training steps, inference and epochs of one network, as tasks without arguments.

Each ``build`` function is called in a process of its own (see ``resident``) and returns a task that has finished its
work when it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from model_spec import Conv2D, Dense, Flatten, MaxPooling2D, ModelSpec, TrainingSpec, zoo

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


def images(rows: int, data: str) -> tuple[Array, Array]:
    """The first rows of a data set as float32 images and labels; repeated where there are fewer.

    "random" gives noise of MNIST's shape: enough for time, and always there.
    """
    if data == RANDOM:
        random = np.random.default_rng(0)
        return random.random((rows, 28, 28, 1), np.float32), random.integers(0, 10, rows)
    from benchmarks import datasets

    (x, y), _ = datasets.images(data, limit=rows)
    order = np.arange(rows) % len(x)
    return x[order].astype(np.float32), y[order]


def numpy_step(network: str, batch: int, data: str, engine: str, threads: int) -> Task:
    """A training step of NumpyModel on one batch in memory."""
    from core_numpy import NumpyModel

    model = NumpyModel(NETWORKS[network](), masks="fast", engine=engine, threads=threads)
    x, y = images(batch, data)
    model.start_training(TRAINING)
    return lambda: model.train_on_batch(x, y)


def numpy_inference(network: str, batch: int, data: str, engine: str, threads: int) -> Task:
    """``predict`` of NumpyModel on one batch in memory."""
    from core_numpy import NumpyModel

    model = NumpyModel(NETWORKS[network](), engine=engine, threads=threads)
    x, _ = images(batch, data)
    return lambda: model.predict(x)


def numpy_epoch(network: str, batch: int, rows: int, data: str, engine: str, threads: int) -> Task:
    """One epoch of ``fit``."""
    from core_numpy import NumpyModel

    model = NumpyModel(NETWORKS[network](), masks="fast", engine=engine, threads=threads)
    x, y = images(rows, data)
    return lambda: model.fit(x, y, TRAINING, verbose=0, batch_size=batch, epochs=1)


def textbook_step(network: str, batch: int, data: str) -> Task:
    """A training step of the textbooks' code."""
    from benchmarks.textbook import TextbookNetwork

    model = TextbookNetwork(NETWORKS[network]())
    x, y = images(batch, data)
    x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return lambda: model.train_step(x, y)


def _keras(network: str, threads: int) -> Any:
    import keras_models

    keras_models.set_threads(threads)
    return keras_models.KerasModel(NETWORKS[network]())


def tensorflow_step(network: str, batch: int, data: str, threads: int, jit: bool) -> Task:
    """A training step as one compiled function on device-resident data; the loss is fetched."""
    model = _keras(network, threads)
    import keras
    import tensorflow as tf

    x, y = (tf.constant(part) for part in images(batch, data))
    keras_model = model.keras_model
    optimizer = keras.optimizers.Adam()
    optimizer.build(keras_model.trainable_variables)

    @tf.function(jit_compile=jit)  # type: ignore[untyped-decorator, unused-ignore]
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, keras_model(x, training=True)))
        gradients = tape.gradient(loss, keras_model.trainable_variables)
        optimizer.apply(gradients)
        return loss

    return lambda: step(x, y).numpy()


def tensorflow_inference(network: str, batch: int, data: str, threads: int, jit: bool) -> Task:
    """The network as one compiled function on device-resident data; the result is fetched."""
    keras_model = _keras(network, threads).keras_model
    import tensorflow as tf

    x = tf.constant(images(batch, data)[0])
    function = tf.function(lambda x: keras_model(x, training=False), jit_compile=jit)
    return lambda: function(x).numpy()


def keras_epoch(network: str, batch: int, rows: int, data: str, threads: int) -> Task:
    """One epoch of Keras' own ``fit``."""
    model = _keras(network, threads)
    x, y = images(rows, data)
    model.keras_model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return lambda: model.keras_model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
