"""Sixty models written directly against Keras, small, in the manner of the examples of keras.io and of TensorFlow.

Pages with "examples", "guides" and "api" are below https://keras.io/, those with "tutorials" below
https://www.tensorflow.org/. Layers, their options, their order and the way they are put together are those of the page;
sizes of images, filters and units are smaller. Pages whose networks are recurrent, of attention or of embeddings
throughout are left out: nothing of them is known here, and each is refused like the first that stands in the table.
"""

from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np

L = keras.layers


class Model(NamedTuple):
    """A model of the table.

    Attributes:
        page: what it follows.
        build: gives the Keras model, built.
        refused: the layer or reason that is named where it is not converted; None where it is.
    """

    page: str
    build: Any
    refused: str | None = None


def line(shape, *layers):
    return partial(keras.Sequential, [keras.Input(shape), *layers])


def functional(shape):
    """A decorator: the function from the input tensor to the output, as a function that gives the model."""

    def of(function):
        def build():
            inputs = keras.Input(shape)
            return keras.Model(inputs, function(inputs))

        return build

    return of


def adapted(layer, *shape):
    layer.adapt(np.random.default_rng(3).normal(5.0, 2.0, shape))
    return layer


# Guides


def encoder_and_decoder():
    inputs = keras.Input((12, 12, 1), name="img")
    x = L.Conv2D(4, 3, activation="relu")(inputs)
    x = L.Conv2D(6, 3, activation="relu")(x)
    x = L.MaxPooling2D(2)(x)
    encoder = keras.Model(inputs, L.GlobalMaxPooling2D()(x), name="encoder")
    encoded = keras.Input((6,), name="encoded_img")
    x = L.Reshape((2, 3, 1))(encoded)
    x = L.Conv2DTranspose(4, 3, activation="relu")(x)
    x = L.UpSampling2D(2)(x)
    decoder = keras.Model(encoded, L.Conv2DTranspose(1, 3, activation="relu")(x), name="decoder")
    entry = keras.Input((12, 12, 1))
    return keras.Model(entry, decoder(encoder(entry)), name="autoencoder")


@functional((16, 16, 3))
def toy_resnet(inputs):
    x = L.Conv2D(4, 3, activation="relu")(inputs)
    x = L.Conv2D(6, 3, activation="relu")(x)
    one = L.MaxPooling2D(2)(x)
    x = L.Conv2D(6, 3, activation="relu", padding="same")(one)
    x = L.Conv2D(6, 3, activation="relu", padding="same")(x)
    two = L.add([x, one])
    x = L.Conv2D(6, 3, activation="relu", padding="same")(two)
    x = L.Conv2D(6, 3, activation="relu", padding="same")(x)
    three = L.add([x, two])
    x = L.Conv2D(6, 3, activation="relu")(three)
    x = L.GlobalAveragePooling2D()(x)
    return L.Dense(10)(L.Dropout(0.5)(L.Dense(8, activation="relu")(x)))


def ensemble():
    def member():
        inputs = keras.Input((16,))
        return keras.Model(inputs, L.Dense(1)(inputs))

    inputs = keras.Input((16,))
    return keras.Model(inputs, L.average([member()(inputs) for _ in range(3)]))


def ticket_routing():
    title, tags = keras.Input((None,), name="title"), keras.Input((4,), name="tags")
    x = L.concatenate([L.LSTM(4)(L.Embedding(10, 3)(title)), tags])
    return keras.Model([title, tags], [L.Dense(1, name="priority")(x), L.Dense(4, name="department")(x)])


def fine_tuned():
    base = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            L.Conv2D(4, 3, strides=2, use_bias=False),
            L.BatchNormalization(),
            L.Activation("relu"),
        ],
        name="base",
    )
    base.trainable = False
    inputs = keras.Input((12, 12, 3))
    x = L.RandomRotation(0.1)(L.RandomFlip("horizontal")(inputs))
    x = base(L.Rescaling(scale=1 / 127.5, offset=-1)(x), training=False)
    return keras.Model(inputs, L.Dense(1)(L.Dropout(0.2)(L.GlobalAveragePooling2D()(x))))


# Vision


