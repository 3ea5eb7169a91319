"""Events are executed once for all who watch alike, and never for one who might see another thing.

Over the application of the WebSockets, in process.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry
import strawberry_django
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.db import SessionStore
from django.db.models import QuerySet
from django.utils.functional import SimpleLazyObject
from strawberry import auto
from strawberry.extensions import SchemaExtension
from strawberry.permission import BasePermission

import gql_cluster
from gql_cluster.api.audience import _audiences, viewer_of
from gql_cluster.service import session
from gql_cluster.service.caller import Caller
from schema.bands import models
from tests.api.schema_kit import Client
from tests.api.socket_kit import NO_HEADERS, Socket, socket_of

pytestmark = pytest.mark.once

MANY = 50
seen: list[str] = []
scopes: list[dict[str, Any]] = []
held = asyncio.Event()
asked = asyncio.Event()
BROKEN: set[str] = set()


def viewer(info: strawberry.Info) -> str:
    """Return the session that a resolver can see."""
    context: Any = info.context
    caller = context["caller"] if isinstance(context, dict) else context.caller
    return str(caller.session)


class OwnersOnly(BasePermission):
    """Hides a field from all but one session."""

    message = "That is for the owner."

    def has_permission(self, source: Any, info: strawberry.Info, **kwargs: Any) -> bool:
        """Look who asks."""
        del source, kwargs
        return viewer(info) == "owner"


@gql_cluster.type(models.BandMember)
class Member:
    """A member; one who did not open the draft sees two of them only."""

    name: auto

    @classmethod
    def get_queryset(cls, queryset: QuerySet[Any], info: strawberry.Info) -> QuerySet[Any]:
        """Hide rows."""
        return queryset if viewer(info) == "owner" else queryset.filter(name__in=("John", "Paul"))


@gql_cluster.type(models.Band)
class Band:
    """A band that tells who looks at it."""

    name: auto
    members: list[Member]
    formed: int | None = strawberry_django.field(permission_classes=[OwnersOnly])

    @strawberry_django.field
    def looked_at(self, info: strawberry.Info) -> str:
        """Count it."""
        seen.append(viewer(info))
        scopes.append(info.context["request"].scope)
        if BROKEN:
            raise ValueError(BROKEN.pop())
        return viewer(info)

    @strawberry_django.field
    async def slowly(self, info: strawberry.Info) -> str:
        """Count it, and take until it is let go."""
        seen.append(viewer(info))
        asked.set()
        await held.wait()
        return viewer(info)


schema = gql_cluster.Schema(clusters=[Band])


def watching(fields: str) -> str:
    """Return a subscription that shows fields of the band."""
    return f"""subscription($draft: ID!, $after: Int, $more: Boolean = false) {{
      draftEvents(draft: $draft, after: $after) {{
        __typename version draft {{ ... on BandDraft {{
          cluster {{ {fields} name @include(if: $more) }}
        }} }}
      }}
    }}"""


COUNTED = watching("lookedAt")


def socket(
    token: str, made: gql_cluster.Schema = schema, headers: Mapping[str, str] = NO_HEADERS
) -> AbstractAsyncContextManager[Socket]:
    """Return a connection of a session."""
    return socket_of(made, token, headers)


def token_of(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the token of a session with a name."""
    with monkeypatch.context() as patch:
        patch.setattr(session, "new_session_id", lambda: name)
        return session.start().token


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    seen.clear()
    scopes.clear()
    BROKEN.clear()
    held.clear()
    asked.clear()
    yield
    held.set()


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> str:
    """The token of the session that opens the draft."""
    return token_of("owner", monkeypatch)


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch) -> str:
    """The token of a session that joins it."""
    return token_of("guest", monkeypatch)


class Desk:
    """The draft that all of them watch."""

    def __init__(self, client: Client) -> None:
        """Open it with `open`."""
        self.client = client
        self.draft = ""

    async def open(self) -> None:
        """Open a saved band with three members."""
        band = await models.Band.objects.acreate(name="Quarrymen", formed=1956)
        for position, name in enumerate(("John", "Paul", "George")):
            await models.BandMember.objects.acreate(band=band, name=name, position=position)
        query = "mutation($pk: ID) { openBandDraft(pk: $pk) { draft { id } } }"
        told = await self.client.data(query, pk=str(band.pk))
        self.draft = told["openBandDraft"]["draft"]["id"]

    async def edit(self, name: str) -> None:
        """Make a version."""
        query = """mutation($draft: ID!, $name: String!) {
          editBandDraft(draft: $draft, changes: [{ set: { name: $name } }]) { errors { message } }
        }"""
        told = await self.client.data(query, draft=self.draft, name=name)
        assert told["editBandDraft"]["errors"] == []

    async def admit(self, client: Client) -> None:
        """Let another session in."""
        query = "mutation($draft: ID!) { shareDraft(draft: $draft) { token } }"
        token = (await self.client.data(query, draft=self.draft))["shareDraft"]["token"]
        query = "mutation($token: String!) { joinDraft(token: $token) { errors { code } } }"
        await client.data(query, token=token)


