"""Runs a network by its plans: inference, and the loss with its gradients, for any batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core_numpy import metrics
from core_numpy.contract import Array
from core_numpy.engine.layout import Layout
from core_numpy.engine.plan import Plan
from core_numpy.engine.shards import Workers, chunk_bounds, in_order, shard_bounds, usable_threads
from core_numpy.layers.activation import Activation
from core_numpy.layers.conv2d import Conv2D
from core_numpy.layers.dropout import Dropout
from core_numpy.losses import LossFunction, mean_loss
from core_numpy.masks import MaskSources
from core_numpy.network import Network, Params
from model_spec import losses as loss_rules

SHARDS = 2
"""Parts a batch of images is split into; the gradients' last bits depend on it, and on nothing else."""

FEW_IMAGES = 4
"""Up to so many images are run batch first: there are too few to fill the innermost axis."""

_PANEL_BYTES = 4 << 20
_LEAST_CHUNK, _LARGEST_CHUNK = 32, 128
_ROWS_AT_ONCE = 1024
_PLANS = 8


@dataclass(frozen=True)
class BatchResult:
    """What one batch gave.

    Attributes:
        loss: mean over the batch, without penalties.
        gradients: {layer: {variable: gradient}} of the trainable layers.
        correct: right predictions, or None where the loss has no notion of right.
        state: moving statistics after the batch.
        inputs: gradient of x, where it was asked for.
    """

    loss: float
    gradients: dict[str, dict[str, Array]]
    correct: Array | None
    state: Params
    inputs: Array | None = None