@functional((24, 24, 3))
def small_xception(inputs):
    x = L.Rescaling(1.0 / 255)(inputs)
    x = L.Activation("relu")(L.BatchNormalization()(L.Conv2D(4, 3, strides=2, padding="same")(x)))
    before = x
    for size in (6, 8):
        for _ in range(2):
            x = L.Activation("relu")(x)
            x = L.SeparableConv2D(size, 3, padding="same")(x)
            x = L.BatchNormalization()(x)
        x = L.MaxPooling2D(3, strides=2, padding="same")(x)
        x = L.add([x, L.Conv2D(size, 1, strides=2, padding="same")(before)])
        before = x
    x = L.Activation("relu")(L.BatchNormalization()(L.SeparableConv2D(10, 3, padding="same")(x)))
    return L.Dense(1, activation=None)(L.Dropout(0.25)(L.GlobalAveragePooling2D()(x)))


@functional((16, 16, 3))
def unet_xception(inputs):
    x = L.Activation("relu")(L.BatchNormalization()(L.Conv2D(4, 3, strides=2, padding="same")(inputs)))
    before = x
    for filters in (4, 6):
        for _ in range(2):
            x = L.BatchNormalization()(L.SeparableConv2D(filters, 3, padding="same")(L.Activation("relu")(x)))
        x = L.MaxPooling2D(3, strides=2, padding="same")(x)
        x = before = L.add([x, L.Conv2D(filters, 1, strides=2, padding="same")(before)])
    for filters in (6, 4, 4):
        for _ in range(2):
            x = L.BatchNormalization()(L.Conv2DTranspose(filters, 3, padding="same")(L.Activation("relu")(x)))
        x = L.UpSampling2D(2)(x)
        x = before = L.add([x, L.Conv2D(filters, 1, padding="same")(L.UpSampling2D(2)(before))])
    return L.Conv2D(3, 3, activation="softmax", padding="same")(x)


@functional((8, 8, 1))
def sub_pixel(inputs):
    x = L.Conv2D(4, 5, activation="relu", padding="same")(inputs)
    x = L.Conv2D(9, 3, activation="relu", padding="same")(x)
    return keras.ops.reshape(keras.ops.transpose(x, (0, 1, 3, 2)), (-1, 24, 24, 1))


@functional((16, 16, 3))
def deeplab(inputs):
    def block(x, filters=4, size=3, rate=1, use_bias=False):
        x = L.Conv2D(
            filters, size, dilation_rate=rate, padding="same", use_bias=use_bias, kernel_initializer="he_normal"
        )(x)
        return keras.layers.ReLU()(L.BatchNormalization()(x))

    low = block(inputs)
    x = L.MaxPooling2D(2)(low)
    pooled = block(L.AveragePooling2D((8, 8))(x), size=1, use_bias=True)
    pooled = L.UpSampling2D((8, 8), interpolation="bilinear")(pooled)
    x = L.Concatenate(axis=-1)([pooled, *(block(x, size=3 if rate > 1 else 1, rate=rate) for rate in (1, 2, 3))])
    x = L.UpSampling2D((2, 2), interpolation="bilinear")(block(x, size=1))
    x = block(block(L.Concatenate(axis=-1)([x, block(low, size=1)])))
    return L.Conv2D(3, 1, padding="same")(x)


@functional((16, 16, 3))
def conv_mixer(inputs):
    def block(x):
        return L.BatchNormalization()(L.Activation("gelu")(x))

    x = block(L.Conv2D(8, kernel_size=2, strides=2)(L.Rescaling(scale=1.0 / 255)(inputs)))
    for _ in range(2):
        before = x
        x = L.Add()([block(L.DepthwiseConv2D(kernel_size=3, padding="same")(x)), before])
        x = block(L.Conv2D(8, kernel_size=1)(x))
    return L.Dense(5, activation="softmax")(L.GlobalAvgPool2D()(x))


@functional((8, 8, 3))
def mlp_mixer(inputs):
    x = L.Dense(6)(L.Reshape((16, 12))(inputs))
    for _ in range(2):
        channels = L.Permute((2, 1))(L.LayerNormalization(epsilon=1e-6)(x))
        mixed = L.Dropout(0.2)(L.Dense(16)(L.Dense(16, activation="gelu")(channels)))
        x = L.Add()([x, L.Permute((2, 1))(mixed)])
        patches = L.LayerNormalization(epsilon=1e-6)(x)
        x = L.Add()([x, L.Dropout(0.2)(L.Dense(6)(L.Dense(6, activation="gelu")(patches)))])
    return L.Dense(5)(L.Dropout(0.2)(L.GlobalAveragePooling1D()(x)))


