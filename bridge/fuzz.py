"""Random architectures, drawn by Hypothesis and compared on both backends: for faults no table thought of.

``run(200, seed=0)`` draws 200 networks with their data and returns those that differ. A :class:`Case` is all it takes
to see a difference again: ``check(Case.from_dict(entry))``. Hypothesis is imported only where cases are drawn, so a
case can be checked again without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bridge.comparison import DTYPES, compare
from bridge.faults import Fault
from bridge.report import ParityReport
from bridge.verdict import VACUOUS, Row
from model_spec import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    LayerSpec,
    MaxPooling2D,
    ModelSpec,
    Rescaling,
    Reshape,
    ZeroPadding2D,
    losses,
    model_from_dict,
    regularizers,
    serialization,
    to_dict,
)
from model_spec.activations import ACTIVATIONS
from model_spec.shapes import Shape, element_count, window_extent
from model_spec.validation import non_negative_integer, one_of, positive_integer

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

Array = np.ndarray

DATA = ("normal", "integers", "background")
"""Kinds of inputs: normal numbers; whole numbers 0..2 (ties); one constant with a few normal cells (images have it)."""

DIFFERENTIABLE = tuple(name for name in ACTIVATIONS if name != "step")
"""Activations a gradient passes through."""

_SIDE, _CHANNELS, _FEATURES, _CLASSES, _BATCH = 10, 3, 12, (2, 6), 5
_FILTERS, _UNITS, _CELLS = 5, 8, 1200
_OUTPUT_LAYERS = 3  # a transition from image to row, the Dense, and perhaps an Activation of its own
_PENALTIES = (None, None, None, regularizers.L1(0.02), regularizers.L2(0.05), regularizers.L1L2(0.01, 0.03))


@dataclass(frozen=True)
class Case:
    """One network with the recipe of its data.

    Attributes:
        spec: the network; its output is a row of classes.
        batch: number of examples.
        seed: of inputs, targets, weights, cotangents and dropout masks.
        loss: what is differentiated besides the random cotangent.
        data: kind of inputs, one of ``DATA``.
        one_hot: True where targets of a categorical cross-entropy are rows, False where they are integer classes.
    """

    spec: ModelSpec
    batch: int
    seed: int
    loss: losses.Loss
    data: str = "normal"
    one_hot: bool = False

    def __post_init__(self) -> None:
        positive_integer("batch", self.batch)
        non_negative_integer("seed", self.seed)
        one_of("data", self.data, DATA)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {
            "spec": to_dict(self.spec),
            "batch": self.batch,
            "seed": self.seed,
            "loss": to_dict(self.loss),
            "data": self.data,
            "one_hot": self.one_hot,
        }

    @classmethod
    def from_dict(cls, entry: dict[str, Any]) -> Case:
        """Build the case that :meth:`to_dict` wrote."""
        known = {"spec", "batch", "seed", "loss", "data", "one_hot"}
        if not isinstance(entry, dict) or set(entry) != known:
            found = sorted(entry) if isinstance(entry, dict) else repr(entry)
            raise ValueError(f"a case must be a table with {', '.join(sorted(known))}, got {found}")
        built = {"spec": model_from_dict(entry["spec"]), "loss": serialization.from_dict(entry["loss"])}
        return cls(**{**entry, **built})

    def arrays(self) -> tuple[Array, Array]:
        """Inputs and targets, the same for the same case."""
        random = np.random.default_rng([self.seed, 2])
        x = random_inputs(self.data, (self.batch, *self.spec.input_shape), random)
        return x, random_targets(self.loss, (self.batch, *self.spec.output_shape), self.one_hot, random)


@dataclass(frozen=True)
class Finding:
    """A case on which the backends differ: the report, or the error one of them raised."""

    case: Case
    report: ParityReport | None = None
    error: str | None = None

    def __str__(self) -> str:
        return f"{self.case.spec.summary()}\n{self.error or self.report}"


def random_inputs(kind: str, shape: Shape, random: np.random.Generator) -> Array:
    """Inputs of this kind and shape (examples, ...), float64; ``kind`` is one of ``DATA``."""
    one_of("data", kind, DATA)
    if kind == "integers":
        return random.integers(0, 3, shape).astype(np.float64)
    x = random.standard_normal(shape)
    return np.where(random.random(shape) < 0.3, x, 0.5) if kind == "background" else x


def random_targets(loss: losses.Loss, shape: Shape, one_hot: bool, random: np.random.Generator) -> Array:
    """Targets for an output of this shape (examples, ...), in the form the loss takes."""
    if losses.takes_classes(loss):
        labels = random.integers(0, shape[-1], shape[0])
        return np.eye(shape[-1])[labels] if one_hot else labels
    if isinstance(loss, losses.BinaryCrossentropy):
        return random.integers(0, 2, shape).astype(np.float64)
    return random.standard_normal(shape)


def specs(max_layers: int = 8) -> SearchStrategy[ModelSpec]:
    """Strategy for networks of at most ``max_layers`` layers that end in 2 to 6 classes.

    Sizes are small: images up to 10x10x3, 5 filters, 8 units. The last activation is softmax, sigmoid or none.
    """
    if positive_integer("max_layers", max_layers) < _OUTPUT_LAYERS + 1:
        raise ValueError(f"max_layers must be at least {_OUTPUT_LAYERS + 1}, got {max_layers}")
    _need_hypothesis()
    from hypothesis import strategies

    @strategies.composite
    def draw_spec(draw: DrawFn) -> ModelSpec:
        return _draw_spec(Draw(draw), max_layers)

    return draw_spec()


def cases(max_layers: int = 8) -> SearchStrategy[Case]:
    """Strategy for cases: a network, its loss, and the recipe of its data."""
    _need_hypothesis()
    from hypothesis import strategies

    networks = specs(max_layers)

    @strategies.composite
    def draw_case(draw: DrawFn) -> Case:
        spec = draw(networks)
        some = Draw(draw)
        batch, data, one_hot = some.integer(1, _BATCH), some.of(DATA), some.boolean()
        return Case(spec, batch, some.integer(0, 2**16), _draw_loss(some, spec), data, one_hot)

    return draw_case()


def check(case: Case, dtypes: str | Sequence[str] = DTYPES, fault: str | Fault | None = None) -> ParityReport:
    """Compare both backends on the case; see :func:`failures` for what counts as a difference here."""
    x, y = case.arrays()
    return compare(case.spec, x, y, seed=case.seed, dtype=dtypes, loss=case.loss, fault=fault)


def failures(report: ParityReport) -> list[Row]:
    """The rows that differ. A network drawn at random may be dead: where both sides and the truth are zero, that is so.

    The forward pass must prove something nevertheless: a zero output of the network's last layer is a failure.
    """
    last = report.spec.layers[-1].name
    return [row for row in report.failures if row.verdict != VACUOUS or row.tensor == last]


def run(
    count: int,
    seed: int,
    show: Callable[[int, Case, ParityReport | None], None] | None = None,
    *,
    max_layers: int = 8,
    dtypes: str | Sequence[str] = DTYPES,
    most: int | None = None,
) -> list[Finding]:
    """Draw ``count`` cases and return those on which the backends differ; the same seed draws the same cases.

    Args:
        count: number of cases.
        seed: of the drawing.
        show: called after each case with its number, the case, and its report (None where a backend raised).
        max_layers: of each network.
        dtypes: one precision or several.
        most: stop comparing after this many findings.
    """
    _need_hypothesis()
    import hypothesis

    positive_integer("count", count)
    findings: list[Finding] = []
    done = 0

    @hypothesis.seed(non_negative_integer("seed", seed))
    @hypothesis.settings(
        max_examples=count,
        database=None,
        derandomize=False,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(cases(max_layers))
    def collect(case: Case) -> None:
        nonlocal done
        if most is not None and len(findings) >= most:
            return
        report, error = None, None
        try:
            report = check(case, dtypes)
        except Exception as raised:  # whatever a backend raises on a valid network is a finding
            error = f"{type(raised).__name__}: {raised}"
        if report is None or failures(report):
            findings.append(Finding(case, report, error))
        done += 1
        if show is not None:
            show(done, case, report)

    collect()
    return findings


def _need_hypothesis() -> None:
    try:
        import hypothesis  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'bridge.fuzz draws with Hypothesis ({error.name} is missing): pip install "crosscheck[test]"'
        ) from error


@dataclass(frozen=True)
class Draw:
    """Draws single values; every kind of choice shrinks towards its first or smallest."""

    draw: DrawFn

    def integer(self, low: int, high: int) -> int:
        """A whole number in low..high."""
        from hypothesis import strategies

        return self.draw(strategies.integers(low, high))

    def of(self, choices: Sequence[Any]) -> Any:
        """One of the choices."""
        return choices[self.integer(0, len(choices) - 1)]

    def boolean(self) -> bool:
        """False or True."""
        return bool(self.integer(0, 1))

    def rarely(self) -> bool:
        """True in one of eight draws."""
        return self.integer(0, 7) == 7


def _draw_spec(some: Draw, max_layers: int) -> ModelSpec:
    image = some.boolean()
    shape: Shape = (some.integer(1, _FEATURES),)
    if image:
        shape = (some.integer(1, _SIDE), some.integer(1, _SIDE), some.integer(1, _CHANNELS))
    start, layers = shape, []
    # Hypothesis likes small numbers; half of the draws fill the network
    most = max_layers - _OUTPUT_LAYERS
    body = min(some.integer(0, 2 * most), most)
    for _ in range(body):
        layer = some.of(_IMAGE_LAYERS if len(shape) == 3 else _ROW_LAYERS)(some, shape)
        layers.append(layer)
        shape = layer.output_shape(shape)
    if len(shape) == 3:
        layers.append(_to_row(some, shape))
    layers += _draw_output(some)
    return ModelSpec("fuzz", start, tuple(layers))


def _draw_output(some: Draw) -> list[LayerSpec]:
    # Keras warns of a softmax over a single value: classes are two at least, and _function leaves it out
    classes, last, apart = some.integer(*_CLASSES), some.of(("softmax", "linear", "sigmoid")), some.rarely()
    options = _weighted(some)
    if apart:
        return [Dense(classes, **options), Activation(last)]
    return [Dense(classes, activation=last, **options)]


def _draw_loss(some: Draw, spec: ModelSpec) -> losses.Loss:
    last = spec.layers[-1].activation  # type: ignore[attr-defined]
    smoothing = some.of((0.0, 0.0, 0.1))
    kind = some.of(("categorical", "binary", "squared", "half"))
    if kind == "categorical":
        return losses.CategoricalCrossentropy(from_logits=last == "linear", label_smoothing=smoothing)
    if kind == "binary":
        return losses.BinaryCrossentropy(from_logits=last == "linear", label_smoothing=smoothing)
    return losses.MeanSquaredError() if kind == "squared" else losses.HalfSumSquaredError()


def _weighted(some: Draw) -> dict[str, Any]:
    """Options that Dense and Conv2D share."""
    return {
        "use_bias": not some.rarely(),
        "kernel_regularizer": some.of(_PENALTIES),
        "bias_regularizer": some.of(_PENALTIES),
        "trainable": not some.rarely(),
    }


def _function(some: Draw, size: int) -> str:
    """Name of an activation for a last axis of this size."""
    return str(some.of([name for name in DIFFERENTIABLE if name != "softmax" or size > 1]))


def _dense(some: Draw, shape: Shape) -> LayerSpec:
    units = some.integer(1, _UNITS)
    return Dense(units, activation=_function(some, units), **_weighted(some))


def _windows(some: Draw, shape: Shape, dilation: tuple[int, int] = (1, 1)) -> tuple[tuple[int, int], str]:
    """(window, padding) that fit into the image."""
    padding = some.of(("valid", "same"))
    largest = [3, 3]
    if padding == "valid":
        fitting = [[w for w in (1, 2, 3) if window_extent(w, dilation[a]) <= shape[a]] for a in (0, 1)]
        largest = [max(sizes) for sizes in fitting]
    return (some.integer(1, largest[0]), some.integer(1, largest[1])), padding


def _conv2d(some: Draw, shape: Shape) -> LayerSpec:
    kind = some.of(("plain", "strided", "dilated"))
    strides = (some.integer(1, 3), some.integer(1, 3)) if kind == "strided" else (1, 1)
    dilation = (some.integer(1, 3), some.integer(1, 3)) if kind == "dilated" else (1, 1)
    window, padding = _windows(some, shape, dilation)
    filters = some.integer(1, _FILTERS)
    return Conv2D(
        filters,
        window,
        strides=strides,
        padding=padding,
        dilation_rate=dilation,
        activation=_function(some, filters),
        **_weighted(some),
    )


def _pooling(kind: Callable[..., LayerSpec]) -> Callable[[Draw, Shape], LayerSpec]:
    def draw(some: Draw, shape: Shape) -> LayerSpec:
        window, padding = _windows(some, shape)
        strides = None if some.boolean() else (some.integer(1, 3), some.integer(1, 3))
        return kind(window, strides, padding)

    return draw


def _zero_padding2d(some: Draw, shape: Shape) -> LayerSpec:
    (top, bottom, left, right) = (some.integer(0, 2) for _ in range(4))
    if (shape[0] + top + bottom) * (shape[1] + left + right) * shape[2] > _CELLS:
        return ZeroPadding2D(((0, 0), (0, 0)))
    return ZeroPadding2D(((top, bottom), (left, right)))


def _reshape(some: Draw, shape: Shape) -> LayerSpec:
    """An image of the same values: two of its axes swap their lengths, or one joins another."""
    height, width, channels = shape
    return Reshape(some.of(((width, height, channels), (height, channels, width), (height * width, 1, channels))))


def _to_row(some: Draw, shape: Shape) -> LayerSpec:
    layer: LayerSpec = some.of((Flatten(), GlobalAveragePooling2D(), GlobalMaxPooling2D(), Reshape((-1,))))
    return layer


def _row_to_image(some: Draw, shape: Shape) -> LayerSpec:
    return Reshape(some.of(((element_count(shape), 1, 1), (1, 1, element_count(shape)), (1, -1, 1))))


def _rescaling(some: Draw, shape: Shape) -> LayerSpec:
    return Rescaling(some.of((0.5, -1.0, 2.0, 1 / 255, 0.1)), some.of((0.0, 0.5, -0.3)))


def _dropout(some: Draw, shape: Shape) -> LayerSpec:
    return Dropout(some.of((0.5, 0.0, 0.25, 0.1, 0.7)))


def _batch_normalization(some: Draw, shape: Shape) -> LayerSpec:
    return BatchNormalization(
        epsilon=some.of((1e-3, 1e-5)),
        center=not some.rarely(),
        scale=not some.rarely(),
        trainable=not some.rarely(),
    )


def _activation(some: Draw, shape: Shape) -> LayerSpec:
    return Activation(_function(some, shape[-1]))


_ANY_LAYERS = (_dense, _rescaling, _dropout, _batch_normalization, _activation)
_IMAGE_LAYERS = (
    _conv2d,
    _conv2d,
    _conv2d,
    _pooling(MaxPooling2D),
    _pooling(MaxPooling2D),
    _pooling(AveragePooling2D),
    _pooling(AveragePooling2D),
    _zero_padding2d,
    _reshape,
    *_ANY_LAYERS,
    _to_row,
)
_ROW_LAYERS = (*_ANY_LAYERS, _dense, _row_to_image)
