"""check_layer: holds one foreign layer against its specification, forward and backward, within derived bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.outside.adapters import AdaptedLayer
from bridge.outside.calling import CALLS, FORWARD, in_order
from bridge.outside.dropped_units import examples_that_show
from bridge.outside.external_variables import unclaimed_bias
from bridge.outside.layer_inputs import LayerInputs
from bridge.outside.layer_report import LayerReport
from bridge.outside.layer_stages import Stages
from bridge.outside.taken import need_claim, need_own
from bridge.outside.tensors import as_layer
from bridge.outside.warm_up import (
    LAZY,
    find_the_batch,
    finds_pullback,
    hint_of_layout,
    overwrites_its_variables,
    warmed_up,
)
from model_spec import Dropout, LayerSpec, ModelSpec
from model_spec.entries import known_entries
from model_spec.inputs import floating_dtype
from model_spec.shapes import Shape
from model_spec.validation import boolean, non_negative_integer, one_of, positive_integer

GRADIENT_SCALES = ("sum", "mean")


def check_layer(
    my_layer: Any,
    spec_layer: LayerSpec,
    input_shape: Shape,
    *,
    batch: int = 4,
    seed: int = 0,
    layout: str = "NHWC",
    kernel_layout: str | Sequence[str] | None = None,
    style: str | None = None,
    training: bool = False,
    backward: bool = True,
    dtypes: str | Sequence[str] = ("float64", "float32"),
    gradient_scale: str = "sum",
    with_keras: bool = False,
    x: Any = None,
    edges: bool = True,
    names: Mapping[str, str] | None = None,
    call: Mapping[str, Callable[..., Any]] | None = None,
    hints: int = 2,
    accumulates: bool = False,
) -> LayerReport:
    """Judge a layer by what its specification says it computes: output, gradient of x and of every parameter.

    A copy of the layer gets random inputs and random values for every variable, and its backward a random cotangent.
    Where it agrees there, everyday and edge inputs follow that tell something about this layer: ties, zeros, large
    logits, images that are not square, one example, a second call. Kinks and ties are open to any valid choice. What
    was tried is in the report; nothing is certified beyond it. An array the layer holds keeps its dtype; a layer that
    computes in float64 while fed float32 is judged by the float32 bound.

    Where it differs, the cause is looked for: conventions of other frameworks, frequent slips, constants (solved for),
    and two of them at once.

    Args:
        my_layer: an object with ``forward(x)`` and, perhaps, ``backward(dy)``, under these or other common names (see
            ``docs/bring_your_own.md``).
        spec_layer: what it claims to be, e.g. ``model_spec.Conv2D(4, 3)``.
        input_shape: of one example, without the batch axis, channels last.
        batch: number of examples; more of a Dropout in training, where these may lose all their units.
        seed: of inputs, variables and cotangent.
        layout: of the layer's images, "NHWC" or "NCHW"; "columns" where an example is a column, (features, examples).
        kernel_layout: "HWIO", "OIHW", "IOHW" or "OHWI", for Dense "IO" or "OI"; needed only where the kernel's shape
            fits several.
        style: "dicts", "books" or "keras"; None finds the variables by what the layer has.
        training: the mode; a Dropout layer's own mask is read off its output.
        backward: False judges the output alone, for layers that have a backward in the other mode only.
        dtypes: what the layer is fed, one precision or several.
        gradient_scale: "sum", or "mean" where the layer divides its parameter gradients by the batch size.
        with_keras: also run the real Keras layer, whose own error over the bound is shown beside.
        x: inputs of your own, (examples, *input shape), judged besides.
        edges: False leaves out the everyday and edge inputs.
        names: what the layer calls things: {"forward": "fwd", "backward": "bwd", "kernel": "theta",
            "gradient of kernel": "g"}; "holder.key" for an entry of a dict or list.
        call: {"forward": function of (layer, x, training), "backward": function of (layer, dy)} for everything else.
        hints: how much the report says of what is wrong: 1 where, 2 also what, 3 also how it should be.
        accumulates: True where backward adds to the gradients on purpose and the caller sets them to zero; known by
            itself of layers with a ``zero_grad``.

    Raises:
        ValueError: the arguments do not fit the layer, or a variable cannot be found; says what was looked for. What
            the layer itself raises while it computes is reported as a BUG instead.

    Examples:
        >>> class Relu:
        ...     def forward(self, x):
        ...         self.mask = x > 0
        ...         return x * self.mask
        ...     def backward(self, dy):
        ...         return dy * self.mask
        >>> from model_spec import Activation
        >>> report = check_layer(Relu(), Activation("relu"), input_shape=(5,))
        >>> report.passed
        True
    """
    in_order(my_layer, spec_layer, LayerSpec, "check_layer(my_layer, Dense(5), input_shape)")
    need_claim("spec_layer", spec_layer, LayerSpec, "Dense(5)")
    if "forward" not in known_entries("call", call, CALLS):
        need_own("my_layer", my_layer, FORWARD, "an object with forward(x), or a function of x")
    spec = _of_one_layer(spec_layer, input_shape)
    positive_integer("batch", batch)
    non_negative_integer("seed", seed)
    one_of("gradient_scale", gradient_scale, GRADIENT_SCALES)
    if hints not in (1, 2, 3):
        raise ValueError(f"hints must be 1 (where), 2 (what) or 3 (how), got {hints!r}")
    flags = {"training": training, "backward": backward, "with_keras": with_keras, "edges": edges}
    for name, value in {**flags, "accumulates": accumulates}.items():
        boolean(name, value)
    precisions = [floating_dtype(dtype).name for dtype in ((dtypes,) if isinstance(dtypes, str) else dtypes)]
    if not precisions:
        raise ValueError('dtypes is empty, so nothing would be judged; give at least one precision, such as "float64"')
    if isinstance(spec.layers[0], Dropout) and training:
        batch = max(batch, examples_that_show(spec.layers[0], spec.input_shape))
    given = LayerInputs.draw(spec, batch, seed)
    notes: list[str] = []
    options = (spec.layers[0], spec.input_shape, layout, kernel_layout, style, names, call)
    my_layer = as_layer(my_layer)
    layer = _adapted(my_layer, options, given, spec, notes)
    layer.calling.pulls = finds_pullback(layer, given.x)
    layer.told_to_accumulate = accumulates
    report = LayerReport(
        layer=_described(my_layer, layer),
        claim=f"{spec.layers[0].describe()} on {spec.input_shape}",
        mode="training" if training else "inference",
        notes=notes,
        hints=hints,
        spec_layer=spec.layers[0],
    )
    if not backward:
        report.notes.append("only forward was judged, as asked for")
    elif getattr(spec.layers[0], "activation", None) == "step":
        backward = False
        report.notes.append("only forward was judged: the step activation has no useful derivative")
    elif not layer.has_backward:
        report.notes.append(f"only forward was judged: {type(my_layer).__name__} has no backward(dy)")
    bias = None
    if getattr(spec.layers[0], "use_bias", None) is False:
        bias = unclaimed_bias(my_layer, spec.output_shape[-1])
    if bias is not None:
        report.notes.append(f"its bias {bias} stayed as it is and was not judged: the claim has use_bias=False")
    if spec.layers[0].state_shapes(spec.input_shape) and not training:
        report.left_out.append("what a training step makes of the moving statistics: judge it with training=True")
    averaged = gradient_scale == "mean"
    check = Stages(spec, layer, report, training, backward and layer.has_backward, averaged, precisions, seed)
    hint = hint_of_layout(layer, given.weights, given.x, spec.output_shape)
    if hint is not None:
        report.explanations, report.searched = [hint], True
    before = layer.snapshot()
    try:
        check.random_points(given, with_keras)
        if x is not None:
            check.own_inputs(x, given)
        if edges:
            check.edges(given)
    finally:
        layer.restore(before)
    if report.broken and not report.explanations and len(spec.input_shape) > 1 and hints > 1:
        trial: dict[str, Any] = {"layout": layout, "kernel_layout": kernel_layout, "style": style}
        trial |= {"training": training, "backward": backward, "gradient_scale": gradient_scale}
        trial |= {"names": names, "call": call, "accumulates": accumulates, "batch": batch, "seed": seed}
        if _is_right_on(spec.input_shape[1:], my_layer, spec_layer, trial):
            words = f"it is right on {spec.input_shape[1:]}: input_shape is that of one example, without the batch axis"
            report.explanations.append(words)
    return report


def _of_one_layer(claim: LayerSpec, input_shape: Shape) -> ModelSpec:
    """The claim as a model of one layer; where it takes the shape without its first axis alone, that is said."""
    try:
        return ModelSpec("check_layer", input_shape, (claim,))
    except ValueError as error:
        try:
            ModelSpec("check_layer", input_shape[1:], (claim,))
        except (ValueError, TypeError, KeyError):
            raise error from None
        raise ValueError(
            f"{error}; input_shape is that of one example, without the batch axis: {tuple(input_shape[1:])}"
        ) from None


def _is_right_on(shape: Shape, my_layer: Any, claim: LayerSpec, options: dict[str, Any]) -> bool:
    try:
        return check_layer(my_layer, claim, shape, hints=1, edges=False, dtypes="float64", **options).passed
    except Exception:  # whatever it raises on another shape, the report has its finding
        return False


def _adapted(
    my_layer: Any, options: tuple[Any, ...], given: LayerInputs, spec: ModelSpec, notes: list[str]
) -> AdaptedLayer:
    """The layer behind Keras' names, run once before where it makes its variables at the first forward."""
    claim, input_shape, layout, kernel_layout, style, names, call = options

    def adapt(layer: Any) -> AdaptedLayer:
        return AdaptedLayer(layer, claim, input_shape, layout, kernel_layout, style, names, call)

    def warm() -> Any | None:
        named = names.get("forward") if isinstance(names, Mapping) else None
        forward = named if isinstance(named, str) else FORWARD[0]
        forward = forward if hasattr(my_layer, forward) else next((n for n in FORWARD if hasattr(my_layer, n)), forward)
        return warmed_up(my_layer, given.x, layout, lambda layer: getattr(layer, forward))

    try:
        layer = adapt(my_layer)
    except ValueError as error:
        trial = warm()
        if trial is None:
            raise
        try:
            layer = adapt(trial)
        except ValueError:
            raise error from None
        notes.append(f"{type(my_layer).__name__} {LAZY}")
        return layer
    if not overwrites_its_variables(layer, given.weights, given.x):
        way = find_the_batch(layer, given.weights, given.x, spec.output_shape)
        notes += [] if way is None else [f"{type(my_layer).__name__}: {way}"]
        return layer
    trial = warm()
    if trial is not None:
        notes.append(f"{type(my_layer).__name__} {LAZY}")
        return adapt(trial)
    return layer


def _described(my_layer: Any, layer: AdaptedLayer) -> str:
    layouts = ", ".join(name for name in (layer.layout, layer.kernel_layout) if name)
    return f"{type(my_layer).__name__} ({layouts})"
