"""Capture what goes into a layer's ``activation=``, without changing the layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from keras_models.runtime import keras


def has_preactivation(layer: Any) -> bool:
    """True for layers with an activation behind their own work, which does something."""
    activation = getattr(layer, "activation", keras.activations.linear)
    return not isinstance(layer, keras.layers.Activation) and activation is not keras.activations.linear


@contextmanager
def captured_preactivations(layers: Iterable[Any]) -> Iterator[dict[str, Any]]:
    """Give a dict that fills with {"dense/preactivation": tensor} while the layers run inside.

    The layers' own activations are back in place on the way out, after an error too.
    """
    captured: dict[str, Any] = {}
    originals = [(layer, layer.activation) for layer in layers if has_preactivation(layer)]
    try:
        for layer, original in originals:
            layer.activation = _recording(original, f"{layer.name}/preactivation", captured)
        yield captured
    finally:
        for layer, original in originals:
            layer.activation = original


def _recording(activation: Callable[[Any], Any], name: str, captured: dict[str, Any]) -> Callable[[Any], Any]:
    def recording(x: Any) -> Any:
        captured[name] = x
        # The very tensor of the original: softmax hangs its logits on it, and the cross-entropy looks for them.
        return activation(x)

    return recording
