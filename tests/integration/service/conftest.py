"""An engine on the run's Redis and database, and the sample clusters to work on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection
from redis import Redis

from gql_cluster.domain.change import NewNode, SetFields
from gql_cluster.orm.codec import defaults
from gql_cluster.orm.describe import describe
from gql_cluster.service.caller import Caller
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine, Parts
from gql_cluster.service.open import open_saved
from gql_cluster.service.view import View
from gql_cluster.service.watch import Event, Notice
from gql_cluster.store.keys import Keys
from gql_cluster.store.presence import Watcher
from schema.bands.models import Band
from schema.films.models import Movie

CLUSTERS = {"Band": describe(Band), "Movie": describe(Movie)}
BAND = CLUSTERS["Band"]
ANN = Caller(session="ann")
BOB = Caller(session="bob")

T = TypeVar("T")
MakeEngine: TypeAlias = Callable[..., Engine]


@pytest.fixture
async def engine(
    transactional_db: None,  # noqa: ARG001 - a mark has no effect on a fixture
) -> AsyncIterator[Engine]:
    """An engine, as one worker has it, over the loaded samples."""
    await sync_to_async(call_command)("load_samples", verbosity=0)
    engine = Engine(CLUSTERS)
    yield engine
    await engine.aclose()


@pytest.fixture
async def other(engine: Engine) -> AsyncIterator[Engine]:
    """A second engine on the same Redis and database, as another worker has it."""
    other = Engine(engine.clusters)
    yield other
    await other.aclose()


@pytest.fixture
async def make_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeEngine]:
    """Make engines with other settings, each as another worker has it."""
    made: list[Engine] = []

    def make(**settings: object) -> Engine:
        with monkeypatch.context() as patch:
            given = {**django_settings.GQL_CLUSTER, **settings}
            patch.setattr(django_settings, "GQL_CLUSTER", given)
            another = Engine(engine.clusters)
            assert isinstance(another.parts, Parts)  # the settings are read at first use
        made.append(another)
        return another

    yield make
    for each in made:
        await each.aclose()


def admit(redis_client: Redis, view: View, *sessions: str) -> None:
    """Let these sessions, and no others but the owner, see a draft from now on."""
    meta, *_ = Keys().draft(view.draft.id)
    redis_client.hset(meta, "members", json.dumps(sessions))


async def take(told: AsyncIterator[T], count: int) -> list[T]:
    """Return what is told next, which must come soon."""
    async with asyncio.timeout(20):
        return [await anext(told) for _ in range(count)]


def watcher(session: str) -> Watcher:
    """Return a watcher."""
    return Watcher(id=f"of {session}", session=session, since=datetime.now(UTC))


async def rename(engine: Engine, view: View, name: str) -> None:
    """Stage one change."""
    await edit(
        engine,
        ANN,
        BAND,
        view.draft.id,
        [SetFields(values={"name": name})],
        expected_version=None,
        change_id=None,
    )


async def numbered(told: AsyncGenerator[Event | Notice, None]) -> AsyncGenerator[Event, None]:
    """Yield what the log tells, without the notices."""
    async with aclosing(told):
        async for each in told:
            if isinstance(each, Event):
                yield each


async def beatles(engine: Engine, caller: Caller = ANN) -> View:
    """Open a draft of The Beatles."""
    pk = await Band.objects.values_list("pk", flat=True).aget(name="The Beatles")
    return await open_saved(engine, caller, BAND, str(pk), resume=True)


def root_pk(view: View) -> int:
    """Return the primary key of the root that a draft is of."""
    pk = view.draft.pk
    if not isinstance(pk, int):
        raise TypeError(pk)
    return pk


def new(type_name: str, /, key: str | None = None, **values: object) -> NewNode:
    """Make a node to add, with its model's defaults."""
    given: Mapping[str, object] = values
    return NewNode(
        key=key,
        values=dict(given),  # type: ignore[arg-type]
        defaults=defaults(BAND.models[type_name]),
    )


@asynccontextmanager
async def counted_queries() -> AsyncIterator[list[str]]:
    """Collect the SQL that runs in the thread of `sync_to_async`; the loop's own runs none."""
    found: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        found.append(sql)
        return execute(sql, params, many, context)

    wrappers = await sync_to_async(lambda: connection.execute_wrappers)()
    wrappers.append(note)
    try:
        yield found
    finally:
        wrappers.remove(note)
