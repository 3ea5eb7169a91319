"""Who has lost what let them in hears no more, and does no more, on sockets that stay open."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
import strawberry
import strawberry_django
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.test import override_settings
from strawberry import auto
from strawberry_django.permissions import IsSuperuser

import gql_cluster
from gql_cluster.domain.error import UnauthenticatedError
from gql_cluster.service import session
from gql_cluster.service.caller import Caller
from gql_cluster.service.open import open_saved
from gql_cluster.service.watch import watch
from gql_cluster.transport.caller import caller_by_socket
from schema import schema
from schema.bands import models
from tests.api.socket_kit import Socket, socket_of
from tests.policy.people import Asker, People

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.contrib.auth.models import User

pytestmark = pytest.mark.once

EVENTS = """subscription($draft: ID!) { draftEvents(draft: $draft) {
  __typename version draft { ... on BandDraft { cluster { name } } } } }"""
EDIT = """mutation($draft: ID!, $name: String!) {
  editBandDraft(draft: $draft, changes: [{ set: { name: $name } }]) { errors { code } } }"""
HOST = {"host": "testserver"}


@gql_cluster.type(models.Band)
class Band:
    """A band, of which superusers see more."""

    name: auto
    origin: str | None = strawberry_django.field(extensions=[IsSuperuser(fail_silently=True)])


secretive = gql_cluster.Schema(clusters=[Band])


async def cookie_of(user: User) -> str:
    """Log a user in as a browser does, and return the cookie."""
    store = import_module(django_settings.SESSION_ENGINE).SessionStore()

    def log_in() -> str:
        store[SESSION_KEY] = str(user.pk)
        store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        store[HASH_SESSION_KEY] = user.get_session_auth_hash()
        store.save()
        return str(store.session_key)

    return f"{django_settings.SESSION_COOKIE_NAME}={await sync_to_async(log_in)()}"


async def asked(socket: Socket, query: str, **variables: Any) -> Any:
    """Return the whole first message about an operation, its completion taken."""
    await socket.watch(query, **variables)
    message = await socket.receive()
    if message["type"] == "next":
        assert (await socket.receive())["type"] == "complete"
    return message


@asynccontextmanager
async def watching(people: People, token: str | None, **headers: str) -> AsyncIterator[Socket]:
    """Yield a socket that has subscribed to the draft, and got its snapshot."""
    async with socket_of(schema, token, {**HOST, **headers}) as socket:
        await socket.watch(EVENTS, draft=people.draft)
        await socket.event("DraftSnapshot")
        yield socket


async def refusal(socket: Socket) -> str:
    """Return the code with which the subscription ends, whatever comes before."""
    while True:
        message = await socket.receive()
        payload = message.get("payload") or {}
        errors = payload if isinstance(payload, list) else payload.get("errors")
        if errors:
            break
        assert message["type"] == "next", message
    assert (await socket.receive())["type"] == "complete"
    return str(errors[0]["extensions"]["code"])


@pytest.mark.parametrize("people", [False, True], indirect=True)
async def test_a_changed_password_ends_what_a_token_of_the_user_watches(people: People) -> None:
    """At the next event, and the token is good for nothing else either."""
    await people.open("owner")
    async with watching(people, people.askers["joined"].token) as socket:
        user = people.users["joined"]
        user.set_password("another")
        await user.asave()
        await people.askers["owner"].data(EDIT, draft=people.draft, name="Silver Beetles")
        assert await refusal(socket) == "UNAUTHENTICATED"
        told = await asked(socket, "{ bands { name } }")
        assert told["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    joined = people.askers["joined"]
    query = "query($draft: ID!) { draft(id: $draft) { version } }"
    assert await joined.outcome(query, draft=people.draft) == "UNAUTHENTICATED"
    again = Asker(session.start(user).token)
    assert await again.outcome("{ drafts { edges { cursor } } }") == "OK"


async def test_a_user_who_is_not_active_any_more_is_nobody(people: People) -> None:
    """So it is for cookies and tokens alike."""
    await people.open("owner")
    async with watching(people, people.askers["joined"].token) as socket:
        people.users["joined"].is_active = False
        await people.users["joined"].asave()
        await people.askers["owner"].data(EDIT, draft=people.draft, name="Silver Beetles")
        assert await refusal(socket) == "UNAUTHENTICATED"


@pytest.mark.parametrize("people", [False, True], indirect=True)
async def test_a_logout_ends_what_the_browser_watches(people: People) -> None:
    """With what it asks on the same socket."""
    cookie = await cookie_of(people.users["other"])
    store = import_module(django_settings.SESSION_ENGINE).SessionStore(cookie.partition("=")[2])
    await schema.engine.aclose()
    told = {**django_settings.GQL_CLUSTER, "USER_RECHECK": 0.1}
    with override_settings(GQL_CLUSTER=told):
        async with socket_of(schema, None, {**HOST, "cookie": cookie}) as socket:
            query = "mutation($pk: ID) { openBandDraft(pk: $pk) { draft { id } } }"
            told = await asked(socket, query, pk=people.pk)
            people.draft = told["payload"]["data"]["openBandDraft"]["draft"]["id"]
            await socket.watch(EVENTS, draft=people.draft)
            await socket.event("DraftSnapshot")
            await sync_to_async(store.flush)()
            assert await refusal(socket) == "UNAUTHENTICATED"
            told = await asked(socket, "{ bands { name } }")
            assert told["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        await schema.engine.aclose()


@pytest.mark.parametrize("people", [True], indirect=True)
@pytest.mark.usefixtures("people")
async def test_a_planted_cookie_hears_of_nothing_behind_a_login() -> None:
    """Who has opened a socket with the cookie before somebody logged in by it is let out."""
    await schema.engine.aclose()
    told = {**django_settings.GQL_CLUSTER, "USER_RECHECK": 0.0}
    with override_settings(GQL_CLUSTER=told):
        store = import_module(django_settings.SESSION_ENGINE).SessionStore()
        await sync_to_async(store.create)()
        cookie = f"{django_settings.SESSION_COOKIE_NAME}={store.session_key}"
        async with socket_of(schema, None, {**HOST, "cookie": cookie}) as socket:
            answer = await asked(socket, "{ bands { name } }")
            assert answer["type"] == "next"
            await sync_to_async(store.cycle_key)()  # as a login does
            answer = await asked(socket, "{ bands { name } }")
            assert answer["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        await schema.engine.aclose()


class Visitor:
    """Somebody who may go."""

    is_gone = False

    async def user(self) -> None:
        """Be anonymous, or nobody."""
        if self.is_gone:
            raise UnauthenticatedError.of("Gone.")


@pytest.mark.parametrize("before", [None, "staff"], ids=["nobody", "middleware"])
async def test_who_begins_a_socket_anew_is_not_who_it_was(
    people: People, before: str | None
) -> None:
    """As the older protocol allows: neither the engine nor resolvers find the user of before."""
    scope: dict[str, Any] = {} if before is None else {"user": people.users[before]}
    tokens = {name: people.askers[name].token for name in ("superuser", "guest")}
    for name in ("guest", None):
        await caller_by_socket(scope, {"Authorization": f"Bearer {tokens['superuser']}"})
        assert scope["user"].username == "superuser"
        anew = {} if name is None else {"Authorization": f"Bearer {tokens[name]}"}
        user = await (await caller_by_socket(scope, anew)).user()
        expected = before if name is None else None
        assert (user.get_username() if user else None) == expected
        assert scope["user"].username == (expected or "")


@pytest.mark.parametrize("people", [True], indirect=True)
async def test_a_subscription_to_which_nothing_happens_is_looked_at_by_and_by(
    people: People, settings: Any
) -> None:
    """Each `USER_RECHECK` seconds."""
    await schema.engine.aclose()
    told = {**settings.GQL_CLUSTER, "USER_RECHECK": 0.1, "POLL_INTERVAL": 3600.0}
    with override_settings(GQL_CLUSTER=told):
        visitor = Visitor()
        caller = Caller(session="visitor", identity=visitor)
        cluster = schema.registry.clusters["Band"]
        view = await open_saved(schema.engine, caller, cluster, people.pk, resume=False)
        async with aclosing(watch(schema.engine, caller, view.draft.id, after=None)) as events:
            await anext(events)
            following = asyncio.ensure_future(anext(events))
            (watched,) = schema.engine.parts.hub._watches.values()  # noqa: SLF001
            async with asyncio.timeout(20):
                while watched.stamp is None or any(  # noqa: ASYNC110 - nothing tells
                    each.is_set() for each in watched.subscribers
                ):
                    await asyncio.sleep(0.01)
            visitor.is_gone = True
            with pytest.raises(UnauthenticatedError):
                await following
        await schema.engine.aclose()


async def test_an_expired_token_ends_what_it_watches(people: People, settings: Any) -> None:
    """It was good when the socket was opened."""
    await people.open("owner")
    async with watching(people, people.askers["joined"].token) as socket:
        with override_settings(GQL_CLUSTER={**settings.GQL_CLUSTER, "SESSION_AGE": -1}):
            schema.engine.parts.hub.wake(_draft_of(people))
            assert await refusal(socket) == "UNAUTHENTICATED"


async def test_a_permission_that_is_taken_holds_for_the_next_commit(people: People) -> None:
    """On a socket that was opened when the user had it."""
    await people.open("editor")
    query = "mutation($draft: ID!) { commitBandDraft(draft: $draft) { errors { code } } }"
    async with socket_of(schema, people.askers["editor"].token, HOST) as socket:
        await asked(socket, "{ bands { name } }")
        await people.users["editor"].user_permissions.aclear()
        told = await asked(socket, query, draft=people.draft)
    (error,) = told["payload"]["data"]["commitBandDraft"]["errors"]
    assert error["code"] == "FORBIDDEN"


async def test_fields_under_a_permission_follow_the_user_event_by_event(people: People) -> None:
    """Resolvers of a subscription see the user as it is now; who sees less shares with nobody."""
    await models.Band.objects.filter(pk=people.pk).aupdate(origin="Liverpool")
    await schema.engine.aclose()
    try:
        await people.open("superuser")
        chief = people.users["superuser"]
        events = EVENTS.replace("cluster { name }", "cluster { name origin }")
        token = people.askers["superuser"].token
        async with (
            socket_of(secretive, token, HOST) as first,
            socket_of(secretive, people.askers["joined"].token, HOST) as second,
        ):
            for each in (first, second):
                await each.watch(events, draft=people.draft)
            shown = [await each.event("DraftSnapshot") for each in (first, second)]
            assert [_origin(each) for each in shown] == ["Liverpool", None]
            for is_chief in (True, False):
                chief.is_superuser = is_chief
                await chief.asave()
                name = f"Beatals {is_chief}"
                await people.askers["superuser"].data(EDIT, draft=people.draft, name=name)
                shown = [await each.event("DraftEdited") for each in (first, second)]
                expected = ["Liverpool" if is_chief else None, None]
                assert [_origin(each) for each in shown] == expected
    finally:
        await secretive.engine.aclose()


async def test_one_answer_about_a_user_holds_for_user_ttl(people: People, settings: Any) -> None:
    """So that not each event asks the database; `USER_TTL` says how late a logout is felt."""
    await schema.engine.aclose()
    with override_settings(GQL_CLUSTER={**settings.GQL_CLUSTER, "USER_TTL": 3600.0}):
        user = people.users["other"]
        asker = Asker(session.start(user).token)
        assert await asker.outcome("mutation { startSession { id } }") == "OK"
        await user.adelete()
        assert await asker.outcome("mutation { startSession { id } }") == "OK"
        await schema.engine.aclose()
    assert await asker.outcome("mutation { startSession { id } }") == "UNAUTHENTICATED"


def _origin(payload: Any) -> Any:
    return payload["data"]["draftEvents"]["draft"]["cluster"]["origin"]


def _draft_of(people: People) -> str:
    parsed: Any = strawberry.relay.GlobalID.from_id(people.draft)
    return str(parsed.node_id)
