"""The clients of a round: editors who send until they are answered, and subscribers who come back.

They do what the protocol of drafts asks of a client, and write down all that they are told.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.exceptions import WebSocketException

from tests.e2e import operations
from tests.e2e.chaos import documents
from tests.e2e.chaos.desk import Desk
from tests.e2e.chaos.fleet import Fleet
from tests.e2e.chaos.mix import MIX, Operation, Request
from tests.e2e.chaos.record import (
    Acknowledged,
    Delivery,
    Opened,
    Record,
    Refused,
    Subscription,
    Trouble,
)
from tests.e2e.client import NOTICES, Socket, open_socket
from tests.e2e.samples import wings

PATIENCE = 60.0


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What the clients of a round share. `committing` is set while a commit is on its way."""

    fleet: Fleet
    record: Record
    over: asyncio.Event = field(default_factory=asyncio.Event)
    committing: asyncio.Event = field(default_factory=asyncio.Event)


class Editor:
    """One of those who edit at a desk: who leads opens and commits, others may be guests."""

    def __init__(self, name: str, desk: Desk, traffic: Traffic, *, leads: bool) -> None:
        """Take the desk; all that is done follows from the seed and the name."""
        self._client = desk.client if leads or desk.guest is None else desk.guest
        self.rng = random.Random(f"{traffic.record.seed} {name}")  # noqa: S311 - no secret
        self.desk = desk
        self.draft = ""
        self._name = name
        self._traffic = traffic
        self._numbers = itertools.count(1)
        self._mix = [operation for operation in MIX if leads or not operation.is_led]
        self._weights = [operation.weight for operation in self._mix]

    def number(self) -> int:
        """Return a number that this editor has not used yet."""
        return next(self._numbers)

    def mark(self) -> str:
        """Return a name that nobody has used yet."""
        return f"{self._name}-{self.number()}"

    async def open(self) -> None:
        """Open a draft of the desk's band, or of a new one, for the whole desk."""
        self.desk.draft = ""
        given = {"pk": self.desk.band} if self.desk.band else {"data": wings(name=self.mark())}
        payload = (await self.ask(operations.OPEN, resume=False, **given))["payload"]
        assert not payload["errors"], payload
        self.draft = payload["draft"]["id"]
        cluster = (await self.read())["cluster"]
        if self.desk.guest is not None:
            shared = (await self.ask(documents.SHARE, draft=self.draft))["payload"]
            guest = Editor(f"{self._name} guest", self.desk, self._traffic, leads=False)
            joined = (await guest.ask(documents.JOIN, token=shared["token"]))["payload"]
            assert not joined["errors"], joined
        self._traffic.record.opened[self.draft] = Opened(
            draft=self.draft, desk=self.desk.name, band=self.desk.band, cluster=cluster
        )
        await self.desk.begin(self.draft, cluster)

    async def read(self) -> Any:
        """Return the draft as it is."""
        return (await self.ask(documents.DRAFT, draft=self.draft))["draft"]

    async def work(self) -> None:
        """Do one thing after the other, until the round is over, or nobody answers any more."""
        over = self._traffic.over
        while not over.is_set():
            self.draft = await self.desk.other_than("")
            [operation] = self.rng.choices(self._mix, self._weights)
            try:
                request = await operation.make(self)
                if request is not None:
                    await self.send(operation, request)
            except TimeoutError:
                self._traffic.record.unanswered.append(f"{operation.name} of {self._name}")
                return
            await happens(over, within=self.rng.uniform(0, 0.15))

    async def send(self, operation: Operation, request: Request) -> None:
        """Have one request answered, and write down how."""
        record = self._traffic.record
        change_id = f"{operation.name} {self.mark()}"
        variables = {"draft": self.draft, "id": change_id, **request.variables}
        if request.document == documents.COMMIT:
            self._traffic.committing.set()
        payload = (await self.ask(request.document, **variables))["payload"]
        self._traffic.committing.clear()
        if payload["errors"]:
            record.refused.append(
                Refused(
                    draft=self.draft,
                    change_id=change_id,
                    operation=operation.name,
                    errors=tuple(f"{e['code']}: {e['message']}" for e in payload["errors"]),
                    is_foreseen=all(
                        error["code"] in operation.refusals and "change id" not in error["message"]
                        for error in payload["errors"]
                    ),
                )
            )
            return
        record.acknowledged.append(
            Acknowledged(
                draft=self.draft,
                change_id=change_id,
                operation=operation.name,
                payload=payload,
                marks=request.marks,
            )
        )
        if (event := payload.get("event")) is not None and self.draft == self.desk.draft:
            self.desk.learn(event)
        if (receipt := payload.get("receipt")) is not None:
            self.desk.band = receipt["clusterPk"]
        if operation.then is not None:
            await operation.then(self, request)

    async def ask(self, document: str, **variables: Any) -> Any:
        """Return the data of an operation; it is sent again, anywhere, until it is answered."""
        what = document.split("(", 1)[0].rsplit(maxsplit=1)[-1]
        async with asyncio.timeout(PATIENCE):
            while True:
                data = await self._ask_once(what, document, variables)
                if data is not None:
                    return data
                await asyncio.sleep(self.rng.uniform(0.05, 0.3))

    async def _ask_once(self, what: str, document: str, variables: dict[str, Any]) -> Any:
        """Return the data, None where it has to be sent again."""
        worker = self._traffic.fleet.any(self.rng)
        troubles = self._traffic.record.troubles
        # Some hang up before they have the answer.
        patience = self.rng.uniform(0, 0.05) if self.rng.random() < 0.05 else PATIENCE
        try:
            async with asyncio.timeout(patience):
                answer = await self._client.at(worker).post(document, **variables)
        except TimeoutError:
            return None
        except httpx.TransportError as exc:
            troubles.append(Trouble(what=what, worker=worker.url, lost=repr(exc)))
            return None
        if not answer.errors:
            return answer.data
        troubles.append(Trouble(what=what, worker=worker.url, codes=tuple(answer.codes)))
        return None


