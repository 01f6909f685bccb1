"""crosscheck.timing.compare and the fixture's compare_speed refuse what cannot be timed, with what to give."""

from functools import partial

import pytest

from crosscheck import timing
from crosscheck.pytest_plugin import Crosscheck


def work():
    return sum(range(10))


async def waits():
    return work()


def yields():
    yield work()


async def waits_and_yields():
    yield work()


REFUSED = {
    "async def": ((work, waits), {}, r"second must .* got something to await, .* give lambda: asyncio.run\("),
    "a generator function": ((yields, work), {}, r"first must .* got a generator, .* give lambda: list\("),
    "an async generator": ((work, waits_and_yields), {}, "second must .* got an asynchronous generator"),
    "partial of async def": ((work, partial(partial(waits))), {}, "second must .* got something to await"),
    "lambda to a coroutine": ((work, lambda: waits()), {"names": ("a", "b")}, "b must .* got something to await"),
    "lambda to a generator": ((lambda: yields(), work), {}, "first must .* got a generator"),
    "lambda to an async one": ((lambda: waits_and_yields(), work), {}, "first must .* got an asynchronous generator"),
    "numbers": ((1, 2), {}, r"first must be a function without arguments, got 1; give lambda: your_function\(x\)"),
    "a result": ((work, work()), {}, "second must be a function without arguments, got 45"),
    "an argument": ((work, lambda x: x), {}, r"second must be .* got one that takes \(x\) .*'x'"),
    "one name": ((work, work), {"names": ("old",)}, r"names must be two names, such as names=\('old', 'new'\)"),
    "letters": ((work, work), {"names": "ab"}, "names must be two names, .* got 'ab'"),
    "three names": ((work, work), {"names": ("a", "b", "c")}, "names must be two names"),
    "a number for a name": ((work, work), {"names": ("a", 1)}, "names must be two names"),
    "one name twice": ((work, work), {"names": ("a", "a")}, "need different names, got 'a' twice"),
    "blocks": ((work, work), {"blocks": 3}, "blocks must be an integer of at least 5"),
    "most blocks": ((work, work), {"most_blocks": "many"}, "most_blocks must be an integer"),
    "fewer at most": ((work, work), {"blocks": 9, "most_blocks": 6}, "most_blocks must be at least blocks, 9, got 6"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_timed_is_refused(name):
    functions, options, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        timing.compare(*functions, **{"warmup_seconds": 0.001, "minimum_sample_seconds": 0.001} | options)


@pytest.mark.parametrize("at_least", ["2", float("nan"), float("inf"), -1, 0, None, True])
def test_at_least_is_a_number_above_0(at_least):
    with pytest.raises(ValueError, match="at_least must be a finite number above 0, got"):
        Crosscheck([]).compare_speed(work, work, at_least=at_least)


def test_built_ins_and_functions_with_defaults_are_timed():
    found = timing.compare(dict, lambda x=yields: x, blocks=5, minimum_sample_seconds=1e-4, warmup_seconds=1e-4)
    assert list(found.arms) == ["dict", "second"]