@functional((16, 4))
def captcha(inputs):
    return L.Bidirectional(L.LSTM(4, return_sequences=True))(L.Dense(6, activation="relu")(inputs))


def siamese():
    embedding = keras.Sequential([keras.Input((6,)), L.Dense(4, activation="tanh")])
    first, second = keras.Input((6,)), keras.Input((6,))
    merged = L.Subtract()([embedding(first), embedding(second)])
    return keras.Model([first, second], L.Dense(1, activation="sigmoid")(merged))


@functional((12, 12, 3))
def zero_dce(inputs):
    def conv(x, activation="relu"):
        return L.Conv2D(4, (3, 3), strides=(1, 1), activation=activation, padding="same")(x)

    one = conv(inputs)
    two = conv(one)
    three = conv(two)
    five = conv(L.Concatenate(axis=-1)([conv(three), three]))
    six = conv(L.Concatenate(axis=-1)([five, two]))
    return conv(L.Concatenate(axis=-1)([six, one]), "tanh")


@functional((16, 16, 3))
def metric_learning(inputs):
    x = inputs
    for filters in (4, 6, 8):
        x = L.Conv2D(filters=filters, kernel_size=3, strides=2, activation="relu")(x) if filters < 8 else x
    x = L.GlobalAveragePooling2D()(x)
    return L.UnitNormalization()(L.Dense(units=4, activation=None)(x))


@functional((16, 16, 3))
def mobilenet_v2(inputs):
    x = L.Conv2D(6, 3, strides=(2, 2), padding="same", use_bias=False)(inputs)
    x = L.ReLU(6.0)(L.BatchNormalization(epsilon=1e-3, momentum=0.999)(x))
    for filters, strides in ((6, 1), (8, 2)):
        before = x
        x = L.Conv2D(18, kernel_size=1, padding="same", use_bias=False, activation=None)(x)
        x = L.ReLU(6.0)(L.BatchNormalization(epsilon=1e-3, momentum=0.999)(x))
        if strides == 2:
            x = L.ZeroPadding2D(padding=((0, 1), (0, 1)))(x)
        padding = "same" if strides == 1 else "valid"
        x = L.DepthwiseConv2D(kernel_size=3, strides=strides, activation=None, use_bias=False, padding=padding)(x)
        x = L.ReLU(6.0)(L.BatchNormalization(epsilon=1e-3, momentum=0.999)(x))
        x = L.Conv2D(filters, kernel_size=1, padding="same", use_bias=False, activation=None)(x)
        x = L.BatchNormalization(epsilon=1e-3, momentum=0.999)(x)
        x = L.Add()([before, x]) if strides == 1 else x
    return L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x))


@functional((16, 16, 3))
def resnet_v2(inputs):
    x = L.Conv2D(6, 7, strides=2, use_bias=True)(L.ZeroPadding2D(padding=((3, 3), (3, 3)))(inputs))
    x = L.MaxPooling2D(3, strides=2)(L.ZeroPadding2D(padding=((1, 1), (1, 1)))(x))
    first = L.Activation("relu")(L.BatchNormalization(epsilon=1.001e-5)(x))
    shortcut = L.Conv2D(12, 1, strides=1)(first)
    y = L.Conv2D(4, 1, strides=1, use_bias=False)(first)
    y = L.Activation("relu")(L.BatchNormalization(epsilon=1.001e-5)(y))
    y = L.Conv2D(4, 3, strides=1, use_bias=False)(L.ZeroPadding2D(padding=((1, 1), (1, 1)))(y))
    y = L.Activation("relu")(L.BatchNormalization(epsilon=1.001e-5)(y))
    x = L.Add()([shortcut, L.Conv2D(12, 1)(y)])
    return L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(L.BatchNormalization()(x)))


@functional((16, 16, 3))
def densenet(inputs):
    x = L.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    for _ in range(3):
        y = L.Activation("relu")(L.BatchNormalization(axis=3, epsilon=1.001e-5)(x))
        y = L.Activation("relu")(L.BatchNormalization(axis=3, epsilon=1.001e-5)(L.Conv2D(8, 1, use_bias=False)(y)))
        x = L.Concatenate(axis=3)([x, L.Conv2D(3, 3, padding="same", use_bias=False)(y)])
    x = L.Activation("relu")(L.BatchNormalization(axis=3, epsilon=1.001e-5)(x))
    x = L.AveragePooling2D(2, strides=2)(L.Conv2D(6, 1, use_bias=False)(x))
    return L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x))


