"""Which faults happen in a round, and when: all of it follows from the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from enum import Enum


class Kind(Enum):
    """What can befall the servers and the workers; clients vanish by themselves."""

    WORKER_KILLED = "a worker is killed"
    WORKER_STOPPED = "a worker is stopped, as for a new release"
    REDIS_KILLED = "Redis is killed"
    REDIS_PAUSED = "Redis hangs"
    DATABASE_KILLED = "PostgreSQL is killed"

    @property
    def part(self) -> str:
        """What it befalls; a part has one fault at a time."""
        return self.name.partition("_")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: when it begins and how long it lasts, in seconds.

    `place` is that of the worker, `loss` the share of wake-ups that the one after it loses.
    """

    kind: Kind
    at: float
    lasts: float
    place: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The faults of a round in order, and how long clients are at work, in seconds."""

    seed: int
    seconds: float
    faults: tuple[Fault, ...]


def make_plan(seed: int, seconds: float, *, places: int, count: int, pause: float) -> Plan:
    """Return so many faults, each kind at least once if there are enough.

    The first pause of Redis lasts as long as is given, all else two seconds at most.
    """
    rng = random.Random(seed)  # noqa: S311 - no secret
    kinds = [*Kind, *rng.choices([*Kind], k=max(0, count - len(Kind)))][:count]
    rng.shuffle(kinds)
    # One in each part of the round, so that there is some time to go on in between.
    step = seconds / max(1, len(kinds))
    faults = [
        Fault(
            kind=kind,
            at=(index + rng.random()) * step,
            lasts=rng.uniform(0.1, 2),
            place=rng.randrange(places),
            loss=rng.choice([0.5, 1.0]),
        )
        for index, kind in enumerate(kinds)
    ]
    if Kind.REDIS_PAUSED in kinds:
        first = kinds.index(Kind.REDIS_PAUSED)
        faults[first] = replace(faults[first], lasts=pause)
    return Plan(seed=seed, seconds=seconds, faults=tuple(faults))
