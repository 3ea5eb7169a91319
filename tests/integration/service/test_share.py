"""Sharing: a link lets others into a draft, on every worker, until its owner takes it back."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.core import signing

from gql_cluster.domain.change import AddNodes, SetFields
from gql_cluster.domain.draft import DraftState
from gql_cluster.domain.error import (
    ClosedError,
    ConflictPolicy,
    ForbiddenError,
    LimitExceededError,
    NotFoundError,
    UnauthenticatedError,
)
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.discard import discard
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_copy, open_saved
from gql_cluster.service.presence import set_focus
from gql_cluster.service.read import get_draft, get_drafts
from gql_cluster.service.rebase import rebase
from gql_cluster.service.share import Link, join, share, unshare
from gql_cluster.service.undo import undo
from gql_cluster.service.view import View
from gql_cluster.service.watch import watch
from schema.bands.models import Band
from tests.integration.service.conftest import (
    ANN,
    BAND,
    BOB,
    MakeEngine,
    beatles,
    new,
    numbered,
    rename,
    root_pk,
    take,
)

CAT = Caller(session="cat")
SELDOM = 60.0
"""Seconds; what comes sooner came by a wake-up."""


@pytest.fixture
async def view(engine: Engine) -> View:
    """Ann's draft."""
    return await beatles(engine)


@pytest.fixture
async def link(engine: Engine, view: View) -> Link:
    """A link to it."""
    return await share(engine, ANN, view.draft.id)


async def name_it(engine: Engine, caller: Caller, view: View, name: str) -> int:
    """Rename the band in a draft, and return the version that makes."""
    outcome = await edit(
        engine,
        caller,
        BAND,
        view.draft.id,
        [SetFields(values={"name": name})],
        expected_version=None,
        change_id=None,
    )
    return outcome.view.draft.version


async def listed(engine: Engine, caller: Caller) -> list[str]:
    """Return the drafts on a session's list."""
    page = await get_drafts(engine, caller, first=10)
    return [view.draft.id for view in page.views]


# What a link is


async def test_a_link_tells_when_it_expires(engine: Engine, view: View) -> None:
    """It is good for `SHARE_AGE`."""
    link = await share(engine, ANN, view.draft.id)
    age = timedelta(seconds=engine.parts.settings.SHARE_AGE)
    assert timedelta() <= datetime.now(UTC) + age - link.expires_at < timedelta(seconds=20)
    assert link.view.draft.id == view.draft.id


async def test_links_made_at_once_or_later_are_all_good(
    engine: Engine, other: Engine, view: View
) -> None:
    """They differ in their expiry at most."""
    links = await asyncio.gather(
        *(share(each, ANN, view.draft.id) for each in (engine, other) for _ in range(5))
    )
    for number, each in enumerate([*links, await share(engine, ANN, view.draft.id)]):
        joined = await join(other, Caller(session=f"s{number}"), each.token)
        assert joined.draft.id == view.draft.id


async def test_a_link_that_has_expired_is_good_no_more(
    engine: Engine, make_engine: MakeEngine, link: Link
) -> None:
    """Whoever has joined by it stays."""
    await join(engine, BOB, link.token)
    later = make_engine(SHARE_AGE=0)
    with pytest.raises(NotFoundError, match="This link is not valid any more"):
        await join(later, CAT, link.token)
    assert (await get_draft(later, BOB, link.view.draft.id)).draft.admits("bob")


@pytest.mark.parametrize(
    "token", ["", "x", "a:b:c", "\ud800:a:b", "ünïcode", "0" * 10_000], ids=repr
)
async def test_what_is_no_link_is_not_valid(engine: Engine, token: str) -> None:
    """Whatever it looks like."""
    with pytest.raises(NotFoundError, match="This link is not valid any more"):
        await join(engine, BOB, token)


async def test_a_link_that_was_touched_is_not_valid(engine: Engine, link: Link) -> None:
    """Nor is what was signed for another purpose."""
    other = signing.dumps([link.view.draft.id, ""], salt="gql_cluster.session")
    for token in (link.token[1:], link.token[:-1], other):
        with pytest.raises(NotFoundError):
            await join(engine, BOB, token)


async def test_a_link_needs_a_session(engine: Engine, link: Link) -> None:
    """There is nobody to let in."""
    with pytest.raises(UnauthenticatedError):
        await join(engine, Caller(session=None), link.token)


# What it lets in to


