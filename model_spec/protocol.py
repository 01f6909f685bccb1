"""The interface of both backends: what a model can do, and what its methods return."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from model_spec.verdict import json_text

if TYPE_CHECKING:
    from pathlib import Path

    from model_spec.callbacks import Callback
    from model_spec.model import ModelSpec
    from model_spec.training import TrainingSpec


@dataclass(frozen=True)
class Gradients:
    """What one backward pass gives. Arrays have the shape of the value they belong to.

    Attributes:
        loss: the loss, or None for a pullback.
        parameters: {"conv2d/kernel": gradient}, trainable ones only.
        inputs: gradient of x.
        activations: {layer name: gradient of its output}, and "dense/preactivation" in front of a nonlinear
            activation. A loss that is fused with the last softmax gives the gradient of the logits, and none of
            the probabilities.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from core_numpy import NumpyModel
        >>> found = NumpyModel(spec).loss_and_gradients(x, y)
        >>> found.inputs.shape, sorted(found.parameters)
        ((8, 4), ['dense/bias', 'dense/kernel'])
    """

    loss: float | None
    parameters: dict[str, Any]
    inputs: Any
    activations: dict[str, Any]


@dataclass
class History:
    """The course of one training run, in Keras' keys, as Python floats.

    Attributes:
        history: {"loss": [...], "accuracy": [...], "val_loss": [...], ...}, one entry an epoch.
        epoch: the epochs that were finished, counted from 0.
        best_epoch: the epoch early stopping held for the best, or None without early stopping.
        stopped_epoch: the epoch in which early stopping stopped, or None if it did not.
        seconds: wall-clock time of the run.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from core_numpy import NumpyModel
        >>> history = NumpyModel(spec).fit(x, y, epochs=2, verbose=0)
        >>> history.epoch, sorted(history.history)
        ([0, 1], ['accuracy', 'loss'])
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    epoch: list[int] = field(default_factory=list)
    best_epoch: int | None = None
    stopped_epoch: int | None = None
    seconds: float = 0.0

    def append(self, epoch: int, logs: dict[str, float]) -> None:
        """Add the figures of one epoch."""
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(float(value))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists and numbers."""
        return dict(vars(self))

    def to_json(self) -> str:
        """Everything as JSON text."""
        return json_text(self.to_dict(), indent=None)


class Predicts(Protocol):
    """A model that gives outputs: all that a comparison needs of one side."""

    def predict(self, x: Any, batch_size: int | None = None) -> Any:
        """The network's output in inference mode, shape (examples, *output shape)."""


class HoldsWeights(Protocol):
    """A model that says what it computes and with which numbers, so that the truth can be computed from it."""

    spec: ModelSpec

    @property
    def weights(self) -> dict[str, Any]:
        """Copies of all variables, {"conv2d/kernel": array}, in Keras' names, layouts and order."""


class ShowsValues(Protocol):
    """A model that shows what stands between its layers."""

    def activations(
        self, x: Any, training: bool = False, dropout_call: int = 0, preactivations: bool = False
    ) -> dict[str, Any]:
        """{layer name: output}, and {"dense/preactivation": value} where asked for."""


class Differentiates(Protocol):
    """A model that gives the gradients of a loss."""

    def loss_and_gradients(
        self, x: Any, y: Any, loss: Any = None, training: bool = False, dropout_call: int = 0
    ) -> Gradients:
        """The loss (with regularization penalties) and all its gradients."""


class PullsBack(Protocol):
    """A model that pulls any cotangent of its output back."""

    def pullback(self, x: Any, cotangent: Any, training: bool = False, dropout_call: int = 0) -> Gradients:
        """All gradients of sum(cotangent * output): the cotangent of the output pulled back."""


class Trains(Protocol):
    """A model that takes training steps, and shows all that it carries from step to step."""

    def start_training(self, training: TrainingSpec) -> None:
        """Begin a run that is driven step by step: a fresh optimizer, this run's loss."""

    def train_on_batch(self, x: Any, y: Any) -> float:
        """Take one step on one batch; return the batch's loss before the step."""

    def training_state(self) -> dict[str, Any]:
        """Copies of optimizer slots, iterations, moving statistics and dropout counters."""

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`training_state` gave, of this backend or the other; all or nothing."""


class Model(Predicts, HoldsWeights, ShowsValues, Differentiates, PullsBack, Trains, Protocol):
    """What ``core_numpy.NumpyModel`` and ``keras_models.KerasModel`` both do. Images are NHWC, kernels as in Keras.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> from core_numpy import NumpyModel
        >>> def classes(model: Model, x):
        ...     return model.predict(x).argmax(axis=1)
        >>> classes(NumpyModel(spec), np.zeros((2, 4)))
        array([0, 0])
    """

    dtype: str
    dropout_seed: int
    stop_training: bool

    def summary(self) -> None:
        """Print the network as a table."""

    def set_weights(self, weights: dict[str, Any] | list[Any]) -> None:
        """Replace all variables, all or nothing."""

    def get_weights(self) -> list[Any]:
        """Copies of all variables as a list, in Keras' order."""

    def save_weights(self, path: str | Path) -> None:
        """Write all variables to a file; a full disk or a kill leaves an old file as it was."""

    def load_weights(self, path: str | Path) -> None:
        """Read all variables from a file; everything is checked before the model is touched."""

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = 0) -> Any:
        """The network's output in inference mode, shape (examples, *output shape)."""

    def evaluate(self, x: Any, y: Any, batch_size: int | None = None, verbose: int | str = 0) -> dict[str, float]:
        """{"loss": ..., "accuracy": ...} in inference mode."""

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; settable unless the training run gave a schedule."""

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None: ...

    def compile(self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None) -> None:
        """Say once how ``fit`` trains where it is told nothing else."""

    def fit(
        self,
        x: Any,
        y: Any,
        training: TrainingSpec | None = None,
        validation_data: tuple[Any, Any] | None = None,
        callbacks: Iterable[Callback] | None = None,
        verbose: int | str = "auto",
        *,
        sample_weight: Any = None,
        class_weight: dict[int, float] | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        **overrides: Any,
    ) -> History:
        """Train with a fresh optimizer and batch order; weights and dropout counters go on from where they are."""


def offers(model: Any, interface: type) -> bool:
    """True where the model has every method and attribute that this interface names, forwarded ones included.

    >>> class Constant:
    ...     def predict(self, x, batch_size=None):
    ...         return x
    >>> offers(Constant(), Predicts), offers(Constant(), PullsBack)
    (True, False)
    """
    names = {*vars(interface), *getattr(interface, "__annotations__", {})}
    return all(hasattr(model, name) for name in names if not name.startswith("_"))