class Runner:
    """The plans of one network in one precision, made when first needed and kept."""

    def __init__(self, network: Network, dtype: str, threads: int | None = None, shards: int = SHARDS) -> None:
        self.network = network
        self.dtype = np.dtype(dtype)
        self.has_images = any(isinstance(step.layer, Conv2D) for step in network.steps)
        self.shards = shards
        self.workers = Workers(min(threads or usable_threads(), shards))
        self.chunk = chunk_size(network, self.dtype) if self.has_images else _ROWS_AT_ONCE
        self.plans: OrderedDict[tuple[int, int, bool, bool], Plan] = OrderedDict()
        count = len(network.steps)
        trained = (
            at
            for at, step in enumerate(network.steps)
            if not step.is_activation
            and network.spec.layers[step.index].trainable
            and network.spec.layers[step.index].name
            in {name.partition("/")[0] for name in network.spec.parameter_shapes}
        )
        self.first_trained = next(trained, count)

    def _plan(self, shard: int, examples: int, training: bool) -> Plan:
        """The plan of this shard for chunks of this size; the least recently used one makes room."""
        batch_last = self.has_images and (training or examples > FEW_IMAGES)
        key = (shard, examples, training, batch_last)
        if key not in self.plans:
            while len(self.plans) >= _PLANS:
                self.plans.popitem(last=False)
            self.plans[key] = Plan(self.network, Layout(batch_last), examples, self.dtype, training)
        self.plans.move_to_end(key)
        return self.plans[key]

    def infer(self, params: Params, state: Params, x: Array) -> Array:
        """The network's output in inference mode, (n, ...) -> (n, *output shape)."""
        result = np.empty((len(x), *self.network.spec.output_shape), self.dtype)
        shards = self.shards if self.has_images and len(x) > FEW_IMAGES else 1
        bounds = shard_bounds(len(x), shards)
        work = [list(chunk_bounds(*shard, self.chunk)) for shard in bounds]
        plans = [
            {stop - start: self._plan(at, stop - start, False) for start, stop in own} for at, own in enumerate(work)
        ]

        def run(at: int) -> None:
            for plan in plans[at].values():
                plan.begin(params, state)
            for start, stop in work[at]:
                np.copyto(result[start:stop], plans[at][stop - start].forward(x[start:stop]))

        self.workers.run(run, len(work))
        return result

    def loss_and_gradients(
        self,
        params: Params,
        state: Params,
        x: Array,
        y: Array,
        rule: loss_rules.Loss,
        function: LossFunction,
        fused: int,
        masks: MaskSources | None = None,
        training: bool = True,
        sample_weight: Array | None = None,
        need_dx: bool = False,
    ) -> BatchResult:
        """The mean loss over the batch and the gradients of it.

        Args:
            params, state: variables.
            x, y: the checked batch.
            rule: the loss, for what counts as right.
            function: gives (losses, gradients) from what stands in front of the last ``fused`` steps.
            fused: steps at the end that the loss takes care of itself.
            masks: sources of the dropout masks, in training.
            training: whether batch statistics and dropout are on.
            sample_weight: one weight per example, or None.
            need_dx: whether the gradient of x is wanted.
        """

        def pull(rows: slice, output: Array, finish: Callable[[], Array]) -> tuple[float, Array, Array | None]:
            weights = None if sample_weight is None else sample_weight[rows]
            per_example, gradients = function(output, y[rows])
            value, gradient = mean_loss(per_example, gradients, len(x), weights)
            is_categorical = isinstance(rule, loss_rules.CategoricalCrossentropy)
            return value, gradient, metrics.correct(output if is_categorical else finish(), y[rows], rule)

        return self._pull_back(params, state, x, pull, fused, masks, training, need_dx)

    def pullback(
        self, params: Params, state: Params, x: Array, cotangent: Array, masks: MaskSources | None, training: bool
    ) -> BatchResult:
        """Gradients of sum(cotangent * output)."""

        def pull(rows: slice, output: Array, finish: Callable[[], Array]) -> tuple[float, Array, Array | None]:
            return 0.0, cotangent[rows], None

        return self._pull_back(params, state, x, pull, 0, masks, training, need_dx=True)

    def _pull_back(
        self,
        params: Params,
        state: Params,
        x: Array,
        pull: Callable[[slice, Array, Callable[[], Array]], tuple[float, Array, Array | None]],
        fused: int,
        masks: MaskSources | None,
        training: bool,
        need_dx: bool,
    ) -> BatchResult:
        whole = not self.has_images or (training and self.network.couples_examples)
        bounds = shard_bounds(len(x), 1 if whole else self.shards)
        work = [list(chunk_bounds(*shard, len(x) if whole else self.chunk)) for shard in bounds]
        plans = [
            {stop - start: self._plan(at, stop - start, True) for start, stop in own} for at, own in enumerate(work)
        ]
        keep = self._keep_masks(masks, len(x)) if training else {}
        inputs = np.empty_like(x) if need_dx else None
        count = len(self.network.steps)
        last, first = count - fused, 0 if need_dx else self.first_trained

        def run(at: int) -> tuple[float, list[Array | None]]:
            value, correct = 0.0, []
            for plan in plans[at].values():
                plan.begin(params, state, training)
            for start, stop in work[at]:
                rows, plan = slice(start, stop), plans[at][stop - start]
                plan.take_masks({index: mask[rows] for index, mask in keep.items()})
                output = plan.forward(x[rows], last)
                cost, gradient, right = pull(rows, output, lambda plan=plan: plan.finish(last))
                dx = plan.backward(gradient, last, first, need_dx)
                if inputs is not None and dx is not None:
                    np.copyto(inputs[rows], plan.layout.to_rows(dx))
                value += cost
                correct.append(right)
            return value, correct

        results = self.workers.run(run, len(work))
        rights = [right for _, correct in results for right in correct if right is not None]
        parts = [self._gradients(list(own.values())) for own in plans]
        spec = self.network.spec
        trainable = {str(layer.name) for layer in spec.layers if layer.trainable}
        total = {layer: own for layer, own in in_order(parts).items() if layer in trainable}
        new_state = next(iter(plans[0].values())).next_state(state) if training else state
        return BatchResult(
            sum(value for value, _ in results), total, np.concatenate(rights) if rights else None, new_state, inputs
        )

    @staticmethod
    def _gradients(plans: list[Plan]) -> dict[str, dict[str, Array]]:
        """Sum of the gradients of one shard's plans: that of the full chunks, and that of the remainder."""
        return in_order([plan.gradients() for plan in plans])

    def _keep_masks(self, masks: MaskSources | None, examples: int) -> dict[int, Array]:
        """The whole batch's mask of every Dropout layer, by its position in the specification."""
        keep = {}
        for step in self.network.steps:
            if isinstance(step.layer, Dropout) and step.layer.spec.rate > 0:
                if masks is None:
                    raise ValueError("Dropout in training needs a source of masks; give masks=keras_masks(seed, call)")
                shape = (examples, *self.network.spec.input_shapes[step.index])
                keep[step.index] = masks(step.index).keep_mask(shape, step.layer.spec.rate, self.dtype)
        return keep


def chunk_size(network: Network, dtype: np.dtype) -> int:
    """Examples a chunk: as many as keep the largest convolution's panel within a few MiB of cache."""
    largest = 1
    for step in network.steps:
        if isinstance(step.layer, Conv2D):
            height, width, channels = network.spec.input_shapes[step.index]
            windows = step.layer.windows(np.empty((1, height, width, 0)))
            largest = max(largest, windows.output[0] * width * (windows.window[0] * channels + 1) * dtype.itemsize)
    chunk = _LEAST_CHUNK
    while chunk < _LARGEST_CHUNK and 2 * chunk * largest <= _PANEL_BYTES:
        chunk *= 2
    return chunk


def last_fused(network: Network) -> str | None:
    """The last activation, where it is plainly the last step: what a fused loss looks at.

    None behind a trailing dropout or linear activation, whose logits Keras finds in another way.
    """
    last = network.steps[-1].layer
    return last.spec.activation if isinstance(last, Activation) else None