async def test_whoever_joins_does_what_the_owner_does(
    engine: Engine, other: Engine, view: View, link: Link
) -> None:
    """It sees, edits, undoes its own, watches, focuses, copies, rebases and commits."""
    draft_id = view.draft.id
    with pytest.raises(NotFoundError):
        await get_draft(other, BOB, draft_id)
    assert (await join(other, BOB, link.token)).draft.version == 0
    async with aclosing(watch(other, BOB, draft_id, after=0)) as told:
        watched = asyncio.create_task(take(numbered(told), 3))
        assert await name_it(engine, ANN, view, "Ann's") == 1
        assert await name_it(other, BOB, view, "Bob's") == 2
        focus = partial(set_focus, other, BOB, draft_id, "root", "name")
        async with asyncio.timeout(20):
            while not await focus(fields_of=lambda _: {"name"}):
                pass  # it counts as watching when the store has heard of it
        undone = await undo(other, BOB, draft_id, expected_version=None, change_id=None)
        assert [event.at.draft.version for event in await watched] == [1, 2, 3]
    root = undone.view.snapshot.node("root")
    assert root is not None
    assert root.fields["name"] == "Ann's"
    assert (await open_copy(other, BOB, BAND, draft_id=draft_id)).draft.owner == "bob"
    await rebase(other, BOB, draft_id, ConflictPolicy.FAIL, expected_version=None, change_id=None)
    committed = await commit(other, BOB, BAND, draft_id, expected_version=None, change_id=None)
    assert committed.receipt.session == "bob"
    assert await Band.objects.filter(pk=root_pk(view), name="Ann's").aexists()


async def test_joining_changes_nothing_of_the_draft(engine: Engine, view: View, link: Link) -> None:
    """It makes no version and does not put the expiry off."""
    joined = await join(engine, BOB, link.token)
    now, before = joined.draft, view.draft
    assert (now.version, now.updated_at, now.expires_at) == (
        before.version,
        before.updated_at,
        before.expires_at,
    )


async def test_a_join_is_good_on_every_worker_at_once(
    engine: Engine, other: Engine, view: View, link: Link
) -> None:
    """Also for an edit at one that knows the draft from before."""
    assert await name_it(other, ANN, view, "Known here") == 1
    await join(engine, BOB, link.token)
    assert await name_it(other, BOB, view, "Bob's") == 2


async def test_joining_twice_is_harmless(engine: Engine, link: Link) -> None:
    """The draft is once on the session's list."""
    for _ in range(2):
        await join(engine, BOB, link.token)
    assert await listed(engine, BOB) == [link.view.draft.id]


async def test_joining_an_own_draft_gives_it(engine: Engine, link: Link) -> None:
    """The owner is no member for that."""
    joined = await join(engine, ANN, link.token)
    assert joined.draft.id == link.view.draft.id
    assert joined.draft.members == frozenset()
    assert await listed(engine, ANN) == [link.view.draft.id]


async def test_joined_drafts_are_listed_among_the_own_in_pages(engine: Engine, link: Link) -> None:
    """By when each was opened; a page goes on behind any of them."""
    own = await beatles(engine, BOB)
    newest = await open_saved(engine, ANN, BAND, str(root_pk(own)), resume=False)
    await join(engine, BOB, (await share(engine, ANN, newest.draft.id)).token)
    await join(engine, BOB, link.token)
    ids = [newest.draft.id, own.draft.id, link.view.draft.id]
    assert await listed(engine, BOB) == ids
    for place, after in enumerate(ids):
        page = await get_drafts(engine, BOB, first=1, after=after)
        assert [view.draft.id for view in page.views] == ids[place + 1 : place + 2]


async def test_joining_is_not_opening(engine: Engine, view: View, link: Link) -> None:
    """Whoever opens the same band gets a draft of its own."""
    await join(engine, BOB, link.token)
    assert (await beatles(engine, BOB)).draft.id != view.draft.id


async def test_a_closed_draft_is_joined_and_read(engine: Engine, view: View, link: Link) -> None:
    """It takes no changes from anybody."""
    await commit(engine, ANN, BAND, view.draft.id, expected_version=None, change_id=None)
    joined = await join(engine, BOB, link.token)
    assert joined.draft.state is DraftState.COMMITTED
    with pytest.raises(ClosedError):
        await name_it(engine, BOB, view, "Too late")


