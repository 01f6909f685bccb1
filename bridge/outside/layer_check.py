"""check_layer: holds one foreign layer against its specification, forward and backward, within derived bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bridge.outside.adapters import AdaptedLayer
from bridge.outside.layer_judge import LayerInputs, LayerJudge
from bridge.outside.layer_report import LayerReport
from model_spec import LayerSpec, ModelSpec
from model_spec.inputs import floating_dtype
from model_spec.shapes import Shape
from model_spec.validation import boolean, one_of, positive_integer

GRADIENT_SCALES = ("sum", "mean")


def check_layer(
    my_layer: Any,
    spec_layer: LayerSpec,
    input_shape: Shape,
    *,
    batch: int = 4,
    seed: int = 0,
    layout: str = "NHWC",
    kernel_layout: str | None = None,
    style: str | None = None,
    training: bool = False,
    backward: bool = True,
    dtypes: str | Sequence[str] = ("float64", "float32"),
    gradient_scale: str = "sum",
    with_keras: bool = False,
) -> LayerReport:
    """Judge a layer by what its specification says it computes: output, gradient of x and of every parameter.

    The layer gets random inputs and random values for every variable (its own are put back afterwards), and its
    backward a random cotangent. An array the layer holds keeps its dtype; a layer that computes in float64 while fed
    float32 is judged by the float32 bound. Moving statistics after a training step are not judged.

    Args:
        my_layer: an object with ``forward(x)`` and, perhaps, ``backward(dy)`` (see ``docs/bring_your_own.md``).
        spec_layer: what it claims to be, e.g. ``model_spec.Conv2D(4, 3)``.
        input_shape: of one example, without the batch axis, channels last.
        batch: number of examples.
        seed: of inputs, variables and cotangent.
        layout: of the layer's images, "NHWC" or "NCHW".
        kernel_layout: "HWIO" or "OIHW", for Dense "IO" or "OI"; needed only where the kernel's shape fits both.
        style: "dicts", "books" or "keras"; None finds the variables by what the layer has.
        training: the mode; a Dropout layer's own mask is read off its output.
        backward: False judges the output alone, for layers that have a backward in the other mode only.
        dtypes: what the layer is fed, one precision or several.
        gradient_scale: "sum", or "mean" where the layer divides its parameter gradients by the batch size.
        with_keras: also run the real Keras layer, whose own error over the bound is shown beside.

    Raises:
        ValueError: the arguments do not fit the layer, or a variable cannot be found; says what was looked for. What
            the layer itself raises while it computes is reported as a BUG instead.
    """
    spec = ModelSpec("check_layer", input_shape, (spec_layer,))
    positive_integer("batch", batch)
    one_of("gradient_scale", gradient_scale, GRADIENT_SCALES)
    for name, value in (("training", training), ("backward", backward), ("with_keras", with_keras)):
        boolean(name, value)
    precisions = [floating_dtype(dtype).name for dtype in ((dtypes,) if isinstance(dtypes, str) else dtypes)]
    if not precisions:
        raise ValueError('dtypes is empty, so nothing would be judged; give at least one precision, such as "float64"')
    layer = AdaptedLayer(my_layer, spec.layers[0], spec.input_shape, layout, kernel_layout, style)
    report = LayerReport(
        layer=_described(my_layer, layer),
        claim=f"{spec.layers[0].describe()} on {spec.input_shape}",
        mode="training" if training else "inference",
    )
    if not backward:
        report.notes.append("only forward was judged, as asked for")
    elif getattr(spec.layers[0], "activation", None) == "step":
        backward = False
        report.notes.append("only forward was judged: the step activation has no useful derivative")
    elif not layer.has_backward:
        report.notes.append(f"only forward was judged: {type(my_layer).__name__} has no backward(dy)")
    check = LayerJudge(
        spec, layer, report, training, backward and layer.has_backward, batch * (gradient_scale == "mean")
    )
    given = LayerInputs.draw(spec, batch, seed)
    before = layer.snapshot()
    try:
        for dtype in precisions:
            layer.restore(before)  # what it made in one precision is not for the next
            check.run(given, dtype, with_keras)
    finally:
        layer.restore(before)
    return report


def _described(my_layer: Any, layer: AdaptedLayer) -> str:
    layouts = ", ".join(name for name in (layer.layout, layer.kernel_layout) if name)
    return f"{type(my_layer).__name__} ({layouts})"
