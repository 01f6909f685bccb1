"""A task that takes a known time."""

import time


def build(seconds):
    return lambda: time.sleep(seconds)
