"""Both backends as scikit-learn classifiers: for pipelines, grid searches and decision boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from core_numpy.contract import Array

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.model_selection import train_test_split
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ModuleNotFoundError as error:
    raise ImportError('the estimators need scikit-learn: pip install "crosscheck[data]"') from error

from core_numpy import NumpyModel
from model_spec import Dense, EarlyStopping, ModelSpec, TrainingSpec
from model_spec import optimizers as rules
from model_spec.names import shown
from model_spec.protocol import Model

_FLOATS = [np.float32, np.float64]


class _Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What both classifiers share: everything but the backend.

    Args:
        network: a :class:`ModelSpec` whose output is one probability a class; or the sizes of hidden Dense layers,
            between an input as wide as X and a softmax as wide as there are classes.
        activation: of the hidden layers.
        optimizer: an optimizer's name or an object of ``model_spec.optimizers``.
        learning_rate: of an optimizer given by name; None takes its default.
        epochs: passes over the data.
        batch_size: examples a step.
        validation_fraction: share of the examples held back to judge each epoch by; 0 for none. As in scikit-learn's
            own networks they are drawn by ``random_state``, each class in its share.
        early_stopping: a :class:`model_spec.EarlyStopping`, or None.
        dtype: "float32" or "float64".
        random_state: seed of first weights, batch order and dropout; None draws one.

    Attributes:
        classes_: the labels, sorted.
        model_: the trained NumpyModel or KerasModel.
        history_: its History.
        n_features_in_: columns of X.
        n_iter_: epochs trained.
    """

    def __init__(
        self,
        network: ModelSpec | Sequence[int] = (32,),
        *,
        activation: str = "relu",
        optimizer: Any = "adam",
        learning_rate: float | None = 0.01,
        epochs: int = 100,
        batch_size: int = 32,
        validation_fraction: float = 0.0,
        early_stopping: EarlyStopping | None = None,
        dtype: str = "float32",
        random_state: Any = None,
    ) -> None:
        self.network = network
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.dtype = dtype
        self.random_state = random_state

    def _build(self, spec: ModelSpec, seed: int) -> Model:
        raise TypeError(f"{type(self).__name__} has no backend; use NumpyClassifier or KerasClassifier")

    def fit(self, X: Any, y: Any) -> _Classifier:  # noqa: N803
        """Train a new network on X, shape (examples, features), or (examples, *input shape) for a ModelSpec."""
        X, y = validate_data(self, X, y, dtype=_FLOATS, allow_nd=isinstance(self.network, ModelSpec))
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        spec = self._spec(X)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.model_ = self._build(spec, seed)
        X, held_out = self._shaped(X), None
        if self.validation_fraction:
            X, X_held_out, labels, labels_held_out = train_test_split(
                X, labels, test_size=self.validation_fraction, random_state=seed, stratify=labels
            )
            held_out = X_held_out, labels_held_out
        self.history_ = self.model_.fit(X, labels, self._training(seed), held_out, verbose=0)
        self.n_iter_ = len(self.history_.epoch)
        if not all(np.isfinite(value).all() for value in self.model_.weights.values()):
            epoch = next((at for at, loss in enumerate(self.history_.history["loss"], 1) if not np.isfinite(loss)), 1)
            raise ValueError(
                f"training diverged in epoch {epoch}: the weights are no finite numbers any more; scale X (for example "
                f"by StandardScaler), or lower learning_rate={self.learning_rate}"
            )
        return self

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """Probabilities of the classes, shape (examples, classes), in the order of ``classes_``."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_FLOATS, allow_nd=isinstance(self.network, ModelSpec), reset=False)
        return self.model_.predict(self._shaped(X))

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The most probable class of each example, shape (examples,)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def _spec(self, X: Array) -> ModelSpec:  # noqa: N803
        classes = len(self.classes_)
        if isinstance(self.network, ModelSpec):
            outputs = self.network.output_shape
            if outputs != (classes,):
                raise ValueError(
                    f"y has {classes} classes, but network {self.network.name!r} gives outputs of shape {outputs}; "
                    f"end it with Dense({classes}, activation='softmax')"
                )
            return self.network
        sizes = (self.network,) if isinstance(self.network, Integral) else self.network
        if not isinstance(sizes, (tuple, list, np.ndarray)):
            raise ValueError(f"network must be a ModelSpec or sizes of hidden layers, (8,) for one, got {shown(sizes)}")
        hidden = (Dense(units, activation=self.activation) for units in sizes)
        return ModelSpec("classifier", X.shape[1:], (*hidden, Dense(classes, activation="softmax")))

    def _shaped(self, X: Array) -> Array:  # noqa: N803
        """X in the network's input shape: rows of pixels become images."""
        shape = self.model_.spec.input_shape
        return X.reshape(len(X), *shape) if X.ndim == 2 and X.shape[1] == np.prod(shape) else X

    def _training(self, seed: int) -> TrainingSpec:
        rule = rules.get(self.optimizer)
        if isinstance(self.optimizer, str) and self.learning_rate is not None:
            rule = type(rule)(learning_rate=self.learning_rate)
        return TrainingSpec(
            optimizer=rule,
            batch_size=self.batch_size,
            epochs=self.epochs,
            early_stopping=self.early_stopping,
            seed=seed,
        )


_EXAMPLE = """
    Examples:
        >>> import numpy as np
        >>> x = np.array([[0.0], [1.0]] * 8)
        >>> model = {}(epochs=40, random_state=0).fit(x, x[:, 0])
        >>> model.predict([[0.0], [1.0]])
        array([0., 1.])
"""


class NumpyClassifier(_Classifier):  # noqa: D101
    __doc__ = f"A network on NumPy alone as a scikit-learn classifier.\n\n{_Classifier.__doc__}"
    __doc__ += _EXAMPLE.format("NumpyClassifier")

    def _build(self, spec: ModelSpec, seed: int) -> Model:
        return NumpyModel(spec, seed, self.dtype)


class KerasClassifier(_Classifier):  # noqa: D101
    __doc__ = f"A network of Keras layers as a scikit-learn classifier.\n\n{_Classifier.__doc__}"
    __doc__ += _EXAMPLE.format("KerasClassifier")

    def _build(self, spec: ModelSpec, seed: int) -> Model:
        from keras_models import KerasModel

        return KerasModel(spec, seed, self.dtype)
