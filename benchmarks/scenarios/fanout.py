"""One edit to many subscribers with the same query on one worker, against `listen_to_channel`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import documents
from benchmarks.client import connected_to, run_clients, session_at
from benchmarks.crowd import Crowd, Deliveries
from benchmarks.measure import Plot, Result, at_least, at_most
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import STOCK, Bench, Worker

LINES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The median rounds of a number of subscribers."""

    ours: Deliveries
    theirs: Deliveries


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """All watch as one viewer, and at last as so many who have joined; 4 edits are under way."""
    pk = make_order(LINES)
    (key,) = line_keys(pk, 1)
    sizes = [200] if bench.quick else [10, 50, 100, 250, 500]
    size = sizes[-1]
    with bench.worker() as worker, bench.worker(STOCK) as stock:
        drive = _Drive(bench, worker, stock, pk, key)
        rounds = {size: run_clients(drive.same_viewer(size)) for size in sizes}
        joined = None if bench.quick else run_clients(drive.joined(size))
    most = rounds[size]
    what, against = f"One edit to {size} subscribers", "listen_to_channel on the Pub/Sub layer"
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
    if joined is None:
        return
    yield Result(
        what=f"One edit to {size} sessions that have joined by a link",
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
        rounds = self.bench.count(5, 3) if size > 100 else 1
        seconds = self.bench.count(3, 1)
        async with session_at(self.worker) as client, connected_to(self.stock) as other:
            ours = Crowd.of_draft(client, await client.open(self.pk), self.key)
            theirs = Crowd.of_stock(other, f"stock-{size}")
            await ours.gather([client] * size)
            await theirs.gather([other] * size)
            turns = [
                (await ours.drive(seconds), await theirs.drive(seconds)) for _ in range(rounds)
            ]
            await ours.leave()
            await theirs.leave()
        turns.sort(key=lambda turn: turn[0].rate / turn[1].rate)
        middle = turns[(len(turns) - 1) // 2]
        return Round(ours=middle[0], theirs=middle[1])

    async def joined(self, size: int) -> Deliveries:
        """Let so many sessions that have joined by a link hear of edits."""
        async with session_at(self.worker) as client:
            draft = await client.open(self.pk)
            token = (await client.data(documents.SHARE, draft=draft))["shareDraft"]["token"]
            members = [await client.started() for _ in range(size)]
            for member in members:
                await member.post(documents.JOIN, token=token)
            crowd = Crowd.of_draft(client, draft, self.key)
            await crowd.gather(members)
            heard = await crowd.drive(8)
            await crowd.leave()
            return heard
