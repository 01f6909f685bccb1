"""What each trick of the fast tier buys: the trick and its plain counterpart, timed against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.speed_studies import trick_tasks
from benchmarks.speed_studies.worker_process import BLAS_SETTLE_SECONDS, ResidentArm, ResidentProcess
from benchmarks.timing import SpeedComparison, compare_speed
from bridge.progress import Show, silent

PAIRS: dict[str, tuple[tuple[str, tuple[Any, ...]], tuple[str, tuple[Any, ...]]]] = {
    "overlapping windows, not im2col": (("im2col_product", ()), ("overlapping_windows", ())),
    "pooling before relu": (("relu_before_pooling", ()), ("relu_behind_pooling", ())),
    "comparisons, not scattering": (("scattered_gradient", ()), ("masked_gradient", ())),
    "sums as products with ones": (("sum_of_products", ()), ("product_with_ones", ())),
    "small products": (("one_product", ()), ("product_in_slabs", ())),
    "one vector of parameters": (("adam_by_parameter", ()), ("adam_on_one_vector", ())),
    "relu beside zeros, not the number 0": (("relu_beside_a_number", ()), ("relu_beside_zeros", ())),
    "strips of 3 MiB, not whole images": (("strips", (1 << 30,)), ("strips", (3 << 20,))),
    "shards on two threads": (("one_shard_thread", ()), ("two_shard_threads", ())),
    "one image batch first": (("one_image_batch_last", ()), ("one_image_batch_first", ())),
    "all of it: a step of lenet": (("reference_step", ()), ("two_shard_threads", ())),
}
"""{trick: (the plain way, the trick)}, each a function of ``trick_tasks`` with its arguments."""

TWO_THREADS = ("shards on two threads", "all of it: a step of lenet")


@dataclass(frozen=True)
class Trick:
    """One trick beside its plain counterpart."""

    name: str
    comparison: SpeedComparison

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain dicts, lists, numbers and strings."""
        return {"trick": self.name, **self.comparison.to_dict()}

    def __str__(self) -> str:
        plain, trick = (arm.median * 1e6 for arm in self.comparison.arms.values())
        ratio = self.comparison.ratios[0]
        interval = f"[{1 / ratio.high:.2f}, {1 / ratio.low:.2f}]"
        return f"{self.name:<36}{plain:>12.1f}{trick:>12.1f}{1 / ratio.ratio:>8.2f} {interval}"


def run(blocks: int = 15, show: Show = silent) -> list[Trick]:
    """Time every pair, each pair in a process of its own with BLAS' own kernels."""
    found = []
    for number, (name, ways) in enumerate(PAIRS.items()):
        show(name, number, len(PAIRS))
        threads = "2" if name in TWO_THREADS else "1"
        limits = {variable: threads for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
        with ResidentProcess(limits, BLAS_SETTLE_SECONDS) as process:
            arms = {
                label: ResidentArm(process, f"{trick_tasks.__name__}:{function}", arguments)
                for label, (function, arguments) in zip(("plain", "trick"), ways, strict=True)
            }
            found.append(Trick(name, compare_speed(arms, blocks=blocks, warmup_seconds=0.2)))
    return found


def lines(found: list[Trick]) -> list[str]:
    """A line a trick."""
    return [f"{'':<36}{'plain, us':>12}{'trick, us':>12}{'times as fast [95 %]':>22}", *(str(trick) for trick in found)]
