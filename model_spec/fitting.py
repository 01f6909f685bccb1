"""Guards on everything ``fit`` is given, shared by both backends so that both refuse the same with the same words."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_spec import losses
from model_spec.callbacks import Callback
from model_spec.inputs import check_inputs, floating_dtype, numeric, refuse_nonfinite
from model_spec.model import ModelSpec
from model_spec.outputs import final_activation
from model_spec.several import refuse_several_outputs
from model_spec.streams import held_out
from model_spec.targets import check_y
from model_spec.training import TrainingSpec
from model_spec.validation import non_negative_integer, real

Array = np.ndarray


def training_run(training: Any, compiled: TrainingSpec | None, overrides: dict[str, Any] | None = None) -> TrainingSpec:
    """The training run that ``fit`` was asked for, with its loss named.

    Args:
        training: a TrainingSpec, or None for what the model was compiled with, or for the defaults.
        compiled: what the model was compiled with, or None. Its loss serves a run that names none; a model that was
            not compiled takes cross-entropy.
        overrides: fields to replace, such as {"epochs": 3}.

    Raises:
        ValueError: for anything that is no TrainingSpec, and for fields it does not have.
    """
    if training is None:
        training = compiled or TrainingSpec()
    if not isinstance(training, TrainingSpec):
        raise ValueError(
            f"training must be a TrainingSpec, got {training!r}; write TrainingSpec(epochs=3), or give its fields by "
            f'name: fit(x, y, epochs=3, batch_size=32, optimizer="adam", loss="mse")'
        )
    training = training.replace(**(overrides or {}))
    if training.loss is not None:
        return training
    return training.replace(loss=losses.get(None if compiled is None else compiled.loss))


def compiled_run(optimizer: Any, loss: Any, metrics: Any) -> TrainingSpec:
    """What ``compile`` was given, as a training run; the accuracy is the one metric there is."""
    asked = [metrics] if isinstance(metrics, str) else list(metrics or ())
    unknown = [metric for metric in asked if metric not in ("accuracy", "acc")]
    if unknown:
        raise ValueError(f'metrics must be ["accuracy"] or None, got {unknown}; scikit-learn has others for predict(x)')
    return TrainingSpec(optimizer=optimizer, loss=loss)


def warn_of_logits(spec: ModelSpec, loss: losses.Loss, stacklevel: int = 3) -> None:
    """Warn where a cross-entropy takes the values of a linear output for probabilities and nobody has said it shall."""
    if getattr(loss, "from_logits", False) is None and final_activation(spec) == "linear":
        kind = type(loss).__name__
        warnings.warn(
            f"{kind} takes the output of model {spec.name!r} for probabilities, but it ends without softmax or "
            f"sigmoid: training on logits needs loss={kind}(from_logits=True); from_logits=False says that the "
            f"outputs are probabilities",
            UserWarning,
            stacklevel=stacklevel,
        )


def check_callbacks(callbacks: Any) -> tuple[Callback, ...]:
    """Return the callbacks, none for None, or say what stands among them that is none."""
    found = () if callbacks is None else (callbacks,) if isinstance(callbacks, Callback) else tuple(callbacks)
    for callback in found:
        if not isinstance(callback, Callback):
            raise ValueError(
                f"callbacks must be objects of model_spec.Callback, which both backends take, got {callback!r}; "
                f"derive it from model_spec.Callback, or give a function to model_spec.EpochHook"
            )
    return found


def check_verbose(verbose: Any) -> bool:
    """Return whether each epoch shall be reported: 0 is silent; 1, 2 and "auto" are one line an epoch."""
    if verbose == "auto" or (isinstance(verbose, int) and verbose in (0, 1, 2)):
        return bool(verbose)
    raise ValueError(f'verbose must be 0, 1, 2 or "auto", got {verbose!r}')


def check_sample_weight(sample_weight: Any, class_weight: Any, y: Array, dtype: Any, classes: int) -> Array | None:
    """Return one weight per example, from ``sample_weight``, from ``class_weight`` ({class: weight}), or None.

    ``classes`` is the number of classes the network tells apart.
    """
    if sample_weight is not None and class_weight is not None:
        raise ValueError("give sample_weight or class_weight, not both (Keras refuses both)")
    if sample_weight is not None:
        weights = numeric("sample_weight", sample_weight)
        if weights.shape != (len(y),):
            raise ValueError(f"sample_weight must have shape ({len(y)},), got {weights.shape}")
        refuse_nonfinite("sample_weight", weights)
        return weights.astype(floating_dtype(dtype))
    if class_weight is None:
        return None
    if not isinstance(class_weight, dict):
        raise ValueError(f"class_weight must be a dict such as {{0: 1.0, 1: 2.0}}, got {class_weight!r}")
    labels = y if y.ndim == 1 else y.argmax(axis=1)
    clean = {
        non_negative_integer("a class of class_weight", label): real(f"class_weight[{label}]", weight)
        for label, weight in class_weight.items()
    }
    beyond = [label for label in clean if label >= classes]
    if beyond:
        raise ValueError(f"class_weight names classes {beyond}, but labels are 0..{classes - 1}; leave them out")
    table = np.ones(max(int(labels.max()) + 1, classes), dtype=floating_dtype(dtype))
    for label, weight in clean.items():
        table[label] = weight
    weights = np.asarray(table[labels])
    return weights


@dataclass(frozen=True)
class FitData:
    """Checked data of one training run."""

    x: Array
    y: Array
    sample_weight: Array | None
    validation: tuple[Array, Array] | None


_ROWS_THAT_TELL = 20
"""So many rows of one class in a row are no chance where there are two classes of equal size."""


def _warn_of_missing_classes(y: Array, kept: int, loss: losses.Loss) -> None:
    """Sorted data, cut as Keras cuts them, leave classes that are never trained on."""
    if not losses.has_accuracy(loss) or not (y.ndim == 1 or y.shape[-1] > 1):
        return
    labels = y if y.ndim == 1 else y.argmax(axis=-1)
    trained, judged = np.unique(labels[:kept]), np.unique(labels[kept:])
    missing = [int(label) for label in judged if label not in trained]
    rows = f"the last {len(labels) - kept} of {len(labels)} rows, which validation_split holds out,"
    if missing:
        problem = f"{rows} hold classes {', '.join(map(str, missing[:10]))}, which no other row has: never trained on"
    elif len(judged) == 1 and len(trained) > 1 and len(labels) - kept >= _ROWS_THAT_TELL:
        problem = f"{rows} are all of class {int(judged[0])}"
    else:
        return
    warnings.warn(f"{problem}; shuffle the rows first, or give validation_data", UserWarning, stacklevel=4)


def check_fit(
    spec: ModelSpec,
    training: TrainingSpec,
    x: Any,
    y: Any,
    dtype: Any,
    validation_data: tuple[Any, Any] | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
) -> FitData:
    """Check everything ``fit`` is given, and split off the validation part where the training run asks for it."""
    refuse_several_outputs(spec, "training")
    loss = losses.get(training.loss)
    warn_of_logits(spec, loss, stacklevel=4)
    x = check_inputs(x, spec, dtype)
    y = check_y(y, len(x), spec.output_shape, loss, dtype)
    # One output tells two classes apart
    weights = check_sample_weight(sample_weight, class_weight, y, dtype, max(spec.output_shape[-1], 2))
    validation = None
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
            raise ValueError("validation_data must be a pair (x, y)")
        x_val = check_inputs(validation_data[0], spec, dtype, name="validation x")
        y_val = check_y(
            validation_data[1],
            len(x_val),
            spec.output_shape,
            loss,
            dtype,
            name="validation y",
        )
        validation = (x_val, y_val)
    elif training.validation_split:
        kept = held_out(len(x), training.validation_split)
        _warn_of_missing_classes(y, kept, loss)
        validation = (x[kept:], y[kept:])
        x, y = x[:kept], y[:kept]
        weights = None if weights is None else weights[:kept]
    stopping = training.early_stopping
    if stopping is not None and stopping.monitor.startswith("val_") and validation is None:
        raise ValueError(
            f"early stopping watches {stopping.monitor!r}, but there is no validation data; "
            f"give validation_data=(x, y), validation_split, or monitor='loss'"
        )
    if stopping is not None and stopping.monitor.endswith("accuracy") and not losses.has_accuracy(loss):
        raise ValueError(
            f"early stopping watches {stopping.monitor!r}, but {type(loss).__name__} has no accuracy; "
            f"use monitor='val_loss' or 'loss'"
        )
    return FitData(x, y, weights, validation)
