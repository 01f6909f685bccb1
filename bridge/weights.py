"""Carries weights from one model to another, whatever their backends, and draws weights for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from core_numpy.contract import Array
from model_spec import ModelSpec
from model_spec.shapes import element_count


def copy_weights(source: Any, target: Any) -> None:
    """Copy all variables of ``source`` (moving statistics included) into ``target``.

    Both backends keep Keras' names and layouts, so the copy is an identity; names and shapes are checked first, and
    on any difference the target stays as it was. Values are cast to the target's dtype.

    Raises:
        ValueError: the two are not the same architecture; every differing name and shape is listed.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> from core_numpy import NumpyModel
        >>> from keras_models import KerasModel
        >>> ours, theirs = NumpyModel(spec), KerasModel(spec, seed=1)
        >>> copy_weights(theirs, ours)
        >>> np.array_equal(ours.weights["dense/kernel"], theirs.weights["dense/kernel"])
        True
    """
    target.set_weights(source.weights)


def random_weights(spec: ModelSpec, seed: int) -> dict[str, Array]:
    """Values for every variable that leave none at a special value: no zero bias, no gamma of one.

    Kernels are normal with variance 2 / fan_in, so that activations neither vanish nor explode; biases and beta are
    normal with deviation 0.2 and 0.5, gamma lies around one, variances in 0.5 to 2. float64, rounded to
    float32 so that both precisions can hold them.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> {name: value.shape for name, value in random_weights(spec, seed=0).items()}
        {'dense/kernel': (4, 3), 'dense/bias': (3,)}
    """
    random = np.random.default_rng(seed)
    values = {}
    for name, shape in spec.variable_shapes.items():
        variable = name.rpartition("/")[2]
        if variable == "kernel":
            value = random.normal(0, np.sqrt(2 / element_count(shape[:-1])), shape)
        elif variable == "gamma":
            value = random.uniform(0.5, 1.5, shape) * random.choice([-1, 1], shape)
        elif variable.endswith("variance"):
            value = random.uniform(0.5, 2, shape)
        elif variable == "bias":
            value = random.normal(0, 0.2, shape)
        else:
            value = random.normal(0, 0.5, shape)
        values[name] = value.astype(np.float32).astype(np.float64)
    return values
