"""A small LeNet of layers on (n, height, width, channels), as a list of its layers."""

import numpy as np


class Convolution:
    def __init__(self, W, b):
        self.W, self.b = W, b  # (height, width, channels, filters)

    def _windows(self, x):
        fh, fw, _, _ = self.W.shape
        oh, ow = x.shape[1] - fh + 1, x.shape[2] - fw + 1
        for i in range(fh):
            for j in range(fw):
                yield i, j, (slice(None), slice(i, i + oh), slice(j, j + ow))

    def forward(self, x):
        self.x = x
        return sum(x[part] @ self.W[i, j] for i, j, part in self._windows(x)) + self.b

    def backward(self, dy):
        self.dW, dx = np.zeros_like(self.W), np.zeros_like(self.x)
        self.db = dy.sum(axis=(0, 1, 2))
        for i, j, part in self._windows(self.x):
            self.dW[i, j] = np.tensordot(self.x[part], dy, axes=([0, 1, 2], [0, 1, 2]))
            dx[part] += dy @ self.W[i, j].T
        return dx


class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class Pooling:
    def forward(self, x):
        n, h, w, c = x.shape
        # (n, h / 2, 2, w / 2, 2, c) -> (n, h / 2, w / 2, 4, c)
        cells = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, w // 2, 4, c)
        self.first, self.shape = cells.argmax(axis=3), x.shape
        return cells.max(axis=3)

    def backward(self, dy):
        n, h, w, c = self.shape
        cells = np.zeros((n, h // 2, w // 2, 4, c), dy.dtype)
        np.put_along_axis(cells, self.first[:, :, :, None], dy[:, :, :, None], axis=3)
        return cells.reshape(n, h // 2, w // 2, 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)


class Flatten:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T


class Dropout:
    def __init__(self, rate):
        self.rate, self.random = rate, np.random.default_rng()

    def forward(self, x, train_flg=False):
        self.mask = (self.random.random(x.shape) >= self.rate) / (1 - self.rate) if train_flg else np.ones_like(x)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


def layers():
    return [
        Convolution(np.zeros((3, 3, 1, 4)), np.zeros(4)),
        Relu(),
        Pooling(),
        Flatten(),
        Affine(np.zeros((36, 10)), np.zeros(10)),
        Relu(),
        Dropout(0.5),
        Affine(np.zeros((10, 5)), np.zeros(5)),
    ]
