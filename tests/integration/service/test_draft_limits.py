"""How large a draft may be and how many a session may have, whatever is done at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis import Redis

from gql_cluster.domain.change import AddNodes, RemoveNodes, SetFields
from gql_cluster.domain.error import LimitExceededError
from gql_cluster.service.commit import commit
from gql_cluster.service.discard import discard
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_copy, open_new, open_saved
from gql_cluster.service.open_json import open_json
from gql_cluster.service.read import get_draft, get_drafts
from gql_cluster.service.view import View
from gql_cluster.store.keys import Keys
from schema.bands.models import Band, BandMember
from tests.integration.service.conftest import (
    ANN,
    BAND,
    MakeEngine,
    beatles,
    counted_queries,
    new,
    rename,
)


async def quartet(biography: str = "") -> str:
    """Save a band of four and return its primary key."""
    band = await Band.objects.acreate(name="Quartet", biography=biography)
    await BandMember.objects.abulk_create(
        BandMember(band=band, name=f"Member {place}", instrument="bass", position=place)
        for place in range(4)
    )
    return str(band.pk)


async def add(engine: Engine, view: View, count: int = 1, **more: Any) -> None:
    """Add members."""
    await edit(
        engine,
        ANN,
        BAND,
        view.draft.id,
        [AddNodes(relation="members", nodes=(new("BandMember", **more),) * count)],
        expected_version=None,
        change_id=None,
    )


def stored(redis_client: Redis, view: View) -> dict[str, int]:
    """Return what Redis counts of a draft, and what it holds."""
    meta, nodes, base, _, _, done = Keys().draft(view.draft.id)
    header: Any = redis_client.hgetall(meta)
    held = sum(len(value) for key in (nodes, base) for value in redis_client.hvals(key))
    outcomes: Any = redis_client.hgetall(done)
    held += sum(len(key) + len(value) - 1 for key, value in outcomes.items())  # but the colon
    return {
        "counted": int(header[b"bytes"]) + int(header.get(b"based", 0)),
        "held": held,
        "nodes": int(header[b"held"]),
    }


async def test_a_saved_cluster_with_too_many_nodes_is_not_opened(
    engine: Engine, make_engine: MakeEngine, redis_client: Redis
) -> None:
    """No more rows of it are read than may be held, nothing is stored, and no place is taken."""
    pk = await quartet()
    small = make_engine(MAX_NODES=4)
    async with counted_queries() as queries:
        with pytest.raises(LimitExceededError, match="4 nodes"):
            await open_saved(small, ANN, BAND, pk, resume=True)
    assert any("LIMIT 4" in query for query in queries)
    with pytest.raises(LimitExceededError, match="4 nodes"):
        await open_copy(small, ANN, BAND, pk=pk)
    async with counted_queries() as queries:
        with pytest.raises(LimitExceededError, match="4 nodes"):
            await open_json(small, ANN, BAND, {"pk": int(pk), "name": "Quartet"})
    assert any("LIMIT 4" in query for query in queries)
    assert not list(redis_client.scan_iter("*draft*"))
    assert (await get_drafts(small, ANN, first=9)).views == []
    assert (await open_saved(engine, ANN, BAND, pk, resume=True)).draft.version == 0
    view = await open_saved(make_engine(MAX_NODES=5), ANN, BAND, pk, resume=False)
    assert view.draft.version == 0


@pytest.mark.parametrize(
    "limit", [{"MAX_DRAFT_BYTES": 400}, {"MAX_FIELD_BYTES": 99}], ids=["draft", "field"]
)
async def test_a_cluster_that_takes_too_many_bytes_is_not_opened(
    engine: Engine, make_engine: MakeEngine, redis_client: Redis, limit: dict[str, int]
) -> None:
    """Whether it is saved, new or a copy."""
    pk = await quartet(biography="x" * 100)
    small = make_engine(**limit)
    with pytest.raises(LimitExceededError):
        await open_saved(small, ANN, BAND, pk, resume=True)
    with pytest.raises(LimitExceededError):
        await open_copy(small, ANN, BAND, pk=pk)
    with pytest.raises(LimitExceededError):
        await open_new(small, ANN, BAND, new("Band", name="x" * 200, biography="y" * 300))
    assert not list(redis_client.scan_iter("*draft*:meta"))
    assert (await get_drafts(small, ANN, first=9)).views == []
    assert (await open_saved(engine, ANN, BAND, pk, resume=True)).draft.version == 0


async def test_a_saved_child_with_a_field_that_is_too_large_is_not_opened(
    make_engine: MakeEngine,
) -> None:
    """The error says which."""
    pk = await quartet()
    member = await BandMember.objects.filter(band__pk=pk).afirst()
    assert member is not None
    await BandMember.objects.filter(pk=member.pk).aupdate(name="x" * 150)
    with pytest.raises(LimitExceededError) as refused:
        await open_saved(make_engine(MAX_FIELD_BYTES=100), ANN, BAND, pk, resume=True)
    (problem,) = refused.value.problems
    assert (problem.key, problem.field) == (f"BandMember:{member.pk}", "name")


async def test_an_edit_past_the_nodes_is_refused_and_others_go_on(
    engine: Engine, make_engine: MakeEngine
) -> None:
    """What was removed counts, as it can come back; and what is there can be changed."""
    view = await open_saved(engine, ANN, BAND, await quartet(), resume=True)
    small = make_engine(MAX_NODES=6)
    await add(small, view)
    with pytest.raises(LimitExceededError, match="6 nodes"):
        await add(small, view, 2)
    keys = [row.key for row in await (await get_draft(small, ANN, view.draft.id)).load_all()]
    remove = RemoveNodes(relation="members", keys=(keys[-1],))
    await edit(small, ANN, BAND, view.draft.id, [remove], expected_version=None, change_id=None)
    with pytest.raises(LimitExceededError):
        await add(small, view)
    await rename(small, view, "Octet")
    assert (await get_draft(small, ANN, view.draft.id)).draft.version == 3


async def test_an_edit_past_the_bytes_is_refused(engine: Engine, make_engine: MakeEngine) -> None:
    """Nothing of it is staged, and what takes less is."""
    view = await open_saved(engine, ANN, BAND, await quartet(), resume=True)
    small = make_engine(MAX_DRAFT_BYTES=2000, MAX_FIELD_BYTES=1500)
    for too_much in ("x" * 1600, "x" * 1450):
        with pytest.raises(LimitExceededError):
            await edit(
                small,
                ANN,
                BAND,
                view.draft.id,
                [SetFields(values={"biography": too_much})],
                expected_version=None,
                change_id=None,
            )
    await rename(small, view, "Octet")
    assert (await get_draft(small, ANN, view.draft.id)).draft.version == 1


@pytest.mark.parametrize("limit", [{"MAX_NODES": 15}, {"MAX_DRAFT_BYTES": 3500}])
async def test_edits_at_once_on_two_workers_never_pass_a_limit_together(
    engine: Engine, make_engine: MakeEngine, redis_client: Redis, limit: dict[str, int]
) -> None:
    """As many are let in as there is room for, and the last one as well."""
    view = await open_saved(engine, ANN, BAND, await quartet(), resume=True)
    one, two = make_engine(**limit), make_engine(**limit)
    edits = [add(each, view, name="x" * 100) for each in (one, two) * 10]
    outcomes = await asyncio.gather(*edits, return_exceptions=True)
    refused = [each for each in outcomes if isinstance(each, LimitExceededError)]
    assert len([each for each in outcomes if each is None]) + len(refused) == 20
    assert refused
    found = stored(redis_client, view)
    assert found["nodes"] == 5 + 20 - len(refused) == len(await whole(one, view))
    assert found["counted"] == found["held"]
    if "MAX_NODES" in limit:
        assert found["nodes"] == 15
    else:
        assert 3000 < found["held"] <= 3500


async def whole(engine: Engine, view: View) -> list[Any]:
    """Return all nodes of a draft as they are now."""
    return [*await (await get_draft(engine, ANN, view.draft.id)).load_all()]


async def test_what_is_counted_is_what_redis_holds(engine: Engine, redis_client: Redis) -> None:
    """Through edits, with a change id and without, and a commit that keeps the draft open."""
    view = await beatles(engine)
    assert stored(redis_client, view)["counted"] == stored(redis_client, view)["held"]
    for change_id in ("a", None):
        await edit(
            engine,
            ANN,
            BAND,
            view.draft.id,
            [
                SetFields(values={"name": f"Name {change_id}"}),
                AddNodes(
                    relation="members",
                    nodes=(new("BandMember", name=f"X {change_id}", instrument="bass"),),
                ),
            ],
            expected_version=None,
            change_id=change_id,
        )
        found = stored(redis_client, view)
        assert found["counted"] == found["held"]
    await commit(
        engine, ANN, BAND, view.draft.id, expected_version=None, change_id=None, keep_open=True
    )
    await rename(engine, view, "Once more")
    found = stored(redis_client, view)
    assert found["counted"] == found["held"]


async def test_the_log_takes_so_many_bytes_whatever_its_length(
    engine: Engine, make_engine: MakeEngine, redis_client: Redis
) -> None:
    """Its oldest entries go, and the newest never does."""
    view = await open_saved(engine, ANN, BAND, await quartet(), resume=True)
    small = make_engine(MAX_DRAFT_BYTES=20_000)
    for number in range(60):
        await rename(small, view, f"{number} {'x' * 400}")
    log = Keys().draft(view.draft.id)[4]
    rows: Any = redis_client.xrange(log)
    size = sum(len(row[b"entry"]) for _, row in rows)
    assert 5000 < size <= 20_000
    assert rows[-1][0] == b"60-0"
    assert [int(name.split(b"-")[0]) for name, _ in rows] == list(range(61 - len(rows), 61))


async def test_a_draft_of_an_older_release_is_counted_from_now_on(
    engine: Engine, redis_client: Redis
) -> None:
    """It has no counts in its header."""
    view = await beatles(engine)
    redis_client.hdel(Keys().draft(view.draft.id)[0], "held", "bytes")
    await add(engine, view, 2)
    assert stored(redis_client, view)["nodes"] == 2


async def test_a_session_has_so_many_drafts(make_engine: MakeEngine, redis_client: Redis) -> None:
    """Closed ones and expired ones don't count; the error says what to do."""
    small = make_engine(MAX_DRAFTS=3)
    views = [await open_new(small, ANN, BAND, new("Band", name=f"B{n}")) for n in range(3)]
    with pytest.raises(LimitExceededError, match="discard"):
        await open_new(small, ANN, BAND, new("Band", name="One too many"))
    await discard(small, ANN, views[0].draft.id)
    another = await open_new(small, ANN, BAND, new("Band", name="Instead"))
    # As one that expired a while ago.
    redis_client.delete(*Keys().draft(views[1].draft.id))
    redis_client.zadd(Keys().session_drafts("ann"), {views[1].draft.id: 0})
    last = await open_new(small, ANN, BAND, new("Band", name="Instead of that"))
    with pytest.raises(LimitExceededError):
        await open_new(small, ANN, BAND, new("Band", name="One too many"))
    page = await get_drafts(small, ANN, first=9)
    assert [view.draft.id for view in page.views] == [
        last.draft.id,
        another.draft.id,
        views[2].draft.id,
    ]
    assert (
        len(list(redis_client.scan_iter("*draft:*:meta"))) == 4
    )  # the discarded one can still be read