class _RefusedError(Exception):
    """The service has ended a subscription with errors."""


class Subscriber:
    """One who follows the drafts of a desk, on one connection after another."""

    def __init__(self, name: str, desk: Desk, traffic: Traffic, *, leaves: bool) -> None:
        """One who leaves does so now and then, half the time without a word."""
        self._rng = random.Random(f"{traffic.record.seed} {name}")  # noqa: S311 - no secret
        self._name = name
        self._desk = desk
        self._traffic = traffic
        self._leaves = leaves
        self._client = desk.guest if leaves and desk.guest is not None else desk.client

    async def work(self) -> None:
        """Follow one draft after the other, until cancelled."""
        draft = ""
        while True:
            draft = await self._desk.other_than(draft)
            await self._follow(draft)

    async def _follow(self, draft: str) -> None:
        after = self._rng.choice([None, 0])
        subscription = Subscription(subscriber=self._name, draft=draft, after=after)
        self._traffic.record.subscriptions.append(subscription)
        for connection in itertools.count():
            await self._connect(subscription, connection)
            if subscription.is_over:
                return
            await asyncio.sleep(self._rng.uniform(0.05, 0.5))

    async def _connect(self, subscription: Subscription, connection: int) -> None:
        """Listen on one connection, from the last version on that was seen."""
        worker = self._traffic.fleet.any(self._rng)
        after = subscription.seen
        stays = self._rng.uniform(0, 5) if self._leaves else None
        try:
            async with open_socket(worker, token=self._client.token) as socket:
                name = await socket.start(documents.WATCH, draft=subscription.draft, after=after)
                try:
                    async with asyncio.timeout(stays):
                        while (event := await self._next(socket, name, worker.url)) is not None:
                            given = Delivery(connection=connection, after=after, event=event)
                            subscription.deliveries.append(given)
                        self._completed(subscription, worker.url)
                except TimeoutError:
                    if self._rng.random() < 0.5:
                        socket.cut()
        except _RefusedError:
            pass
        except (OSError, WebSocketException, TimeoutError) as exc:
            lost = Trouble(what="Watch", worker=worker.url, lost=repr(exc))
            self._traffic.record.troubles.append(lost)

    def _completed(self, subscription: Subscription, url: str) -> None:
        """Take the end of a stream: where the draft is closed, or unforeseen."""
        last = subscription.deliveries[-1].event if subscription.deliveries else {}
        match last.get("__typename"):
            case "DraftSnapshot":
                subscription.is_over = last["draft"]["state"] != "OPEN"
            case "DraftCommitted" | "DraftDiscarded":
                subscription.is_over = True
        if not subscription.is_over:
            lost = Trouble(what="Watch", worker=url, lost="it was completed")
            self._traffic.record.troubles.append(lost)

    async def _next(self, socket: Socket, name: str, url: str) -> dict[str, Any] | None:
        """Return the next numbered event, None at the end of the stream.

        One that came with errors, because a part of it could not be read, is left to be asked for
        again.
        """
        while (message := await _patiently(socket, name))["type"] != "complete":
            event, codes = told(message)
            if event is None or codes:
                trouble = Trouble(what="Watch", worker=url, codes=codes)
                self._traffic.record.troubles.append(trouble)
                raise _RefusedError
            if event["__typename"] not in NOTICES:
                return event
        return None


async def _patiently(socket: Socket, name: str) -> Any:
    """Return the next message, however long it takes."""
    while True:
        with suppress(TimeoutError):
            return await socket.receive(name)


def told(message: dict[str, Any]) -> tuple[dict[str, Any] | None, tuple[str | None, ...]]:
    """Return the event that a message of a subscription brings, and the codes of its errors."""
    payload = message["payload"]
    is_next = message["type"] == "next"
    errors = payload.get("errors", []) if is_next else payload
    event = (payload.get("data") or {}).get("event") if is_next else None
    return event, tuple(error.get("extensions", {}).get("code") for error in errors)


async def happens(event: asyncio.Event, *, within: float) -> bool:
    """Wait for an event, so many seconds at most, and tell whether it has happened."""
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True
