"""Options of an optimizer's claim that are left out, and others that are used: (formula, first slot, claim, words)."""

from core_numpy.optimizers import OptimizerState
from model_spec import SGD, Adam, AdamW, Nadam, RMSprop
from tests.bridge.slips.optimizers import ADAM, DECAYED, MOMENTUM, adam_form, momentum, rmsprop_form


class Of:
    """An optimizer with a rule of this project, as somebody else's."""

    def __init__(self, rule):
        self.rule, self.state = rule, None

    def update(self, params, grads):
        self.state = self.state or OptimizerState.start(self.rule, params)
        self.state.step(params, grads)


def plain(rate=0.1):
    return lambda w, g: w - rate * g


def of_pytorch(l2=0.0, decay=0.0, rate=0.1):
    """SGD with momentum: the decay is in the gradient, the rate outside the momentum."""

    def formula(w, g, m, _, t):
        g = g + l2 * w
        w *= 1 - decay
        m[...] = 0.9 * m + g
        w -= rate * m

    return formula


def adam_of_pytorch(l2=0.0, eps=1e-8):
    """It decays within the gradient, as torch.optim.Adam does."""
    return lambda w, g, m, v, t: adam_form(rate=0.1, eps=eps, after=True)(w, g + l2 * w, m, v, t)


W, AMS, PYTORCH = (
    AdamW(0.1, weight_decay=0.01),
    Adam(0.1, amsgrad=True),
    "Adam epsilon after the correction (PyTorch, the",
)
NESTEROV, CENTERED, EIGHT = SGD(0.1, momentum=0.9, nesterov=True), RMSprop(0.1, centered=True), "epsilon 1e-08 in place"
RMS_OF_PYTORCH = (
    "RMSprop epsilon outside the root (PyTorch) and epsilon 1e-08 in place of 1e-07 and rho 0.99 in place of"
)
OPTIONS = [
    (Of(Adam(0.1)), None, W, "the weight decay of 0.01 is ignored"),
    (adam_of_pytorch(), 0, W, f"the weight decay of 0.01 is ignored; and {PYTORCH} paper) and {EIGHT} of 1e-07"),
    (Of(Nadam(0.01)), None, Nadam(0.01, weight_decay=0.1), "the weight decay of 0.1 is ignored"),
    (plain(), None, SGD(0.1, weight_decay=0.01), "the weight decay of 0.01 is ignored"),
    (plain(), None, SGD(0.1, clipnorm=0.5), "clipping each gradient to a norm of 0.5 is ignored"),
    (plain(), None, SGD(0.1, clipnorm=50), "clipping each gradient to a norm of 50 is ignored"),
    (plain(), None, SGD(0.1, clipvalue=0.5), "clipping by value to 0.5 is ignored"),
    (
        lambda params, grads: {name: params[name] - 0.1 * grads[name] for name in params},
        None,
        SGD(0.1, global_clipnorm=0.5),
        "clipping all gradients together to a norm of 0.5 is ignored",
    ),
    (
        plain(),
        None,
        SGD(0.1, clipvalue=0.5, weight_decay=0.01),
        "the weight decay of 0.01 is ignored, and clipping by value to 0.5 is ignored",
    ),
    (
        plain(0.05),
        None,
        SGD(0.1, clipvalue=0.5),
        "clipping by value to 0.5 is ignored; and learning rate 0.05 in place of 0.1",
    ),
    (Of(Adam(0.1)), None, AMS, "amsgrad is ignored"),
    (Of(AMS), None, Adam(0.1), "it uses amsgrad, which is not claimed"),
    (Of(RMSprop(0.1)), None, CENTERED, "centered is ignored"),
    (Of(CENTERED), None, RMSprop(0.1), "it uses centered, which is not claimed"),
    (Of(NESTEROV), None, MOMENTUM, "it looks ahead (Nesterov), plain momentum is claimed"),
    (momentum(), 0, NESTEROV, "Nesterov flag ignored (plain momentum)"),
    (Of(MOMENTUM), None, SGD(0.1), "it has a momentum of 0.9, none is claimed"),
    (
        Of(SGD(0.1, clipvalue=0.5)),
        None,
        SGD(0.1),
        "clipping by value to 0.5 where none is claimed",
    ),
    (momentum(), 0, DECAYED, "the weight decay of 0.01 is ignored"),
    (
        momentum(),
        0,
        SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01, clipvalue=0.5),
        "clipping by value to 0.5 is ignored; and Nesterov flag ignored (plain momentum) and the weight decay of "
        "0.01 is ignored",
    ),
    (of_pytorch(), 0, DECAYED, "the weight decay of 0.01 is ignored"),
    (
        of_pytorch(l2=0.01),
        0,
        DECAYED,
        "the weight decay of 0.01 is added to the gradient, an L2 penalty, where it is decoupled",
    ),
    (
        adam_of_pytorch(l2=0.01),
        0,
        W,
        f"{PYTORCH} paper) and the weight decay of 0.01 is added to the gradient, an L2 penalty, where it is decoupled "
        f"and {EIGHT} of 1e-07",
    ),
    (
        of_pytorch(decay=0.01),
        0,
        DECAYED,
        "weight decay 0.1 in place of 0.01, or it is not multiplied by the learning rate",
    ),
    (rmsprop_form(rho=0.99, eps=1e-8, outside=True), 0, RMSprop(0.01), f"{RMS_OF_PYTORCH} 0.9"),
    (adam_form(rate=0.001, eps=1e-8, after=True), 0, Adam(0.001), f"{PYTORCH} paper) and {EIGHT} of 1e-07"),
    (adam_form(eps=1e-15, after=True), 0, ADAM, "epsilon below 1e-11 in place of 1e-07"),
]
"""These words are all that is said."""
