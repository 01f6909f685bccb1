"""Real Keras beside a foreign layer: on the same numbers, held against the same truth."""

from __future__ import annotations

import numpy as np

from bridge.judge.bounds import Expected
from bridge.judge.tensor import Place, judge
from bridge.outside.layer_inputs import LayerInputs
from bridge.outside.layer_report import KerasBeside, LayerReport
from model_spec import Dropout, ModelSpec


def keras_beside(
    spec: ModelSpec, report: LayerReport, training: bool, given: LayerInputs, dtype: str, expected: dict[str, Expected]
) -> None:
    """Write Keras' own error and value beside each row of the report.

    Args:
        spec: the claim as a model of one layer.
        report: what was found about the foreign layer.
        training: the mode.
        given: what the layer was fed.
        dtype: the precision.
        expected: the truth of each tensor.
    """
    if isinstance(spec.layers[0], Dropout) and training:
        return  # it would drop other units
    from keras_models import KerasModel

    name = str(spec.layers[0].name)
    keras = KerasModel(spec, dtype=dtype)
    keras.set_weights({f"{name}/{variable}": value for variable, value in given.weights.items()})
    x = given.x.astype(dtype)
    found = {"y": keras.activations(x, training=training)[name]}
    if len(expected) > 1:
        gradients = keras.pullback(x, given.cotangent.astype(dtype), training=training)
        found["gradient of x"] = gradients.inputs
        for full, value in gradients.parameters.items():
            found[f"gradient of {full.rpartition('/')[2]}"] = value
    for row in report.rows:
        if row.dtype == dtype and row.tensor in found:
            wanted = expected[row.tensor]
            place = Place(row.dtype, row.mode, row.path, row.stage)
            own = judge(found[row.tensor], wanted.value, wanted, place, row.tensor, row.layer)
            value = float(np.asarray(found[row.tensor])[row.index])
            report.keras[row.dtype, row.tensor] = KerasBeside(own.error_over_bound, value)
