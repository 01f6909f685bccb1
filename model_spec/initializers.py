"""How a layer's variables get their first values; names and defaults are Keras' (keras/src/initializers)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec.code import ShownAsCode
from model_spec.names import nearest
from model_spec.validation import positive_real, real


@dataclass(frozen=True)
class Initializer(ShownAsCode):
    """A rule for first values. Hyper-parameters only; the seed comes from the model."""


class Zeros(Initializer):
    """Every value 0."""


class Ones(Initializer):
    """Every value 1."""


@dataclass(frozen=True)
class Constant(Initializer):
    """Every value ``value``."""

    value: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", real("Constant.value", self.value))


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform on [minval, maxval)."""

    minval: float = -0.05
    maxval: float = 0.05

    def __post_init__(self) -> None:
        object.__setattr__(self, "minval", real("RandomUniform.minval", self.minval))
        object.__setattr__(self, "maxval", real("RandomUniform.maxval", self.maxval))
        if not self.minval < self.maxval:
            raise ValueError(f"RandomUniform needs minval below maxval, got {self.minval} and {self.maxval}")


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Normal with the given mean and standard deviation."""

    mean: float = 0.0
    stddev: float = 0.05

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", real("RandomNormal.mean", self.mean))
        object.__setattr__(self, "stddev", positive_real("RandomNormal.stddev", self.stddev))


class GlorotUniform(Initializer):
    """Uniform, limit sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010), also called Xavier."""


class GlorotNormal(Initializer):
    """Truncated normal, variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010), also called Xavier."""


class HeUniform(Initializer):
    """Uniform, limit sqrt(6 / fan_in) (He et al., 2015)."""


class HeNormal(Initializer):
    """Truncated normal, variance 2 / fan_in (He et al., 2015)."""


class LecunUniform(Initializer):
    """Uniform, limit sqrt(3 / fan_in) (LeCun et al., 1998)."""


class LecunNormal(Initializer):
    """Truncated normal, variance 1 / fan_in (LeCun et al., 1998)."""


INITIALIZERS: dict[str, type[Initializer]] = {
    "zeros": Zeros,
    "ones": Ones,
    "constant": Constant,
    "random_uniform": RandomUniform,
    "random_normal": RandomNormal,
    "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform,
    "he_normal": HeNormal,
    "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
}


def get(identifier: Any) -> Initializer:
    """Return the initializer for a name such as ``"glorot_uniform"`` or an :class:`Initializer`."""
    if isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, str) and identifier in INITIALIZERS:
        return INITIALIZERS[identifier]()
    raise ValueError(
        f"unknown initializer {identifier!r}{nearest(identifier, INITIALIZERS)}; "
        f"use one of {', '.join(INITIALIZERS)} or an object of them"
    )
