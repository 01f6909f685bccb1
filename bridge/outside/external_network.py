"""A whole network written elsewhere, with lists of weights and biases and a backprop of its own loss, as one model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bridge.outside.calling import BACKWARD, FORWARD
from bridge.outside.external_variables import ForeignLayerError, describe_attributes
from bridge.outside.raised import raised_in_words
from bridge.outside.taken import need_claim, need_own
from core_numpy import losses
from core_numpy.contract import Array
from core_numpy.regularizers import penalty, regularized_parameters
from model_spec import Gradients, ModelSpec
from model_spec import losses as loss_rules
from model_spec.inputs import check_weights, check_x, floating_dtype
from model_spec.targets import check_y
from model_spec.validation import one_of

_KERNELS = ("weights", "W", "w", "Ws", "kernels", "theta", "Theta", "thetas")
_BIASES = ("biases", "b", "bias", "B", "bs")
_PREDICT = ("feedforward", "feed_forward", "predict", "output", *FORWARD)
_GRADIENT = ("backprop", "gradients", "loss_gradients", *BACKWARD)

Take = Callable[[Any, Array], Array]


class ForeignNetwork:
    """A network with lists of variables; see :func:`model_from_network`.

    Attributes:
        spec: what it claims to be.
        dtype: what it is fed.
    """

    def __init__(self, network: Any, spec: ModelSpec, dtype: str, gradient_scale: str) -> None:
        one_of("gradient_scale", gradient_scale, ("mean", "sum"))
        self.dropout_seed: int | None = None
        self.spec, self.dtype, self._network = spec, floating_dtype(dtype).name, network
        self._averaged = gradient_scale == "mean"
        self._kernels = _list_of(network, _KERNELS, "weights")
        self._biases = _list_of(network, _BIASES, "biases")
        kinds = {"kernel": self._kernels, "bias": self._biases}
        self._slots: dict[str, tuple[list[Any], int]] = {}
        for name in spec.variable_shapes:
            kind = name.rpartition("/")[2]
            if kind not in kinds:
                raise ValueError(f"{name} has no place in lists of weights and biases; use model_from_layers")
            self._slots[name] = kinds[kind], sum(other.endswith(f"/{kind}") for other in self._slots)
        for kind, held in kinds.items():
            wanted = sum(name.endswith(f"/{kind}") for name in self._slots)
            if len(held) != wanted:
                raise ValueError(
                    f"{type(network).__name__} has {len(held)} arrays for the {kind}s, the specification {wanted}"
                )
        self._predict = _method(network, _PREDICT, "feedforward(x)")
        found = next((name for name in _GRADIENT if callable(getattr(network, name, None))), None)
        if found is not None:
            self._gradient_name, self._gradient = found, getattr(network, found)
            self.loss_and_gradients = self._loss_and_gradients  # without backprop, there is no method of this name

    @property
    def weights(self) -> dict[str, Array]:
        """Copies of all variables in Keras' names and layouts."""
        return {name: self._to_keras(name, held[at]) for name, (held, at) in self._slots.items()}

    def set_weights(self, weights: dict[str, Any] | list[Any]) -> None:
        """Write all variables into the network's own lists."""
        clean = check_weights(weights, self.spec.variable_shapes, self.dtype)
        for name, (held, at) in self._slots.items():
            value = clean[name].T if self._is_turned(name, held[at]) else clean[name]
            held[at] = np.array(value, self.dtype, order="C").reshape(np.shape(held[at]))

    def _is_turned(self, name: str, value: Any) -> bool:
        """True for a kernel (outputs, inputs): by its shape; a square one by columns of biases or by other kernels."""
        wanted, shape = self.spec.variable_shapes[name], np.shape(value)
        if len(wanted) != 2:
            return False
        if wanted[0] != wanted[1]:
            return shape == wanted[::-1]
        others = {self.spec.variable_shapes[name]: np.shape(held[at]) for name, (held, at) in self._slots.items()}
        if any(len(ours) == 2 and ours[0] != ours[1] and theirs == ours[::-1] for ours, theirs in others.items()):
            return True
        return any(np.ndim(bias) == 2 and np.shape(bias)[1] == 1 for bias in self._biases)

    def _to_keras(self, name: str, value: Any) -> Array:
        array = np.array(value)
        turned = array.T if self._is_turned(name, array) else array
        if turned.size != int(np.prod(self.spec.variable_shapes[name])):
            raise ForeignLayerError(f"{name} has shape {array.shape}, expected {self.spec.variable_shapes[name]}")
        return np.array(turned, order="C").reshape(self.spec.variable_shapes[name])

    def predict(self, x: Any, batch_size: int | None = None) -> Array:
        """Outputs (examples, outputs), whichever way the network takes its examples."""
        values = check_x(x, self.spec.input_shape, self.dtype)
        count, more = len(values), self._more(values)
        rows, wanted = values.reshape(count, -1), (count, *self.spec.output_shape)
        flat, whole = more.reshape(len(more), -1), (len(more), *self.spec.output_shape)
        ways: list[Callable[[], Any]] = [
            lambda: np.stack([np.ravel(self._predict(row[:, None])) for row in rows]),
            lambda: _first(np.asarray(self._predict(flat.T)).T, whole, count),
            lambda: _first(np.asarray(self._predict(more)), whole, count),
            lambda: np.stack([np.ravel(self._predict(row)) for row in rows]),
        ]
        if self._takes_columns(rows):
            ways.insert(0, ways.pop(1))
        return self._first_that_fits(ways, lambda found: found.shape == wanted, f"outputs of shape {wanted}")

    def _more(self, batch: Array) -> Array:
        """The batch, longer where its length is a size of the network: a batch the other way round would fit too."""
        sizes, count = {size for shape in self.spec.variable_shapes.values() for size in shape}, len(batch)
        while count in sizes:
            count += 1
        return np.concatenate([batch, np.repeat(batch[:1], count - len(batch), axis=0)])

    def _takes_columns(self, rows: Array) -> bool:
        """Whether its backprop takes a batch of columns: then that is what is judged, not one example at a time."""
        try:
            targets = np.zeros((len(rows), int(np.prod(self.spec.output_shape))), self.dtype)
            return len(rows) > 1 and bool(self._try(rows, targets, np.transpose))
        except Exception:  # whatever a foreign network raises
            return False

    def _try(self, x: Array, y: Array, turn: Callable[[Array], Array]) -> dict[str, Array]:
        """Gradients of a batch whose length is none of the network's sizes; raises where it does not take it so."""
        # A copy: a backprop may take a step
        gradient = getattr(copy.deepcopy(self._network), self._gradient_name)
        return self._sorted(gradient(turn(self._more(x)), turn(self._more(y))))

    def _of_batch(self, x: Array, y: Array, turn: Callable[[Array], Array] = np.asarray) -> dict[str, Array]:
        if len(self._more(x)) != len(x):
            self._try(x, y, turn)
        return self._scaled(self._sorted(self._gradient(turn(x), turn(y))), len(x))

    def _first_that_fits(self, ways: Sequence[Callable[[], Any]], fits: Callable[[Any], bool], what: str) -> Any:
        errors: list[Exception] = []
        for way in ways:
            try:
                found = way()
                if fits(found):
                    return found
            except Exception as error:  # whatever a foreign network raises
                errors.append(error)
        said = ""
        if errors:
            said = f"; it {raised_in_words(errors[0])}"
        raise ForeignLayerError(f"{type(self._network).__name__} gives no {what}{said}") from next(iter(errors), None)

    def _loss_and_gradients(
        self, x: Any, y: Any, loss: Any = None, training: bool = False, dropout_call: int = 0
    ) -> Gradients:
        """The loss of its outputs, and its own gradients, as means over the batch."""
        values, rule = check_x(x, self.spec.input_shape, self.dtype), loss_rules.get(loss)
        targets = check_y(y, len(values), self.spec.output_shape, rule, self.dtype)
        outputs = self.predict(values)
        function = losses.loss_function(rule, bool(getattr(rule, "from_logits", False)))
        value, _ = losses.mean_loss(*function(outputs, targets), len(values))
        value += sum(penalty(one, self.weights[name])[0] for name, one in regularized_parameters(self.spec).items())
        rows = values.reshape(len(values), -1)
        wanted = targets if targets.ndim > 1 else np.eye(outputs.shape[-1])[targets]
        # A batch first: one that is right example by example may be wrong on several
        ways: tuple[Callable[[], Any], ...] = (
            lambda: self._of_batch(rows, wanted, np.transpose),
            lambda: self._mean([self._gradient(a[:, None], t[:, None]) for a, t in zip(rows, wanted, strict=True)]),
            lambda: self._of_batch(values, wanted),
            lambda: self._of_batch(values, targets),
        )
        return Gradients(value, self._first_that_fits(ways, bool, "gradients of its weights and biases"), None, {})

    def _mean(self, results: list[Any]) -> dict[str, Array]:
        parts = [self._sorted(result) for result in results]
        return {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}

    def _scaled(self, gradients: dict[str, Array], count: int) -> dict[str, Array]:
        return gradients if self._averaged else {name: value / count for name, value in gradients.items()}

    def _sorted(self, result: Any) -> dict[str, Array]:
        """(nabla_b, nabla_w), or the other way round, as {name: gradient}: by their shapes."""
        first, second = result[0], result[1]
        for biases, kernels in ((first, second), (second, first)):
            kinds = {id(self._kernels): kernels, id(self._biases): biases}
            try:
                found = {name: kinds[id(held)][at] for name, (held, at) in self._slots.items()}
                if all(np.shape(found[name]) == np.shape(held[at]) for name, (held, at) in self._slots.items()):
                    return {name: self._to_keras(name, value) for name, value in found.items()}
            except (IndexError, TypeError, KeyError):
                continue
        raise ForeignLayerError("backprop gave no lists of gradients in the shapes of biases and weights")


