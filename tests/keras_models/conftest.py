"""What the tests of keras_models share: small networks and data."""

import numpy as np
import pytest

from model_spec import (
    ELU,
    Activation,
    AveragePooling1D,
    AveragePooling2D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GroupNormalization,
    LayerNormalization,
    LeakyReLU,
    MaxPooling1D,
    MaxPooling2D,
    ModelSpec,
    Normalization,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Rescaling,
    Reshape,
    SeparableConv2D,
    Softmax,
    UnitNormalization,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
    regularizers,
)


@pytest.fixture(scope="session")
def every_layer():
    """A network with every layer but three global poolings, a frozen layer and penalties included."""
    return ModelSpec(
        "every layer",
        (6, 6, 2),
        (
            Rescaling(0.5, 0.1),
            ZeroPadding2D(((1, 1), (0, 2))),
            Cropping2D(((0, 1), (0, 1))),
            Conv2D(3, 3, padding="same", activation="tanh", kernel_regularizer=regularizers.L2(0.01)),
            SeparableConv2D(3, 2, padding="same", pointwise_regularizer="l1"),
            Conv2DTranspose(2, 2, padding="same", kernel_regularizer="l2"),
            DepthwiseConv2D(2, padding="same", depthwise_regularizer="l1"),
            BatchNormalization(),
            MaxPooling2D(2, strides=1, padding="same"),
            Conv2D(4, 2, dilation_rate=2, use_bias=False, bias_regularizer="l1", trainable=False),
            Activation("softplus"),
            LayerNormalization(),
            GroupNormalization(2),
            UnitNormalization(),
            Normalization(),
            Softmax(1),
            Permute((2, 1, 3)),
            LeakyReLU(0.1),
            ELU(0.5),
            ReLU(2.0, 0.1, 0.5),
            PReLU("ones", "l2", (1, 2)),
            AveragePooling2D(2),
            Dropout(0.4),
            UpSampling2D((1, 2)),
            Reshape((8, 4)),
            Conv1D(4, 2, padding="causal", kernel_regularizer="l1"),
            ZeroPadding1D((1, 0)),
            MaxPooling1D(2, 1),
            AveragePooling1D(2, 1, "same"),
            Flatten(),
            RepeatVector(3),
            Flatten(),
            Reshape((4, 12, 2)),
            GlobalAveragePooling2D(),
            Dense(5, activation="sigmoid", bias_initializer="random_normal"),
            Dropout(0.3),
            Dense(3, activation="softmax"),
        ),
    )


@pytest.fixture(scope="session")
def small():
    """A small dense classifier with dropout and batch normalization."""
    return ModelSpec(
        "small",
        (4,),
        (Dense(6, activation="relu"), BatchNormalization(), Dropout(0.5), Dense(3, activation="softmax")),
    )


@pytest.fixture
def rows():
    """23 examples of four numbers, and their classes."""
    random = np.random.default_rng(5)
    return random.normal(size=(23, 4)), random.integers(3, size=23)


@pytest.fixture
def images():
    """Five 6x6 images of two channels, and their classes; no near tie under max pooling spoils finite differences."""
    random = np.random.default_rng(8)
    return random.normal(size=(5, 6, 6, 2)), random.integers(3, size=5)


@pytest.fixture
def randomized():
    """Give every variable of a model a random value, positive where it is a variance."""

    def fill(model, seed=0):
        random = np.random.default_rng(seed)
        model.set_weights(
            {
                name: np.abs(value) + 0.5 if name.endswith("variance") else value
                for name, size in model.spec.variable_shapes.items()
                for value in [random.normal(size=size) * 0.2]
            }
        )
        return model

    return fill
