"""Networks drawn at random by Hypothesis: small, always valid, half of them with branches, ending in classes.

Hypothesis is imported only where something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.fuzzing.known_layers import KnownLayers
from bridge.judge.layers import LAYERS
from bridge.judge.layers.form import draw_weighted
from model_spec import Activation, Concatenate, Dense, LayerSpec, ModelSpec, Subtract
from model_spec.graph import with_inputs_named
from model_spec.shapes import Shape
from model_spec.validation import positive_integer

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

_SIDE, _STEPS, _CHANNELS, _FEATURES, _CLASSES = 10, 16, 3, 12, (2, 6)
_PLACES = {1: "row", 2: "steps", 3: "image"}
_ENDS = {"image": "end", "steps": "end of steps"}
_Drawing = Callable[["Draw", Shape], LayerSpec]
_OUTPUT_LAYERS = 3  # a transition from image to row, the Dense, and perhaps an Activation of its own


def specs(max_layers: int = 8, known: KnownLayers | None = None) -> SearchStrategy[ModelSpec]:
    """Strategy for networks of at most ``max_layers`` layers that end in 2 to 6 classes.

    Sizes are small: images up to 10x10x3, 5 filters, 8 units. The last activation is softmax, sigmoid or none.

    Args:
        max_layers: of each network.
        known: of what layers to draw them, all by default; networks without a Dense end in whatever comes last.
    """
    if positive_integer("max_layers", max_layers) < _OUTPUT_LAYERS + 1:
        raise ValueError(f"max_layers must be at least {_OUTPUT_LAYERS + 1}, got {max_layers}")
    need_hypothesis()
    from hypothesis import strategies

    @strategies.composite
    def draw_spec(draw: DrawFn) -> ModelSpec:
        return _draw_spec(Draw(draw), max_layers, known)

    return draw_spec()


def need_hypothesis() -> None:
    """Say how to install Hypothesis where it is missing."""
    try:
        import hypothesis  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'random networks are drawn with Hypothesis ({error.name} is missing): pip install "crosscheck[test]"'
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


def _draw_spec(some: Draw, max_layers: int, known: KnownLayers | None) -> ModelSpec:
    from hypothesis import reject

    shape: Shape
    # Drawn so that it shrinks well: every layer fits an image, so an image is the simplest input; a layer goes together
    # with the number drawn before it; and a zero ends the layers, even where there is room for no other
    kinds = ("image", "row", "image", "row", "steps")
    special = [kind for kind in kinds if _has_its_own(kind, known)]
    kind = some.of(special or [kind for kind in kinds if _drawn_on(kind, known)])
    if kind == "image":
        shape = (some.integer(1, _SIDE), some.integer(1, _SIDE), some.integer(1, _CHANNELS))
    elif kind == "steps":
        shape = (some.integer(1, _STEPS), some.integer(1, _CHANNELS))
    else:
        shape = (some.integer(1, _FEATURES),)
    start = shape
    growing = _Growing([shape], [], [], known)
    # Hypothesis likes small numbers; half of the draws fill the network
    most = max_layers - _OUTPUT_LAYERS
    while some.integer(0, 2 * most - len(growing.layers)) > 0 and len(growing.layers) < most:
        room = most - len(growing.layers)
        if some.integer(0, 2) == 2 and room > 1 and growing.merges:
            growing.branch(some, room)
        elif not growing.add(some):
            break
    shape = growing.shapes[-1]
    if len(shape) > 1 and _ends_on(shape, known):
        growing.append(_draw_end(some, shape, known))
    for layer in _draw_output(some, known):
        growing.append(layer)
    if not growing.layers and not growing.add(some):
        reject()
    return ModelSpec("fuzz", start, growing.network())


@dataclass
class _Growing:
    """A network on its way: the shapes of its input and of all layers' outputs, the layers, and what they read."""

    shapes: list[Shape]
    layers: list[LayerSpec]
    sources: list[tuple[int, ...]]
    known: KnownLayers | None = None

    @property
    def merges(self) -> bool:
        """True where a merge may be drawn."""
        return any(kind.merges for kind in _kinds(self.known))

    def _drawn_on(self, shape: Shape) -> list[_Drawing]:
        return _drawn_on(_PLACES[len(shape)], self.known)

    def append(self, layer: LayerSpec, *sources: int) -> None:
        """Add a layer that reads these values, by default the last one."""
        sources = sources or (len(self.layers),)
        shapes: Any = tuple(self.shapes[at] for at in sources)
        self.shapes.append(layer.output_shape(shapes if layer.merges else shapes[0]))
        self.layers.append(layer)
        self.sources.append(sources)

    def add(self, some: Draw, source: int | None = None) -> bool:
        """Draw a layer that reads a value, by default the last one; False where none that is known fits its shape."""
        at = len(self.layers) if source is None else source
        shape = self.shapes[at]
        choices = self._drawn_on(shape)
        layer = some.of(choices)(some, shape) if choices else None
        if layer is None or (self.known is not None and type(layer) not in self.known.layers):
            return False
        self.append(layer if self.known is None else self.known.fitted(some, layer, shape), at)
        return True

    def branch(self, some: Draw, room: int) -> None:
        """Draw two branches from the last value, and a merge of them; where their shapes do not fit, one branch alone.

        Branches take at most ``room`` - 1 layers. The shorter one may have no layer: a connection that skips the other.
        """
        begin = len(self.layers)
        ends = []
        for shortest in (1, 0):
            length = some.integer(shortest, min(2, max(shortest, room - 1 - (len(self.layers) - begin))))
            ends.append([begin])
            for number in range(length):
                if not self.add(some, begin if number == 0 else len(self.layers)):
                    break
                ends[-1].append(len(self.layers))
        # From the longest ends backward; an end that is left out takes all behind it along
        second = next((end for end in reversed(ends[1]) if self._fit(ends[0][-1], end)), None)
        if second is None or second == ends[0][-1]:
            self._cut(ends[0][-1])
            return
        order = (ends[0][-1], second) if some.boolean() else (second, ends[0][-1])
        shapes = tuple(self.shapes[at] for at in order)
        merges = [
            # What a branch without effect leaves of x - x is zero, which proves nothing
            kind
            for kind in _merges_of(shapes, self.known)
            if begin not in order or not isinstance(kind[0], Subtract)
        ]
        self._cut(max(order) if merges else ends[0][-1])
        if merges:
            self.append(some.of(some.of(merges)), *order)

    def _fit(self, first: int, second: int) -> bool:
        return bool(_merges_of((self.shapes[first], self.shapes[second]), self.known))

    def _cut(self, end: int) -> None:
        """Take the layers behind a value out."""
        del self.shapes[end + 1 :], self.layers[end:], self.sources[end:]

    def network(self) -> tuple[LayerSpec, ...]:
        """The layers, with their inputs named where they branch."""
        if all(read == (at,) for at, read in enumerate(self.sources)):
            return tuple(self.layers)
        return tuple(with_inputs_named(self.layers, tuple(self.sources)))