async def test_drafts_opened_at_once_on_two_workers_never_pass_the_limit(
    make_engine: MakeEngine, redis_client: Redis
) -> None:
    """Nothing of those that are refused stays."""
    one, two = make_engine(MAX_DRAFTS=5), make_engine(MAX_DRAFTS=5)
    opened = await asyncio.gather(
        *(open_new(each, ANN, BAND, new("Band", name="B")) for each in (one, two) * 6),
        return_exceptions=True,
    )
    assert len([each for each in opened if isinstance(each, View)]) == 5
    assert len([each for each in opened if isinstance(each, LimitExceededError)]) == 7
    assert len(list(redis_client.scan_iter("*draft:*:meta"))) == 5


async def test_json_that_makes_a_draft_too_large_opens_nothing(
    make_engine: MakeEngine, redis_client: Redis
) -> None:
    """Where it is a saved cluster with its differences, neither stays."""
    pk = await quartet()
    data = {
        "pk": int(pk),
        "name": "Quintet",
        "members": [{"pk": None, "name": "Fifth", "instrument": "bass"}],
    }
    small = make_engine(MAX_NODES=5)
    with pytest.raises(LimitExceededError):
        await open_json(small, ANN, BAND, data)
    assert not list(redis_client.scan_iter("*draft:*:meta"))
    assert (await get_drafts(small, ANN, first=9)).views == []
