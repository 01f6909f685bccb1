"""The plans one caller keeps from call to call, within a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core_numpy.engine.plan import Plan


PlanKey = tuple[int, int, bool, bool]
"""What a plan was made for: the shard's number, examples a chunk, whether backward follows, whether batch last."""


class PlanCache:
    """Plans by what they were made for, the most recently used ones last. One caller at a time.

    Attributes:
        nbytes: bytes of all their buffers.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self._plans: OrderedDict[PlanKey, Plan] = OrderedDict()
        self._used: set[PlanKey] = set()
        self._grown = False

    def get(self, key: PlanKey, make: Callable[[PlanKey], Plan]) -> Plan:
        """The plan for this key, made where there is none."""
        self._used.add(key)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = make(key)
            self.nbytes += plan.nbytes
            self._grown = True
        else:
            self._plans.move_to_end(key)
        return plan

    def end_call(self, limit: int) -> None:
        """Forget plans, the least recently used first, until ``limit`` bytes are left.

        The plans of the call that ends are kept whatever they need: the next call is most often like it.
        """
        if self._grown and self.nbytes > limit:
            for key in [key for key in self._plans if key not in self._used]:
                plan = self._plans.pop(key)
                self.nbytes -= plan.nbytes
                plan.release()
                if self.nbytes <= limit:
                    break
        self._grown = False
        self._used.clear()

    @property
    def plans(self) -> list[Plan]:
        """All plans that are kept."""
        return list(self._plans.values())
