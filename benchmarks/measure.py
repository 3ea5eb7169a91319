"""How things are measured: by closed loops, in turns, and by their median."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

Request = Callable[[], Awaitable[object]]
"""One request of one client, from its first byte to the last of the reply."""

Meter = Callable[[], Mapping[str, float]]
"""What was spent up to now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a ratio has to be."""

    ratio: float
    at_least: bool

    def is_met(self, ratio: float) -> bool:
        """Tell whether a ratio is as it has to be."""
        return ratio >= self.ratio if self.at_least else ratio <= self.ratio

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{sign} {shown(self.ratio)}"


def at_least(ratio: float) -> Target:
    """More is better."""
    return Target(ratio=ratio, at_least=True)


def at_most(ratio: float) -> Target:
    """Less is better."""
    return Target(ratio=ratio, at_least=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured on both sides; `target` is None for what is only told."""

    what: str
    against: str
    ours: float
    theirs: float
    unit: str
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return self.ours / self.theirs if self.theirs else float("inf") if self.ours else 1.0

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        return self.target.is_met(self.ratio) if self.target else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Curves over what is counted on the x axis; None where nothing was measured."""

    name: str
    title: str
    x_title: str
    y_title: str
    x: Sequence[int]
    curves: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What some clients got done; latencies in seconds, the shortest first."""

    count: int
    seconds: float
    latencies: Sequence[float]
    each: Mapping[str, float] = field(default_factory=dict)
    """What each request has cost, by what the side's meter reads."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.count / self.seconds

    @property
    def milliseconds(self) -> float:
        """The time that the server took for each request."""
        return 1000 / self.rate

    def percentile(self, percent: float) -> float:
        """Return the latency that so many of a hundred requests kept to, in milliseconds."""
        return percentile(self.latencies, percent) * 1000


async def closed_loop(clients: Sequence[Request], *, seconds: float, least: int = 1) -> Load:
    """Let each client send its next request when it has its last reply, for so long.

    Each sends `least` requests, however long they take.
    """
    latencies: list[float] = []
    clock = time.perf_counter
    begin = clock()
    deadline = begin + seconds

    async def drive(request: Request) -> None:
        sent = 0
        start = clock()
        while start < deadline or sent < least:
            await request()
            end = clock()
            latencies.append(end - start)
            start = end
            sent += 1

    await asyncio.gather(*map(drive, clients))
    elapsed = clock() - begin
    return Load(count=len(latencies), seconds=elapsed, latencies=sorted(latencies))


async def in_turns(  # noqa: PLR0913 - a measurement, said whole
    ours: Sequence[Request],
    theirs: Sequence[Request],
    *,
    rounds: int,
    seconds: float,
    least: int = 1,
    meters: tuple[Meter, Meter] = (dict, dict),
) -> tuple[Load, Load]:
    """Drive both in turns, `rounds` times after one to warm up.

    Returns the two loads of the turn whose ratio is the median: what else the machine did then
    was much the same for both.
    """
    sides = tuple(zip((ours, theirs), meters, strict=True))
    for clients, _ in sides:
        await closed_loop(clients, seconds=seconds / 2, least=least)
    turns: list[tuple[Load, ...]] = []
    spent: list[dict[str, float]] = [defaultdict(float) for _ in sides]
    for _ in range(rounds):
        loads = []
        for (clients, meter), sums in zip(sides, spent, strict=True):
            before = meter()
            loads.append(await closed_loop(clients, seconds=seconds, least=least))
            for what, value in meter().items():
                sums[what] += value - before[what]
        turns.append(tuple(loads))
    turns.sort(key=lambda turn: turn[0].rate / turn[1].rate)
    middle = turns[(len(turns) - 1) // 2]
    counts = [sum(turn[at].count for turn in turns) for at in range(len(sides))]
    first, second = (
        replace(load, each={what: value / count for what, value in sums.items()})
        for load, sums, count in zip(middle, spent, counts, strict=True)
    )
    return first, second


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the value that so many of a hundred don't exceed."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def shown(value: float) -> str:
    """Return a number with three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:,.3g}"
