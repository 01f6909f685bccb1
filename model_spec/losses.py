"""What training makes small: names, options and formulas are Keras' (keras/src/losses)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_spec.code import ShownAsCode
from model_spec.names import nearest
from model_spec.validation import boolean, positive_real, real


@dataclass(frozen=True)
class Loss(ShownAsCode):
    """A mean over examples of how far the network's output is from the target."""


@dataclass(frozen=True)
class Crossentropy(Loss):
    """The loss of probabilities, or of the logits that softmax or sigmoid makes them from."""

    from_logits: bool | None = None
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if self.from_logits is not None:
            boolean("from_logits", self.from_logits)
        smoothing = real("label_smoothing", self.label_smoothing, minimum=0)
        if smoothing > 1:
            raise ValueError(f"label_smoothing must lie in 0..1, got {smoothing}")
        object.__setattr__(self, "label_smoothing", smoothing)


class CategoricalCrossentropy(Crossentropy):
    """``-sum(target * log(probability))`` over classes.

    The targets may be integer classes or one-hot rows: the form is read from y.

    Args:
        from_logits: True where the network's last layer gives logits instead of probabilities. A last softmax (or
            sigmoid) is recognised and its input taken for the logits whatever this says, as Keras' TensorFlow path
            does. None is False that nobody has said: training a network with a linear output warns.
        label_smoothing: targets become ``target * (1 - s) + s / classes``.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[0.25, 0.75]]), np.array([[0.0, 1.0]])
        >>> losses, gradients = loss_function(CategoricalCrossentropy(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([0.2877]), array([[ 1.    , -0.3333]]))
    """


class BinaryCrossentropy(Crossentropy):
    """``-(target * log(p) + (1 - target) * log(1 - p))``, mean over the outputs of an example.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[0.25]]), np.array([[1.0]])
        >>> losses, gradients = loss_function(BinaryCrossentropy(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([1.3863]), array([[-4.]]))
    """


class MeanSquaredError(Loss):
    """``(output - target)**2``, mean over the outputs of an example.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[1.0, 4.0]]), np.array([[0.0, 1.0]])
        >>> losses, gradients = loss_function(MeanSquaredError(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([5.]), array([[1., 3.]]))
    """


class HalfSumSquaredError(Loss):
    """``0.5 * sum((output - target)**2)`` over the outputs of an example: the course's form, not in Keras.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[1.0, 4.0]]), np.array([[0.0, 1.0]])
        >>> losses, gradients = loss_function(HalfSumSquaredError(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([5.]), array([[1., 3.]]))
    """


class MeanAbsoluteError(Loss):
    """``abs(output - target)``, mean over the outputs of an example.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[1.0, 4.0]]), np.array([[0.0, 1.0]])
        >>> losses, gradients = loss_function(MeanAbsoluteError(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([2.]), array([[0.5, 0.5]]))
    """


@dataclass(frozen=True)
class Huber(Loss):
    """``d**2 / 2`` up to ``abs(d) = delta``, a line beyond (Huber, 1964), mean over the outputs of an example.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[3.0]]), np.array([[0.0]])
        >>> losses, gradients = loss_function(Huber(delta=1.0), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([2.5]), array([[1.]]))
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", positive_real("delta", self.delta))


class LogCosh(Loss):
    """``log(cosh(output - target))``, mean over the outputs of an example.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[0.0, 100.0]]), np.array([[0.0, 0.0]])
        >>> losses, gradients = loss_function(LogCosh(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([49.6534]), array([[0. , 0.5]]))
    """


class KLDivergence(Loss):
    """``sum(target * log(target / output))`` over the last axis, both clipped to 1e-7 .. 1: of probabilities.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])
        >>> losses, gradients = loss_function(KLDivergence(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([0.6931]), array([[-2., -0.]]))
    """


class Hinge(Loss):
    """``max(1 - target * output, 0)`` with targets of -1 and 1, or of 0 and 1, mean over the outputs of an example.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[0.25]]), np.array([[1.0]])
        >>> losses, gradients = loss_function(Hinge(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([0.75]), array([[-1.]]))
    """


class SquaredHinge(Loss):
    """The square of :class:`Hinge`'s margin, mean over the outputs of an example.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[0.5]]), np.array([[1.0]])
        >>> losses, gradients = loss_function(SquaredHinge(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([0.25]), array([[-1.]]))
    """


class CategoricalHinge(Loss):
    """``max(largest other output - output of the class + 1, 0)`` over the last axis; targets are one-hot rows.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.losses import loss_function
        >>> output, target = np.array([[0.5, 1.0]]), np.array([[1.0, 0.0]])
        >>> losses, gradients = loss_function(CategoricalHinge(), from_logits=False)(output, target)
        >>> losses.round(4), gradients.round(4)
        (array([1.5]), array([[-1.,  1.]]))
    """


LOG_2 = 0.6931471824645996
"""log(2) in ``keras.losses.log_cosh``: rounded to float32, in float64 networks too."""

LOSSES: dict[str, type[Loss]] = {
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": CategoricalCrossentropy,
    "binary_crossentropy": BinaryCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "half_sum_squared_error": HalfSumSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "huber": Huber,
    "log_cosh": LogCosh,
    "kl_divergence": KLDivergence,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
    "categorical_hinge": CategoricalHinge,
}

KERAS_NAMES: dict[str, type[Loss]] = {
    "CategoricalCrossentropy": CategoricalCrossentropy,
    "SparseCategoricalCrossentropy": CategoricalCrossentropy,
    "BinaryCrossentropy": BinaryCrossentropy,
    "bce": BinaryCrossentropy,
    "BCE": BinaryCrossentropy,
    "MeanSquaredError": MeanSquaredError,
    "mse": MeanSquaredError,
    "MSE": MeanSquaredError,
    "MeanAbsoluteError": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError,
    "Huber": Huber,
    "LogCosh": LogCosh,
    "KLDivergence": KLDivergence,
    "kld": KLDivergence,
    "KLD": KLDivergence,
    "Hinge": Hinge,
    "SquaredHinge": SquaredHinge,
    "CategoricalHinge": CategoricalHinge,
}
"""The other names by which ``keras.losses.get`` knows them."""


def get(identifier: Any) -> Loss:
    """Return the loss for a name such as ``"categorical_crossentropy"``, None (cross-entropy) or a :class:`Loss`."""
    if identifier is None:
        return CategoricalCrossentropy()
    if isinstance(identifier, Loss):
        return identifier
    kind = LOSSES.get(identifier) or KERAS_NAMES.get(identifier) if isinstance(identifier, str) else None
    if kind is not None:
        return kind()
    near = nearest(identifier, (*LOSSES, *KERAS_NAMES))
    raise ValueError(
        f"unknown loss {identifier!r}{near}; use one of {', '.join(LOSSES)} or an object of model_spec.losses"
    )


def has_accuracy(loss: Loss) -> bool:
    """True where a training run with this loss reports an accuracy: its outputs can be right or wrong."""
    return isinstance(loss, Crossentropy)


def takes_classes(loss: Loss) -> bool:
    """True where the targets are classes (integers or one-hot rows), False where they are values like the output."""
    return isinstance(loss, CategoricalCrossentropy)