@functional((12, 12, 4))
def resnext(inputs):
    shortcut = L.Conv2D(12, 1, use_bias=False)(inputs)
    x = L.Activation("relu")(L.BatchNormalization()(L.Conv2D(8, 1, use_bias=False)(inputs)))
    x = L.Conv2D(8, 3, padding="same", groups=4, use_bias=False)(x)
    x = L.Conv2D(12, 1, use_bias=False)(L.Activation("relu")(L.BatchNormalization()(x)))
    return L.GlobalAveragePooling2D()(L.Activation("relu")(L.Add()([shortcut, L.BatchNormalization()(x)])))


@functional((12, 12, 3))
def efficientnet(inputs):
    x = L.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = L.Activation("swish")(L.BatchNormalization(axis=3)(x))
    se = L.Reshape((1, 1, 6))(L.GlobalAveragePooling2D()(x))
    se = L.Conv2D(2, 1, padding="same", activation="swish")(se)
    se = L.Conv2D(6, 1, padding="same", activation="sigmoid")(se)
    x = L.multiply([x, se])
    return L.Dense(3, activation="softmax")(L.Dropout(0.2)(L.GlobalAveragePooling2D()(x)))


@functional((12, 12, 3))
def inception(inputs):
    def conv(x, filters, rows, columns):
        x = L.Conv2D(filters, (rows, columns), padding="same", use_bias=False)(x)
        return L.Activation("relu")(L.BatchNormalization(axis=3, scale=False)(x))

    pooled = conv(L.AveragePooling2D((3, 3), strides=(1, 1), padding="same")(inputs), 3, 1, 1)
    seven = conv(conv(conv(inputs, 4, 1, 1), 4, 1, 7), 4, 7, 1)
    x = L.concatenate([conv(inputs, 4, 1, 1), seven, conv(conv(inputs, 3, 1, 1), 4, 3, 3), pooled], axis=3)
    return L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x))


# Generative


@functional((10,))
def wgan_generator(noise):
    def block(x, filters, activation, crop=False):
        x = L.Conv2D(filters, (3, 3), strides=(1, 1), padding="same", use_bias=False)(L.UpSampling2D((2, 2))(x))
        return activation(L.BatchNormalization()(x))

    x = L.LeakyReLU(0.2)(L.BatchNormalization()(L.Dense(2 * 2 * 6, use_bias=False)(noise)))
    x = L.Reshape((2, 2, 6))(x)
    x = block(x, 4, L.LeakyReLU(0.2))
    x = block(x, 4, L.LeakyReLU(0.2))
    return L.Cropping2D((2, 2))(block(x, 1, L.Activation("tanh")))


@functional((28, 28, 1))
def wgan_discriminator(image):
    x = L.ZeroPadding2D((2, 2))(image)
    for filters, dropout in ((4, False), (4, True), (6, True)):
        x = L.LeakyReLU(0.2)(L.Conv2D(filters, (5, 5), strides=(2, 2), use_bias=True, padding="same")(x))
        x = L.Dropout(0.3)(x) if dropout else x
    return L.Dense(1)(L.Dropout(0.2)(L.Flatten()(x)))


def vae_encoder():
    inputs = keras.Input((12, 12, 1))
    x = L.Conv2D(4, 3, activation="relu", strides=2, padding="same")(inputs)
    x = L.Dense(6, activation="relu")(L.Flatten()(x))
    return keras.Model(inputs, [L.Dense(2, name="z_mean")(x), L.Dense(2, name="z_log_var")(x)], name="encoder")


@functional((16, 16, 3))
def cyclegan_discriminator(image):
    x = L.LeakyReLU(0.2)(L.Conv2D(4, (4, 4), strides=(2, 2), padding="same")(image))
    for filters, strides in ((6, 2), (8, 1)):
        x = L.Conv2D(filters, (4, 4), strides=strides, padding="same", use_bias=False)(x)
        x = L.LeakyReLU(0.2)(L.GroupNormalization(groups=filters)(x))
    return L.Conv2D(1, (4, 4), strides=(1, 1), padding="same")(x)


