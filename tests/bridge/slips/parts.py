"""Plain layers in which any formula can be exchanged, to plant slips in."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


class Affine:
    """y = x W + b."""

    def __init__(self, y=None, dW=None, db=None, dx=None, inputs=6, units=5):
        self.W, self.b = np.zeros((inputs, units)), np.zeros(units)
        self.y = y or (lambda x, W, b: x @ W + b)
        self.of_W = dW or (lambda x, dy, W, b: x.T @ dy)
        self.of_b = db or (lambda x, dy, W, b: dy.sum(axis=0))
        self.of_x = dx or (lambda x, dy, W, b: dy @ W.T)

    def forward(self, x):
        self.x = x
        return self.y(x, self.W, self.b)

    def backward(self, dy):
        given = self.x, dy, self.W, self.b
        self.dW, self.db = self.of_W(*given), self.of_b(*given)
        return self.of_x(*given)


class Function:
    """An activation of a value and a backward (x, y, dy) -> dx."""

    def __init__(self, value, back):
        self.value, self.back = value, back

    def forward(self, x):
        self.x, self.y = x, self.value(x)
        return self.y

    def backward(self, dy):
        return self.back(self.x, self.y, dy)


class Convolution:
    """Cross-correlation by windows; pad is ((top, bottom), (left, right))."""

    def __init__(self, shape=(3, 3, 2, 4), pad=((0, 0), (0, 0)), stride=1, **slips):
        self.W, self.b, self.pad, self.stride = np.zeros(shape), np.zeros(shape[-1]), pad, stride
        self.slips = slips

    def seen(self, x):
        h, w = self.W.shape[:2]
        padded = np.pad(x, ((0, 0), *self.pad, (0, 0)))
        view = sliding_window_view(padded, (h, w), (1, 2))
        # (n, out h, out w, c, kernel h, kernel w)
        return padded, view[:, :: self.stride, :: self.stride]

    def forward(self, x):
        self.x = x
        W = self.slips.get("kernel", lambda W: W)(self.W)
        y = np.einsum("nhwcij,ijcf->nhwf", self.seen(x)[1], W)
        return self.slips.get("y", lambda y, b: y + b)(y, self.b)

    def backward(self, dy):
        padded, view = self.seen(self.x)
        self.dW = self.slips.get("dW", lambda view, dy: np.einsum("nhwcij,nhwf->ijcf", view, dy))(view, dy)
        self.db = self.slips.get("db", lambda dy: dy.sum(axis=(0, 1, 2)))(dy)
        W = self.slips.get("kernel behind", lambda W: W)(self.W)
        dx, (h, w) = np.zeros_like(padded), W.shape[:2]
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                part = np.einsum("nf,ijcf->nijc", dy[:, i, j], W)
                rows = slice(i * self.stride, i * self.stride + h)
                columns = slice(j * self.stride, j * self.stride + w)
                if self.slips.get("assigned"):
                    dx[:, rows, columns] = part
                else:
                    dx[:, rows, columns] += part
        (top, _), (left, _) = self.pad
        return dx[:, top : top + self.x.shape[1], left : left + self.x.shape[2]]


class Pooling:
    """Windows in loops."""

    def __init__(self, size=2, stride=2, take=None, share=None, assigned=False):
        self.size, self.stride, self.assigned = size, stride, assigned
        self.take = take or (lambda seen: seen.max(axis=(1, 2)))
        self.share = share or self.first

    @staticmethod
    def first(seen):
        flat = seen.reshape(len(seen), -1, seen.shape[-1])
        one = np.zeros_like(flat)
        np.put_along_axis(one, flat.argmax(axis=1)[:, None], 1, axis=1)
        return one.reshape(seen.shape)

    def windows(self, x):
        for i in range((x.shape[1] - self.size) // self.stride + 1):
            for j in range((x.shape[2] - self.size) // self.stride + 1):
                yield (
                    i,
                    j,
                    slice(i * self.stride, i * self.stride + self.size),
                    slice(j * self.stride, j * self.stride + self.size),
                )

    def forward(self, x):
        self.x = x
        out = ((x.shape[axis] - self.size) // self.stride + 1 for axis in (1, 2))
        y = np.zeros((len(x), *out, x.shape[-1]), x.dtype)
        for i, j, rows, columns in self.windows(x):
            y[:, i, j] = self.take(x[:, rows, columns])
        return y

    def backward(self, dy):
        dx = np.zeros_like(self.x)
        for i, j, rows, columns in self.windows(self.x):
            part = self.share(self.x[:, rows, columns]) * dy[:, i, j][:, None, None]
            if self.assigned:
                dx[:, rows, columns] = part
            else:
                dx[:, rows, columns] += part
        return dx


class Normalization:
    """Batch normalization on rows; parts of it exchanged by keyword."""

    def __init__(self, epsilon=1e-3, momentum=0.99, **slips):
        self.gamma, self.beta = np.ones(6), np.zeros(6)
        self.running_mean, self.running_var = np.zeros(6), np.ones(6)
        self.epsilon, self.momentum, self.slips = epsilon, momentum, slips

    def forward(self, x, training=False):
        own = training != self.slips.get("other statistics", False)
        mean, var = (x.mean(0), x.var(0)) if own else (self.running_mean, self.running_var)
        if own and self.slips.get("unbiased"):
            var = x.var(0, ddof=1)
        if training:
            m, rest = self.momentum, 1 - self.momentum
            moved = self.slips.get("moved", lambda var, x: var)(x.var(0), x)
            self.running_mean = m * self.running_mean + rest * x.mean(0)
            self.running_var = m * self.running_var + rest * moved
        root = self.slips.get("root", lambda var, epsilon: np.sqrt(var + epsilon))
        self.inverse = 1 / root(var, self.epsilon)
        self.centred = x - mean
        self.xn = self.centred * self.inverse
        scale = self.slips.get("y", lambda xn, gamma, beta: gamma * xn + beta)
        return scale(self.xn, self.gamma, self.beta)

    def backward(self, dy):
        dgamma, dbeta = (dy * self.xn).sum(0), dy.sum(0)
        self.dgamma, self.dbeta = self.slips.get("grads", lambda dgamma, dbeta, s, dy: (dgamma, dbeta))(
            dgamma, dbeta, self, dy
        )
        mean, variance = self.slips.get("shares", (1, 1))
        gamma = 1 if self.slips.get("no gamma") else self.gamma
        return gamma * self.inverse * (dy - (mean * dbeta + variance * self.xn * dgamma) / len(dy))


class Dropping:
    """Dropout; scale in training and inference, and whether the mask changes."""

    def __init__(self, rate, scale=None, behind=None, shared=False, once=False, inference=1.0):
        self.rate, self.scale, self.shared, self.once = rate, scale or 1 / (1 - rate), shared, once
        self.behind = self.scale if behind is None else behind
        self.inference, self.random, self.mask = inference, np.random.default_rng(1), None

    def forward(self, x, training=True):
        if not training:
            return x * self.inference
        if self.mask is None or not self.once or self.mask.shape != x.shape:
            shape = (1, *x.shape[1:]) if self.shared else x.shape
            self.mask = self.random.random(shape) >= self.rate
        return x * self.mask * self.scale

    def backward(self, dy):
        return dy * self.mask * self.behind
