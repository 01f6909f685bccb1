"""Training with layers or an optimizer written elsewhere, to stand as one side of ``compare_training``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bridge.lockstep.report import StepError
from bridge.outside.external_model import ForeignModel
from bridge.outside.external_optimizer import ExternalOptimizerError, step_of
from bridge.outside.raised import raised_in_words
from core_numpy import NumpyModel, losses
from core_numpy.contract import Array
from core_numpy.network import Network
from core_numpy.optimizers import OptimizerState
from core_numpy.regularizers import penalty, regularized_parameters
from model_spec import TrainingSpec
from model_spec import losses as loss_rules
from model_spec import optimizers as rules
from model_spec.entries import function_or_none
from model_spec.targets import check_y


class ForeignTraining:
    """A model that takes training steps, parts of which were written elsewhere; see :func:`external_training`.

    Attributes:
        model: foreign layers, or a NumPy model.
        spec: the network.
        dtype: what it computes in.
    """

    def __init__(self, model: ForeignModel | NumpyModel, optimizer: Any, call: Callable[..., Any] | None) -> None:
        self.model, self.spec, self.dtype = model, model.spec, model.dtype
        self._optimizer, self._call = optimizer, call
        self._take: Callable[[dict[str, Array], dict[str, Array]], dict[str, Array]] | None = None
        self._loss: loss_rules.Loss = loss_rules.get(None)
        self._steps = 0

    @property
    def weights(self) -> dict[str, Array]:
        """Copies of all variables."""
        return self.model.weights

    def set_weights(self, weights: dict[str, Any] | list[Any]) -> None:
        """Replace all variables."""
        self.model.set_weights(weights)

    def take_dropout_seed(self, seed: int) -> None:
        """Drop the units that the other side drops."""
        if isinstance(self.model, ForeignModel):
            self.model.dropout_seed = seed

    def start_training(self, training: TrainingSpec) -> None:
        """Begin a run: the foreign optimizer as it is, or the run's own."""
        self._loss = loss_rules.get(training.loss)
        self._steps = 0
        if isinstance(self.model, NumpyModel):
            self.model.start_training(training)
        if self._optimizer is not None:
            self._take = step_of(self._optimizer, self._call)
            return
        rule = rules.get(training.optimizer)
        state = OptimizerState.start(rule, self._trained())

        def take(parameters: dict[str, Array], gradients: dict[str, Array]) -> dict[str, Array]:
            state.step(parameters, gradients)
            return parameters

        self._take = take

    def _trained(self) -> dict[str, Array]:
        held = self.weights
        return {name: held[name] for name in self.spec.trainable_parameters}

    def train_on_batch(self, x: Any, y: Any) -> float:
        """One step; the loss in front of it."""
        if self._take is None:
            raise ValueError("start_training has not been called; use bridge.compare_training(..., model=...)")
        x = np.asarray(x, self.dtype)
        before = self._trained()
        loss, gradients = self._gradients(x, y)
        if isinstance(self.model, NumpyModel):
            self.model.train_on_batch(x, y)  # for its moving statistics; its parameters are overwritten
        self._steps += 1
        try:
            parameters = self._take({name: before[name] for name in gradients}, gradients)
        except Exception as error:  # whatever a foreign optimizer raises is a finding
            said = str(error) if isinstance(error, ExternalOptimizerError) else raised_in_words(error)
            raise StepError(f"optimizer: {said}") from error
        self.set_weights({**self.weights, **parameters})
        return loss

    def _gradients(self, x: Array, y: Any) -> tuple[float, dict[str, Array]]:
        if isinstance(self.model, NumpyModel):
            found = self.model.loss_and_gradients(x, y, self._loss, training=True, dropout_call=self._steps)
            return float(found.loss or 0.0), dict(found.parameters)
        targets = check_y(y, len(x), self.spec.output_shape, self._loss, self.dtype)
        values = self.model.activations(x, training=True, dropout_call=self._steps, preactivations=True)
        trail = [x, *values.values()]
        activation, skipped = Network.of(self.spec).last_activation(trail)
        fused = losses.takes_logits(self._loss, activation)
        skip = skipped if fused else 0
        output = trail[len(trail) - 1 - skip]
        function = losses.loss_function(self._loss, fused or bool(getattr(self._loss, "from_logits", False)))
        value, dy = losses.mean_loss(*function(output, targets), len(x))
        # Nobody clears them between the steps of a training, unless the layers have a zero_grad
        clear = self._steps == 0
        gradients = self.model.pull(dy, training=True, skip_last=skip, clear=clear).parameters
        for name, rule in regularized_parameters(self.spec).items():
            cost, gradient = penalty(rule, self.weights[name])
            value += cost
            if name in gradients:
                gradients[name] = gradients[name] + gradient
        return value, gradients


def external_training(
    model: ForeignModel | NumpyModel, optimizer: Any = None, *, call: Callable[..., Any] | None = None
) -> ForeignTraining:
    """A training for ``bridge.compare_training(..., model=...)``, of which layers or optimizer were written elsewhere.

    Args:
        model: of :func:`bridge.model_from_layers`, or a NumPy model where the optimizer alone is foreign.
        optimizer: as :func:`bridge.check_optimizer` takes it, made with the run's learning rate; it gets dicts or lists
            of all parameters. None takes the run's own.
        call: a function of (optimizer, parameters, gradients) that takes one step, for every other style.

    Raises:
        ValueError: the model is neither; bare layers become one by ``model_from_layers``.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> from bridge import compare_training
        >>> from core_numpy import NumpyModel
        >>> from model_spec import TrainingSpec
        >>> def step(parameters, gradients):
        ...     for name in parameters:
        ...         parameters[name] -= 0.1 * gradients[name]
        >>> from model_spec.optimizers import SGD
        >>> run = TrainingSpec(optimizer=SGD(0.1), batch_size=4)
        >>> mine = external_training(NumpyModel(spec, dtype="float64"), step)
        >>> compare_training(spec, x, y, run, steps=3, model=mine).passed
        True
    """
    if not isinstance(model, (ForeignModel, NumpyModel)):
        raise ValueError(
            f"model must be a NumpyModel or what bridge.model_from_layers gives, got {type(model).__name__}; "
            f"write external_training(model_from_layers(layers, spec), optimizer)"
        )
    return ForeignTraining(model, optimizer, function_or_none("call", call, "(optimizer, parameters, gradients)"))
