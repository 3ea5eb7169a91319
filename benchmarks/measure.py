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


async def in_turns(
    sides: Mapping[str, Sequence[Request]],
    *,
    rounds: int,
    seconds: float,
    least: int = 1,
    meters: Mapping[str, Meter] | None = None,
) -> dict[str, Load]:
    """Drive each side in turns, `rounds` times after one to warm up; returns each median round."""
    meters = meters or {}
    loads: dict[str, list[Load]] = {name: [] for name in sides}
    spent: dict[str, dict[str, float]] = {name: defaultdict(float) for name in sides}
    for turn in range(rounds + 1):
        for name, clients in sides.items():
            if turn == 0:
                await closed_loop(clients, seconds=seconds / 2, least=least)
                continue
            meter = meters.get(name, dict)
            before = meter()
            loads[name].append(await closed_loop(clients, seconds=seconds, least=least))
            after = meter()
            for what, value in after.items():
                spent[name][what] += value - before[what]
    return {name: _of_all(loads[name], spent[name]) for name in sides}


def _of_all(loads: Sequence[Load], spent: Mapping[str, float]) -> Load:
    """Return the median round with what each request of all rounds has cost."""
    count = sum(load.count for load in loads)
    return replace(median_load(loads), each={what: spent[what] / count for what in spent})


def median_load(loads: Sequence[Load]) -> Load:
    """Return the load whose rate is the median, of two the slower."""
    ordered = sorted(loads, key=lambda load: load.rate)
    return ordered[(len(ordered) - 1) // 2]


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
