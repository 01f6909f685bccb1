"""The float64 truth of a model on one batch: its own weights, inputs and dropout masks, cast up."""

from __future__ import annotations

from typing import Any

import numpy as np

from bridge.judge.bounds import ExpectedGradients, RoundingModel
from core_numpy.contract import Array
from core_numpy.masks import keras_masks
from core_numpy.network import Network, Params
from model_spec import ModelSpec
from model_spec.losses import Loss


def truth_of(
    model: Any,
    x: Array,
    training: bool,
    network: Network | None = None,
    by_tiles: bool = False,
    by_moments: bool = False,
) -> RoundingModel:
    """Expected values, with their rounding errors, of a model with ``.spec``, ``.weights`` and ``.dtype`` on x.

    The layers are those of the specification, unless a network is given. ``by_tiles`` says that one of the judged
    models takes the gradients of convolutions by Winograd's tiles, ``by_moments`` that one may take a variance as the
    mean of squares less the square of the mean. Masks are those of the model's
    ``dropout_seed`` at its first call; nothing is rebuilt from other seeds.
    """
    params, state = as_float64(model.spec, model.weights)
    dtype = str(model.dtype)
    masks = keras_masks(model.dropout_seed, 0, stream_dtype=dtype) if training else None
    layers = Network.of(model.spec) if network is None else network
    return RoundingModel(layers, params, state, dtype, x.astype(np.float64), training, masks, by_tiles, by_moments)


def true_loss_gradients(truth: RoundingModel, y: Array, loss: Loss) -> ExpectedGradients:
    """Expected loss and gradients for checked targets y: classes, or rows of numbers."""
    return truth.loss_gradients(np.asarray(y, np.float64) if y.ndim > 1 else y, loss)


def as_float64(spec: ModelSpec, weights: dict[str, Array]) -> tuple[Params, Params]:
    """Weights as the network takes them, (params, state), cast up to float64."""
    return Network.of(spec).divide({name: np.asarray(value, np.float64) for name, value in weights.items()})


def random_cotangent(spec: ModelSpec, examples: int, seed: int, dtype: str) -> Array:
    """The cotangent of the output, (examples, *output shape), that a comparison with this seed pulls back."""
    random = np.random.default_rng([seed, 1])
    return random.standard_normal((examples, *spec.output_shape)).astype(dtype)
