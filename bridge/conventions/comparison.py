"""The judge's comparisons with the conventions that may explain a difference: what ``bridge`` offers."""

from __future__ import annotations

from functools import partial, update_wrapper

from bridge.conventions.explain import explain, explain_gradients
from bridge.judge import backends, comparison

compare = update_wrapper(partial(backends.compare, explain=explain), backends.compare)
_compare_models = partial(comparison.compare_models, explain=explain, explain_gradients=explain_gradients)
compare_models = update_wrapper(_compare_models, comparison.compare_models)
