"""Who is timed: TensorFlow and NumPy in processes of their own, and NumPy once more with other BLAS kernels."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import environment
from benchmarks.speed_studies.worker_process import BLAS_SETTLE_SECONDS, SAMPLE_SECONDS, ResidentArm, ResidentProcess
from benchmarks.timing import SpeedComparison, compare_speed
from model_spec.names import nearest

TENSORFLOW = ("tf.function", "tf.function jit")
"""TensorFlow as it starts by itself, without and with XLA."""

ONEDNN = ("oneDNN off", "oneDNN on")
"""What stands behind TensorFlow's arms with the other choice of kernels than it makes by itself.

TensorFlow takes oneDNN's kernels only on processors with AVX512_VNNI or newer: elsewhere its default need not be its
best.
"""

NUMPY = "NumPy"
NUMPY_PROCESSES = "NumPy, processes"
NUMPY_AVX2, NUMPY_DEFAULT = "NumPy, AVX2 kernels", "NumPy, default BLAS"

ARMS = "benchmarks.speed_studies.arms"

OPENBLAS_CORES = (
    *("Katmai", "Coppermine", "Northwood", "Prescott", "Banias", "Atom", "Core2", "Penryn", "Dunnington", "Nehalem"),
    *("Athlon", "Opteron", "Opteron_SSE3", "Barcelona", "Nano", "Sandybridge", "Bobcat", "Bulldozer", "Piledriver"),
    *("Haswell", "Steamroller", "Excavator", "Zen", "SkylakeX", "Cooperlake"),
)
"""The core types for x86 that OpenBLAS 0.3.31 finds, in any case of letters; another one it passes over in silence."""


def blas_cores(wish: str | None = "auto") -> dict[str, str | None]:
    """{arm: OPENBLAS_CORETYPE or None for NumPy's own choice}, the first one the fastest there is.

    Where the processor has AVX-512 both kinds of kernels are timed: those its OpenBLAS picks by itself, and the others.

    Args:
        wish: "auto"; or None for NumPy's own choice alone; or a core type for NumPy, beside its own choice.

    Raises:
        ValueError: on x86, a core type that OpenBLAS does not know.
    """
    if wish is None:
        return {NUMPY: None}
    if wish != "auto":
        is_known = wish.lower() in {core.lower() for core in OPENBLAS_CORES}
        if not is_known and platform.machine().lower() in ("x86_64", "amd64"):
            raise ValueError(
                f"OpenBLAS knows no {wish!r}{nearest(wish, OPENBLAS_CORES)}; give --blas-core auto, none, "
                f"or one of {', '.join(OPENBLAS_CORES)}"
            )
        return {NUMPY: wish, NUMPY_DEFAULT: None}
    better = environment.better_blas_core()
    if better:
        return {NUMPY: better, NUMPY_DEFAULT: None}
    picked = {library["core"] for library in environment.blas()}
    return {NUMPY: None, NUMPY_AVX2: "Haswell"} if "SkylakeX" in picked else {NUMPY: None}


@dataclass(frozen=True)
class Contestants:
    """The processes that take turns.

    Attributes:
        tensorflow: Keras' and TensorFlow's process, with the kernels it takes by itself.
        other_tensorflow: another one, with oneDNN off where it is on by itself, and on where it is off.
        onednn: whether TensorFlow takes oneDNN by itself on this machine.
        numpy: NumPy's processes by the name of their arm, the fastest kernels first.
        others: the process of the peers.
        threads: of each.
        cores: BLAS kernels asked for, by arm.
    """

    tensorflow: ResidentProcess
    other_tensorflow: ResidentProcess
    onednn: bool
    numpy: dict[str, ResidentProcess]
    others: ResidentProcess
    threads: int
    cores: dict[str, str | None]

    def tensorflow_arm(self, function: str, *arguments: Any) -> ResidentArm:
        """A task of ``arms`` in TensorFlow's process."""
        return ResidentArm(self.tensorflow, f"{ARMS}:{function}", arguments)

    def numpy_arms(self, function: str, *arguments: Any) -> dict[str, ResidentArm]:
        """A task of ``arms`` in each of NumPy's processes."""
        return {name: ResidentArm(process, f"{ARMS}:{function}", arguments) for name, process in self.numpy.items()}

    def numpy_arm(self, function: str, *arguments: Any) -> ResidentArm:
        """A task of ``arms`` with the fastest kernels."""
        return self.numpy_arms(function, *arguments)[NUMPY]

    def all_tensorflows(self, function: str, *arguments: Any) -> dict[str, ResidentArm]:
        """The task compiled without and with XLA, without and with oneDNN; ``function`` takes ``jit`` last."""
        arms = {}
        for process, ending in ((self.tensorflow, ""), (self.other_tensorflow, f", {ONEDNN[not self.onednn]}")):
            for name in TENSORFLOW:
                arms[name + ending] = ResidentArm(process, f"{ARMS}:{function}", (*arguments, "jit" in name))
        return arms


@contextmanager
def contestants(threads: int, wish: str | None = "auto") -> Iterator[Contestants]:
    """Start the processes, each with this number of threads; they end with the ``with`` statement."""
    limits = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    cores = blas_cores(wish)
    with ExitStack() as stack:
        quiet = {"TF_CPP_MIN_LOG_LEVEL": "3"}
        tensorflow = stack.enter_context(ResidentProcess(quiet))
        onednn = bool(tensorflow.call("keras_models.runtime:takes_onednn"))
        other = stack.enter_context(ResidentProcess({**quiet, "TF_ENABLE_ONEDNN_OPTS": str(int(not onednn))}))
        numpy = {
            name: stack.enter_context(
                ResidentProcess(limits | ({"OPENBLAS_CORETYPE": core} if core else {}), BLAS_SETTLE_SECONDS)
            )
            for name, core in cores.items()
        }
        others = stack.enter_context(ResidentProcess(limits))
        yield Contestants(tensorflow, other, onednn, numpy, others, threads, cores)


MOST_TIMES = 8
"""Times as many blocks as asked for, at most, where a ratio is near 1."""


def with_best_rival(arms: dict[str, ResidentArm], best: str | None = None) -> dict[str, ResidentArm]:
    """The arms with the best one of TensorFlow's alone, first: ``best``, or the one that a short look finds."""
    rivals = [name for name in arms if name.startswith(TENSORFLOW[0])]
    if len(rivals) < 2:
        return arms
    if best is None:
        quick = compare_speed({name: arms[name] for name in rivals}, blocks=5, warmup_seconds=0.2)
        best = min(quick.arms, key=lambda name: quick.arms[name].median)
    return {best: arms[best], **{name: arm for name, arm in arms.items() if name not in rivals}}


def against_best(
    arms: dict[str, ResidentArm],
    blocks: int,
    warmup_seconds: float = 0.3,
    until_settled: bool = True,
) -> SpeedComparison:
    """Compare all arms with the best one of TensorFlow's, see :func:`with_best_rival`."""
    return compare_speed(
        with_best_rival(arms),
        blocks=blocks,
        most_blocks=MOST_TIMES * blocks if until_settled else None,
        minimum_sample_seconds=SAMPLE_SECONDS,
        warmup_seconds=warmup_seconds,
    )
