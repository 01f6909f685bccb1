"""Sums of small integers: Keras adds uint8 in uint8, where 200 and 100 make 44."""

from __future__ import annotations

from typing import Any

_SUMS = frozenset(("Add", "Subtract", "Multiply", "Average"))
_HAND_ON = frozenset(
    (
        *("InputPart", "Flatten", "Reshape", "Permute", "RepeatVector", "ZeroPadding1D", "ZeroPadding2D", "Cropping2D"),
        *("UpSampling2D", "MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
        *("Concatenate", "Maximum", "Minimum", "Dropout", "ReLU"),
    )
)
"""Layers that compute in the type of what they are given, and layers that hand integers on as integers."""


def refuse_sums_of_small_integers(spec: Any) -> None:
    """Refuse a ``ModelSpec`` with a merge that adds or multiplies inputs of fewer than 32 bits.

    Raises:
        ValueError: names the layer.
    """
    if spec.input_dtype in (None, "float16", "int32", "int64"):
        return
    whole = {0}
    for position, (layer, read) in enumerate(zip(spec.layers, spec.sources, strict=True)):
        kind, reads_whole = type(layer).__name__, not whole.isdisjoint(read)
        if reads_whole and kind in _SUMS:
            raise ValueError(
                f"model {spec.name!r}, layer {position} {layer.name!r}: Keras computes {kind} of "
                f"{spec.input_dtype} in {spec.input_dtype}, where numbers that do not fit wrap around; put a "
                f"Rescaling in front of it"
            )
        hands_on = kind in _HAND_ON or getattr(layer, "activation", "") in ("relu", "linear")
        if reads_whole and hands_on and not layer.parameter_shapes(spec.input_shapes[position]):
            whole.add(position + 1)
