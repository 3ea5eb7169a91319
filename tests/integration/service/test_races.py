"""What can happen at once, or half: every race has one winner, and nothing is lost between."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from redis import Redis

from gql_cluster.domain.change import AddNodes, RemoveNodes, SetFields, UpdateNode
from gql_cluster.domain.draft import Cause, DraftState
from gql_cluster.domain.error import (
    ClosedError,
    ClusterError,
    InvalidChangeError,
    LimitExceededError,
    StaleVersionError,
)
from gql_cluster.models import Receipt
from gql_cluster.orm import commit as orm
from gql_cluster.service.commit import commit
from gql_cluster.service.discard import discard
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_new, open_saved
from gql_cluster.service.outcome import Committed, Outcome
from gql_cluster.service.read import get_draft, get_drafts, plan_of
from gql_cluster.service.view import View
from gql_cluster.store.results import Acquired
from schema.bands.models import Band
from tests.integration.service.conftest import ANN, BAND, beatles, new


async def rename(engine: Engine, view: View, name: str, **more: Any) -> Outcome:
    """Stage one change."""
    changes = [SetFields(values={"name": name})]
    more = {"expected_version": None, "change_id": None, **more}
    return await edit(engine, ANN, BAND, view.draft.id, changes, **more)


async def save(engine: Engine, view: View, change_id: str | None = None) -> Committed:
    """Commit a draft."""
    return await commit(
        engine, ANN, BAND, view.draft.id, expected_version=None, change_id=change_id
    )


async def new_band(engine: Engine, name: str = "New") -> View:
    """Open a draft of a band that is not saved."""
    return await open_new(engine, ANN, BAND, new("Band", name=name))


async def half_committed(
    engine: Engine, view: View, *, in_database: bool, lease: float = 0.001
) -> None:
    """Do what a worker has done that dies in the middle of a commit; its lease is soon over."""
    store = engine.parts.store
    locking = await store.lock(
        view.draft.id,
        version=None,
        token="dead",  # noqa: S106
        lease=timedelta(seconds=lease),
    )
    assert isinstance(locking, Acquired)
    if in_database:
        view = await get_draft(engine, ANN, view.draft.id)
        receipt = Receipt(
            draft_id=view.draft.id,
            version=view.draft.version,
            session="ann",
            change_id="c1",
            cluster=BAND.label,
        )
        plan = await plan_of(engine, view)
        await sync_to_async(orm.commit)(view, plan, receipt, until=lambda: float("inf"))
    await asyncio.sleep(0.01)


async def test_an_acknowledged_edit_is_in_what_is_committed(engine: Engine, other: Engine) -> None:
    """A hundred times an edit and a commit at once: kept and saved, or refused as closed."""
    for number in range(100):
        view = await new_band(engine)
        edited, committed = await asyncio.gather(
            rename(other, view, f"Edited {number}"), save(engine, view), return_exceptions=True
        )
        assert isinstance(committed, Committed)
        saved = await Band.objects.aget(pk=committed.receipt.root_pk)
        if isinstance(edited, Outcome):
            assert saved.name == f"Edited {number}"
            assert committed.receipt.version == 1
        else:
            assert isinstance(edited, ClosedError)
            assert saved.name == "New"


async def test_of_two_commits_at_once_one_saves(engine: Engine, other: Engine) -> None:
    """The other is told that the draft is closed, or gets the outcome if it is the same request."""
    view = await new_band(engine)
    both = await asyncio.gather(
        save(engine, view, "a"), save(other, view, "b"), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in both) == ["ClosedError", "Committed"]
    view = await new_band(engine)
    one, two = await asyncio.gather(save(engine, view, "c"), save(other, view, "c"))
    assert one.receipt == two.receipt
    assert one.entry == two.entry
    assert await Band.objects.filter(name="New").acount() == 2
    assert await Receipt.objects.acount() == 2


async def test_of_commit_and_discard_at_once_one_ends_the_draft(
    engine: Engine, other: Engine
) -> None:
    """And the database agrees with the draft's state."""
    for _ in range(20):
        view = await new_band(engine)
        committed, discarded = await asyncio.gather(
            save(engine, view), discard(other, ANN, view.draft.id), return_exceptions=True
        )
        assert isinstance(committed, ClosedError) != isinstance(discarded, ClosedError)
        now = await get_draft(engine, ANN, view.draft.id)
        is_saved = await Receipt.objects.filter(draft_id=view.draft.id).aexists()
        assert now.draft.state is (DraftState.COMMITTED if is_saved else DraftState.DISCARDED)


