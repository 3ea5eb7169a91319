"""What a receipt makes good: a worker that died behind the save, a draft that is gone."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Literal

import pytest
from asgiref.sync import sync_to_async

from gql_cluster.domain.change import AddNodes, SetFields
from gql_cluster.domain.draft import Cause, DraftState
from gql_cluster.domain.error import (
    ClosedError,
    ConflictPolicy,
    InvalidChangeError,
    NotFoundError,
)
from gql_cluster.models import Receipt
from gql_cluster.orm import commit as orm
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.lease import Lease
from gql_cluster.service.outcome import Committed
from gql_cluster.service.read import draft_changes, get_draft, plan_of
from gql_cluster.service.view import View
from gql_cluster.store.results import Acquired, Locked
from schema.bands.models import Band, BandMember
from tests.integration.service.conftest import (
    ANN,
    BAND,
    BOB,
    MakeEngine,
    beatles,
    new,
    rename,
    root_pk,
)


async def save(  # noqa: PLR0913 - one request, said whole
    engine: Engine,
    draft_id: str,
    change_id: str,
    *,
    caller: Caller = ANN,
    policy: ConflictPolicy = ConflictPolicy.FAIL,
    keep_open: bool = False,
) -> Committed:
    """Commit a draft."""
    return await commit(
        engine,
        caller,
        BAND,
        draft_id,
        expected_version=None,
        change_id=change_id,
        policy=policy,
        keep_open=keep_open,
    )


async def saved_and_died(engine: Engine, view: View) -> None:
    """Do what a worker has done that dies before Redis hears of its commit; its lease is over."""
    locking = await engine.parts.store.lock(
        view.draft.id,
        version=None,
        token="dead",  # noqa: S106
        lease=timedelta(milliseconds=1),
    )
    assert isinstance(locking, Acquired)
    view = await get_draft(engine, ANN, view.draft.id)
    receipt = Receipt(
        draft_id=view.draft.id,
        version=view.draft.version,
        session="ann",
        change_id="c1",
        cluster=BAND.label,
        keep_open=True,
    )
    plan = await plan_of(engine, view)
    await sync_to_async(orm.commit)(view, plan, receipt, until=lambda: float("inf"))
    await asyncio.sleep(0.01)


@pytest.mark.parametrize("then", ["edit", "retry"])
async def test_a_kept_draft_whose_worker_died_behind_the_save_goes_on(
    engine: Engine, other: Engine, then: Literal["edit", "retry"]
) -> None:
    """Whoever comes next ends the commit: the new node has its key and its primary key."""
    view = await beatles(engine)
    added = AddNodes(
        relation="members", nodes=(new("BandMember", "eric", name="E", instrument="drums"),)
    )
    await edit(engine, ANN, BAND, view.draft.id, [added], expected_version=None, change_id=None)
    await saved_and_died(engine, view)
    eric = await BandMember.objects.aget(band_id=root_pk(view), name="E")
    if then == "edit":
        await rename(other, view, "Renamed")
    else:
        again = await save(other, view.draft.id, "c1", keep_open=True)
        assert again.receipt.keys["eric"] == eric.pk
        assert again.entry is not None
        assert again.entry.cause is Cause.COMMIT
    now = await get_draft(other, ANN, view.draft.id)
    assert now.draft.state is DraftState.OPEN
    await now.load_all()
    node = now.snapshot.node("eric")
    assert node is not None
    assert node.pk == eric.pk
    assert len(await draft_changes(other, now)) == (then == "edit")
    assert await Receipt.objects.acount() == 1


async def test_a_commit_is_found_by_its_receipt_when_the_draft_is_gone(engine: Engine) -> None:
    """The same keys for the session that saved; no one else, no other id, no other body."""
    view = await beatles(engine)
    await rename(engine, view, "Saved")
    first = await save(engine, view.draft.id, "c1")
    await engine.parts.store.delete(view.draft.id)
    engine.parts.cache.forget(view.draft.id)
    again = await save(engine, view.draft.id, "c1")
    assert again.receipt == first.receipt
    assert (again.view, again.entry) == (None, None)
    for caller, change_id in ((BOB, "c1"), (ANN, "c2")):
        with pytest.raises(NotFoundError):
            await save(engine, view.draft.id, change_id, caller=caller)
    with pytest.raises(InvalidChangeError):
        await save(engine, view.draft.id, "c1", keep_open=True)
    assert await Receipt.objects.acount() == 1


async def test_a_commit_of_an_expired_draft_saves_nothing(engine: Engine) -> None:
    """It is not there, whole or in part; it is never an empty cluster that deletes everything."""
    members = await BandMember.objects.filter(band__name="The Beatles").acount()
    for part in ("meta", "nodes"):
        view = await beatles(engine)
        await rename(engine, view, "Lost")
        keys = engine.parts.store._keys.draft(view.draft.id)  # noqa: SLF001 - as Redis evicts it
        [key] = [each for each in keys if each.endswith(part)]
        await engine.parts.client.delete(key)
        with pytest.raises(NotFoundError):
            await save(engine, view.draft.id, "c1")
    assert await Band.objects.filter(name="The Beatles").aexists()
    assert await BandMember.objects.filter(band__name="The Beatles").acount() == members
    assert not await Receipt.objects.aexists()


async def test_a_living_worker_renews_its_lease(make_engine: MakeEngine) -> None:
    """As long as it works its draft stays locked; afterwards it is free again."""
    engine = make_engine(COMMIT_LEASE=6)
    view = await beatles(engine)
    lease = Lease(engine, view.draft.id)
    assert isinstance(await lease.take(None), Acquired)
    async with lease.kept():
        begun = time.monotonic()
        while time.monotonic() < begun + 7:
            rival = await Lease(engine, view.draft.id).take(None)
            assert isinstance(rival, Locked)
            assert not rival.lease_over
            assert lease.until() > time.monotonic()
            await asyncio.sleep(0.02)
    await lease.give_back()
    assert isinstance(await Lease(engine, view.draft.id).take(None), Acquired)


@pytest.mark.parametrize("keep_open", [False, True])
async def test_a_commit_that_redis_has_forgotten_is_not_saved_twice(
    engine: Engine, other: Engine, *, keep_open: bool
) -> None:
    """Redis is back with what it had before the commit: the next edit finds the receipt first."""
    view = await beatles(engine)
    added = AddNodes(
        relation="members", nodes=(new("BandMember", "eric", name="E", instrument="drums"),)
    )
    await edit(engine, ANN, BAND, view.draft.id, [added], expected_version=None, change_id=None)
    client, keys = engine.parts.client, engine.parts.store._keys.draft(view.draft.id)  # noqa: SLF001
    older = {key: await client.dump(key) for key in keys}
    await save(engine, view.draft.id, "c1", keep_open=keep_open)
    for key, dumped in older.items():
        await client.delete(key)
        if dumped is not None:
            await client.restore(key, 0, dumped)
    await client.hset(keys[0], "history", "another")

    again = edit(
        other,
        ANN,
        BAND,
        view.draft.id,
        [SetFields(values={"name": "Renamed"})],
        expected_version=None,
        change_id=None,
    )
    if keep_open:
        await again
        await save(other, view.draft.id, "c2")
        assert await Band.objects.filter(pk=root_pk(view), name="Renamed").aexists()
    else:
        with pytest.raises(ClosedError):
            await again
    assert await BandMember.objects.filter(band_id=root_pk(view), name="E").acount() == 1
