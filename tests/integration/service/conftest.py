"""An engine on the run's Redis and database, and the sample clusters to work on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.db import connection

from gql_cluster.domain.change import NewNode
from gql_cluster.orm.codec import defaults
from gql_cluster.orm.describe import describe
from gql_cluster.service.engine import Caller, Engine
from gql_cluster.service.open import open_saved
from gql_cluster.service.view import View
from schema.bands.models import Band
from schema.films.models import Movie

CLUSTERS = {"Band": describe(Band), "Movie": describe(Movie)}
BAND = CLUSTERS["Band"]
ANN = Caller(session="ann")
BOB = Caller(session="bob")


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