@pytest.mark.parametrize("by", ["edit", "commit", "retry", "discard"])
async def test_a_commit_whose_worker_died_after_saving_is_finished_by_others(
    engine: Engine, other: Engine, by: str
) -> None:
    """Whoever comes next closes the draft as its receipt says, and saves nothing again."""
    view = await new_band(engine)
    await half_committed(engine, view, in_database=True)
    if by == "retry":
        outcome = await save(other, view, "c1")
        assert outcome.entry is not None
        assert outcome.entry.cause is Cause.COMMIT
    else:
        attempts = {
            "edit": rename(other, view, "Later"),
            "commit": save(other, view),
            "discard": discard(other, ANN, view.draft.id),
        }
        chosen = attempts.pop(by)
        for unused in attempts.values():
            unused.close()
        with pytest.raises(ClosedError):
            await chosen
    now = await get_draft(engine, ANN, view.draft.id)
    assert now.draft.state is DraftState.COMMITTED
    assert await Band.objects.filter(name="New").acount() == 1
    assert (await save(engine, view, "c1")).receipt.root_pk


async def test_a_retry_does_not_wait_for_the_lease_of_a_worker_that_died(
    engine: Engine, other: Engine
) -> None:
    """The receipt tells it at once what became of the first request."""
    view = await new_band(engine)
    await half_committed(engine, view, in_database=True, lease=60)
    async with asyncio.timeout(20):
        outcome = await save(other, view, "c1")
    assert outcome.receipt == await Receipt.objects.aget()
    assert outcome.view is not None
    assert outcome.view.draft.state is DraftState.COMMITTED


async def test_a_commit_whose_worker_died_before_saving_is_forgotten(
    engine: Engine, other: Engine
) -> None:
    """The next edit opens the draft again."""
    view = await new_band(engine)
    await half_committed(engine, view, in_database=False)
    assert (await rename(other, view, "Later")).view.draft.version == 1
    await save(other, view)
    assert await Band.objects.filter(name="Later").aexists()


