"""Batch normalization of rows with moving statistics, and inverted dropout."""

import numpy as np


class BatchNormalization:
    def __init__(self, gamma, beta, momentum=0.9):
        self.gamma, self.beta, self.momentum = gamma, beta, momentum
        self.running_mean, self.running_var = np.zeros_like(gamma), np.ones_like(gamma)

    def forward(self, x, train_flg=True):
        if not train_flg:
            return self.gamma * (x - self.running_mean) / np.sqrt(self.running_var + 1e-5) + self.beta
        mean, var = x.mean(axis=0), x.var(axis=0)
        self.std = np.sqrt(var + 1e-5)
        self.xn = (x - mean) / self.std
        self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        return self.gamma * self.xn + self.beta

    def backward(self, dy):
        self.dbeta, self.dgamma = dy.sum(axis=0), (dy * self.xn).sum(axis=0)
        dxn = dy * self.gamma
        return (dxn - dxn.mean(axis=0) - self.xn * (dxn * self.xn).mean(axis=0)) / self.std


class Dropout:
    def __init__(self, rate):
        self.rate, self.random = rate, np.random.default_rng()

    def forward(self, x, train_flg=True):
        if not train_flg:
            return x
        self.mask = (self.random.random(x.shape) >= self.rate) / (1 - self.rate)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask
