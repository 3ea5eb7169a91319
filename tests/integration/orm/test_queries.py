"""What opening and committing cost: the same number of queries however many siblings."""

from __future__ import annotations

import pytest
from redis import Redis

from gql_cluster.domain.change import (
    AddNodes,
    Change,
    EditNode,
    NewNode,
    RemoveNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.orm.codec import defaults
from gql_cluster.orm.describe import describe
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_saved
from schema.bands.models import Album, Band, Song
from tests.integration.service.conftest import counted_queries

ANN = Caller(session="ann")
BAND = describe(Band)


def song_changes(kind: str, songs: list[Song]) -> list[Change]:
    """Return one change of a song, of an album's many."""
    last = songs[-1]
    new = NewNode(key="new", values={"title": "New"}, defaults=defaults(Song))
    match kind:
        case "update":
            return [UpdateNode(relation="songs", key=f"Song:{last.pk}", values={"title": "New"})]
        case "add":
            return [AddNodes(relation="songs", nodes=(new,))]
        case _:
            return [RemoveNodes(relation="songs", keys=(f"Song:{last.pk}",))]


async def cost(engine: Engine, redis: Redis, kind: str, songs: int) -> tuple[list[str], int]:
    """Commit one change of so many songs; return the queries, and what was read of the draft."""
    band = await Band.objects.acreate(name="Many")
    album = await Album.objects.acreate(band=band, title="Long", released="2000-01-01")
    made = await Song.objects.abulk_create(
        [Song(album=album, title=f"Song {i}", position=i) for i in range(1, songs + 1)]
    )
    view = await open_saved(engine, ANN, BAND, str(band.pk), resume=False)
    inside = song_changes(kind, made)
    changes: list[Change] = [
        SetFields(values={"origin": "Here"}),
        EditNode(relation="albums", key=f"Album:{album.pk}", changes=tuple(inside)),
    ]
    await edit(engine, ANN, BAND, view.draft.id, changes, expected_version=None, change_id=None)
    engine.parts.cache.forget(view.draft.id)  # as another worker begins
    before = sent(redis)
    async with counted_queries() as queries:
        await commit(engine, ANN, BAND, view.draft.id, expected_version=None, change_id=None)
    left = await Song.objects.filter(album=album).order_by("-position").afirst()
    assert left is not None
    assert (left.title, left.position) == {
        "update": ("New", songs),
        "add": ("New", songs + 1),
        "remove": (f"Song {songs - 1}", songs - 1),
    }[kind]
    return queries, sent(redis) - before


def sent(redis: Redis) -> int:
    """Return how many bytes Redis has sent."""
    return int(redis.info("stats")["total_net_output_bytes"])


async def opened(engine: Engine, albums: int) -> list[str]:
    """Open a band with so many albums of two songs each; return the queries."""
    band = await Band.objects.acreate(name="Many")
    made = await Album.objects.abulk_create(
        [Album(band=band, title=f"Album {i}", released="2000-01-01") for i in range(albums)]
    )
    await Song.objects.abulk_create(
        [Song(album=album, title="Song", position=i) for album in made for i in (1, 2)]
    )
    async with counted_queries() as queries:
        view = await open_saved(engine, ANN, BAND, str(band.pk), resume=False)
    assert len(await view.load_all()) == 1 + 3 * albums
    return queries


@pytest.mark.usefixtures("transactional_db")
async def test_a_draft_is_opened_with_a_query_a_relation_and_a_set() -> None:
    """Of ten albums as of four hundred."""
    engine = Engine({"Band": BAND})
    try:
        few, many = await opened(engine, 10), await opened(engine, 400)
    finally:
        await engine.aclose()
    assert len(few) == len(many)
    assert len(many) < 15


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("kind", ["update", "add", "remove"])
@pytest.mark.one_redis
async def test_one_change_costs_the_same_among_ten_and_a_thousand(
    redis_client: Redis, kind: str
) -> None:
    """Of queries, and of the draft as well: no sibling is read."""
    engine = Engine({"Band": BAND})
    try:
        few, read_of_few = await cost(engine, redis_client, kind, 10)
        many, read_of_many = await cost(engine, redis_client, kind, 1000)
    finally:
        await engine.aclose()
    assert len(few) == len(many)
    assert len(many) < 30
    assert read_of_many < read_of_few + 40_000  # all of them take more than thrice that