@pytest.fixture
async def desk(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """A draft of the owner's."""
    made = Desk(Client(schema=schema, session="owner"))
    await made.open()
    yield made
    await schema.engine.aclose()


async def test_one_who_is_known_anew_is_another_viewer(desk: Desk, owner: str) -> None:
    """Two watch alike, until one of them is somebody else."""
    async with socket(owner) as one, socket(owner) as two:
        for each in (one, two):
            await each.watch(COUNTED, draft=desk.draft)
            await each.event("DraftSnapshot")
        for somebody, times in ((None, 1), (User(username="else"), 2)):
            if somebody is not None:
                scopes[-1]["user"] = somebody
            seen.clear()
            await desk.edit(f"for {times}")
            for each in (one, two):
                await each.event("DraftEdited")
            assert len(seen) == times


async def test_an_event_is_executed_once_for_fifty_that_watch_alike(desk: Desk, owner: str) -> None:
    """All get it, and each event anew; a snapshot is for each alone, because it shows who came."""
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(socket(owner)) for _ in range(MANY)]
        for each in sockets:
            await each.watch(COUNTED, draft=desk.draft)
            await each.event("DraftSnapshot")
        assert seen == ["owner"] * MANY
        for version in (1, 2):
            seen.clear()
            await desk.edit(f"Name {version}")
            told = [await each.event("DraftEdited") for each in sockets]
            assert {each["data"]["draftEvents"]["version"] for each in told} == {version}
            assert seen == ["owner"]


async def test_two_viewers_never_share(desk: Desk, owner: str, guest: str) -> None:
    """Each sees the rows and the fields that are for it, whoever was told first."""
    await desk.admit(Client(schema=schema, session="guest"))
    query = watching("lookedAt formed members { name }")
    async with socket(owner) as one, socket(guest) as two, socket(owner) as three:
        for each in (one, two, three):
            await each.watch(query, draft=desk.draft)
            await each.event("DraftSnapshot")
        seen.clear()
        await desk.edit("Beatles")
        told = [await each.event("DraftEdited") for each in (one, two, three)]
    bands = [each["data"]["draftEvents"]["draft"]["cluster"] for each in told]
    everybody = [{"name": name} for name in ("John", "Paul", "George")]
    for band in (bands[0], bands[2]):
        assert band == {"lookedAt": "owner", "formed": 1956, "members": everybody}
    assert bands[1] == {"lookedAt": "guest", "formed": None, "members": everybody[:2]}
    assert [error["message"] for error in told[1]["errors"]] == ["That is for the owner."]
    assert sorted(seen) == ["guest", "owner"]


async def test_what_a_client_has_sent_to_connect_tells_viewers_apart(
    desk: Desk, owner: str
) -> None:
    """A resolver can look at it: another language, another result."""
    async with (
        socket(owner, headers={"accept-language": "en"}) as one,
        socket(owner, headers={"accept-language": "de"}) as two,
        socket(owner, headers={"accept-language": "en", "sec-websocket-key": "another"}) as three,
    ):
        for each in (one, two, three):
            await each.watch(COUNTED, draft=desk.draft)
            await each.event("DraftSnapshot")
        seen.clear()
        await desk.edit("Beatles")
        for each in (one, two, three):
            await each.event("DraftEdited")
    assert len(seen) == 2


async def test_variables_that_the_result_shows_tell_audiences_apart(desk: Desk, owner: str) -> None:
    """Where each began to listen does not."""
    await desk.edit("First")
    async with socket(owner) as one, socket(owner) as two, socket(owner) as three:
        await one.watch(COUNTED, draft=desk.draft)
        await one.event("DraftSnapshot")
        await two.watch(COUNTED, draft=desk.draft, after=1)
        await three.watch(COUNTED, draft=desk.draft, after=1, more=True)
        for each in (two, three):
            await each.event("EditorsChanged")
        seen.clear()
        await desk.edit("Second")
        told = [await each.event("DraftEdited") for each in (one, two, three)]
    shown = [each["data"]["draftEvents"]["draft"]["cluster"] for each in told]
    alike = {"lookedAt": "owner"}
    assert shown == [alike, alike, {"lookedAt": "owner", "name": "Second"}]
    assert len(seen) == 2