async def test_a_commit_that_takes_too_long_saves_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may hold it for dead by then; the draft goes on."""
    settings = {**django_settings.GQL_CLUSTER, "COMMIT_LEASE": 0}
    monkeypatch.setattr(django_settings, "GQL_CLUSTER", settings)
    hasty = Engine(engine.clusters)
    try:
        view = await new_band(hasty)
        with pytest.raises(ClusterError, match="too long"):
            await save(hasty, view)
    finally:
        await hasty.aclose()
    assert not await Band.objects.filter(name="New").aexists()
    assert not await Receipt.objects.aexists()
    await rename(engine, view, "Goes on")


async def test_a_commit_ends_though_its_caller_is_gone(engine: Engine) -> None:
    """The request is cancelled while it runs."""
    view = await new_band(engine)
    request = asyncio.create_task(save(engine, view))
    while not await Receipt.objects.aexists() and not request.done():
        request.cancel()
        await asyncio.sleep(0.01)
        if request.cancelled() and await _is_open(engine, view):
            request = asyncio.create_task(save(engine, view))
    async with asyncio.timeout(10):
        while await _is_open(engine, view):  # noqa: ASYNC110 - nothing tells but the store
            await asyncio.sleep(0.01)
    assert await Band.objects.filter(name="New").acount() == 1


async def _is_open(engine: Engine, view: View) -> bool:
    return (await get_draft(engine, ANN, view.draft.id)).draft.state is DraftState.OPEN


async def test_an_invalid_change_on_a_stale_copy_is_tried_again(
    engine: Engine, other: Engine
) -> None:
    """What others added meanwhile can be changed; what they closed is closed."""
    view = await beatles(engine)
    await rename(engine, view, "Warm")
    add = AddNodes(relation="members", nodes=(new("BandMember", "m1", name="M"),))
    await edit(other, ANN, BAND, view.draft.id, [add], expected_version=None, change_id=None)
    update = UpdateNode(relation="members", key="m1", values={"name": "N"})
    outcome = await edit(
        engine, ANN, BAND, view.draft.id, [update], expected_version=None, change_id=None
    )
    assert outcome.view.draft.version == 3
    await discard(other, ANN, view.draft.id)
    gone = RemoveNodes(relation="members", keys=("nobody",))
    with pytest.raises(ClosedError):
        await edit(engine, ANN, BAND, view.draft.id, [gone], expected_version=None, change_id=None)


async def test_a_retry_is_answered_though_its_version_is_old(engine: Engine, other: Engine) -> None:
    """With `expectedVersion` and `changeId`, also when its changes could not be made again."""
    view = await beatles(engine)
    member = new("BandMember", "m1", name="M", instrument="drums")
    add = AddNodes(relation="members", nodes=(member,))
    sent = {"expected_version": 0, "change_id": "a"}
    first = await edit(engine, ANN, BAND, view.draft.id, [add], **sent)  # type: ignore[arg-type]
    await rename(engine, view, "Later")
    for worker in (engine, other):
        again = await edit(worker, ANN, BAND, view.draft.id, [add], **sent)  # type: ignore[arg-type]
        assert again.entry == first.entry
        with pytest.raises(StaleVersionError):
            await rename(worker, view, "Stale", expected_version=0, change_id="b")
    await save(engine, view)
    again = await edit(other, ANN, BAND, view.draft.id, [add], **sent)  # type: ignore[arg-type]
    assert again.entry == first.entry


async def test_a_request_that_is_too_big_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes and its changes are counted, in an edit and in a new cluster."""
    view = await beatles(engine)
    limits = {"MAX_CHANGES": 3, "MAX_BYTES": 10_000}
    settings = {**django_settings.GQL_CLUSTER, **limits}
    monkeypatch.setattr(django_settings, "GQL_CLUSTER", settings)
    small = Engine(engine.clusters)
    try:
        many = AddNodes(relation="members", nodes=(new("BandMember"),) * 3)
        big = SetFields(values={"biography": "x" * 10_000})
        for changes in ([many], [big]):
            with pytest.raises(LimitExceededError):
                await edit(
                    small, ANN, BAND, view.draft.id, changes, expected_version=None, change_id=None
                )
        assert (await get_draft(small, ANN, view.draft.id)).draft.version == 0
        with pytest.raises(LimitExceededError):
            await open_new(small, ANN, BAND, new("Band", biography="x" * 10_000))
        assert len((await get_drafts(small, ANN, first=10)).views) == 1
    finally:
        await small.aclose()


async def test_ten_who_open_a_cluster_at_once_get_one_draft(engine: Engine, other: Engine) -> None:
    """And no other draft of the session stays."""
    band = await Band.objects.aget(name="The Beatles")
    views = await asyncio.gather(
        *(open_saved(each, ANN, BAND, str(band.pk), resume=True) for each in (engine, other) * 5)
    )
    assert len({view.draft.id for view in views}) == 1
    page = await get_drafts(engine, ANN, first=20)
    assert [view.draft.id for view in page.views] == [views[0].draft.id]


async def test_drafts_are_paged_newest_first(engine: Engine, redis_client: Redis) -> None:
    """Those that are closed or have expired are left out."""
    views = [await new_band(engine, f"Band {number}") for number in range(7)]
    await discard(engine, ANN, views[3].draft.id)
    for key in redis_client.scan_iter(f"*{views[5].draft.id}*"):
        redis_client.delete(key)
    seen: list[str] = []
    after: str | None = None
    for has_next in (True, True, False):
        page = await get_drafts(engine, ANN, first=2, after=after)
        seen += [view.draft.id for view in page.views]
        assert page.has_next == has_next
        after = page.views[-1].draft.id if page.views else None
    assert seen == [views[number].draft.id for number in (6, 4, 2, 1, 0)]


async def test_a_change_id_of_an_edit_is_not_that_of_a_commit(engine: Engine) -> None:
    """It names one request."""
    view = await new_band(engine)
    await rename(engine, view, "One", change_id="a")
    with pytest.raises(InvalidChangeError):
        await save(engine, view, "a")
