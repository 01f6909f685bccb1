"""The one place that prepares TensorFlow and Keras: backend, log level, default float width, threads, versions."""

from __future__ import annotations

import os
import platform
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from model_spec.inputs import floating_dtype
from model_spec.validation import positive_integer


def _prepare_environment() -> None:
    """Choose Keras' backend before Keras is imported; it reads these variables only once."""
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        raise ImportError(
            f"keras_models compares with Keras on TensorFlow, but KERAS_BACKEND is {backend!r}; "
            f"unset it or start with KERAS_BACKEND=tensorflow"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _without_import_chatter() -> Iterator[None]:
    """Keep off standard error what TensorFlow's libraries print while they are loaded, whatever their log level.

    Python's own messages and errors are not touched: only file descriptor 2 is turned away meanwhile.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a process without standard error
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


_prepare_environment()

try:
    with _without_import_chatter():
        import keras
        import tensorflow
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] not in {"keras", "tensorflow"}:
        raise
    raise ImportError(
        f'keras_models needs Keras and TensorFlow ({error.name} is missing): pip install "crosscheck[keras]"'
    ) from error

# Another module may have imported Keras before the variable above was set, with a backend from Keras' own file.
if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"keras_models compares with Keras on TensorFlow, but Keras was already started on "
        f"{keras.backend.backend()!r}; import keras_models first, or set KERAS_BACKEND=tensorflow"
    )


class _FloatWidth:
    """Who is using Keras' default float width, which belongs to the whole process.

    Threads of one width are inside together; one that wants the other width waits until they have left. A thread that
    is inside already and wants the other width leaves until it is done with it, so that no two wait for each other.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._width: str | None = None
        self._inside = 0
        self._former: tuple[str, Any] | None = None
        self._own = threading.local()

    def enter(self, name: str) -> None:
        mine: list[str] = self._own.__dict__.setdefault("widths", [])
        with self._changed:
            if mine:
                self._leave()
            try:
                self._join(name)
            except BaseException:
                if mine:
                    self._join(mine[-1])
                raise
            mine.append(name)

    def leave(self) -> None:
        mine: list[str] = self._own.widths
        with self._changed:
            mine.pop()
            self._leave()
            if mine:
                self._join(mine[-1])

    def _join(self, name: str) -> None:
        while self._inside and self._width != name:
            self._changed.wait()
        if not self._inside:
            # Keras makes its global policy from floatx when the first layer asks for it, and keeps it from then on:
            # without this, a first model in float64 would turn the user's later layers into float64 ones.
            self._former = keras.config.floatx(), keras.config.dtype_policy()
            keras.config.set_floatx(name)
            keras.config.set_dtype_policy(name)
            self._width = name
        self._inside += 1

    def _leave(self) -> None:
        self._inside -= 1
        if not self._inside:
            former, former_policy = self._former  # type: ignore[misc]
            keras.config.set_floatx(former)
            keras.config.set_dtype_policy(former_policy)
            self._changed.notify_all()


_FLOAT_WIDTH = _FloatWidth()


@contextmanager
def floatx(dtype: Any) -> Iterator[str]:
    """Make ``dtype`` ("float32" or "float64") Keras' default float width, and restore the former one afterwards.

    Building, compiling, fitting and evaluating happen inside: with the layers' own ``dtype=`` alone, inputs, loss and
    learning rate would stay float32. The width is one setting of the process: another thread that needs the other one
    waits.

    Examples:
        >>> import keras
        >>> with floatx("float64"):
        ...     keras.config.floatx()
        'float64'
    """
    name = str(floating_dtype(dtype))
    _FLOAT_WIDTH.enter(name)
    try:
        yield name
    finally:
        _FLOAT_WIDTH.leave()


@contextmanager
def without_tracing_warnings() -> Iterator[None]:
    """TensorFlow warns of repeated tracing; where each model or function is another one, each is traced once."""
    logger = tensorflow.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def set_threads(threads: int) -> None:
    """Let TensorFlow use this many threads, inside one operation and between operations.

    Raises:
        ValueError: TensorFlow has already run something; it takes the number of threads only before.

    Examples:
        >>> set_threads(2)  # doctest: +SKIP
    """
    count = positive_integer("threads", threads)
    threading = tensorflow.config.threading
    if (threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()) == (count, count):
        return
    try:
        threading.set_intra_op_parallelism_threads(count)
        threading.set_inter_op_parallelism_threads(count)
    except RuntimeError as error:
        raise ValueError(
            f"TensorFlow takes the number of threads (asked for: {count}) only before its first operation; "
            f"call set_threads right after the import, or start a new process"
        ) from error


def environment() -> dict[str, Any]:
    """What a Keras result depends on besides the model: versions, oneDNN and threads (0: TensorFlow chooses)."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "keras": keras.__version__,
        "tensorflow": tensorflow.__version__,
        "keras_backend": keras.backend.backend(),
        "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "intra_op_threads": tensorflow.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tensorflow.config.threading.get_inter_op_parallelism_threads(),
    }


def takes_onednn() -> bool:
    """Whether TensorFlow runs oneDNN's kernels here: by itself it does so on AVX512_VNNI and newer only."""
    from tensorflow.python.util import _pywrap_util_port

    return bool(_pywrap_util_port.IsMklEnabled())
