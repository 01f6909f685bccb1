"""Where every random choice comes from: seeds of layers, batch order and splits, the same for every backend."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from model_spec.training import TrainingSpec


def layer_seed(seed: int, layer_index: int, purpose: str) -> int:
    """Seed of one layer's random values, derived from the model's seed.

    ``purpose`` is the name of a variable, such as "kernel", or "dropout". Two layers, or two purposes, never share a
    seed: layers with one seed would drop the same units.

    >>> layer_seed(7, 0, "kernel") != layer_seed(7, 1, "kernel")
    True
    """
    import hashlib  # takes as long to import as all of this package's small modules

    digest = hashlib.sha256(f"{seed}/{layer_index}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def steps_per_epoch(training: TrainingSpec, examples: int) -> int:
    """Batches in a full epoch; the last one may be smaller."""
    return -(-examples // training.batch_size)


def epoch_count(training: TrainingSpec, examples: int) -> int:
    """Epochs of the run, counting a last one that ``steps`` cuts short."""
    if training.steps is None:
        return training.epochs
    return -(-training.steps // steps_per_epoch(training, examples))


def batch_indices(training: TrainingSpec, examples: int, epoch: int) -> list[np.ndarray]:
    """Rows of each batch of one epoch (counted from 0), as integer arrays.

    Depends on ``training.seed`` and the epoch only, so that both backends, a resumed run and a re-run see the same.
    """
    random = np.random.default_rng([training.seed, epoch])
    steps = steps_per_epoch(training, examples)
    if training.steps is not None:
        steps = min(steps, training.steps - epoch * steps)
    if training.sampling == "with_replacement":
        return list(random.integers(examples, size=(steps, training.batch_size)))
    order = random.permutation(examples) if training.shuffle else np.arange(examples)
    size = training.batch_size
    return [order[start : start + size] for start in range(0, steps * size, size)]


def held_out(examples: int, share: float) -> int:
    """Rows, counted from the start, that stay for training when the last ``share`` is held out, as in Keras."""
    kept = int(examples * (1 - share))
    if share and not 0 < kept < examples:
        raise ValueError(
            f"validation_split={share:g} of {examples} examples leaves an empty part; "
            f"give more examples or another share"
        )
    return kept