def _first(found: Array, whole: tuple[int, ...], count: int) -> Array:
    """The outputs of the first examples, where those of all have this shape; else none."""
    return found[:count] if found.shape == whole else found[:0]


def _list_of(network: Any, names: tuple[str, ...], what: str) -> list[Any]:
    for name in names:
        found = getattr(network, name, None)
        if isinstance(found, list) and found and all(isinstance(each, np.ndarray) for each in found):
            return found
    raise ValueError(
        f"{type(network).__name__} has no list of arrays for its {what}; looked for {', '.join(names)}; "
        f"it has {describe_attributes(network)}"
    )


def _method(network: Any, names: tuple[str, ...], what: str) -> Any:
    found = next((getattr(network, name) for name in names if callable(getattr(network, name, None))), None)
    if found is None:
        raise ValueError(f"{type(network).__name__} has no method {what}; looked for {', '.join(names)}")
    return found


def model_from_network(
    network: Any, spec: ModelSpec, *, dtype: str = "float64", gradient_scale: str = "mean"
) -> ForeignNetwork:
    """A whole network that was written elsewhere as a model for ``bridge.compare_models``.

    For networks that keep lists ``weights`` and ``biases`` and have ``feedforward(x)`` and ``backprop(x, y)``, which
    returns (gradients of biases, gradients of weights), as in Nielsen's book: a batch or one example at a time, as
    columns or as rows; whichever it takes is found by trying, a batch first. Its gradients are those of the loss that
    is named to ``compare_models``, such as ``"half_sum_squared_error"``.

    Args:
        network: an object as described; its arrays are written into.
        spec: the network it claims to be, of layers that have a kernel and a bias.
        dtype: what it is fed, "float64" or "float32".
        gradient_scale: of a backprop of whole batches, "mean" or "sum" over the batch.

    Raises:
        ValueError: lists or methods cannot be found; says what was looked for.

    Examples:
        >>> import numpy as np
        >>> class Network:
        ...     def __init__(self):
        ...         self.weights, self.biases = [np.ones((3, 4))], [np.zeros((3, 1))]
        ...     def feedforward(self, a):
        ...         return 1 / (1 + np.exp(-(self.weights[0] @ a + self.biases[0])))
        ...     def backprop(self, x, y):
        ...         a = self.feedforward(x)
        ...         delta = (a - y) * a * (1 - a)
        ...         return [delta], [delta @ x.T]
        >>> from bridge import compare_models
        >>> from core_numpy import NumpyModel
        >>> from model_spec import Dense, ModelSpec
        >>> spec = ModelSpec("net", (4,), (Dense(3, activation="sigmoid"),))
        >>> mine = model_from_network(Network(), spec)
        >>> ours = NumpyModel(spec, dtype="float64", weights=mine.weights)
        >>> x, y = np.random.default_rng(0).random((5, 4)), np.eye(3)[[0, 1, 2, 0, 1]]
        >>> compare_models(ours, mine, x, y, loss="half_sum_squared_error").passed
        True
    """
    need_claim("spec", spec, ModelSpec, 'ModelSpec("net", (6,), (Dense(5),))')
    need_own("network", network, _PREDICT, "an object with lists weights and biases and feedforward(x)")
    return ForeignNetwork(network, spec, dtype, gradient_scale)
