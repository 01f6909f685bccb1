"""Convolution by loops over the cells of the window, and max pooling, on (n, channels, height, width)."""

import numpy as np


class Convolution:
    def __init__(self, W, b):
        self.W, self.b = W, b  # (filters, channels, height, width)

    def _windows(self, x):
        _, _, fh, fw = self.W.shape
        oh, ow = x.shape[2] - fh + 1, x.shape[3] - fw + 1
        for i in range(fh):
            for j in range(fw):
                yield i, j, (slice(None), slice(None), slice(i, i + oh), slice(j, j + ow))

    def forward(self, x):
        self.x = x
        return (
            sum(np.einsum("nchw,fc->nfhw", x[part], self.W[:, :, i, j]) for i, j, part in self._windows(x))
            + self.b[:, None, None]
        )

    def backward(self, dy):
        self.dW, dx = np.zeros_like(self.W), np.zeros_like(self.x)
        self.db = dy.sum(axis=(0, 2, 3))
        for i, j, part in self._windows(self.x):
            self.dW[:, :, i, j] = np.einsum("nchw,nfhw->fc", self.x[part], dy)
            dx[part] += np.einsum("nfhw,fc->nchw", dy, self.W[:, :, i, j])
        return dx


class Pooling:
    def __init__(self, size):
        self.size = size

    def forward(self, x):
        n, c, h, w = x.shape
        s = self.size
        # (n, c, h / s, s, w / s, s) -> (n, c, h / s, w / s, s * s)
        cells = x.reshape(n, c, h // s, s, w // s, s).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // s, w // s, s * s)
        self.first = cells.argmax(axis=-1)
        self.shape = x.shape
        return cells.max(axis=-1)

    def backward(self, dy):
        n, c, h, w = self.shape
        s = self.size
        cells = np.zeros((*dy.shape, s * s), dy.dtype)
        np.put_along_axis(cells, self.first[..., None], dy[..., None], axis=-1)
        return cells.reshape(n, c, h // s, w // s, s, s).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)
