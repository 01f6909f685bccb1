"""The textbooks' way, as a yardstick: im2col over (n, c, h, w), one object a layer, float32.

Written the way introductions to the subject write it: channels first, the windows copied cell by cell into rows, every
intermediate result in a new array, gradients kept in the layers, Adam parameter by parameter.
"""

from __future__ import annotations

import numpy as np

from model_spec import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, ModelSpec

Array = np.ndarray


def im2col(images: Array, height: int, width: int, stride: int, pad: int) -> Array:
    """Windows in rows: (n, c, h, w) -> (n * out h * out w, c * height * width)."""
    n, channels, rows, columns = images.shape
    out_rows = (rows + 2 * pad - height) // stride + 1
    out_columns = (columns + 2 * pad - width) // stride + 1
    padded = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    laid_out = np.zeros((n, channels, height, width, out_rows, out_columns), images.dtype)
    for y in range(height):
        for x in range(width):
            laid_out[:, :, y, x] = padded[
                :, :, y : y + stride * out_rows : stride, x : x + stride * out_columns : stride
            ]
    # (n, c, kh, kw, oh, ow) -> (n, oh, ow, c, kh, kw) -> rows
    return laid_out.transpose(0, 4, 5, 1, 2, 3).reshape(n * out_rows * out_columns, -1)


def col2im(rows: Array, shape: tuple[int, ...], height: int, width: int, stride: int, pad: int) -> Array:
    """The other way round: overlapping windows add up."""
    n, channels, image_rows, image_columns = shape
    out_rows = (image_rows + 2 * pad - height) // stride + 1
    out_columns = (image_columns + 2 * pad - width) // stride + 1
    laid_out = rows.reshape(n, out_rows, out_columns, channels, height, width).transpose(0, 3, 4, 5, 1, 2)
    padded = np.zeros(
        (n, channels, image_rows + 2 * pad + stride - 1, image_columns + 2 * pad + stride - 1), rows.dtype
    )
    for y in range(height):
        for x in range(width):
            padded[:, :, y : y + stride * out_rows : stride, x : x + stride * out_columns : stride] += laid_out[
                :, :, y, x
            ]
    return padded[:, :, pad : image_rows + pad, pad : image_columns + pad]


class TextbookConvolution:
    """Convolution by im2col."""

    def __init__(self, kernel: Array, pad: int) -> None:
        self.w, self.b, self.pad = kernel, np.zeros(len(kernel), kernel.dtype), pad

    def forward(self, x: Array) -> Array:
        filters, _, height, width = self.w.shape
        n, _, rows, columns = x.shape
        self.x, self.col = x, im2col(x, height, width, 1, self.pad)
        out = np.dot(self.col, self.w.reshape(filters, -1).T) + self.b
        return out.reshape(n, rows + 2 * self.pad - height + 1, columns + 2 * self.pad - width + 1, -1).transpose(
            0, 3, 1, 2
        )

    def backward(self, dout: Array) -> Array:
        filters, channels, height, width = self.w.shape
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, filters)
        self.db = np.sum(dout, axis=0)
        self.dw = np.dot(self.col.T, dout).T.reshape(filters, channels, height, width)
        return col2im(np.dot(dout, self.w.reshape(filters, -1)), self.x.shape, height, width, 1, self.pad)


class TextbookDense:
    """A fully connected layer."""

    def __init__(self, kernel: Array) -> None:
        self.w, self.b = kernel, np.zeros(kernel.shape[1], kernel.dtype)

    def forward(self, x: Array) -> Array:
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        return np.dot(self.x, self.w) + self.b

    def backward(self, dout: Array) -> Array:
        self.dw, self.db = np.dot(self.x.T, dout), np.sum(dout, axis=0)
        return np.dot(dout, self.w.T).reshape(self.shape)


class TextbookPooling:
    """Max pooling of 2x2 by im2col and argmax."""

    def forward(self, x: Array) -> Array:
        n, channels, rows, columns = x.shape
        self.shape = x.shape
        col = im2col(x, 2, 2, 2, 0).reshape(-1, 4)
        self.argmax = np.argmax(col, axis=1)
        return np.max(col, axis=1).reshape(n, rows // 2, columns // 2, channels).transpose(0, 3, 1, 2)

    def backward(self, dout: Array) -> Array:
        dout = dout.transpose(0, 2, 3, 1)
        dmax = np.zeros((dout.size, 4), dout.dtype)
        dmax[np.arange(self.argmax.size), self.argmax] = dout.flatten()
        rows = dmax.reshape(dout.shape[0] * dout.shape[1] * dout.shape[2], -1)
        return col2im(rows, self.shape, 2, 2, 2, 0)


class TextbookRelu:
    """max(x, 0) by a mask."""

    def forward(self, x: Array) -> Array:
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout: Array) -> Array:
        dout[self.mask] = 0
        return dout


