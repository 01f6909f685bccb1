"""Random models written directly against Keras, the way other people write them: what a conversion must read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_ACTIVATIONS = ("relu", "tanh", "sigmoid", "elu", "softplus", "leaky_relu", "linear", None)
_LEAST_SIDE = 4


class _Writer:
    """Writes one random model: layers with random options, in one of three ways of putting them together."""

    def __init__(self, random: np.random.Generator, dtype: str) -> None:
        from keras_models.runtime import keras

        self.keras, self.layers = keras, keras.layers
        self.random = random
        self.dtype = dtype
        self.format = "channels_first" if random.random() < 0.3 else "channels_last"

    def one_of(self, *values: Any) -> Any:
        return values[self.random.integers(len(values))]

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def activation(self) -> Any:
        """A function by name, as a function, or as a layer."""
        given = self.one_of(*_ACTIVATIONS)
        if given and self.chance(0.2):
            return self.keras.activations.get(given)
        return self.layers.ReLU() if given == "relu" and self.chance(0.2) else given

    def common(self) -> dict[str, Any]:
        options: dict[str, Any] = {"dtype": self.dtype}
        if self.chance(0.2):
            options["trainable"] = False
        if self.chance(0.2):
            options["name"] = f"own>name_{self.random.integers(1 << 30)}"
        return options

    def weighted(self) -> dict[str, Any]:
        regularizers = self.keras.regularizers
        return {
            **self.common(),
            "activation": self.activation(),
            "use_bias": self.chance(0.8),
            "kernel_initializer": self.one_of("he_normal", "glorot_uniform", "lecun_uniform", "orthogonal"),
            "kernel_regularizer": self.one_of(None, regularizers.L1(1e-3), regularizers.L2(1e-3), "l1l2"),
        }

    def convolution(self) -> Any:
        strides, dilation = self.one_of((1, 1), (1, 2), (2, 1), (1, 1))
        # More filters than columns where channels come first: with as many, Keras adds the bias along the wrong axis
        filters = self.one_of(17, 19) if self.format == "channels_first" else self.one_of(2, 3, 5, 8)
        return self.layers.Conv2D(
            int(filters),
            self.one_of(2, 3, (2, 3)),
            strides=strides,
            dilation_rate=1 if strides > 1 else dilation,
            padding=self.one_of("valid", "same"),
            data_format=self.format,
            **self.weighted(),
        )

    def normalization(self, axis: int) -> Any:
        return self.layers.BatchNormalization(
            axis=axis, center=self.chance(0.8), scale=self.chance(0.8), epsilon=self.one_of(1e-3, 1e-5), **self.common()
        )

    def pooling(self) -> Any:
        kind = self.one_of(self.layers.MaxPooling2D, self.layers.AveragePooling2D)
        return kind(
            2, strides=self.one_of(None, 1), padding=self.one_of("valid", "same"), data_format=self.format,
            **self.common(),
        )  # fmt: skip

    def anywhere(self) -> Any:
        """A layer that suits images and vectors."""
        write: Callable[[], Any] = self.one_of(
            lambda: self.layers.Dropout(0.3, **self.common()),
            lambda: self.layers.Activation(self.one_of("relu", "tanh", "sigmoid"), **self.common()),
            lambda: self.layers.ReLU(**self.common()),
            lambda: self.layers.LeakyReLU(negative_slope=0.2, **self.common()),
            lambda: self.layers.ELU(**self.common()),
            lambda: self.layers.Identity(**self.common()),
            lambda: self.layers.Rescaling(0.5, offset=0.1, **self.common()),
            # Slopes of channels-first images are not read
            lambda: (self.layers.ReLU if self.format == "channels_first" else self.layers.PReLU)(**self.common()),
        )
        return write()

    def branch(self, tensor: Any) -> Any:
        """Another layer beside the way straight on, and both merged."""
        kinds = self.layers
        other = self.anywhere()(tensor)
        is_first = self.format == "channels_first" and len(tensor.shape) == 4
        concatenate = kinds.Concatenate(axis=1 if is_first else -1, **self.common())
        merge = self.one_of(
            concatenate, kinds.Add(**self.common()), kinds.Multiply(**self.common()), kinds.Average(**self.common()),
            kinds.Subtract(**self.common()), kinds.Maximum(**self.common()), kinds.Minimum(**self.common()),
        )  # fmt: skip
        if self.chance(0.3):
            return self.one_of(lambda: other + tensor, lambda: tensor * other, lambda: other - tensor)()
        return merge([other, tensor])

    def operation(self, tensor: Any) -> Any:
        """A bare operation on a tensor."""
        ops = self.keras.ops
        apply: Callable[[], Any] = self.one_of(
            lambda: tensor + 0.5, lambda: 3.0 - tensor, lambda: tensor * (1 / 6), lambda: tensor / 3, lambda: -tensor,
            lambda: ops.relu(tensor), lambda: ops.sigmoid(tensor), lambda: ops.tanh(tensor),
            lambda: ops.maximum(tensor, 0.0), lambda: self.keras.activations.silu(tensor),
        )  # fmt: skip
        return apply()

    def image_layers(self, side: int) -> list[Any]:
        axis = 1 if self.format == "channels_first" else -1
        found: list[Any] = []
        for _ in range(self.random.integers(1, 4)):
            if side < _LEAST_SIDE:
                break
            found.append(self.convolution())
            side = (side - 4) // 2
            if self.chance(0.4):
                found.append(self.normalization(axis))
            if self.chance(0.4):
                found.append(self.anywhere())
            if self.chance(0.4) and side >= _LEAST_SIDE:
                found.append(self.pooling())
                side = (side - 1) // 2
            if self.chance(0.2):
                found.append(self.layers.ZeroPadding2D(((1, 0), (2, 1)), data_format=self.format, **self.common()))
        if self.chance(0.3):
            kind = self.one_of(self.layers.GlobalAveragePooling2D, self.layers.GlobalMaxPooling2D)
            return [*found, kind(data_format=self.format, **self.common())]
        # Many leave the format of a Flatten alone
        return [*found, self.layers.Flatten(data_format=self.one_of("channels_last", self.format), **self.common())]

    def vector_layers(self) -> list[Any]:
        found: list[Any] = []
        for _ in range(self.random.integers(0, 3)):
            if self.chance(0.3):
                found.append(self.normalization(-1))
            found.append(self.layers.Dense(int(self.one_of(3, 7, 16)), **self.weighted()))
            if self.chance(0.4):
                found.append(self.anywhere())
        if self.chance(0.5):
            return [*found, self.layers.Dense(4, "softmax", dtype=self.dtype)]
        softmax = self.one_of(
            self.layers.Softmax(dtype=self.dtype), self.layers.Activation("softmax", dtype=self.dtype)
        )
        return [*found, self.layers.Dense(4, dtype=self.dtype), softmax]

    def functional(self, shape: tuple[int, ...], layers: list[Any]) -> Any:
        """The layers as a functional model with branches and operations, now and then with two inputs and outputs."""
        keras = self.keras
        tensor = entry = keras.Input(shape, dtype=self.dtype)
        inputs, outputs = [entry], []
        if self.format == "channels_last" and self.chance(0.5):
            inputs.append(keras.Input(shape, dtype=self.dtype))
            tensor = self.one_of(lambda: inputs[0] + inputs[1], lambda: self.layers.Concatenate()(inputs))()
        for layer in layers[:-1]:
            tensor = layer(tensor)
            if self.chance(0.25):
                tensor = self.branch(tensor)
            if self.chance(0.25):
                tensor = self.operation(tensor)
        if self.chance(0.25) and len(tensor.shape) == 2:
            outputs.append(tensor)
        outputs.append(layers[-1](tensor))
        named: Any = dict(zip("ba", outputs, strict=False)) if self.chance(0.3) else outputs
        return keras.Model(inputs if len(inputs) > 1 else entry, named if len(outputs) > 1 else outputs[0])

    def model(self) -> Any:
        """A Sequential with or without Input, a functional model, or one with a nested Sequential."""
        keras = self.keras
        if self.chance(0.75):
            side, channels = int(self.one_of(8, 11, 14)), int(self.one_of(1, 3))
            shape: tuple[int, ...] = (side, side, channels)
            if self.format == "channels_first":
                shape = (channels, side, side)
            layers = [*self.image_layers(side), *self.vector_layers()]
            if self.chance(0.3):
                layers.insert(0, self.layers.Rescaling(1 / 255, dtype=self.dtype))
        else:
            layers = self.vector_layers()
            shape = (int(self.one_of(4, 9)),)
        way = self.one_of("input", "built", "functional", "nested")
        if way == "built":
            model = keras.Sequential(layers)
            model.build((None, *shape))
            return model
        if way == "functional":
            return self.functional(shape, layers)
        if way == "nested" and len(layers) > 2:
            cut = int(self.random.integers(1, len(layers) - 1))
            layers = [keras.Sequential(layers[:cut]), *layers[cut:]]
        return keras.Sequential([keras.Input(shape, dtype=self.dtype), *layers])


def random_keras_model(seed: int, dtype: str = "float32") -> Any:
    """A random Keras model of supported layers, with random values in all its variables."""
    from keras_models.runtime import floatx

    random = np.random.default_rng(seed)
    with floatx(dtype):
        model = _Writer(random, dtype).model()
    for variable in model.weights:
        value = random.normal(0, 0.3, variable.shape)
        if variable.name == "moving_variance":
            value = random.uniform(0.5, 2, variable.shape)
        elif variable.name == "kernel":
            value = random.normal(0, np.sqrt(2 / max(np.prod(variable.shape[:-1]), 1)), variable.shape)
        elif variable.name == "gamma":
            value = random.uniform(0.5, 1.5, variable.shape)
        variable.assign(value)
    return model
