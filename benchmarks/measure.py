"""How things are measured: by closed loops, in turns, and by their median."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

Request = Callable[[], Awaitable[object]]
"""One request of one client, from its first byte to the last of the reply."""


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

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.count / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the latency that so many of a hundred requests kept to, in seconds."""
        return percentile(self.latencies, percent)


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


async def in_turns(
    sides: Mapping[str, Sequence[Request]],
    *,
    rounds: int,
    seconds: float,
    least: int = 1,
) -> dict[str, Load]:
    """Drive each side in turns, `rounds` times after one to warm up; returns each median round."""
    loads: dict[str, list[Load]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, clients in sides.items():
            is_warm = turn > 0
            load = await closed_loop(
                clients, seconds=seconds if is_warm else seconds / 2, least=least
            )
            if is_warm:
                loads[name].append(load)
    return {name: median_load(loads[name]) for name in sides}


def median_load(loads: Sequence[Load]) -> Load:
    """Return the load whose rate is the median, of two the slower."""
    ordered = sorted(loads, key=lambda load: load.rate)
    return ordered[(len(ordered) - 1) // 2]


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes, none of them for older garbage."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


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
