"""Editors who open, edit, read and end drafts, and watchers who come and go."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.chaos import documents
from tests.e2e.chaos.clients import told
from tests.e2e.client import Client, open_socket
from tests.e2e.samples import named, wings
from tests.e2e.workers import Worker

DISCARD = "mutation($draft: ID!) { payload: discardDraft(draft: $draft) { errors { code } } }"
PAGE = """
query($draft: ID!) { draft(id: $draft) { version ... on BandDraft { cluster {
  members(ordering: [{ name: ASC }], pagination: { limit: 2 }) { key name }
} } } }
"""
BANDS = "{ bands { pk } }"
LEAVES_AFTER = 4.0
"""Seconds, at most."""


@dataclass(slots=True, kw_only=True)
class Scene:
    """What the clients share: who serves, which drafts are being edited, what was done."""

    http: httpx.AsyncClient
    workers: list[Worker]
    bands: list[str] = field(default_factory=list)
    live: dict[str, Client] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    rng: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - no secret
    names: itertools.count[int] = field(default_factory=itertools.count)

    async def begin(self) -> None:
        """Find out which bands there are."""
        client = Client(http=self.http, worker=self.workers[0])
        self.bands = [band["pk"] for band in (await client.data(BANDS))["bands"]]

    async def started(self) -> Client:
        """Return a new session, at any worker."""
        return await Client(http=self.http, worker=self.any()).started()

    def any(self) -> Worker:
        """Return a worker."""
        return self.rng.choice(self.workers)

    def name(self) -> str:
        """Return a name that nobody has used yet."""
        return f"name-{next(self.names)}"


async def edit(scene: Scene) -> None:
    """Edit one draft after the other, each in a session of its own, until it is over."""
    while not scene.over.is_set():
        client = await scene.started()
        if scene.rng.random() < 0.7:
            draft = await client.open(pk=scene.rng.choice(scene.bands))
        else:
            draft = await client.open(data=wings(name=scene.name()))
        scene.done["opened"] += 1
        scene.live[draft] = client
        try:
            await _work(scene, client, draft)
        finally:
            del scene.live[draft]


async def _work(scene: Scene, client: Client, draft: str) -> None:
    added: list[str] = []
    for _ in range(scene.rng.randint(3, 30)):
        await _step(scene, client.at(scene.any()), draft, added)
        await asyncio.sleep(scene.rng.uniform(0, 0.05))
    # What is saved does not grow: what was added to a band is taken away before.
    if added:
        await client.edit(draft, {"members": {"remove": added}})
    end = scene.rng.random()
    if end < 0.5:
        variables = {"policy": "MINE", "keepOpen": scene.rng.random() < 0.3, "id": scene.name()}
        await accepted(client, documents.COMMIT, draft=draft, **variables)
        scene.done["committed"] += 1
    elif end < 0.8:
        await accepted(client, DISCARD, draft=draft)
        scene.done["discarded"] += 1


async def _step(scene: Scene, client: Client, draft: str, added: list[str]) -> None:
    match scene.rng.choice(["name", "name", "add", "add", "remove", "undo", "whole", "page"]):
        case "add":
            name = scene.name()
            new = {"key": name, "name": name, "instrument": "OTHER"}
            await client.edit(draft, {"members": {"add": [new]}})
            added.append(name)
        case "remove" if added:
            await client.edit(draft, {"members": {"remove": [added.pop()]}})
        case "undo":
            await client.edit(draft, named(scene.name()))
            for document in (documents.UNDO, documents.REDO):
                await accepted(client, document, draft=draft, id=scene.name())
            scene.done["edits"] += 2
        case "whole":
            assert (await client.draft(draft))["cluster"]["key"] == "root"
            scene.done["read"] += 1
            return
        case "page":
            assert (await client.data(PAGE, draft=draft))["draft"]["cluster"]["members"]
            scene.done["read"] += 1
            return
        case _:
            await client.edit(draft, named(scene.name()))
    scene.done["edits"] += 1


async def accepted(client: Client, document: str, **variables: Any) -> None:
    """Send a mutation that must not be refused."""
    payload = await client.payload(document, **variables)
    assert not payload["errors"], payload


async def watch(scene: Scene) -> None:
    """Watch one draft after the other for some seconds, until it is over."""
    while not scene.over.is_set():
        if not scene.live:
            await asyncio.sleep(0.1)
            continue
        draft, client = scene.rng.choice(list(scene.live.items()))
        await _watch(scene, client.at(scene.any()), draft)


async def _watch(scene: Scene, client: Client, draft: str) -> None:
    """Leave as clients do: with a word, by closing the socket, or by vanishing."""
    leaves = scene.rng.choice(["completes", "closes", "vanishes"])
    async with AsyncExitStack() as stack:
        socket = await stack.enter_async_context(open_socket(client.worker, token=client.token))
        after = scene.rng.choice([None, 0])
        name = await socket.start(documents.WATCH, draft=draft, after=after)
        with suppress(TimeoutError):
            async with asyncio.timeout(scene.rng.uniform(0.1, LEAVES_AFTER)):
                while (message := await socket.receive(name))["type"] != "complete":
                    event, codes = told(message)
                    if codes:  # it was discarded, or expired, before this one came
                        assert set(codes) == {"NOT_FOUND"}, message
                        assert draft not in scene.live, message
                        return
                    assert event is not None
                    scene.done["events"] += 1
                scene.done["ended"] += 1
                return
        scene.done[leaves] += 1
        if leaves == "completes":
            await socket.stop(name)
        elif leaves == "vanishes":
            socket.cut()
