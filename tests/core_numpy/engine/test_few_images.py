"""Predictions of one image or a few equal those of the reference, whatever stands behind the convolution."""

import numpy as np
import pytest

import model_spec as ms
from core_numpy import NumpyModel
from core_numpy.engine.few_images import FewImagesConvolution, FewImagesMaxPooling
from core_numpy.engine.runner import FEW_IMAGES

CONVOLUTIONS = [
    ms.Conv2D(6, 3),
    ms.Conv2D(6, 3, padding="same"),
    ms.Conv2D(6, (3, 2), strides=(2, 1)),
    ms.Conv2D(6, 2, dilation_rate=2),
    ms.Conv2D(6, 3, use_bias=False),
    ms.Conv2D(6, 3, padding="same", activation="tanh"),
]
FOLLOWERS = {
    "nothing": (),
    "pooling": (ms.MaxPooling2D(2),),
    "overlapping pooling": (ms.MaxPooling2D(3, 2, padding="same"),),
    "relu and pooling": (ms.Activation("relu"), ms.MaxPooling2D(2)),
    "a convolution with a border": (ms.Conv2D(3, 3, padding="same"),),
    "pooling and a convolution with a border": (ms.MaxPooling2D(2), ms.Conv2D(3, 3, padding="same")),
    "average": (ms.AveragePooling2D(2),),
}


def model_of(channels, *layers, **options):
    spec = ms.ModelSpec("few", (9, 8, channels), (*layers, ms.Flatten(), ms.Dense(3, activation="softmax")))
    random = np.random.default_rng(3)
    weights = {name: random.normal(size=shape) for name, shape in spec.variable_shapes.items()}
    return NumpyModel(spec, dtype="float64", weights=weights, **options)


@pytest.mark.parametrize("follow", FOLLOWERS)
@pytest.mark.parametrize("convolution", CONVOLUTIONS, ids=repr)
@pytest.mark.parametrize("channels", [1, 4, 5])
def test_few_images_equal_the_reference(channels, convolution, follow):
    layers = convolution, *FOLLOWERS[follow]
    fast, reference = (model_of(channels, *layers, engine=engine) for engine in ("fast", "reference"))
    x = np.random.default_rng(4).normal(size=(FEW_IMAGES, 9, 8, channels))
    for examples in (1, 2, FEW_IMAGES):
        np.testing.assert_allclose(fast.predict(x[:examples]), reference.predict(x[:examples]), rtol=1e-12, atol=1e-14)


def blocks_of(model):
    """All blocks of the plans that a model keeps."""
    return [block for cache in model._running_engine().leases._idle for plan in cache.plans for block in plan.blocks]


def test_the_bias_is_added_behind_the_pooling_alone():
    model = model_of(2, ms.Conv2D(6, 3, activation="relu"), ms.MaxPooling2D(2), engine="fast")
    model.predict(np.zeros((1, 9, 8, 2)))
    convolution, pooling = blocks_of(model)[:2]
    assert isinstance(convolution, FewImagesConvolution) and not convolution.adds_bias
    assert isinstance(pooling, FewImagesMaxPooling)


def test_where_the_pooling_is_not_the_only_reader_the_sums_have_their_bias():
    convolution = ms.Conv2D(2, 3, padding="same", name="sums")
    layers = (convolution, ms.MaxPooling2D(3, 1, padding="same"), ms.Add(inputs=("sums", "max_pooling2d")))
    fast, reference = (model_of(2, *layers, engine=engine) for engine in ("fast", "reference"))
    x = np.random.default_rng(4).normal(size=(1, 9, 8, 2))
    np.testing.assert_allclose(fast.predict(x), reference.predict(x), rtol=1e-12)


def test_new_weights_count_at_the_next_prediction():
    layers = ms.Conv2D(6, 3, padding="same"), ms.MaxPooling2D(2), ms.Conv2D(2, 3)
    fast, reference = (model_of(1, *layers, engine=engine) for engine in ("fast", "reference"))
    x = np.random.default_rng(4).normal(size=(1, 9, 8, 1))
    fast.predict(x)
    for model in (fast, reference):
        model.set_weights({name: value * 0.5 + 0.1 for name, value in model.weights.items()})
    np.testing.assert_allclose(fast.predict(x), reference.predict(x), rtol=1e-12)


def test_results_are_the_callers_own():
    model = model_of(1, ms.Conv2D(6, 3), engine="fast")
    random = np.random.default_rng(4)
    first = model.predict(random.normal(size=(1, 9, 8, 1)))
    kept = first.copy()
    model.predict(random.normal(size=(1, 9, 8, 1)))
    np.testing.assert_array_equal(first, kept)