def _kinds(known: KnownLayers | None) -> list[type[LayerSpec]]:
    """What is drawn, in the order of the table."""
    return [kind for kind in LAYERS if known is None or kind in known.layers]


def _merges_of(shapes: tuple[Shape, ...], known: KnownLayers | None) -> list[list[LayerSpec]]:
    """Of every kind of merge that takes values of these shapes, all that do: a Concatenate along every axis."""
    found = []
    for kind in _kinds(known):
        layer = LAYERS[kind]
        axes = range(1, len(shapes[0]) + 1)
        merges = [Concatenate(axis) for axis in axes] if kind is Concatenate else [kind()] if kind.merges else []
        fitting = [merge for merge in merges if _takes(merge, shapes)]
        found += [fitting] * (layer.places.count("merge") if fitting else 0)
    return found


def _takes(merge: LayerSpec, shapes: Any) -> bool:
    try:
        merge.output_shape(shapes)
    except ValueError:
        return False
    return True


def _drawn_on(place: str, known: KnownLayers | None) -> list[_Drawing]:
    """What is drawn in a place, a layer as often as its line in the table names the place."""

    def end(some: Draw, shape: Shape) -> LayerSpec:
        return _draw_end(some, shape, known)

    drawn: list[_Drawing] = []
    for layer in map(LAYERS.__getitem__, _kinds(known)):
        if _ENDS.get(place) in layer.places and end not in drawn:
            drawn.append(end)
        drawn += [layer.draw] * layer.places.count(place)
    return drawn


def _has_its_own(place: str, known: KnownLayers | None) -> bool:
    """True where some layer is drawn in this place and not in all: such networks are to be seen, of few layers too."""
    places = set(_PLACES.values())
    return any(place in LAYERS[kind].places and not places <= {*LAYERS[kind].places} for kind in _kinds(known))


def _ends_on(shape: Shape, known: KnownLayers | None) -> list[_Drawing]:
    return _drawn_on(_ENDS[_PLACES[len(shape)]], known)


def _draw_end(some: Draw, shape: Shape, known: KnownLayers | None) -> LayerSpec:
    """A layer that makes a row of an image or of steps."""
    return some.of(_ends_on(shape, known))(some, shape)


def _draw_output(some: Draw, known: KnownLayers | None) -> list[LayerSpec]:
    # Keras warns of a softmax over a single value: classes are two at least, and activations leave it out
    lasts: tuple[str, ...] = ("softmax", "linear", "sigmoid")
    if known is not None:
        lasts = tuple(name for name in lasts if name in known.activations) or known.activations
    classes, last, apart = some.integer(*_CLASSES), some.of(lasts), some.rarely()
    options = draw_weighted(some)
    if known is not None:
        options = {"use_bias": options["use_bias"]}
        if Dense not in known.layers:
            return []
        apart = apart and Activation in known.layers
    if apart:
        return [Dense(classes, **options), Activation(last)]
    return [Dense(classes, activation=last, **options)]
