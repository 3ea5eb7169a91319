"""The faults of a plan, as they befall workers and servers; each is mended again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import assert_never

from tests.e2e.chaos.clients import Traffic, happens
from tests.e2e.chaos.plan import Fault, Kind, Plan
from tests.e2e.chaos.servers import PostgresServer, RedisServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What befalls a round. A part, such as Redis, has one fault at a time; several may."""

    redis: RedisServer
    postgres: PostgresServer
    traffic: Traffic
    _parts: dict[str, asyncio.Lock] = field(
        default_factory=lambda: {kind.part: asyncio.Lock() for kind in Kind}
    )

    async def inflict(self, plan: Plan) -> None:
        """Return when the last fault is over and the round's time is up."""
        begun = asyncio.get_running_loop().time()

        async def later(fault: Fault) -> None:
            await asyncio.sleep(begun + fault.at - asyncio.get_running_loop().time())
            async with self._parts[fault.kind.part]:
                await self._befall(fault)
            self.traffic.record.faults.append(fault.kind)

        async with asyncio.TaskGroup() as group:
            for fault in plan.faults:
                group.create_task(later(fault))
            group.create_task(asyncio.sleep(plan.seconds))

    async def _befall(self, fault: Fault) -> None:
        fleet = self.traffic.fleet
        match fault.kind:
            case Kind.WORKER_KILLED:
                fleet.kill(fault.place)
                await fleet.start(fault.place, loss=fault.loss)
            case Kind.WORKER_STOPPED:
                await fleet.stop(fault.place)
                await fleet.start(fault.place, loss=fault.loss)
            case Kind.REDIS_KILLED:
                await asyncio.to_thread(self.redis.kill)
                await asyncio.sleep(fault.lasts)
                await asyncio.to_thread(self.redis.start)
            case Kind.REDIS_PAUSED:
                self.redis.pause()
                try:
                    await asyncio.sleep(fault.lasts)
                finally:
                    self.redis.resume()
            case Kind.DATABASE_KILLED:
                # While a commit is on its way, if one comes; at any moment of it.
                if await happens(self.traffic.committing, within=3):
                    await asyncio.sleep(fault.lasts / 40)
                await asyncio.to_thread(self.postgres.kill)
                await asyncio.sleep(fault.lasts)
                await asyncio.to_thread(self.postgres.start)
            case _:
                assert_never(fault.kind)
