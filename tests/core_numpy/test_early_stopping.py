"""EarlyStoppingState on hand-made series: when it stops, which epoch is the best, which weights are kept."""

import math

import pytest

from core_numpy.callbacks import EarlyStoppingState
from model_spec import EarlyStopping

NAN = math.nan

# (rule, figures of each epoch, epoch in which it stops, best figure, best epoch, epochs whose weights are kept)
TABLE = {
    "getting better": (EarlyStopping(), [1.0, 0.9, 0.8], None, 0.8, 2, [0, 1, 2]),
    "no patience": (EarlyStopping(), [1.0, 0.9, 0.95, 0.5], 2, 0.9, 1, [0, 1]),
    "equal is not better": (EarlyStopping(), [1.0, 1.0, 0.5], 1, 1.0, 0, [0]),
    "first epoch never stops": (EarlyStopping(baseline=0.1), [1.0], None, 1.0, 0, [0]),
    "patience 1 is no patience": (EarlyStopping(patience=1), [1.0, 0.9, 0.95, 0.5], 2, 0.9, 1, [0, 1]),
    "patience 2": (EarlyStopping(patience=2), [1.0, 0.9, 0.95, 0.96, 0.5], 3, 0.9, 1, [0, 1]),
    "patience starts anew": (EarlyStopping(patience=2), [1.0, 1.1, 0.9, 1.1, 1.1, 0.5], 4, 0.9, 2, [0, 2]),
    "min_delta": (EarlyStopping(min_delta=0.1, patience=1), [1.0, 0.95, 0.5], 1, 1.0, 0, [0]),
    "min_delta against the best": (EarlyStopping(min_delta=0.1, patience=3), [1.0, 0.95, 0.88], None, 0.88, 2, [0, 2]),
    "negative min_delta": (EarlyStopping(min_delta=-0.1, patience=1), [1.0, 0.95, 0.5], 1, 1.0, 0, [0]),
    # Improving on the best but not on the baseline does not restart the count, and is not when it stops.
    "baseline missed": (EarlyStopping(patience=2, baseline=0.5), [1.0, 0.9, 0.8, 0.85], 3, 0.8, 2, [0, 1, 2]),
    "baseline reached": (EarlyStopping(patience=2, baseline=0.5), [0.4, 0.45, 0.46, 0.1], 2, 0.4, 0, [0]),
    "start_from_epoch": (EarlyStopping(start_from_epoch=2), [0.1, 0.2, 0.9, 0.8, 0.85], 4, 0.8, 3, [2, 3]),
    "start_from_epoch 1": (EarlyStopping(start_from_epoch=1, patience=2), [0.1, 0.9, 1.0, 1.1], 3, 0.9, 1, [1]),
    "accuracy": (EarlyStopping("val_accuracy"), [0.5, 0.6, 0.55], 2, 0.6, 1, [0, 1]),
    "mode max": (EarlyStopping(mode="max"), [0.5, 0.6, 0.55], 2, 0.6, 1, [0, 1]),
    "mode min": (EarlyStopping("accuracy", mode="min"), [0.5, 0.6], 1, 0.5, 0, [0]),
    "max with min_delta": (EarlyStopping("accuracy", min_delta=0.1), [0.5, 0.55], 1, 0.5, 0, [0]),
    "NaN is never better": (EarlyStopping(patience=2), [1.0, NAN, NAN, 0.5], 2, 1.0, 0, [0]),
    "NaN first": (EarlyStopping(patience=2), [NAN, 1.0, 0.9], None, 0.9, 2, [1, 2]),
    "only NaN": (EarlyStopping(patience=2), [NAN, NAN], 1, None, 0, []),
    "infinity first": (EarlyStopping(patience=2), [math.inf, 1.0], None, 1.0, 1, [0, 1]),
    # With restore_best_weights the first weights are kept whatever their figure, so that there is something to restore.
    "restore": (EarlyStopping(restore_best_weights=True), [1.0, 0.9, 0.95], 2, 0.9, 1, [0, 1]),
    "restore after NaN": (EarlyStopping(patience=3, restore_best_weights=True), [NAN, NAN, NAN], 2, None, 0, [0]),
    "restore, NaN then better": (
        EarlyStopping(patience=3, restore_best_weights=True),
        [NAN, 1.0, 1.1],
        None,
        1.0,
        1,
        [0, 1],
    ),
    "restore from a later epoch": (
        EarlyStopping(patience=2, restore_best_weights=True, start_from_epoch=1),
        [0.1, NAN, NAN],
        2,
        None,
        1,
        [1],
    ),
}


@pytest.mark.parametrize(
    ("rule", "series", "stopped", "best", "best_epoch", "kept"),
    TABLE.values(),
    ids=[name.replace(" ", "-") for name in TABLE],
)
def test_series(rule, series, stopped, best, best_epoch, kept):
    state = EarlyStoppingState(rule)
    found = []
    for epoch, value in enumerate(series):
        if state.update(epoch, value):
            found.append(epoch)
        if state.stopped_epoch is not None:
            break
    assert (state.stopped_epoch, state.best, state.best_epoch, found) == (stopped, best, best_epoch, kept)
