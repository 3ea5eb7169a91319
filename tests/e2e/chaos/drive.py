"""One round: clients at work, faults out of the plan, and what is there when all is over."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.chaos import database, documents
from tests.e2e.chaos.clients import PATIENCE, Editor, Subscriber, Traffic, told
from tests.e2e.chaos.desk import Desk
from tests.e2e.chaos.faults import Faults
from tests.e2e.chaos.fleet import Fleet
from tests.e2e.chaos.mix import Operation, Request, add_member, commit, edit
from tests.e2e.chaos.plan import Plan
from tests.e2e.chaos.record import Record, Served, Trouble
from tests.e2e.chaos.servers import PostgresServer, RedisServer
from tests.e2e.client import NOTICES, Client, open_socket
from tests.e2e.samples import member

LOSSES = (0.5, 1.0)
"""The share of wake-ups that each of the first workers loses."""
PLACES = len(LOSSES)
GENRES = 3
BACK = 15.0
"""Seconds within which everything is served again behind the last fault."""
ERROR = re.compile(r"^(?:ERROR|CRITICAL)|^\S+ \S+ (?:ERROR|CRITICAL) (?!channels_redis|.*/readyz)")
"""What uvicorn and Django log so. Others say that of a Redis that is away, and of a 503."""
PROBES = (
    (Operation(name="probe", weight=0, make=add_member), edit(member("probe"))),
    (
        Operation(name="commit", weight=0, make=commit),
        Request(document=documents.COMMIT, variables={"policy": "FAIL", "keepOpen": False}),
    ),
)


class Round:
    """A stage for faults: servers, workers, and what their clients tell."""

    def __init__(
        self, plan: Plan, directory: Path, redis: RedisServer, postgres: PostgresServer, url: str
    ) -> None:
        """Take servers that run, and the address of a database with the sample data."""
        environ = {
            "DATABASE_URL": url,
            "DATABASE_POOL_SIZE": "10",
            "REDIS_URL": redis.url,
            # A commit of a dead worker is forgotten soon, and no log is trimmed.
            "GQL_CLUSTER": '{"COMMIT_LEASE": 6, "LOG_LENGTH": 1000000}',
        }
        self._plan = plan
        self._url = url
        self._fleet = Fleet(directory, environ)
        self._record = Record(seed=plan.seed)
        self._traffic = Traffic(fleet=self._fleet, record=self._record)
        self._faults = Faults(redis=redis, postgres=postgres, traffic=self._traffic)
        self._desks: dict[str, Desk] = {}

    async def run(self) -> Record:
        """Return all that was seen."""
        try:
            await asyncio.gather(
                *(self._fleet.start(place, loss=loss) for place, loss in enumerate(LOSSES))
            )
            limits = httpx.Limits(max_connections=None, keepalive_expiry=2)
            async with httpx.AsyncClient(timeout=PATIENCE, limits=limits, trust_env=False) as http:
                await self._run(http)
        finally:
            self._fleet.close()
        self._record.dead_workers |= self._fleet.dead
        self._record.logged += errors_in(self._fleet.logs)
        return self._record

    async def _run(self, http: httpx.AsyncClient) -> None:
        self._record.before = await asyncio.to_thread(database.rows, self._url)
        await self._set_up_desks(http)
        desks = list(self._desks.values())
        leaders = [Editor(f"{desk.name}1", desk, self._traffic, leads=True) for desk in desks]
        others = [Editor(f"{desk.name}2", desk, self._traffic, leads=False) for desk in desks]
        for leader in leaders:
            await leader.open()
        async with self._subscribed(desks, self._traffic):
            working = [asyncio.create_task(editor.work()) for editor in leaders + others]
            await self._faults.inflict(self._plan)
            self._traffic.over.set()
            await self._find_out_who_serves(http)
            await self._end(working)
            await self._take_down()
            await until(self._is_caught_up)

    async def _set_up_desks(self, http: httpx.AsyncClient) -> None:
        """Make four: two with the same band, one with a band of its own, one with a new one."""
        client = Client(http=http, worker=self._fleet.places[0])
        one, other, third = [await client.started() for _ in range(3)]
        bands = [band["pk"] for band in (await client.data("{ bands { pk } }"))["bands"]]
        for name, session, guest, band, is_shared in (
            ("a", one, None, bands[0], True),
            ("b", other, one, bands[0], True),
            ("c", one, None, bands[1], False),
            ("d", other, third, None, False),
        ):
            genres = await asyncio.to_thread(database.new_genres, self._url, name, GENRES)
            self._desks[name] = Desk(
                name=name,
                client=session,
                guest=guest,
                band=band,
                is_shared=is_shared,
                genres=tuple(genres),
            )

    @asynccontextmanager
    async def _subscribed(self, desks: Iterable[Desk], traffic: Traffic) -> AsyncIterator[None]:
        """Have each desk followed by one who stays and one who leaves and comes back."""
        following = [
            asyncio.create_task(
                Subscriber(f"{desk.name} {who}", desk, traffic, leaves=who == "leaves").work()
            )
            for desk in desks
            for who in ("stays", "leaves")
        ]
        try:
            yield
        finally:
            for task in following:
                task.cancel()
            for task in following:
                with suppress(asyncio.CancelledError):
                    await task

    # Behind the last fault

    async def _find_out_who_serves(self, http: httpx.AsyncClient) -> None:
        """Use each worker, which has to serve everything within some seconds."""
        places = list(self._fleet.places)
        probes = (self._probe(http, place) for place in places)
        for place, outcome in zip(
            places, await asyncio.gather(*probes, return_exceptions=True), strict=True
        ):
            if outcome is not None:
                self._record.unanswered.append(f"the probe of worker {place}: {outcome!r}")

    async def _probe(self, http: httpx.AsyncClient, place: int) -> None:
        """Open a draft at one worker, follow and edit it there, and commit it."""
        async with asyncio.timeout(BACK):
            fleet = self._fleet.only(place)
            client = Client(http=http, worker=fleet.places[place])
            while not (await http.get(f"{client.worker.url}/readyz")).is_success:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            name = f"probe{place}"
            self._desks[name] = desk = Desk(
                name=name,
                client=await client.started(),
                guest=None,
                band=None,
                is_shared=False,
                genres=(),
            )
            traffic = Traffic(fleet=fleet, record=self._record)
            editor = Editor(name, desk, traffic, leads=True)
            await editor.open()
            async with self._subscribed([desk], traffic):
                for operation, request in PROBES:
                    await editor.send(operation, request)
                await until(lambda: self._is_followed(editor.draft))

    async def _end(self, working: list[asyncio.Task[None]]) -> None:
        """Let the editors come to an end."""
        done, late = await asyncio.wait(working, timeout=2 * PATIENCE)
        for task in late:
            task.cancel()
            self._record.unanswered.append("an editor who waits for a draft")
        for task in done:
            task.result()

    async def _take_down(self) -> None:
        """Write down how each draft is served, and what the database has."""
        opened = self._record.opened.values()
        served = await asyncio.gather(*(self._served(each.desk, each.draft) for each in opened))
        self._record.served = dict(zip(self._record.opened, served, strict=True))
        self._record.after = await asyncio.to_thread(database.rows, self._url)
        self._record.order = await asyncio.to_thread(database.order, self._url)
        self._record.receipts = await asyncio.to_thread(database.receipts, self._url)

    async def _served(self, desk: str, draft: str) -> Served:
        session = self._desks[desk].client.at(self._fleet.places[0])
        while (answer := await session.post(documents.DRAFT, draft=draft)).codes:
            late = Trouble(what="Draft", worker="", codes=tuple(answer.codes), is_late=True)
            self._record.troubles.append(late)
            await asyncio.sleep(0.1)
        now = answer.data["draft"]
        return Served(
            version=now["version"],
            state=now["state"],
            cluster=now["cluster"],
            log=tuple(await self._log(session, draft, now["version"])),
        )

    async def _log(self, client: Client, draft: str, version: int) -> list[dict[str, Any]]:
        """Return every event of a draft, up to a version; fewer where they don't come."""
        log: list[dict[str, Any]] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(BACK), open_socket(client.worker, token=client.token) as ws:
                name = await ws.start(documents.WATCH, draft=draft, after=0)
                while version and (not log or log[-1]["version"] < version):
                    message = await ws.receive(name)
                    if message["type"] == "complete":
                        break
                    event, codes = told(message)
                    if codes:
                        late = Trouble(what="Watch", worker="", codes=codes, is_late=True)
                        self._record.troubles.append(late)
                    if event is not None and event["__typename"] not in NOTICES:
                        log.append(event)
        return log

    def _is_followed(self, draft: str) -> bool:
        """Tell whether both subscribers have seen a draft closed."""
        following = [each for each in self._record.subscriptions if each.draft == draft]
        return [each.is_over for each in following] == [True, True]

    def _is_caught_up(self) -> bool:
        """Tell whether the subscribers have seen all that there is."""
        newest = {each.subscriber: each for each in self._record.subscriptions}
        return all(each.seen == self._record.served[each.draft].version for each in newest.values())


async def until(condition: Callable[[], bool]) -> None:
    """Return when a condition holds, or after some seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(BACK):
            while not condition():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)


def errors_in(logs: Iterable[Path]) -> list[str]:
    """Return what the workers have logged as errors."""
    return [
        f"{log.name}: {line}"
        for log in logs
        for line in log.read_text(errors="replace").splitlines()
        if ERROR.search(line)
    ]
