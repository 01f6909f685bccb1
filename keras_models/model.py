"""KerasModel: a network of model_spec as a real Keras model, behind the interface both backends share."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from keras_models import gradients, trainer, weight_files
from keras_models import training_state as states
from keras_models.build import build_model, names_of_calls
from keras_models.ends import as_given
from keras_models.layers.normalization import adopt_statistics
from keras_models.losses import keras_loss, keras_metrics
from keras_models.optimizers import keras_optimizer
from keras_models.runtime import floatx
from keras_models.states import dropout_call, dropout_layers, set_dropout_call
from model_spec import Callback, Gradients, History, ModelSpec, TrainingSpec, checkpoints, fitting, inputs, losses
from model_spec.keras_names import KerasNames
from model_spec.schedules import Schedule
from model_spec.several import inputs_of_row, outputs_of_row, refuse_several_outputs, row_of_outputs
from model_spec.targets import check_y
from model_spec.training_lock import TrainingLock
from model_spec.validation import boolean, non_negative_integer, one_of, positive_real

PREDICTION_BATCH_SIZE = 256
"""Rows of a batch in predict and evaluate where none is asked for."""


class KerasModel(KerasNames):
    """A network that Keras computes; see :class:`model_spec.Model` for what each method promises.

    Args:
        spec: the network.
        seed: governs first weights.
        dtype: "float32" or "float64", from the inputs to the learning rate.
        dropout_seed: governs dropout masks; None takes ``seed``.
        path: how ``activations``, ``loss_and_gradients`` and ``pullback`` are computed: "eager", "graph" or "xla".
            ``fit``, ``evaluate`` and ``predict`` are Keras' own and always run as graphs.

    Attributes:
        keras_model: the real ``keras.Sequential``.
        compiled: the training run that ``compile`` described, or None.
        history: the :class:`model_spec.History` of the last fit, also of an interrupted one; None before.
        stop_training: set to True by a callback, it ends training after the current epoch.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> model = KerasModel(spec, seed=0)
        >>> history = model.fit(x, y, optimizer="adam", epochs=2, verbose=0)
        >>> len(history.history["loss"]), model.predict(x).shape
        (2, (8, 3))
    """

    def __init__(
        self,
        spec: ModelSpec,
        seed: int = 0,
        dtype: Any = "float32",
        dropout_seed: int | None = None,
        path: str = "eager",
    ) -> None:
        self.spec = spec = inputs.check_spec(spec)
        self.seed = non_negative_integer("seed", seed)
        self.dtype = str(inputs.floating_dtype(dtype))
        self.dropout_seed = self.seed if dropout_seed is None else non_negative_integer("dropout_seed", dropout_seed)
        self.path = one_of("path", path, gradients.PATHS)
        self.stop_training = False
        self.history: History | None = None
        self.keras_model = build_model(spec, self.seed, self.dropout_seed, self.dtype)
        self._loss: losses.Loss = losses.get(None)
        self.compiled: TrainingSpec | None = None
        self._compiled: tuple[losses.Loss, bool, Any] | None = None
        self._schedule: Schedule | None = None
        self._calls = threading.RLock()
        self._training_lock = TrainingLock()

    def __getstate__(self) -> dict[str, Any]:
        # Keras' own copies forget how often a Dropout has been called
        kept = {name: value for name, value in vars(self).items() if name != "_calls"}
        return kept | {"_dropout_calls": [dropout_call(layer) for layer in dropout_layers(self.keras_model)]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        calls = state.pop("_dropout_calls", [])
        vars(self).update(state, _calls=threading.RLock())
        for layer, call in zip(dropout_layers(self.keras_model), calls, strict=False):
            set_dropout_call(layer, call)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Keras may run this model: in its float width, one thread at a time, as Keras itself is not thread-safe."""
        with floatx(self.dtype), self._calls:
            yield

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Variables, counters or what is compiled may change: not while another thread trains the model."""
        with self._reading(), self._training_lock:
            yield

    @contextmanager
    def _training(self) -> Iterator[None]:
        """A training of many batches: others may predict meanwhile, and may not train."""
        with floatx(self.dtype):
            with self._calls:
                self._training_lock.__enter__()
            try:
                yield
            finally:
                self._training_lock.__exit__()

    def __repr__(self) -> str:
        return f"KerasModel({self.spec.name!r}, seed={self.seed}, dtype={self.dtype!r})"

    # ---- weights

    @property
    def _layer_names(self) -> set[str | None]:
        return {layer.name for layer in self.spec.layers}

    @property
    def _variables(self) -> dict[str, Any]:
        """{"conv2d/kernel": Keras variable}, in Keras' order."""
        found = weight_files.named_variables(self.keras_model)
        # A functional model orders its layers by their distance from the output
        return {name: found[name] for name in self.spec.variable_shapes}

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Copies of all variables, {"conv2d/kernel": array}, in Keras' names, layouts and order."""
        return {name: np.array(variable.numpy()) for name, variable in self._variables.items()}

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of all variables as a list, in Keras' order."""
        return list(self.weights.values())

    def set_weights(self, weights: dict[str, Any] | list[Any]) -> None:
        """Replace all variables, all or nothing; ValueError lists every name and shape that does not fit."""
        checked = inputs.check_weights(weights, self.spec.variable_shapes, self.dtype)
        with self._changing():
            for name, variable in self._variables.items():
                variable.assign(checked[name])
            adopt_statistics(self.keras_model)

    def save_weights(self, path: str | Path) -> None:
        """Write the weights to a ``.weights.h5`` file, whole or not at all."""
        with floatx(self.dtype):
            weight_files.save_weights(self.keras_model, path)

    def save(self, path: str | Path) -> None:
        """Write the whole Keras model to a ``.keras`` file, whole or not at all."""
        with self._reading():
            weight_files.save_model(self.keras_model, path)

    def load_weights(self, path: str | Path) -> None:
        """Read the weights of a ``.weights.h5`` file; a file that does not fit leaves the model as it is.

        Dropout counters go on from where they are: a weight file sets weights only.
        """
        scratch = build_model(self.spec, self.seed, self.dropout_seed, self.dtype)
        with floatx(self.dtype):
            arrays = weight_files.load_weights(scratch, path)
        try:
            self.set_weights(arrays)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    # ---- inference

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = 0) -> Any:
        """Return the network's output in inference mode, shape (examples, *output shape), by Keras' own predict.

        Several outputs come as a list or a dict, as the specification has them.
        """
        x = inputs.check_inputs(x, self.spec, self.dtype, allow_empty=True)
        size = inputs.check_batch_size(batch_size, PREDICTION_BATCH_SIZE)
        if len(x) == 0:
            return outputs_of_row(np.zeros((0, *self.spec.output_shape), self.dtype), self.spec)
        with self._reading():
            found = self.keras_model.predict(self._given(x), batch_size=size, verbose=0)
        return np.asarray(found) if self.spec.outputs is None else found

    def _given(self, x: np.ndarray) -> Any:
        """Checked inputs as the Keras model takes them."""
        return as_given(self.keras_model, inputs_of_row(x, self.spec)) if self.spec.input_parts else x

    def evaluate(self, x: Any, y: Any, batch_size: int | None = None, verbose: int | str = 0) -> dict[str, float]:
        """Return {"loss": ..., "accuracy": ...} by Keras' own evaluate; no accuracy for losses on values."""
        refuse_several_outputs(self.spec, "evaluate")
        fitting.warn_of_logits(self.spec, self._loss)
        x = inputs.check_inputs(x, self.spec, self.dtype)
        y = check_y(y, len(x), self.spec.output_shape, self._loss, self.dtype)
        size = inputs.check_batch_size(batch_size, PREDICTION_BATCH_SIZE)
        with self._changing():
            self._compile(self._loss, y)
            figures = self.keras_model.evaluate(self._given(x), y, batch_size=size, verbose=0, return_dict=True)
        # Keras gives them by the alphabet
        return {name: float(figures[name]) for name in sorted(figures, key=lambda name: name != "loss")}

    def activations(
        self, x: Any, training: bool = False, dropout_call: int = 0, preactivations: bool = False
    ) -> dict[str, np.ndarray]:
        """Return {layer name: output}, and {"dense/preactivation": value} of nonlinear layers where asked for."""
        x = inputs.check_inputs(x, self.spec, self.dtype)
        call = inputs.check_dropout_call(dropout_call)
        with self._changing():
            found = gradients.activations(
                self.keras_model,
                x,
                boolean("training", training),
                call,
                boolean("preactivations", preactivations),
                self.path,
                names_of_calls(self.spec),
            )
        # Borders in front of layers are Keras' own
        return {name: value for name, value in found.items() if name.partition("/")[0] in self._layer_names}

    # ---- gradients

    @property
    def _trainable(self) -> dict[str, Any]:
        variables = self._variables
        return {name: variables[name] for name in self.spec.trainable_parameters}

    def loss_and_gradients(
        self, x: Any, y: Any, loss: Any = None, training: bool = False, dropout_call: int = 0
    ) -> Gradients:
        """Return the loss (with regularization penalties) and all its gradients, by tf.GradientTape.

        ``activations`` holds every layer output and nonlinear preactivation the loss depends on. Behind a fused
        softmax or sigmoid there is no gradient of the last output; "dense/preactivation" is that of the logits.
        """
        refuse_several_outputs(self.spec, "a loss")
        rule = self._loss if loss is None else losses.get(loss)
        x = inputs.check_inputs(x, self.spec, self.dtype)
        y = check_y(y, len(x), self.spec.output_shape, rule, self.dtype)
        call = inputs.check_dropout_call(dropout_call)
        with self._changing():
            return gradients.loss_and_gradients(
                self.keras_model,
                x,
                y,
                keras_loss(rule, y.ndim > 1, self.spec),
                self._trainable,
                boolean("training", training),
                call,
                self.path,
                names_of_calls(self.spec),
            )

    def pullback(self, x: Any, cotangent: Any, training: bool = False, dropout_call: int = 0) -> Gradients:
        """Return all gradients of ``sum(cotangent * output)``; ``cotangent`` has shape (examples, *output shape)."""
        x = inputs.check_inputs(x, self.spec, self.dtype)
        cotangent = row_of_outputs(cotangent, self.spec, "cotangent")
        cotangent = inputs.check_cotangent(cotangent, len(x), self.spec.output_shape, self.dtype)
        call = inputs.check_dropout_call(dropout_call)
        with self._changing():
            return gradients.pullback(
                self.keras_model,
                x,
                cotangent,
                self._trainable,
                boolean("training", training),
                call,
                self.path,
                names_of_calls(self.spec),
            )

    # ---- training

    def compile(self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None) -> None:
        """Say once how ``fit`` trains where it is told nothing else, as :meth:`NumpyModel.compile`."""
        run = fitting.compiled_run(optimizer, loss, metrics)
        with self._changing():
            self.compiled, self._loss = run, losses.get(run.loss)

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
        """Train by Keras' own fit with a fresh optimizer and batch order; weights and dropout counters go on.

        Args:
            x: shape (examples, *input shape).
            y: integer classes, one-hot rows or values, as the loss takes them.
            training: how to train; None is what ``compile`` said, or ``TrainingSpec()``.
            validation_data: a pair (x, y) evaluated after each epoch.
            callbacks: neutral callbacks.
            verbose: 0 is silent; 1, 2 and "auto" write one line an epoch to standard error.
            sample_weight: one weight per example.
            class_weight: {class: weight}.
            checkpoint: an ``.npz`` file that holds the run after every epoch.
            resume: go on from the checkpoint where there is one, to the same bits as without the interruption, as far
                as TensorFlow itself repeats its bits.
            **overrides: single fields of ``training`` to change, such as ``epochs=3``.

        Raises:
            ValueError: for anything in the data or the options that cannot be trained on.
            KeyboardInterrupt: after Ctrl-C; ``history`` keeps the finished epochs.
        """
        training = fitting.training_run(training, self.compiled, overrides)
        callbacks = fitting.check_callbacks(callbacks)
        shown = fitting.check_verbose(verbose)
        data = fitting.check_fit(self.spec, training, x, y, self.dtype, validation_data, sample_weight, class_weight)
        checkpoints.check(checkpoint, resume)
        with self._training():
            self._prepare(training, data.y)
            progress = checkpoints.begin(checkpoint, resume, self, "keras", data, training, callbacks)
            self.history, self.stop_training = progress.history, progress.ended
            trainer.fit(self.keras_model, data, training, callbacks, shown, self, progress, checkpoint)
        return self.history

    def start_training(self, training: TrainingSpec) -> None:
        """Set a fresh optimizer and the loss, for training batch by batch with :meth:`train_on_batch`."""
        training = fitting.training_run(training, self.compiled)
        with self._changing():
            self._prepare(training, None)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; settable unless the training run gave a schedule."""
        return float(self._running().learning_rate)

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        optimizer = self._running()
        if self._schedule is not None:
            raise ValueError(
                f"the learning rate follows {self._schedule!r} and cannot be set; train with a number as learning_rate"
            )
        optimizer.learning_rate = positive_real("learning_rate", rate)

    def _running(self) -> Any:
        if getattr(self.keras_model, "optimizer", None) is None:
            raise ValueError("no training was started; call start_training(TrainingSpec(...)) first")
        return self.keras_model.optimizer

    def train_on_batch(self, x: Any, y: Any) -> float:
        """Take one training step on one batch; return the batch's loss before the step, penalties included."""
        refuse_several_outputs(self.spec, "training")
        self._running()
        x = inputs.check_inputs(x, self.spec, self.dtype)
        y = check_y(y, len(x), self.spec.output_shape, self._loss, self.dtype)
        with self._changing():
            self._compile(self._loss, y)
            return trainer.train_on_batch(self.keras_model, self._given(x), y)

    def training_state(self) -> dict[str, np.ndarray]:
        """Return optimizer slots, iterations, moving statistics and dropout counters, as copies."""
        return states.training_state(self.keras_model)

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Put back what :meth:`training_state` gave, all or nothing; start the same training first."""
        with self._changing():
            states.set_training_state(self.keras_model, state, self.dtype)

    def _prepare(self, training: TrainingSpec, y: np.ndarray | None) -> None:
        """Compile with a fresh optimizer and make its slots, so that they can be read before the first step."""
        self._loss = training.loss  # type: ignore[assignment]
        optimizer = keras_optimizer(training.optimizer, self.dtype)  # type: ignore[arg-type]
        rate = training.optimizer.learning_rate  # type: ignore[union-attr]
        self._schedule = rate if isinstance(rate, Schedule) else None
        optimizer.build(self.keras_model.trainable_variables)
        self._compile(self._loss, y, optimizer)

    def _compile(self, loss: losses.Loss, y: np.ndarray | None, optimizer: Any = None) -> None:
        """Compile for this loss and form of targets, keeping the optimizer where no new one is given.

        Nothing happens where Keras is already compiled so: compiling throws its traced functions away.
        """
        one_hot = y is not None and y.ndim > 1
        current = self.keras_model.loss if self.keras_model.compiled else None
        if optimizer is None and self._compiled is not None and self._compiled == (loss, one_hot, current):
            return
        built = keras_loss(loss, one_hot, self.spec)
        self.keras_model.compile(
            optimizer=getattr(self.keras_model, "optimizer", None) if optimizer is None else optimizer,
            loss=built,
            metrics=keras_metrics(loss, one_hot),
            # XLA draws other random numbers, and Keras would choose it by itself where it can.
            jit_compile=False,
        )
        self._compiled = (loss, one_hot, built)
