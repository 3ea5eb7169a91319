"""What an editor's operations cost, over HTTP: as much among a thousand children as among ten.

Counted, not timed: statements to the database by whichever thread, and what Redis was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast

import httpx
import pytest
from django.db.backends.utils import CursorWrapper
from redis import Redis
from strawberry.relay.utils import from_base64

from asgi import application
from gql_cluster.store.presence import Watcher
from schema import schema
from schema.bands.models import Band, BandMember
from tests.e2e import operations

# Keys and numbers are of the same length, whatever the size.
FEW, MANY = (10_001, 10), (10_002, 1000)
A_DIGIT = 8
"""Bytes by which two sizes may differ: how many packs there are is in the header, say."""
INSTRUMENTS = ("bass", "drums")

EDIT = """
mutation($draft: ID!, $changes: [BandChange!]!) {
  payload: editBandDraft(draft: $draft, changes: $changes) {
    draft { version } event { version } errors { code }
  }
}
"""
FILTERED = """
query($draft: ID!) {
  draft(id: $draft) {
    ... on BandDraft {
      cluster {
        members(
          filters: { name: { startsWith: "Member" }, instrument: { exact: BASS } }
          ordering: [{ name: DESC }]
          pagination: { limit: 3, offset: 1 }
        ) { key name position }
      }
    }
  }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """One session, by its bearer token."""

    http: httpx.AsyncClient
    token: str = ""

    async def send(self, query: str, **variables: Any) -> Any:
        """Return the data of an operation, which has no errors."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {"query": query, "variables": variables}
        response = (await self.http.post("/graphql", json=body, headers=headers)).json()
        assert "errors" not in response, response
        return response["data"]

    async def payload(self, query: str, **variables: Any) -> Any:
        """Return the payload of a mutation, which is accepted."""
        payload = (await self.send(query, **variables))["payload"]
        assert payload["errors"] == []
        return payload

    async def open(self, band: int) -> str:
        """Open a draft and return its id."""
        payload = await self.payload(operations.OPEN, pk=str(band), resume=False)
        return str(payload["draft"]["id"])

    async def edit(self, draft: str, band: int, year: int) -> Any:
        """Change the fifth member."""
        update = {"key": f"BandMember:{band}00005", "set": {"joined": year}}
        return await self.payload(EDIT, draft=draft, changes=[{"members": {"update": update}}])


@pytest.fixture
async def editor(transactional_db: None) -> AsyncIterator[Editor]:  # noqa: ARG001
    """A session at the whole application, in this process, and both bands."""
    for band, size in (FEW, MANY):
        await make(band, size)
    transport = httpx.ASGITransport(cast("Any", application))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        session = await Editor(http=http).send("mutation { startSession { token } }")
        yield Editor(http=http, token=session["startSession"]["token"])
    await schema.engine.aclose()


async def make(pk: int, size: int) -> None:
    """Save a band with so many members."""
    band = await Band.objects.acreate(pk=pk, name="Many")
    await BandMember.objects.abulk_create(
        BandMember(
            pk=pk * 100_000 + place,
            band=band,
            name=f"Member {place}",
            instrument=INSTRUMENTS[place % 2],
            position=place,
        )
        for place in range(1, size + 1)
    )


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was said to the database, on every connection."""
    said: list[str] = []
    execute = vars(CursorWrapper)["_execute_with_wrappers"]

    def note(self: Any, sql: str, *args: Any, **named: Any) -> Any:
        said.append(sql)
        return execute(self, sql, *args, **named)

    monkeypatch.setattr(CursorWrapper, "_execute_with_wrappers", note)
    return said


Operation: TypeAlias = Callable[[Editor, str, int], Awaitable[Any]]


async def whole(editor: Editor, draft: str, size: int) -> None:
    """Read all of a draft."""
    read = (await editor.send(operations.DRAFT, draft=draft))["draft"]
    assert len(read["cluster"]["members"]) == len(read["saved"]["members"]) == size


async def filtered(editor: Editor, draft: str, size: int) -> None:
    """Read a page of what fits."""
    del size
    read = (await editor.send(FILTERED, draft=draft))["draft"]
    assert len(read["cluster"]["members"]) == 3


async def commit(editor: Editor, draft: str, size: int) -> None:
    """Save one change."""
    del size
    payload = await editor.payload(operations.COMMIT, draft=draft)
    assert payload["receipt"]


async def test_opening_costs_the_same_queries(editor: Editor, statements: list[str]) -> None:
    """A query a table, and not one a row."""
    counts = []
    for band, _ in (FEW, FEW, MANY):  # what is asked once in a process is, with the first
        statements.clear()
        await editor.open(band)
        counts.append(len(statements))
    assert counts[1] == counts[2] <= 12, statements


@pytest.mark.parametrize("operation", [whole, filtered, commit])
async def test_an_operation_costs_the_same_queries(
    editor: Editor, statements: list[str], operation: Operation
) -> None:
    """Of a draft with one change."""
    counts = []
    for year, (band, size) in enumerate((FEW, FEW, MANY), start=1960):
        draft = await editor.open(band)
        await editor.edit(draft, band, year)
        statements.clear()
        await operation(editor, draft, size)
        counts.append(len(statements))
    assert counts[1] == counts[2], statements


async def test_an_edit_asks_no_database(editor: Editor, statements: list[str]) -> None:
    """Nor does its request: a bearer token says who calls."""
    for band, _ in (FEW, MANY):
        draft = await editor.open(band)
        statements.clear()
        for year in (1960, 1961):
            await editor.edit(draft, band, year)
        assert statements == []


@pytest.mark.once
@pytest.mark.parametrize("is_watched", [False, True])
@pytest.mark.one_redis
async def test_an_edit_costs_one_round_trip(
    editor: Editor, redis_client: Redis, redis_url: str, *, is_watched: bool
) -> None:
    """One script, which does the same; and one wake-up behind it, where anybody watches."""
    scripts = []
    for band, _ in (FEW, MANY):
        draft = await editor.open(band)
        if is_watched:
            _, own_id = from_base64(draft)
            watcher = Watcher(id="elsewhere", session="bob", since=datetime.now(UTC))
            await schema.engine.parts.presence.beat(own_id, [watcher])
        await editor.edit(draft, band, 1960)  # the script is known from here on
        await schema.engine.parts.hub.aclose()  # and the wake-up is sent
        with Redis.from_url(redis_url) as other, redis_client.monitor() as monitor:  # type: ignore[no-untyped-call]
            other.ping()
            await editor.edit(draft, band, 1961)
            await schema.engine.parts.hub.aclose()
            other.echo("enough")
            _, *commands = _until(monitor, "ECHO enough")
        asked = [command for by, command in commands if by != "lua"]
        assert asked == (["EVALSHA", "PUBLISH"] if is_watched else ["EVALSHA"])
        scripts.append(Counter(command for by, command in commands if by == "lua"))
    assert scripts[0] == scripts[1]


def _until(monitor: Any, last: str) -> list[tuple[str, str]]:
    """Return who sent what, from the first ping until the last command: clients and scripts."""
    found: list[tuple[str, str]] = []
    while (each := monitor.next_command())["command"] != last:
        name = each["command"].split()[0].upper()
        if found or name == "PING":
            found.append((each["client_type"], name))
    return found


@pytest.mark.once
@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.one_redis
async def test_an_edit_sends_and_takes_as_many_bytes(
    editor: Editor, redis_client: Redis, *, is_known: bool
) -> None:
    """Of Redis and of the client, also where the worker has nothing of the draft in memory."""
    moved = []
    for band, _ in (FEW, MANY):
        draft = await editor.open(band)
        await editor.edit(draft, band, 1960)
        if not is_known:
            schema.engine.parts.cache.forget(from_base64(draft)[1])
        redis_client.config_resetstat()
        reply = await editor.edit(draft, band, 1961)
        stats: Any = redis_client.info("stats")
        moved.append((stats["total_net_input_bytes"], stats["total_net_output_bytes"], reply))
    (sent, taken, reply), (sent_of_many, taken_of_many, reply_of_many) = moved
    assert reply == reply_of_many
    assert abs(sent - sent_of_many) <= A_DIGIT
    assert abs(taken - taken_of_many) <= A_DIGIT
    assert sent < 5000