async def test_no_more_than_max_members_join(make_engine: MakeEngine) -> None:
    """The next one is told that it is the limit."""
    small = make_engine(MAX_MEMBERS=2)
    link = await share(small, ANN, (await beatles(small)).draft.id)
    for session in ("bob", "cat", "bob"):
        await join(small, Caller(session=session), link.token)
    with pytest.raises(LimitExceededError):
        await join(small, Caller(session="dan"), link.token)


# What it does not let in to


async def test_only_the_owner_shares_unshares_and_discards(
    engine: Engine, other: Engine, view: View, link: Link
) -> None:
    """Others who see the draft are told so; to a stranger it is not there."""
    await join(engine, BOB, link.token)
    for worker in (engine, other):
        for act in (share, unshare, discard):
            with pytest.raises(ForbiddenError):
                await act(worker, BOB, view.draft.id)
            with pytest.raises(NotFoundError):
                await act(worker, CAT, view.draft.id)
    now = (await get_draft(engine, BOB, view.draft.id)).draft
    assert now.state is DraftState.OPEN
    assert (await discard(other, ANN, view.draft.id)).view.draft.state is DraftState.DISCARDED


async def test_unsharing_takes_every_link_back(engine: Engine, view: View, link: Link) -> None:
    """Also from the owner; a new link is good, the old ones stay bad."""
    now = await unshare(engine, ANN, view.draft.id)
    assert (now.draft.version, now.draft.expires_at) == (0, view.draft.expires_at)
    again = await share(engine, ANN, view.draft.id)
    for caller in (ANN, BOB):
        with pytest.raises(NotFoundError, match="This link is not valid any more"):
            await join(engine, caller, link.token)
        assert (await join(engine, caller, again.token)).draft.id == view.draft.id


async def test_whoever_is_let_out_sees_and_does_nothing_more_anywhere(
    engine: Engine, other: Engine, view: View, link: Link
) -> None:
    """Also at a worker that has known it as a member, and for what it had staged itself."""
    draft_id = view.draft.id
    await join(other, BOB, link.token)

    async def add(change_id: str) -> object:
        added = AddNodes(relation="members", nodes=(new("BandMember", "bob", name="Bob"),))
        return await edit(
            other, BOB, BAND, draft_id, [added], expected_version=None, change_id=change_id
        )

    await add("bob's")
    assert await listed(other, BOB) == [draft_id]
    await unshare(engine, ANN, draft_id)
    # What it sends again can't be staged again either: the key is in use.
    for change_id in ("bob's", "another"):
        with pytest.raises(NotFoundError):
            await add(change_id)
    for refused in (
        get_draft(other, BOB, draft_id),
        name_it(other, BOB, view, "Bob's"),
        undo(other, BOB, draft_id, expected_version=None, change_id=None),
        commit(other, BOB, BAND, draft_id, expected_version=None, change_id=None),
        open_copy(other, BOB, BAND, draft_id=draft_id),
        set_focus(other, BOB, draft_id, None, None, fields_of=lambda _: ()),
        take(watch(other, BOB, draft_id, after=0), 1),
    ):
        with pytest.raises(NotFoundError):
            await refused
    assert await listed(other, BOB) == []
    now = await get_draft(other, ANN, draft_id)
    assert await now.load_line("bob") is not None  # what Bob has staged stays


async def test_what_is_watched_ends_at_once_when_it_is_unshared(
    make_engine: MakeEngine,
) -> None:
    """At every worker, by a wake-up; the owner's goes on, without the others as editors."""
    one, two = (make_engine(POLL_INTERVAL=SELDOM, PRESENCE_BEAT=SELDOM) for _ in range(2))
    view = await beatles(one)
    link = await share(one, ANN, view.draft.id)
    for caller in (BOB, CAT):
        await join(one, caller, link.token)
    async with (
        aclosing(numbered(watch(two, ANN, view.draft.id, after=None))) as anns,
        aclosing(numbered(watch(one, CAT, view.draft.id, after=None))) as cats,
        aclosing(numbered(watch(two, BOB, view.draft.id, after=None))) as bobs,
    ):
        for told in (anns, bobs, cats):
            await take(told, 1)
        ends = [asyncio.create_task(take(told, 1)) for told in (bobs, cats)]
        await unshare(one, ANN, view.draft.id)
        for end in ends:
            with pytest.raises(NotFoundError):
                await end
        await rename(one, view, "Ann's alone")
        [event] = await take(anns, 1)
        assert event.at.draft.version == 1
        async with asyncio.timeout(20):
            while len(await one.parts.presence.editors(view.draft.id)) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
