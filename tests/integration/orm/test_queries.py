"""What a commit costs: for one change, the same number of queries however many siblings."""

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
