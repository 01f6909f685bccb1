"""How a gradient changes a parameter, in order of increasing complexity; arguments and defaults are Keras'.

Formulas stand beside their NumPy code in ``core_numpy.update_rules``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from model_spec.code import ShownAsCode
from model_spec.names import nearest
from model_spec.schedules import Schedule
from model_spec.validation import boolean, positive_real, real


@dataclass(frozen=True)
class Optimizer(ShownAsCode):
    """What every optimizer takes.

    Args:
        learning_rate: a number or a :class:`model_spec.schedules.Schedule`.
        weight_decay: decoupled decay: ``w -= w * weight_decay * learning_rate`` before the step.
        clipnorm: each gradient tensor is scaled down to this L2 norm.
        global_clipnorm: all gradients together are scaled down to this L2 norm.
        clipvalue: each entry of each gradient is kept in -clipvalue .. clipvalue.
    """

    learning_rate: float | Schedule = 0.001
    weight_decay: float | None = field(default=None, kw_only=True)
    clipnorm: float | None = field(default=None, kw_only=True)
    global_clipnorm: float | None = field(default=None, kw_only=True)
    clipvalue: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.learning_rate, Schedule):
            self._set(learning_rate=positive_real("learning_rate", self.learning_rate))
        clips = ("clipnorm", "global_clipnorm", "clipvalue")
        for name in ("weight_decay", *clips):
            value = getattr(self, name)
            if value is not None:
                self._set(**{name: positive_real(name, value)})
        given = [name for name in clips if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"give one of clipnorm, global_clipnorm and clipvalue, got {' and '.join(given)}")
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in {"rho", "beta_1", "beta_2"}:
                self._set(**{item.name: real(item.name, value, minimum=0, below=1)})
            elif item.name in {"epsilon"}:
                self._set(epsilon=positive_real("epsilon", value))
            elif item.name in {"momentum", "initial_accumulator_value"}:
                self._set(**{item.name: real(item.name, value, minimum=0)})
            elif item.name in {"nesterov", "centered", "amsgrad"}:
                boolean(item.name, value)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent with optional momentum (Polyak, 1964) or Nesterov momentum (Sutskever et al., 2013).

    Examples:
        >>> import numpy as np
        >>> from core_numpy.optimizers import OptimizerState
        >>> w = np.ones(1)
        >>> running = OptimizerState.start(SGD(learning_rate=0.1, momentum=0.9), {"w": w})
        >>> for _ in range(2):
        ...     running.step({"w": w}, {"w": np.array([0.5])})
        >>> w.round(4)
        array([0.855])
    """

    learning_rate: float | Schedule = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.momentum > 1:
            raise ValueError(f"momentum must lie in 0..1, got {self.momentum}")


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """Steps shrink with the sum of squared gradients (Duchi et al., 2011).

    Examples:
        >>> import numpy as np
        >>> from core_numpy.optimizers import OptimizerState
        >>> w = np.ones(1)
        >>> running = OptimizerState.start(Adagrad(learning_rate=0.1), {"w": w})
        >>> for _ in range(2):
        ...     running.step({"w": w}, {"w": np.array([0.5])})
        >>> w.round(4)
        array([0.8509])
    """

    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Steps shrink with a moving mean of squared gradients (Hinton, 2012).

    Examples:
        >>> import numpy as np
        >>> from core_numpy.optimizers import OptimizerState
        >>> w = np.ones(1)
        >>> running = OptimizerState.start(RMSprop(learning_rate=0.1), {"w": w})
        >>> for _ in range(2):
        ...     running.step({"w": w}, {"w": np.array([0.5])})
        >>> w.round(4)
        array([0.4544])
    """

    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Steps in units of earlier steps (Zeiler, 2012).

    Examples:
        >>> import numpy as np
        >>> from core_numpy.optimizers import OptimizerState
        >>> w = np.ones(1)
        >>> running = OptimizerState.start(Adadelta(learning_rate=0.1), {"w": w})
        >>> for _ in range(2):
        ...     running.step({"w": w}, {"w": np.array([0.5])})
        >>> w.round(4)
        array([0.9997])
    """

    rho: float = 0.95
    epsilon: float = 1e-7


@dataclass(frozen=True)
class Adam(Optimizer):
    """Moving means of the gradient and of its square (Kingma and Ba, 2015), with optional AMSGrad.

    Examples:
        >>> import numpy as np
        >>> from core_numpy.optimizers import OptimizerState
        >>> w = np.ones(1)
        >>> running = OptimizerState.start(Adam(learning_rate=0.1), {"w": w})
        >>> for _ in range(2):
        ...     running.step({"w": w}, {"w": np.array([0.5])})
        >>> w.round(4)
        array([0.8])
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    Examples:
        >>> import numpy as np
        >>> from core_numpy.optimizers import OptimizerState
        >>> w = np.ones(1)
        >>> running = OptimizerState.start(AdamW(learning_rate=0.1), {"w": w})
        >>> for _ in range(2):
        ...     running.step({"w": w}, {"w": np.array([0.5])})
        >>> w.round(4)
        array([0.7992])
    """

    weight_decay: float | None = field(default=0.004, kw_only=True)


@dataclass(frozen=True)
class Adamax(Optimizer):
    """Adam with the largest gradient in place of the mean square (Kingma and Ba, 2015, section 7).

    Examples:
        >>> import numpy as np
        >>> from core_numpy.optimizers import OptimizerState
        >>> w = np.ones(1)
        >>> running = OptimizerState.start(Adamax(learning_rate=0.1), {"w": w})
        >>> for _ in range(2):
        ...     running.step({"w": w}, {"w": np.array([0.5])})
        >>> w.round(4)
        array([0.8])
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


@dataclass(frozen=True)
class Nadam(Optimizer):
    """Adam with Nesterov momentum (Dozat, 2016).

    Examples:
        >>> import numpy as np
        >>> from core_numpy.optimizers import OptimizerState
        >>> w = np.ones(1)
        >>> running = OptimizerState.start(Nadam(learning_rate=0.1), {"w": w})
        >>> for _ in range(2):
        ...     running.step({"w": w}, {"w": np.array([0.5])})
        >>> w.round(4)
        array([0.8164])
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


OPTIMIZERS: dict[str, type[Optimizer]] = {
    optimizer.__name__: optimizer for optimizer in (SGD, Adagrad, RMSprop, Adadelta, Adam, AdamW, Adamax, Nadam)
}


def get(identifier: Any) -> Optimizer:
    """Return the optimizer for a name such as ``"adam"`` or an :class:`Optimizer`."""
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, str):
        for name, optimizer in OPTIMIZERS.items():
            if identifier.lower() == name.lower():
                return optimizer()
    known = [name.lower() for name in OPTIMIZERS]
    raise ValueError(
        f"unknown optimizer {identifier!r}{nearest(identifier, known)}; use one of {', '.join(known)} "
        f"or an object of model_spec.optimizers"
    )
