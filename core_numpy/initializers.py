"""First values of variables, drawn from Keras' own streams so that one seed gives one network on both backends.

Formulas: keras/src/initializers/random_initializers.py. Uniform draws equal Keras' in every bit; normal draws agree
within a few units in the last place (see ``core_numpy.philox``).
"""

from __future__ import annotations

import math

import numpy as np

from core_numpy.philox import stateless_normal, stateless_truncated_normal, stateless_uniform
from model_spec import initializers as rules
from model_spec.shapes import Shape, element_count

Array = np.ndarray

_TRUNCATION = 0.87962566103423978
"""Standard deviation of a standard normal cut off at two; Keras divides by it so that the variance comes out right."""


def fans(shape: Shape) -> tuple[int, int]:
    """(fan in, fan out) of a variable: for a kernel (kh, kw, in, out) they count the whole window.

    >>> fans((784, 16)), fans((3, 3, 1, 8)), fans((10,))
    ((784, 16), (9, 72), (10, 10))
    """
    if len(shape) < 2:
        return (*shape, 1)[0], (*shape, 1)[0]
    window = element_count(shape[:-2])
    return shape[-2] * window, shape[-1] * window


def _scaled_uniform(seed: int, shape: Shape, dtype: np.dtype, low: float, high: float) -> Array:
    # Keras passes the limits through float32, in float64 networks too
    low, high = dtype.type(np.float32(low)), dtype.type(np.float32(high))
    return stateless_uniform((seed, 0), shape, dtype) * (high - low) + low


def _uniform_with_variance(seed: int, shape: Shape, dtype: np.dtype, variance: float) -> Array:
    limit = math.sqrt(3.0 * variance)
    return _scaled_uniform(seed, shape, dtype, -limit, limit)


def _truncated_with_variance(seed: int, shape: Shape, dtype: np.dtype, variance: float) -> Array:
    deviation = math.sqrt(variance) / _TRUNCATION
    return stateless_truncated_normal((seed, 0), shape, dtype) * dtype.type(deviation)


def initialize(rule: rules.Initializer, shape: Shape, seed: int, dtype: np.dtype) -> Array:
    """Return the first values of one variable.

    Raises:
        ValueError: for a rule this backend does not know, with the list of those it knows.
    """
    fan_in, fan_out = fans(shape)
    # max(1, ...) is Keras' own guard
    mean_fan, fan_in = max(1.0, (fan_in + fan_out) / 2.0), max(1, fan_in)
    match rule:
        case rules.Zeros():
            return np.zeros(shape, dtype)
        case rules.Ones():
            return np.ones(shape, dtype)
        case rules.Constant(value):
            # Like the limits above, the value reaches TensorFlow as a float32
            return np.full(shape, np.float32(value), dtype)
        case rules.RandomUniform(minval, maxval):
            return _scaled_uniform(seed, shape, dtype, minval, maxval)
        case rules.RandomNormal(mean, stddev):
            return stateless_normal((seed, 0), shape, dtype) * dtype.type(stddev) + dtype.type(mean)
        case rules.GlorotUniform():
            return _uniform_with_variance(seed, shape, dtype, 1.0 / mean_fan)
        case rules.GlorotNormal():
            return _truncated_with_variance(seed, shape, dtype, 1.0 / mean_fan)
        case rules.HeUniform():
            return _uniform_with_variance(seed, shape, dtype, 2.0 / fan_in)
        case rules.HeNormal():
            return _truncated_with_variance(seed, shape, dtype, 2.0 / fan_in)
        case rules.LecunUniform():
            return _uniform_with_variance(seed, shape, dtype, 1.0 / fan_in)
        case rules.LecunNormal():
            return _truncated_with_variance(seed, shape, dtype, 1.0 / fan_in)
    raise ValueError(f"no initializer for {rule!r}; known are {', '.join(rules.INITIALIZERS)}")