async def test_what_fails_is_not_shared(desk: Desk, owner: str) -> None:
    """The next one tries by itself."""
    async with socket(owner) as one, socket(owner) as two:
        for each in (one, two):
            await each.watch(COUNTED, draft=desk.draft)
            await each.event("DraftSnapshot")
        seen.clear()
        BROKEN.add("once")
        await desk.edit("Beatles")
        told = [await each.event("DraftEdited") for each in (one, two)]
    assert len(seen) == 2
    assert sorted("errors" in each for each in told) == [False, True]


async def test_who_executes_for_others_may_leave(desk: Desk, owner: str) -> None:
    """They do it by themselves, then, and once for all that are left or each: none waits on."""
    query = watching("slowly")
    held.set()
    async with socket(owner) as one, socket(owner) as two:
        for each in (one, two):
            await each.watch(query, draft=desk.draft)
            await each.event("DraftSnapshot")
        for each in (one, two):
            await settled(each)
        held.clear()
        asked.clear()
        seen.clear()
        await desk.edit("Beatles")
        await asked.wait()
        assert seen == ["owner"]
        asked.clear()
        await one.send(id="1", type="complete")
        await asked.wait()
        assert seen == ["owner", "owner"]
        held.set()
        told = await two.event("DraftEdited")
    assert told["data"]["draftEvents"]["draft"]["cluster"] == {"slowly": "owner"}


async def settled(one: Socket) -> None:
    """Return when a socket has been told what it is told by itself."""
    await one.send(type="ping")
    while (await one.receive())["type"] != "pong":
        pass


async def test_results_are_kept_for_a_second_and_no_longer(desk: Desk, owner: str) -> None:
    """An idle watcher holds nothing of what it was told."""
    before = {*_audiences.values()}
    async with socket(owner) as one:
        await one.watch(watching("lookedAt key"), draft=desk.draft)  # an audience of its own
        await one.event("DraftSnapshot")
        for number in range(3):
            await desk.edit(f"Name {number}")
            await one.event("DraftEdited")
        audiences = {*_audiences.values()} - before
        assert [len(each.results) > 0 for each in audiences] == [True]
        async with asyncio.timeout(20):
            while any(each.results for each in audiences):  # noqa: ASYNC110 - a timer tells nobody
                await asyncio.sleep(0.05)


def context(user: object = None, session: object = None, **headers: str) -> Any:
    """Return the context of a WebSocket."""
    scope = {
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "user": user,
        "session": session,
    }
    return {"caller": Caller(session="owner"), "request": SimpleNamespace(scope=scope)}


def test_a_viewer_is_all_that_a_resolver_can_see_of_it() -> None:
    """Also what a token in the protocol's header says, and what is known of user and session."""
    since = datetime(2020, 1, 1, tzinfo=UTC)
    staff, other = (User(pk=1, is_staff=is_staff, date_joined=since) for is_staff in (True, False))
    read, unread = SessionStore(), SessionStore("another")
    read["tenant"] = 1
    contexts = [
        context(),
        context(**{"sec-websocket-protocol": "graphql-transport-ws, bearer.a"}),
        context(**{"sec-websocket-protocol": "graphql-transport-ws, bearer.b"}),
        context(user=staff),
        context(user=other),
        context(user=AnonymousUser()),
        context(user=SimpleLazyObject(lambda: staff)),
        context(user=SimpleLazyObject(lambda: staff)),
        context(session=read),
    ]
    assert len({viewer_of(each) for each in contexts}) == len(contexts)
    alike = [
        context(user=User(pk=1, is_staff=True, date_joined=since), **{"sec-websocket-key": "a"}),
        context(user=staff, **{"sec-websocket-key": "b"}),
        context(user=staff),
    ]
    assert len({viewer_of(each) for each in alike}) == 1
    assert viewer_of(context(session=unread)) == viewer_of(context(session=SessionStore()))
    assert viewer_of({}) is None


class Stamped(SchemaExtension):
    """An extension that changes results."""

    async def on_stream_result(self, result: Any) -> AsyncGenerator[None, None]:
        """Leave a mark."""
        result.data["draftEvents"]["marked"] = True
        yield


async def test_an_extension_that_changes_results_changes_each_its_own(
    transactional_db: None,  # noqa: ARG001
    owner: str,
) -> None:
    """There nothing is shared."""
    made = gql_cluster.Schema(clusters=[Band], extensions=[Stamped])
    own = Desk(Client(schema=made, session="owner"))
    await own.open()
    async with socket(owner, made) as one, socket(owner, made) as two:
        for each in (one, two):
            await each.watch(COUNTED, draft=own.draft)
            await each.event("DraftSnapshot")
        seen.clear()
        await own.edit("Beatles")
        told = [await each.event("DraftEdited") for each in (one, two)]
    assert [each["data"]["draftEvents"]["marked"] for each in told] == [True, True]
    assert len(seen) == 2
    await made.engine.aclose()
