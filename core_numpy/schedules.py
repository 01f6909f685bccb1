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
        case rules.InverseTimeDecay(initial, decay_steps, decay_rate, staircase):
            return initial / (1 + decay_rate * (step // decay_steps if staircase else step / decay_steps))
        case rules.PolynomialDecay(initial, decay_steps, end, power, cycle):
            length = decay_steps * max(math.ceil(step / decay_steps), 1) if cycle else decay_steps
            return (initial - end) * (1 - min(step, length) / length) ** power + end
        case rules.CosineDecay(initial, decay_steps, alpha, target, warmup_steps):
            if target is not None and step < warmup_steps:
                return (target - initial) * step / warmup_steps + initial
            highest, done = (initial, step) if target is None else (target, step - warmup_steps)
            cosine = 0.5 * (1 + math.cos(math.pi * min(done, decay_steps) / decay_steps))
            return highest * ((1 - alpha) * cosine + alpha)
        case float() | int():
            return float(rate)
    raise ValueError(f"no schedule for {rate!r}; known are a number, {', '.join(rules.SCHEDULES)}")
