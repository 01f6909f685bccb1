"""What gives no number at large logits: the exponential, or the logarithm of a probability that rounds to 0."""

from __future__ import annotations

import numpy as np

from bridge.outside.loss_calling import LossCalling
from core_numpy.contract import Array
from model_spec import losses as rules


def overflow_in_words(rule: rules.Loss, calling: LossCalling, logits: Array, targets: Array) -> str:
    """The cause, found by feeding logits where only one of the two can fail, with the form that helps.

    Args:
        rule: a cross-entropy.
        calling: the loss, which gave NaN at logits of +-1000.
        logits: random ones, (n, outputs).
        targets: in the form the loss takes.
    """
    softmaxed = isinstance(rule, rules.CategoricalCrossentropy)
    # Nearly equal logits of 1000: exp(z) overflows, no share is 0. Logits of +-100: exp does not, sigmoid rounds to 1
    fed = logits + 1000 if softmaxed else np.sign(logits) * 100
    with np.errstate(all="ignore"):
        value, gradient = calling(fed, targets)
    parts = [np.asarray(part, np.float64) for part in (value, gradient) if part is not None]
    finite = all(np.isfinite(part).all() for part in parts)
    if softmaxed:
        advice = "take z - max(z) - log(sum(exp(z - max(z)))) for the logarithm of softmax"
        rounds = "a probability that rounds to 0 has no logarithm, and 0 times it is no number"
    else:
        advice = "take max(z, 0) - z t + log(1 + exp(-|z|)) for the loss of a sigmoid's logits"
        rounds = "a probability that rounds to 0 or 1 makes log(p) or log(1 - p) infinite, and 0 times it is no number"
    return f"{rounds if finite == softmaxed else 'exp overflows'}: {advice}"
