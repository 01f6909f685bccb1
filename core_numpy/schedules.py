"""Learning-rate schedules: the rate at a step, with Keras' formulas (keras/src/optimizers/schedules)."""

from __future__ import annotations

import math

from model_spec import schedules as rules


def learning_rate_at(rate: float | rules.Schedule, step: int) -> float:
    """The learning rate after ``step`` steps.

    >>> learning_rate_at(rules.ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5), 20)
    0.025
    """
    match rate:
        case rules.PiecewiseConstantDecay(boundaries, values):
            return values[sum(step > boundary for boundary in boundaries)]
        case rules.ExponentialDecay(initial, decay_steps, decay_rate, staircase):
            exponent = step // decay_steps if staircase else step / decay_steps
            return initial * decay_rate**exponent
        case rules.CosineDecay(initial, decay_steps, alpha):
            cosine = 0.5 * (1 + math.cos(math.pi * min(step, decay_steps) / decay_steps))
            return initial * ((1 - alpha) * cosine + alpha)
        case float() | int():
            return float(rate)
    raise ValueError(f"no schedule for {rate!r}; known are a number, {', '.join(rules.SCHEDULES)}")
