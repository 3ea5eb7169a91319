"""What a worker counts, for whoever asks (`transport.exporter`); numbers, and nothing of a library.

An edit has no time for locks and labels: these are integers that the event loop alone changes, and
that another thread may read. They last as long as the process.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from typing import Protocol
from weakref import WeakSet


class Timing:
    """How long something took, in seconds: how often up to each bound, and in all."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` are those of the buckets, the least first; one more has no bound."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def take(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


class HasSize(Protocol):
    """Something that keeps bytes in memory."""

    @property
    def size(self) -> int:
        """How many."""
        ...


class CanBeOpen(Protocol):
    """Something that fails at once when it is open."""

    @property
    def is_open(self) -> bool:
        """Whether it is."""
        ...


_CALL = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

requests: Counter[tuple[str, str]] = Counter()
"""Operations that have ended, and results of subscriptions: by their type and their code."""
edits: Counter[str] = Counter()
"""Change sets, by what came of them: OK, or why they were refused."""
commits: Counter[str] = Counter()
"""Commits, by what came of them."""
events: Counter[str] = Counter()
"""What was told to subscribers, by its kind."""
lag = Timing(_LAG)
"""From an event to its delivery, to those who listened when it happened."""
open_now: Counter[str] = Counter()
"""What is open now: sockets, and subscriptions to drafts."""
calls: dict[str, Timing] = {}
"""Calls of the draft store, by name."""
failed_calls: Counter[str] = Counter()
"""Those that were not answered."""
caches: WeakSet[HasSize] = WeakSet()
"""What is kept of drafts in memory."""
circuits: WeakSet[CanBeOpen] = WeakSet()
"""The circuit breakers."""


def call_timing(name: str) -> Timing:
    """Return what the calls of one kind are timed by."""
    return calls.setdefault(name, Timing(_CALL))


now = perf_counter
