"""The textbooks' code as a baseline: the same network, im2col and back."""

import numpy as np
import pytest

from benchmarks.speed_studies.textbook import TextbookNetwork, col2im, im2col
from core_numpy import NumpyModel
from model_spec import Conv2D, Dense, Flatten, MaxPooling2D, ModelSpec, zoo


def test_the_textbook_computes_the_same_network():
    """Its gradients are those of the from-scratch layers, so its time is that of the same work."""
    spec = ModelSpec(
        "small",
        (6, 6, 2),
        (
            Conv2D(3, 3, padding="same", activation="relu"),
            MaxPooling2D(2),
            Flatten(),
            Dense(4, activation="sigmoid"),
            Dense(3, activation="softmax"),
        ),
    )
    textbook, ours = TextbookNetwork(spec), NumpyModel(spec)
    convolution, first, second = (layer for layer in textbook.layers if hasattr(layer, "w"))
    weights = ours.weights
    # (filters, c, h, w) -> (h, w, c, filters), and rows of the first Dense from (c, h, w) to (h, w, c)
    weights["conv2d/kernel"] = convolution.w.transpose(2, 3, 1, 0)
    weights["dense/kernel"] = first.w.reshape(3, 3, 3, 4).transpose(1, 2, 0, 3).reshape(27, 4)
    weights["dense_1/kernel"] = second.w
    ours.set_weights(weights)
    random = np.random.default_rng(1)
    x, y = random.normal(size=(5, 6, 6, 2)).astype(np.float32), random.integers(0, 3, 5)
    found = ours.loss_and_gradients(x, y)
    loss = textbook.train_step(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), y)
    assert loss == pytest.approx(found.loss, rel=1e-5)
    kernel = found.parameters["conv2d/kernel"]
    assert np.abs(convolution.dw.transpose(2, 3, 1, 0) - kernel).max() < 1e-5 * np.abs(kernel).max()
    with pytest.raises(ValueError, match="textbook baseline has no"):
        TextbookNetwork(zoo.bn_cnn())


def test_im2col_and_back_by_hand():
    image = np.arange(9.0).reshape(1, 1, 3, 3)
    rows = im2col(image, 2, 2, 1, 0)
    assert rows[0].tolist() == [0, 1, 3, 4]
    # The middle cell stands in four windows
    assert col2im(rows, image.shape, 2, 2, 1, 0)[0, 0, 1, 1] == 4 * 4