class TextbookSigmoid:
    """1 / (1 + exp(-x))."""

    def forward(self, x: Array) -> Array:
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout: Array) -> Array:
        return dout * (1 - self.out) * self.out


class TextbookDropout:
    """Dropout with a mask of random numbers."""

    def __init__(self, rate: float, random: np.random.Generator) -> None:
        self.rate, self.random = rate, random

    def forward(self, x: Array) -> Array:
        self.mask = (self.random.random(x.shape, np.float32) > self.rate) / np.float32(1 - self.rate)
        return x * self.mask

    def backward(self, dout: Array) -> Array:
        return dout * self.mask


class TextbookNetwork:
    """The layers of a specification in order, softmax with cross-entropy behind them, and Adam."""

    def __init__(self, spec: ModelSpec, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.layers: list[object] = []
        for layer, shape in zip(spec.layers, spec.input_shapes, strict=True):
            self.layers += _textbook_layers(layer, shape, random)
        self.moments = [
            [np.zeros_like(value) for value in (layer.w, layer.w, layer.b, layer.b)]  # type: ignore[attr-defined]
            for layer in self._trained()
        ]
        self.steps = 0

    def _trained(self) -> list[object]:
        return [layer for layer in self.layers if hasattr(layer, "w")]

    def forward(self, x: Array) -> Array:
        """Logits for images (n, c, h, w) or rows."""
        for layer in self.layers:
            x = layer.forward(x)  # type: ignore[attr-defined]
        return x

    def train_step(self, x: Array, labels: Array) -> float:
        """One step of Adam; returns the loss."""
        logits = self.forward(x)
        exp = np.exp(logits - np.max(logits, axis=1, keepdims=True))
        y = exp / np.sum(exp, axis=1, keepdims=True)
        loss = -np.sum(np.log(y[np.arange(len(x)), labels] + np.float32(1e-7))) / len(x)
        dout = y.copy()
        dout[np.arange(len(x)), labels] -= 1
        dout = dout / np.float32(len(x))
        for layer in reversed(self.layers):
            dout = layer.backward(dout)  # type: ignore[attr-defined]
        self.steps += 1
        rate = np.float32(0.001 * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps))
        for layer, (mw, vw, mb, vb) in zip(self._trained(), self.moments, strict=True):
            for value, gradient, m, v in (
                (layer.w, layer.dw, mw, vw),  # type: ignore[attr-defined]
                (layer.b, layer.db, mb, vb),  # type: ignore[attr-defined]
            ):
                m += np.float32(0.1) * (gradient - m)
                v += np.float32(0.001) * (gradient**2 - v)
                value -= rate * m / (np.sqrt(v) + np.float32(1e-7))
        return float(loss)


def _textbook_layers(layer: object, shape: tuple[int, ...], random: np.random.Generator) -> list[object]:
    """The layer and its activation.

    Raises:
        ValueError: a layer, or an option of one, that introductions leave out.
    """
    match layer:
        case Conv2D(strides=(1, 1), dilation_rate=(1, 1)):
            height, width = layer.kernel_size
            kernel = random.normal(0, 0.1, (layer.filters, shape[-1], height, width)).astype(np.float32)
            pad = height // 2 if layer.padding == "same" else 0
            return [TextbookConvolution(kernel, pad), *_activation(layer.activation)]
        case Dense():
            inputs = int(np.prod(shape))
            kernel = random.normal(0, 0.1, (inputs, layer.units)).astype(np.float32)
            return [TextbookDense(kernel), *_activation(layer.activation)]
        case MaxPooling2D(pool_size=(2, 2), strides=(2, 2)):
            return [TextbookPooling()]
        case Dropout():
            return [TextbookDropout(layer.rate, random)]
        case Activation():
            return _activation(layer.activation)
        case Flatten():
            return []
    raise ValueError(f"the textbook baseline has no {layer!r}; it knows plain Conv2D, Dense, MaxPooling2D(2), Dropout")


def _activation(name: str | None) -> list[object]:
    known: dict[str, list[object]] = {
        "relu": [TextbookRelu()],
        "sigmoid": [TextbookSigmoid()],
        "linear": [],
        "softmax": [],
    }
    if name is None or name not in known:
        raise ValueError(f"the textbook baseline has no activation {name!r}; it knows {', '.join(known)}")
    return known[name]