@functional((16, 16, 3))
def ddim_unet(image):
    def residual(x, width):
        before = x if x.shape[-1] == width else L.Conv2D(width, kernel_size=1)(x)
        x = L.BatchNormalization(center=False, scale=False)(x)
        x = L.Conv2D(width, kernel_size=3, padding="same", activation="swish")(x)
        return L.Add()([L.Conv2D(width, kernel_size=3, padding="same")(x), before])

    x, skips = L.Conv2D(4, kernel_size=1)(image), []
    for width in (4, 6):
        x = residual(x, width)
        skips.append(x)
        x = L.AveragePooling2D(pool_size=2)(x)
    x = residual(x, 8)
    for width in (6, 4):
        x = L.UpSampling2D(size=2, interpolation="bilinear")(x)
        x = residual(L.Concatenate()([x, skips.pop()]), width)
    return L.Conv2D(3, kernel_size=1, kernel_initializer="zeros")(x)


@functional((16, 16, 3))
def pix2pix_generator(inputs):
    start, x, skips = keras.initializers.RandomNormal(0.0, 0.02), inputs, []
    for filters in (4, 6, 8):
        down = [L.Conv2D(filters, 4, strides=2, padding="same", kernel_initializer=start, use_bias=False)]
        down += [L.BatchNormalization()] if filters > 4 else []
        x = keras.Sequential([*down, L.LeakyReLU()])(x)
        skips.append(x)
    for filters, skip in zip((6, 4), reversed(skips[:-1]), strict=True):
        up = [L.Conv2DTranspose(filters, 4, strides=2, padding="same", kernel_initializer=start, use_bias=False)]
        x = keras.Sequential([*up, L.BatchNormalization(), L.Dropout(0.5), L.ReLU()])(x)
        x = L.Concatenate()([x, skip])
    return L.Conv2DTranspose(3, 4, strides=2, padding="same", kernel_initializer=start, activation="tanh")(x)


def pix2pix_discriminator():
    first, target = keras.Input((8, 8, 3), name="input_image"), keras.Input((8, 8, 3), name="target_image")
    x = L.Conv2D(4, 4, strides=2, padding="same")(L.concatenate([first, target]))
    return keras.Model([first, target], L.Conv2D(1, 4, strides=1)(L.ZeroPadding2D()(L.LeakyReLU()(x))))


# Sequences and structured data


@functional((32, 1))
def fcn(inputs):
    x = inputs
    for _ in range(3):
        x = L.ReLU()(L.BatchNormalization()(L.Conv1D(filters=6, kernel_size=3, padding="same")(x)))
    return L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(x))


@functional((32, 1))
def eeg(inputs):
    x = L.Conv1D(filters=4, kernel_size=3, strides=2, activation="relu", padding="same")(inputs)
    x = L.BatchNormalization()(x)
    x = L.Conv1D(filters=6, kernel_size=5, strides=2, activation="relu", padding="same")(x)
    x = L.Flatten()(L.BatchNormalization()(x))
    for units in (12, 8):
        x = L.Dense(units, activation="relu", kernel_regularizer=keras.regularizers.L2())(x)
        x = L.Dropout(0.2)(x)
    return L.Dense(4, activation="softmax")(x)


@functional((48, 1))
def speaker(inputs):
    x = inputs
    for filters, convolutions in ((4, 2), (6, 3)):
        shortcut = L.Conv1D(filters, 1, padding="same")(x)
        for _ in range(convolutions - 1):
            x = L.Activation("relu")(L.Conv1D(filters, 3, padding="same")(x))
        x = L.Add()([L.Conv1D(filters, 3, padding="same")(x), shortcut])
        x = L.MaxPool1D(pool_size=2, strides=2)(L.Activation("relu")(x))
    x = L.Flatten()(L.AveragePooling1D(pool_size=3, strides=3)(x))
    return L.Dense(3, activation="softmax", name="output")(L.Dense(8, activation="relu")(x))


@functional((32, 2))
def wavenet(inputs):
    x = inputs
    for rate in (1, 2, 4):
        x = L.Conv1D(filters=6, kernel_size=2, padding="causal", activation="relu", dilation_rate=rate)(x)
    return L.Conv1D(filters=1, kernel_size=1)(x)


def actor_critic():
    inputs = keras.Input((4,))
    common = L.Dense(8, activation="relu")(inputs)
    return keras.Model(inputs, [L.Dense(2, activation="softmax")(common), L.Dense(1)(common)])


