"""Networks drawn at random by Hypothesis: small, always valid, ending in a row of classes.

Hypothesis is imported only where something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.judge.layers import LAYERS
from bridge.judge.layers.form import draw_weighted
from model_spec import Activation, Dense, LayerSpec, ModelSpec
from model_spec.shapes import Shape
from model_spec.validation import positive_integer

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

_SIDE, _CHANNELS, _FEATURES, _CLASSES = 10, 3, 12, (2, 6)
_Drawing = Callable[["Draw", Shape], LayerSpec]
_OUTPUT_LAYERS = 3  # a transition from image to row, the Dense, and perhaps an Activation of its own


def specs(max_layers: int = 8) -> SearchStrategy[ModelSpec]:
    """Strategy for networks of at most ``max_layers`` layers that end in 2 to 6 classes.

    Sizes are small: images up to 10x10x3, 5 filters, 8 units. The last activation is softmax, sigmoid or none.
    """
    if positive_integer("max_layers", max_layers) < _OUTPUT_LAYERS + 1:
        raise ValueError(f"max_layers must be at least {_OUTPUT_LAYERS + 1}, got {max_layers}")
    need_hypothesis()
    from hypothesis import strategies

    @strategies.composite
    def draw_spec(draw: DrawFn) -> ModelSpec:
        return _draw_spec(Draw(draw), max_layers)

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


def _draw_spec(some: Draw, max_layers: int) -> ModelSpec:
    shape: Shape
    # Drawn so that it shrinks well: every layer fits an image, so an image is the simplest input; a layer goes together
    # with the number drawn before it; and a zero ends the layers, even where there is room for no other
    if some.of((True, False)):
        shape = (some.integer(1, _SIDE), some.integer(1, _SIDE), some.integer(1, _CHANNELS))
    else:
        shape = (some.integer(1, _FEATURES),)
    start = shape
    layers: list[LayerSpec] = []
    # Hypothesis likes small numbers; half of the draws fill the network
    most = max_layers - _OUTPUT_LAYERS
    while some.integer(0, 2 * most - len(layers)) > 0 and len(layers) < most:
        layer = some.of(_drawn_on("image" if len(shape) == 3 else "row"))(some, shape)
        layers.append(layer)
        shape = layer.output_shape(shape)
    if len(shape) == 3:
        layers.append(_draw_end(some, shape))
    layers += _draw_output(some)
    return ModelSpec("fuzz", start, tuple(layers))


def _drawn_on(place: str) -> list[_Drawing]:
    """What is drawn in a place, a layer as often as its line in the table names the place."""
    drawn: list[_Drawing] = []
    for layer in LAYERS.values():
        if place == "image" and "end" in layer.places and _draw_end not in drawn:
            drawn.append(_draw_end)
        drawn += [layer.draw] * layer.places.count(place)
    return drawn


def _draw_end(some: Draw, shape: Shape) -> LayerSpec:
    """A layer that makes a row of an image."""
    return some.of(_drawn_on("end"))(some, shape)


def _draw_output(some: Draw) -> list[LayerSpec]:
    # Keras warns of a softmax over a single value: classes are two at least, and activations leave it out
    classes, last, apart = some.integer(*_CLASSES), some.of(("softmax", "linear", "sigmoid")), some.rarely()
    options = draw_weighted(some)
    if apart:
        return [Dense(classes, **options), Activation(last)]
    return [Dense(classes, activation=last, **options)]
