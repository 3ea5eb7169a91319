"""One edit to many subscribers with the same query on one worker, against `listen_to_channel`."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from benchmarks import documents
from benchmarks.client import Client, connected_to, session_at
from benchmarks.crowd import Crowd, Deliveries
from benchmarks.measure import Plot, Result, at_least, at_most
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import STOCK, Bench, Worker

MOST = 500
LINES = 100
_rooms = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The median rounds of a number of subscribers."""

    ours: Deliveries
    theirs: Deliveries


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """All watch as one viewer, and at last as 500 who have joined; 4 edits are under way."""
    pk = make_order(LINES)
    (key,) = line_keys(pk, 1)
    sizes = [50, MOST] if bench.quick else [10, 50, 100, 250, MOST]
    with bench.worker() as worker, bench.worker(STOCK) as stock:
        drive = _Drive(bench, worker, stock, pk, key)
        rounds = {size: asyncio.run(drive.same_viewer(size)) for size in sizes}
        joined = asyncio.run(drive.joined(MOST))
    most = rounds[MOST]
    what, against = f"One edit to {MOST} subscribers", "listen_to_channel on the Pub/Sub layer"
    yield Result(
        what=what,
        against=against,
        ours=most.ours.rate,
        theirs=most.theirs.rate,
        unit="deliveries/s",
        target=at_least(3),
        note=f"the worker computes {most.ours.each:.3f} ms a delivery against "
        f"{most.theirs.each:.3f} ms; the clients compute for {most.ours.busy:.0f} % of the time "
        f"against {most.theirs.busy:.0f} %",
    )
    yield Result(
        what=f"{what}: p99",
        against=against,
        ours=most.ours.p99,
        theirs=most.theirs.p99,
        unit="ms",
        target=at_most(1),
    )
    yield Result(
        what=f"{what}: delivered",
        against="what was due",
        ours=most.ours.share,
        theirs=100,
        unit="%",
        target=at_least(1),
        note=f"the Pub/Sub layer delivered {most.theirs.share:.2f} %",
    )
    yield Result(
        what=f"One edit to {MOST} sessions that have joined by a link",
        against=against,
        ours=joined.rate,
        theirs=most.theirs.rate,
        unit="deliveries/s",
        note=f"p99 {joined.p99:,.1f} ms, delivered {joined.share:.2f} %",
    )
    yield Plot(
        name="deliveries",
        title="Deliveries by the number of subscribers",
        x_title="subscribers of one draft at one worker",
        y_title="deliveries a second",
        x=sizes,
        curves={
            "gql_cluster": [each.ours.rate for each in rounds.values()],
            "listen_to_channel on channels' Pub/Sub layer": [
                each.theirs.rate for each in rounds.values()
            ],
        },
    )


@dataclass(frozen=True, slots=True)
class _Drive:
    """Both services, each with a draft of its own for each crowd."""

    bench: Bench
    worker: Worker
    stock: Worker
    pk: int
    key: str

    async def same_viewer(self, size: int) -> Round:
        """Let a crowd at each service hear of edits, in turns."""
        rounds = self.bench.count(3, 1) if size == MOST else 1
        seconds = self.bench.pick(4, 2)
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(session_at(self.worker))
            other = await stack.enter_async_context(connected_to(self.stock))
            ours = await self._ours(client, [client] * size, stack)
            theirs = await self._theirs([other] * size, stack)
            heard: tuple[list[Deliveries], list[Deliveries]] = ([], [])
            for _ in range(rounds):
                heard[0].append(await ours.drive(seconds))
                heard[1].append(await theirs.drive(seconds))
        return Round(ours=_median(heard[0]), theirs=_median(heard[1]))

    async def joined(self, size: int) -> Deliveries:
        """Let so many sessions that have joined by a link hear of edits."""
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(session_at(self.worker))
            members = [await client.started() for _ in range(size)]
            crowd = await self._ours(client, members, stack)
            return await crowd.drive(self.bench.pick(8, 3))

    async def _ours(
        self, client: Client, members: Sequence[Client], stack: AsyncExitStack
    ) -> Crowd:
        draft = await client.open(self.pk)
        if any(member is not client for member in members):
            token = (await client.data(documents.SHARE, draft=draft))["shareDraft"]["token"]
            for member in members:
                await member.post(documents.JOIN, token=token)

        async def edit(version: int) -> None:
            note = str(version)
            await client.post(documents.EDIT, draft=draft, key=self.key, note=note)

        return await _gathered(Crowd(self.worker, edit), members, documents.WATCH, draft, stack)

    async def _theirs(self, members: Sequence[Client], stack: AsyncExitStack) -> Crowd:
        draft = f"stock-{next(_rooms)}"

        async def edit(version: int) -> None:
            variables = {"draft": draft, "version": version, "key": self.key, "note": str(version)}
            await members[0].post(documents.STOCK_EDIT, **variables)

        return await _gathered(
            Crowd(self.stock, edit), members, documents.STOCK_WATCH, draft, stack
        )


async def _gathered(
    crowd: Crowd, members: Sequence[Client], document: str, draft: str, stack: AsyncExitStack
) -> Crowd:
    stack.push_async_callback(crowd.leave)
    await crowd.gather(members, document, draft)
    return crowd


def _median(rounds: Sequence[Deliveries]) -> Deliveries:
    return sorted(rounds, key=lambda each: each.rate)[(len(rounds) - 1) // 2]