@functional((13,))
def wide_and_deep(inputs):
    wide, deep = L.BatchNormalization()(inputs), inputs
    for units in (8, 8):
        deep = L.Dropout(0.3)(L.ReLU()(L.BatchNormalization()(L.Dense(units)(deep))))
    return L.Dense(units=3, activation="softmax")(L.concatenate([wide, deep]))


@functional((12,))
def gated_residual(inputs):
    hidden = L.Dropout(0.1)(L.Dense(6)(L.Dense(6, activation="elu")(inputs)))
    gated = L.Multiply()([L.Dense(6)(hidden), L.Dense(6, activation="sigmoid")(hidden)])
    x = L.LayerNormalization()(L.Add()([L.Dense(6)(inputs), gated]))
    return L.Dense(1, activation="sigmoid")(x)


def weather():
    return keras.Sequential([keras.Input((12, 3)), L.LSTM(4), L.Dense(1)])


MODELS = {
    "sequential": Model(
        "guides/sequential_model",
        line((4,), L.Dense(2, activation="relu", name="layer1"), L.Dense(3, activation="relu"), L.Dense(4)),
    ),
    "functional mnist": Model(
        "guides/functional_api", line((28,), L.Dense(8, activation="relu"), L.Dense(8, activation="relu"), L.Dense(5))
    ),
    "autoencoder of models": Model("guides/functional_api", encoder_and_decoder),
    "toy resnet": Model("guides/functional_api", toy_resnet),
    "ensemble": Model("guides/functional_api", ensemble),
    "ticket routing": Model("guides/functional_api", ticket_routing, "Embedding"),
    "transfer learning": Model("guides/transfer_learning", fine_tuned),
    "preprocessing": Model(
        "guides/preprocessing_layers",
        lambda: keras.Sequential(
            [keras.Input((8,)), adapted(L.Normalization(), 40, 8), L.Dense(10, activation="softmax")]
        ),
    ),
    "mnist convnet": Model(
        "examples/vision/mnist_convnet",
        line(
            (14, 14, 1),
            L.Conv2D(4, kernel_size=(3, 3), activation="relu"),
            L.MaxPooling2D(pool_size=(2, 2)),
            L.Conv2D(6, kernel_size=(3, 3), activation="relu"),
            L.MaxPooling2D(pool_size=(2, 2)),
            L.Flatten(),
            L.Dropout(0.5),
            L.Dense(10, activation="softmax"),
        ),
    ),
    "image classification": Model("examples/vision/image_classification_from_scratch", small_xception),
    "segmentation": Model("examples/vision/oxford_pets_image_segmentation", unet_xception),
    "super resolution": Model("examples/vision/super_resolution_sub_pixel", sub_pixel),
    "denoising autoencoder": Model(
        "examples/vision/autoencoder",
        line(
            (12, 12, 1),
            L.Conv2D(4, (3, 3), activation="relu", padding="same"),
            L.MaxPooling2D((2, 2), padding="same"),
            L.Conv2D(4, (3, 3), activation="relu", padding="same"),
            L.MaxPooling2D((2, 2), padding="same"),
            L.Conv2DTranspose(4, (3, 3), strides=2, activation="relu", padding="same"),
            L.Conv2DTranspose(4, (3, 3), strides=2, activation="relu", padding="same"),
            L.Conv2D(1, (3, 3), activation="sigmoid", padding="same"),
        ),
    ),
    "deeplab": Model("examples/vision/deeplabv3_plus", deeplab),
    "convmixer": Model("examples/vision/convmixer", conv_mixer),
    "mlp mixer": Model("examples/vision/mlp_image_classification", mlp_mixer),
    "captcha": Model("examples/vision/captcha_ocr", captcha, "Bidirectional"),
    "siamese": Model("examples/vision/siamese_network", siamese),
    "distillation teacher": Model(
        "examples/vision/knowledge_distillation",
        line(
            (14, 14, 1),
            L.Conv2D(6, (3, 3), strides=(2, 2), padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.MaxPooling2D(pool_size=(2, 2), strides=(1, 1), padding="same"),
            L.Conv2D(8, (3, 3), strides=(2, 2), padding="same"),
            L.Flatten(),
            L.Dense(10),
        ),
    ),
    "keypoints": Model(
        "examples/vision/keypoint_detection",
        line(
            (12, 12, 3),
            L.Conv2D(4, 3, strides=2, activation="relu"),
            L.Dropout(0.3),
            L.SeparableConv2D(6, kernel_size=5, strides=1, activation="relu"),
            L.SeparableConv2D(6, kernel_size=1, strides=1, activation="sigmoid"),
        ),
    ),
    "simsiam predictor": Model(
        "examples/vision/simsiam",
        line(
            (8,),
            L.GaussianNoise(0.2),
            L.Dense(6, use_bias=False, activation="relu", kernel_regularizer=keras.regularizers.L2(0.0005)),
            L.BatchNormalization(),
            L.Dense(8),
        ),
    ),
    "zero-dce": Model("examples/vision/zero_dce", zero_dce),
    "metric learning": Model("examples/vision/metric_learning", metric_learning),
    "cifar augmentation": Model(
        "examples/vision/randaugment",
        line(
            (12, 12, 3),
            L.RandomFlip("horizontal"),
            L.RandomTranslation(0.1, 0.1),
            L.Rescaling(1 / 255.0),
            L.Conv2D(4, 3, activation="relu"),
            L.GlobalAveragePooling2D(),
            L.Dense(5, activation="softmax"),
        ),
    ),
    "mobilenet v2": Model("api/applications/mobilenet", mobilenet_v2),
    "resnet v2": Model("api/applications/resnet", resnet_v2),
    "densenet": Model("api/applications/densenet", densenet),
    "efficientnet": Model("api/applications/efficientnet", efficientnet),
    "inception v3": Model("api/applications/inceptionv3", inception),
    "resnext": Model("api/layers/convolution_layers/convolution2d", resnext),
    "vgg": Model(
        "api/applications/vgg",
        line(
            (12, 12, 3),
            L.Conv2D(4, (3, 3), activation="relu", padding="same", name="block1_conv1"),
            L.Conv2D(4, (3, 3), activation="relu", padding="same", name="block1_conv2"),
            L.MaxPooling2D((2, 2), strides=(2, 2), name="block1_pool"),
            L.Flatten(name="flatten"),
            L.Dense(8, activation="relu", name="fc1"),
            L.Dense(5, activation="softmax", name="predictions"),
        ),
    ),
    "dcgan discriminator": Model(
        "examples/generative/dcgan_overriding_train_step",
        line(
            (16, 16, 3),
            L.Conv2D(4, kernel_size=4, strides=2, padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.Conv2D(6, kernel_size=4, strides=2, padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.Flatten(),
            L.Dropout(0.2),
            L.Dense(1, activation="sigmoid"),
        ),
    ),
    "dcgan generator": Model(
        "examples/generative/dcgan_overriding_train_step",
        line(
            (8,),
            L.Dense(4 * 4 * 4),
            L.Reshape((4, 4, 4)),
            L.Conv2DTranspose(4, kernel_size=4, strides=2, padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.Conv2DTranspose(6, kernel_size=4, strides=2, padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.Conv2D(3, kernel_size=5, padding="same", activation="sigmoid"),
        ),
    ),
    "wgan generator": Model("examples/generative/wgan_gp", wgan_generator),
    "wgan discriminator": Model("examples/generative/wgan_gp", wgan_discriminator),
    "vae encoder": Model("examples/generative/vae", vae_encoder),
    "vae decoder": Model(
        "examples/generative/vae",
        line(
            (2,),
            L.Dense(3 * 3 * 4, activation="relu"),
            L.Reshape((3, 3, 4)),
            L.Conv2DTranspose(4, 3, activation="relu", strides=2, padding="same"),
            L.Conv2DTranspose(3, 3, activation="relu", strides=2, padding="same"),
            L.Conv2DTranspose(1, 3, activation="sigmoid", padding="same"),
        ),
    ),
    "conditional gan": Model(
        "examples/generative/conditional_gan",
        line(
            (14, 14, 11),
            L.Conv2D(6, (3, 3), strides=(2, 2), padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.Conv2D(8, (3, 3), strides=(2, 2), padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.GlobalMaxPooling2D(),
            L.Dense(1),
        ),
    ),
    "cyclegan discriminator": Model("examples/generative/cyclegan", cyclegan_discriminator),
    "diffusion u-net": Model("examples/generative/ddim", ddim_unet),
    "time series fcn": Model("examples/timeseries/timeseries_classification_from_scratch", fcn),
    "eeg": Model("examples/timeseries/eeg_signal_classification", eeg),
    "weather": Model("examples/timeseries/timeseries_weather_forecasting", weather, "LSTM"),
    "speaker": Model("examples/audio/speaker_recognition_using_cnn", speaker),
    "imbalanced": Model(
        "examples/structured_data/imbalanced_classification",
        line(
            (10,),
            L.Dense(16, activation="relu"),
            L.Dense(16, activation="relu"),
            L.Dropout(0.3),
            L.Dense(16, activation="relu"),
            L.Dropout(0.3),
            L.Dense(1, activation="sigmoid"),
        ),
    ),
    "wide and deep": Model("examples/structured_data/wide_deep_cross_networks", wide_and_deep),
    "gated residual": Model("examples/structured_data/classification_with_grn_and_vsn", gated_residual),
    "breakout": Model(
        "examples/rl/deep_q_network_breakout",
        line(
            (36, 36, 4),
            L.Conv2D(4, 8, strides=4, activation="relu"),
            L.Conv2D(6, 4, strides=2, activation="relu"),
            L.Conv2D(6, 2, strides=1, activation="relu"),
            L.Flatten(),
            L.Dense(16, activation="relu"),
            L.Dense(4, activation="linear"),
        ),
    ),
    "actor critic": Model("examples/rl/actor_critic_cartpole", actor_critic),
    "quickstart": Model(
        "tutorials/quickstart/beginner",
        line((8, 8), L.Flatten(), L.Dense(16, activation="relu"), L.Dropout(0.2), L.Dense(10)),
    ),
    "regression": Model(
        "tutorials/keras/regression",
        lambda: keras.Sequential(
            [
                keras.Input((1,)),
                adapted(L.Normalization(axis=None), 40, 1),
                L.Dense(8, activation="relu"),
                L.Dense(8, activation="relu"),
                L.Dense(1),
            ]
        ),
    ),
    "overfit": Model(
        "tutorials/keras/overfit_and_underfit",
        line(
            (12,),
            L.Dense(16, kernel_regularizer=keras.regularizers.l2(0.0001), activation="elu"),
            L.Dropout(0.5),
            L.Dense(16, kernel_regularizer=keras.regularizers.l2(0.0001), activation="elu"),
            L.Dropout(0.5),
            L.Dense(1),
        ),
    ),
    "flowers": Model(
        "tutorials/images/classification",
        line(
            (16, 16, 3),
            L.RandomFlip("horizontal"),
            L.RandomRotation(0.1),
            L.RandomZoom(0.1),
            L.Rescaling(1.0 / 255),
            L.Conv2D(4, 3, padding="same", activation="relu"),
            L.MaxPooling2D(),
            L.Conv2D(6, 3, padding="same", activation="relu"),
            L.MaxPooling2D(),
            L.Dropout(0.2),
            L.Flatten(),
            L.Dense(12, activation="relu"),
            L.Dense(5, name="outputs"),
        ),
    ),
    "pix2pix generator": Model("tutorials/generative/pix2pix", pix2pix_generator),
    "pix2pix discriminator": Model("tutorials/generative/pix2pix", pix2pix_discriminator),
    "dcgan of tensorflow": Model(
        "tutorials/generative/dcgan",
        line(
            (8,),
            L.Dense(3 * 3 * 8, use_bias=False),
            L.BatchNormalization(),
            L.LeakyReLU(),
            L.Reshape((3, 3, 8)),
            L.Conv2DTranspose(6, (5, 5), strides=(1, 1), padding="same", use_bias=False),
            L.BatchNormalization(),
            L.LeakyReLU(),
            L.Conv2DTranspose(1, (5, 5), strides=(2, 2), padding="same", use_bias=False, activation="tanh"),
        ),
    ),
    "ecg autoencoder": Model(
        "tutorials/generative/autoencoder",
        line(
            (20,),
            L.Dense(8, activation="relu"),
            L.Dense(4, activation="relu"),
            L.Dense(8, activation="relu"),
            L.Dense(20, activation="sigmoid"),
        ),
    ),
    "multi-step dense": Model(
        "tutorials/structured_data/time_series",
        line((3, 6), L.Flatten(), L.Dense(8, activation="relu"), L.Dense(8), L.Reshape([1, -1])),
    ),
    "convolutional time series": Model(
        "tutorials/structured_data/time_series",
        line(
            (24, 6),
            L.Conv1D(8, kernel_size=3, activation="relu"),
            L.Dense(8, activation="relu"),
            L.Dense(1),
        ),
    ),
    "causal convolutions": Model("examples/timeseries/", wavenet),
}
