"""What opening and committing cost: the same number of queries however many siblings."""

from __future__ import annotations

import pytest

from gql_cluster.domain.change import Change, EditNode, SetFields, UpdateNode
from gql_cluster.orm.describe import describe
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Caller, Engine
from gql_cluster.service.open import open_saved
from schema.bands.models import Album, Band, Song
from tests.integration.service.conftest import counted_queries

ANN = Caller(session="ann")
BAND = describe(Band)


async def cost(engine: Engine, songs: int) -> list[str]:
    """Commit one changed song of so many; return the queries."""
    band = await Band.objects.acreate(name="Many")
    album = await Album.objects.acreate(band=band, title="Long", released="2000-01-01")
    await Song.objects.abulk_create(
        [Song(album=album, title=f"Song {i}", position=i) for i in range(1, songs + 1)]
    )
    song = await Song.objects.filter(album=album).afirst()
    assert song is not None
    view = await open_saved(engine, ANN, BAND, str(band.pk), resume=False)
    update = UpdateNode(relation="songs", key=f"Song:{song.pk}", values={"title": "New"})
    changes: list[Change] = [
        SetFields(values={"origin": "Here"}),
        EditNode(relation="albums", key=f"Album:{album.pk}", changes=(update,)),
    ]
    await edit(engine, ANN, BAND, view.draft.id, changes, expected_version=None, change_id=None)
    async with counted_queries() as queries:
        await commit(engine, ANN, BAND, view.draft.id, expected_version=None, change_id=None)
    return queries


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
async def test_one_change_costs_the_same_among_ten_and_a_thousand() -> None:
    """Counted; what is read is bounded, too: no sibling is."""
    engine = Engine({"Band": BAND})
    try:
        few, many = await cost(engine, 10), await cost(engine, 1000)
    finally:
        await engine.aclose()
    assert len(few) == len(many)
    assert len(many) < 30
