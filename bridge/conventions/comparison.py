"""The judge's comparisons with the conventions that may explain a difference: what ``bridge`` offers."""

from __future__ import annotations

from functools import partial, update_wrapper

from bridge.conventions.explain import explain
from bridge.judge import comparison

compare = update_wrapper(partial(comparison.compare, explain=explain), comparison.compare)
compare_models = update_wrapper(partial(comparison.compare_models, explain=explain), comparison.compare_models)
