"""Which of two functions is faster, where that can be said: samples in turns, and a ratio with its interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.timing import SpeedComparison


def compare(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    names: tuple[str, str] | None = None,
    blocks: int = 15,
    most_blocks: int | None = None,
    minimum_sample_seconds: float = 0.05,
    warmup_seconds: float = 0.5,
) -> SpeedComparison:
    """Time two functions against each other, in blocks A B B A, so that a machine's drift favours neither.

    A difference is called "faster" or "slower" only where the 95 % interval of the ratio leaves 1 out and its middle
    lies more than 5 % away; docs/benchmarking.md says how to measure so that the word means something.

    Args:
        first: a function without arguments that has finished its work when it returns; the one compared with.
        second: another one.
        names: what the result calls them; None takes the functions' own names, and "first" and "second" for those
            that have none.
        blocks: A B B A blocks, at least 5.
        most_blocks: go on up to this number until the interval is narrow or far from 1; None takes ``blocks``.
        minimum_sample_seconds: calls are repeated within a sample until it takes this long.
        warmup_seconds: least time of warm-up for each.

    Returns:
        The comparison; ``times_as_fast(names[1])`` is (ratio, low, high), above 1 where the second is faster.

    Raises:
        ValueError: no function without arguments, one that gives a coroutine or generator in place of work, names that
            are not two different ones, or an argument out of range.
        ImportError: scipy is not installed (extra "data").

    Examples:
        >>> import numpy as np
        >>> small, large = np.ones((8, 8)), np.ones((200, 200))
        >>> found = compare(lambda: large @ large, lambda: small @ small, names=("large", "small"), blocks=5,
        ...     minimum_sample_seconds=0.005, warmup_seconds=0.01)
        >>> found.ratios[0].verdict
        'faster'
    """
    from benchmarks.timing import compare_speed
    from benchmarks.two_functions import two_arms

    names = _own_names(first, second) if names is None else names
    return compare_speed(
        two_arms(first, second, names),
        blocks=blocks,
        most_blocks=most_blocks,
        minimum_sample_seconds=minimum_sample_seconds,
        warmup_seconds=warmup_seconds,
    )


def _own_names(first: object, second: object) -> tuple[str, str]:
    one, other = (str(getattr(function, "__name__", "<lambda>")) for function in (first, second))
    if one == other:
        return "first", "second"
    return "first" if one == "<lambda>" else one, "second" if other == "<lambda>" else other
