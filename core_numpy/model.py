"""NumpyModel: a network on NumPy alone, with the interface both backends share.

What only training or files need is imported where it is used, so that a program that only predicts starts quickly.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core_numpy import losses
from core_numpy.batch import Batch, BatchResult, Tier
from core_numpy.constraints import constrain, constrained_parameters
from core_numpy.contract import MaskSources
from core_numpy.engine.leases import Leases
from core_numpy.engine.shards import usable_threads
from core_numpy.engine.worker_team import WORKERS
from core_numpy.network import Network, flatten
from core_numpy.regularizers import penalty, regularized_parameters
from core_numpy.tiers import ENGINES, ReferenceTier, make_tier
from model_spec import ModelSpec, inputs
from model_spec import losses as loss_rules
from model_spec.keras_names import KerasNames
from model_spec.regularizers import Regularizer
from model_spec.several import outputs_of_row, refuse_several_outputs, row_of_outputs
from model_spec.targets import check_y
from model_spec.training_lock import TrainingLock
from model_spec.validation import non_negative_integer, one_of, positive_integer

if TYPE_CHECKING:
    from core_numpy.optimizers import OptimizerState
    from model_spec.callbacks import Callback
    from model_spec.protocol import Gradients, History
    from model_spec.training import TrainingSpec

Array = np.ndarray

MASKS = ("keras", "fast")
"""Where dropout masks may come from; see ``core_numpy.masks``."""


_MAKING_ENGINE = threading.Lock()


class _Engine(NamedTuple):
    """What computes one network in one process.

    Attributes:
        network: what it was made for.
        process: identifier of the process: threads do not survive a fork.
        tier: predicts and trains.
        exact_tier: shows gradients.
        leases: who may use it at this moment.
    """

    network: Network
    process: int
    tier: Tier
    exact_tier: Tier
    leases: Leases


class NumpyModel(KerasNames):
    """A :class:`ModelSpec` computed from scratch. See :class:`model_spec.protocol.Model` for the methods.

    Args:
        spec: the network.
        seed: initial weights; the same seed gives a KerasModel the same bits (uniform initializers).
        dtype: "float32" or "float64"; everything is computed in it.
        dropout_seed: seed of the dropout masks; None takes ``seed``.
        masks: "keras" draws the masks a stock Keras Dropout draws; "fast" draws others, faster.
        engine: "reference" runs the layers as they are written; "fast" runs plans of fused blocks (see
            ``core_numpy.engine``), whose results differ by rounding only; "auto" predicts and trains by plans, and
            shows activations and gradients by the reference.
        threads: for the shards of a batch of images; all processors by default. Results do not depend on it.
        weights: first values of all variables, as :meth:`set_weights` takes them; None draws them from ``seed``.
        workers: who computes the shards of a batch of images beside the caller: "threads"; "processes", which do not
            take turns in Python and are started with the first batch; "auto" starts processes after a second of such
            work. Results do not depend on it; where processes cannot be used, threads are.

    Examples:
        >>> import numpy as np
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="softmax"),))
        >>> x, y = np.random.default_rng(0).random((8, 4)), np.arange(8) % 3
        >>> model = NumpyModel(spec, seed=0)
        >>> history = model.fit(x, y, optimizer="adam", epochs=2, verbose=0)
        >>> len(history.history["loss"]), model.predict(x).shape
        (2, (8, 3))
    """

    def __init__(
        self,
        spec: ModelSpec,
        seed: int = 0,
        dtype: str = "float32",
        dropout_seed: int | None = None,
        masks: str = "keras",
        engine: str = "auto",
        threads: int | None = None,
        weights: dict[str, Any] | list[Any] | None = None,
        workers: str = "auto",
    ) -> None:
        self.spec = spec = inputs.check_spec(spec)
        self.seed = non_negative_integer("seed", seed)
        self.dtype = str(inputs.floating_dtype(dtype))
        self.dropout_seed = self.seed if dropout_seed is None else non_negative_integer("dropout_seed", dropout_seed)
        self.mask_kind = one_of("masks", masks, MASKS)
        self.engine = one_of("engine", engine, ENGINES)
        self.threads = None if threads is None else positive_integer("threads", threads)
        self.workers = one_of("workers", workers, WORKERS)
        self._engine: _Engine | None = None
        self._training_lock = TrainingLock()
        self.network = Network.of(spec)
        self.loss_functions: Callable[[loss_rules.Loss, bool], losses.LossFunction] = losses.loss_function
        self.penalty_function: Callable[[Regularizer, Array], tuple[float, Array]] = penalty
        if weights is None:
            self.params, self.state = self.network.build(seed, np.dtype(self.dtype))
        else:
            clean = inputs.check_weights(weights, spec.variable_shapes, self.dtype)
            self.params, self.state = self.network.divide(clean)
        self.dropout_calls = 0
        self.loss: loss_rules.Loss = loss_rules.get(None)
        self.optimizer: OptimizerState | None = None
        self.history: History | None = None
        self.compiled_as: dict[str, Any] | None = None
        self.stop_training = False
        self._penalties = regularized_parameters(spec)
        self._constraints = constrained_parameters(spec)
        self._folded: NumpyModel | None = None

    def _running_engine(self) -> _Engine:
        """What computes, in this process; it follows ``network``, which may be exchanged."""
        engine = self._engine
        if engine is None or engine.network is not self.network or engine.process != os.getpid():
            tier = make_tier(self.engine, self.network, self.dtype, self.threads, self.workers)
            # What shows gradients: the reference, layer by layer, unless the plans themselves are to be judged
            exact = tier if self.engine == "fast" else ReferenceTier(self.network)
            with _MAKING_ENGINE:
                current = self._engine
                if current is engine:
                    readers = max(usable_threads(), 2)
                    self._engine = current = _Engine(self.network, os.getpid(), tier, exact, Leases(readers))
            engine = current
        return engine  # type: ignore[return-value]

    def __getstate__(self) -> dict[str, Any]:
        # Threads and buffers stay behind; a copy makes its own
        return {**self.__dict__, "_engine": None}

    def __repr__(self) -> str:
        return f"NumpyModel({self.spec.name!r}, seed={self.seed}, dtype={self.dtype!r})"

    @property
    def compiled(self) -> TrainingSpec | None:
        """The loss and optimizer a converted model was compiled with in Keras, or None: ``fit(x, y, model.compiled)``.

        ``compiled_as`` is the same as the file has it.
        """
        from model_spec.serialization import from_dict

        return None if self.compiled_as is None else from_dict(self.compiled_as)

    # Variables

    @property
    def weights(self) -> dict[str, Array]:
        """Copies of all variables, {"conv2d/kernel": array, ...}, in Keras' names, layouts and order."""
        everything = flatten(self.params) | flatten(self.state)
        return {name: everything[name].copy() for name in self.spec.variable_shapes}

    def get_weights(self) -> list[Array]:
        """Copies of all variables as a list, in Keras' order."""
        return list(self.weights.values())

    def set_weights(self, weights: dict[str, Any] | list[Any]) -> None:
        """Replace all variables, all or nothing; the error lists every name and shape that differs."""
        self._set_checked(inputs.check_weights(weights, self.spec.variable_shapes, self.dtype))

    def restore_weights(self, weights: dict[str, Array]) -> None:
        """Take back what :attr:`weights` gave; of a training that diverged they are not finite."""
        self._set_checked(inputs.check_weights(weights, self.spec.variable_shapes, self.dtype, allow_nonfinite=True))

    def _set_checked(self, clean: dict[str, Array]) -> None:
        with self._training_lock, self._running_engine().leases.writing():
            if self.optimizer is None:
                self.replace_variables(clean)
                return
            self._folded = None
            # The running optimizer holds on to these arrays
            everything = flatten(self.params) | flatten(self.state)
            for name, value in clean.items():
                np.copyto(everything[name], value)

    def fold_for_inference(self) -> None:
        """Predict by the folded network (see ``core_numpy.folding``) until a variable changes."""
        from core_numpy.folding import folded

        spec, weights = folded(self.spec, self.weights)
        self._folded = None
        if spec != self.spec:
            self._folded = NumpyModel(
                spec,
                dtype=self.dtype,
                engine=self.engine,
                threads=self.threads,
                weights=weights,
                workers=self.workers,
            )

    def replace_variables(self, variables: dict[str, Array]) -> None:
        """Take these checked arrays, {"conv2d/kernel": array}, in place of the former ones."""
        self._folded = None
        for name, value in variables.items():
            layer, _, variable = name.partition("/")
            owner = self.params if name in self.spec.parameter_shapes else self.state
            owner[layer] = {**owner[layer], variable: value}

    def save_weights(self, path: str | Path) -> None:
        """Write all variables to an ``.npz`` file; a full disk or a kill leaves an old file as it was."""
        from model_spec import weight_files

        facts = {} if self.compiled_as is None else {"training": self.compiled_as}
        weight_files.save(path, self.weights, self.spec, backend="numpy", dtype=self.dtype, **facts)

    def save(self, path: str | Path) -> None:
        """Write the model, specification and weights, to an ``.npz`` file that ``core_numpy.load`` reads."""
        self.save_weights(path)

    def load_weights(self, path: str | Path) -> None:
        """Read all variables from an ``.npz`` file; everything is checked before the model is touched."""
        from model_spec import weight_files

        self.set_weights(weight_files.load(path))

    # Inference

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = 0) -> Any:
        """The network's output in inference mode, shape (examples, *output shape); of several outputs a list or a dict.

        Several inputs are given as a list in their order, or as a dict by their names, as in Keras.

        ``batch_size`` is the most rows computed at once; ``verbose`` is taken for Keras' sake: nothing is printed.
        """
        rows = None if batch_size is None else inputs.check_batch_size(batch_size, 1)
        later = self._folded is None and self._running_engine().tier.refuses_nonfinite
        x = inputs.check_inputs(x, self.spec, self.dtype, allow_empty=True, allow_nonfinite=later)
        outputs = self._infer(x, rows)
        return outputs if self.spec.outputs is None else outputs_of_row(outputs, self.spec)

    def _infer(self, x: Array, rows: int | None) -> Array:
        if not len(x):
            return np.zeros((0, *self.spec.output_shape), self.dtype)
        folded = self._folded
        if folded is not None:
            return folded._infer(x, rows)
        engine = self._running_engine()
        with engine.leases.reading() as plans:
            return engine.tier.infer(self.params, self.state, x, plans, rows)

    def evaluate(self, x: Any, y: Any, batch_size: int | None = None, verbose: int | str = 0) -> dict[str, float]:
        """{"loss": ..., "accuracy": ...} in inference mode; the loss is the last fit's, else cross-entropy.

        ``batch_size`` and ``verbose`` are taken for Keras' sake and change nothing: the engine cuts the examples as
        the cache wants.
        """
        from model_spec import fitting

        refuse_several_outputs(self.spec, "evaluate")
        fitting.warn_of_logits(self.spec, self.loss)
        inputs.check_batch_size(batch_size, 1)
        x = inputs.check_inputs(x, self.spec, self.dtype)
        y = check_y(y, len(x), self.spec.output_shape, self.loss, self.dtype)
        return self.evaluate_checked(x, y)

    def evaluate_checked(self, x: Array, y: Array) -> dict[str, float]:
        """:meth:`evaluate` on data that has been checked."""
        batch = Batch(x, y, self.loss, self.loss_functions)
        engine = self._running_engine()
        with engine.leases.reading() as plans:
            value, correct = engine.tier.evaluate(self.params, self.state, batch, plans)
            figures = {"loss": value + sum(cost for cost, _ in self._penalty_terms().values())}
        if correct is not None:
            figures["accuracy"] = float(correct.mean())
        return figures

    def activations(
        self, x: Any, training: bool = False, dropout_call: int = 0, preactivations: bool = False
    ) -> dict[str, Array]:
        """{layer name: output}, and {"dense/preactivation": value} where asked for."""
        x = inputs.check_inputs(x, self.spec, self.dtype)
        sources = self._masks(training, inputs.check_dropout_call(dropout_call))
        with self._running_engine().leases.reading():
            forward = self.network.forward(self.params, self.state, x, training, sources)
        return self._by_name(forward.values, preactivations)

    def _by_name(self, values: list[Any], preactivations: bool) -> dict[str, Any]:
        named = {}
        for step, value in zip(self.network.steps, values[1:], strict=True):
            if value is not None and (step.ends_layer or preactivations):
                named[step.name if step.ends_layer else f"{step.name}/preactivation"] = value
        return named

    # Gradients

    def loss_and_gradients(
        self, x: Any, y: Any, loss: Any = None, training: bool = False, dropout_call: int = 0
    ) -> Gradients:
        """The loss (with regularization penalties) and all its gradients."""
        refuse_several_outputs(self.spec, "a loss")
        rule = self.loss if loss is None else loss_rules.get(loss)
        x = inputs.check_inputs(x, self.spec, self.dtype)
        y = check_y(y, len(x), self.spec.output_shape, rule, self.dtype)
        sources = self._masks(training, inputs.check_dropout_call(dropout_call))
        batch = Batch(x, y, rule, self.loss_functions, sources, training, need_dx=True)
        engine = self._running_engine()
        with engine.leases.reading() as plans:
            result = engine.exact_tier.pull_loss(self.params, self.state, batch, plans)
            return self._gradients(result, *self._with_penalties(result.loss, flatten(result.gradients)))

    def pullback(self, x: Any, cotangent: Any, training: bool = False, dropout_call: int = 0) -> Gradients:
        """All gradients of sum(cotangent * output): the cotangent of the output pulled back.

        Of several outputs there is one cotangent each, in a list or a dict as ``predict`` gives them. The gradient of
        several inputs is that of their row; ``activations`` has that of each, by its name.
        """
        x = inputs.check_inputs(x, self.spec, self.dtype)
        cotangent = row_of_outputs(cotangent, self.spec, "cotangent")
        cotangent = inputs.check_cotangent(cotangent, len(x), self.spec.output_shape, self.dtype)
        sources = self._masks(training, inputs.check_dropout_call(dropout_call))
        engine = self._running_engine()
        with engine.leases.reading() as plans:
            result = engine.exact_tier.pullback(self.params, self.state, x, cotangent, sources, training, plans)
            return self._gradients(result, None, flatten(result.gradients))

    def _gradients(self, result: BatchResult, value: float | None, parameters: dict[str, Array]) -> Gradients:
        from model_spec.protocol import Gradients

        # Copies: a plan's buffers are used again
        ordered = {name: parameters[name].copy() for name in self.spec.trainable_parameters}
        return Gradients(value, ordered, result.values[0], self._by_name(result.values, preactivations=True))

    def _masks(self, training: bool, dropout_call: int) -> MaskSources | None:
        if not training:
            return None
        from core_numpy.masks import fast_masks, keras_masks

        source = fast_masks if self.mask_kind == "fast" else keras_masks
        return source(self.dropout_seed, dropout_call)

    def _penalty_terms(self) -> dict[str, tuple[float, Array]]:
        parameters = flatten(self.params) if self._penalties else {}
        return {name: self.penalty_function(rule, parameters[name]) for name, rule in self._penalties.items()}

    def _with_penalties(self, value: float, gradients: dict[str, Array]) -> tuple[float, dict[str, Array]]:
        terms = self._penalty_terms()
        added = {name: gradients[name] + terms[name][1] for name in terms if name in gradients}
        return value + sum(cost for cost, _ in terms.values()), {**gradients, **added}

    # Training

    def compile(self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None) -> None:
        """Say once how ``fit`` trains where it is told nothing else; arguments as in Keras.

        Args:
            optimizer: a name such as "adam" or an object of ``model_spec.optimizers``.
            loss: a name such as "mse" or an object of ``model_spec.losses``; None is cross-entropy.
            metrics: ["accuracy"] or nothing: the accuracy is reported wherever the loss has one.
        """
        from model_spec import fitting
        from model_spec.serialization import to_dict

        run = fitting.compiled_run(optimizer, loss, metrics)
        with self._training_lock:
            self.compiled_as, self.loss = to_dict(run), loss_rules.get(run.loss)

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
        """Train with a fresh optimizer and batch order; weights and dropout counters go on from where they are.

        Args:
            x: inputs (examples, *input shape).
            y: integer classes, one-hot rows, or values like the output, as the loss needs.
            training: how to train; None is what ``compile`` or a converted model says, or ``TrainingSpec()``.
            validation_data: (x, y) to judge after each epoch.
            callbacks: objects of :class:`model_spec.Callback`.
            verbose: 0 is silent; anything else prints one line an epoch on standard error.
            sample_weight: one weight per example.
            class_weight: {class: weight}; classes not named weigh 1.
            checkpoint: an ``.npz`` file that holds the run after every epoch.
            resume: go on from the checkpoint where there is one, to the same bits as without the interruption.
                Callbacks of your own are asked for their ``memory``.
            **overrides: single fields of ``training`` to change, such as ``epochs=3``.
        """
        from core_numpy import trainer
        from model_spec import checkpoints, fitting

        training = fitting.training_run(training, self.compiled, overrides)
        callbacks = fitting.check_callbacks(callbacks)
        shown = fitting.check_verbose(verbose)
        data = fitting.check_fit(self.spec, training, x, y, self.dtype, validation_data, sample_weight, class_weight)
        checkpoints.check(checkpoint, resume)
        with self._training_lock:
            return trainer.train(self, data, training, callbacks, shown, checkpoint, resume)

    def start_training(self, training: TrainingSpec) -> None:
        """Begin a run that is driven step by step with :meth:`train_on_batch`: a fresh optimizer, this run's loss."""
        from core_numpy.optimizers import OptimizerState
        from core_numpy.vectors import one_vector
        from model_spec import fitting
        from model_spec import optimizers as optimizer_rules

        training = fitting.training_run(training, self.compiled)
        with self._training_lock, self._running_engine().leases.writing():
            self.loss = loss_rules.get(training.loss)
            # One vector of all that is trained: the optimizer updates it as a whole
            _, views = one_vector(self._trainable())
            self.replace_variables(views)
            self.optimizer = OptimizerState.start(optimizer_rules.get(training.optimizer), views)

    def _trainable(self) -> dict[str, Array]:
        parameters = flatten(self.params)
        return {name: parameters[name] for name in self.spec.trainable_parameters}

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; settable unless the training run gave a schedule."""
        return self._running().current_learning_rate()

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self._running().set_learning_rate(rate)

    def _running(self) -> OptimizerState:
        if self.optimizer is None:
            raise ValueError("no training was started; call start_training(TrainingSpec(...)) first")
        return self.optimizer

    def train_on_batch(self, x: Any, y: Any) -> float:
        """Take one step on one batch; return the batch's loss before the step."""
        refuse_several_outputs(self.spec, "training")
        later = self._running_engine().tier.refuses_nonfinite
        x = inputs.check_inputs(x, self.spec, self.dtype, allow_nonfinite=later)
        y = check_y(y, len(x), self.spec.output_shape, self.loss, self.dtype)
        return self.step(x, y)[0]

    def step(self, x: Array, y: Array, sample_weight: Array | None = None) -> tuple[float, Array | None]:
        """One training step on checked data; return (loss, right predictions or None)."""
        optimizer = self._running()
        engine = self._running_engine()
        with self._training_lock, engine.leases.reading() as plans:
            self._folded = None
            sources = self._masks(True, self.dropout_calls)
            batch = Batch(x, y, self.loss, self.loss_functions, sources, True, sample_weight)
            result = engine.tier.pull_loss(self.params, self.state, batch, plans)
            value, gradients = self._with_penalties(result.loss, flatten(result.gradients))
            with engine.leases.writing(held=1):
                self.state = result.state
                parameters = self._trainable()
                optimizer.step(parameters, {name: gradients[name] for name in self.spec.trainable_parameters})
                for name, rule in self._constraints.items():
                    constrain(rule, parameters[name])
            self.dropout_calls += 1
        return value, result.correct

    def training_state(self) -> dict[str, Array]:
        """Copies of all that training carries along besides the parameters.

        Optimizer slots ("adam/conv2d/kernel/momentum"), iterations, moving statistics, dropout counters.
        """
        from core_numpy import training_state

        return training_state.training_state(self)

    def set_training_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`training_state` gave, of this backend or the other; all or nothing."""
        from core_numpy import training_state

        with self._training_lock, self._running_engine().leases.writing():
            training_state.set_training_state(self, state)
