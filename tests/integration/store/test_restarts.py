"""What happens to drafts when Redis is restarted or fails over, with losses and without."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from config.embedded import redis_server
from gql_cluster.domain.change import Change
from gql_cluster.domain.copy import Copy, Snapshot
from gql_cluster.domain.draft import Draft, DraftState
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.store.cache import CopyCache, follow
from gql_cluster.store.client import Client, make_client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.results import Accepted, Behind, Ended, Read, Seen, Skip, Stale
from tests.integration.store.band import (
    FAMILY,
    MEMBERS,
    add_member,
    band_nodes,
    entry_of,
    loaded,
    new_draft,
    put,
    read,
    rename,
    stage,
    staged,
)
from tests.integration.store.conftest import MakeStore, Server

SKIP = 10_000


@pytest.fixture
def store(make_store: MakeStore, keeping_client: Client) -> DraftStore:
    """A store in a Redis that is restarted."""
    return make_store(client=keeping_client)


@pytest.fixture
def other(make_store: MakeStore, keeping_client: Client) -> DraftStore:
    """Another worker's store in the same Redis."""
    return make_store(client=keeping_client)


async def opened(store: DraftStore, *, edits: int = 2) -> Draft:
    """Return a new draft after some edits."""
    draft = await store.create(new_draft(), band_nodes(2))
    for number in range(edits):
        draft, _ = await stage(store, draft, rename(f"Edit {number}"))
    return draft


async def skipped(store: DraftStore, draft: Draft) -> int:
    """Return the version that the draft has to have next; it skips ahead."""
    outcome = await put(store, draft)
    assert isinstance(outcome, Skip)
    assert outcome.version >= draft.version + SKIP
    return outcome.version


async def stage_behind(store: DraftStore, draft: Draft, *changes: Change) -> Draft:
    """Stage changes where the numbers skip; returns the header after it."""
    copy = await loaded(store, draft, *changes)
    version = await skipped(store, copy.draft)
    applied = staged(Snapshot(copy), copy.draft, *changes, version=version)
    outcome = await put(store, copy.draft, applied, version=version)
    assert isinstance(outcome, Accepted)
    return outcome.draft


async def since(store: DraftStore, draft: Draft, version: int) -> Read:
    """Read what a reader gets that has a version."""
    found = await store.read(draft.id, Want(), since=version)
    assert found is not None
    return found


async def test_behind_a_restart_the_numbers_skip_ahead_once(
    store: DraftStore, keeping_server: Server
) -> None:
    """The store names the version, writes nothing, and takes it when the entry comes with it."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.restart)
    version = await skipped(store, draft)
    assert (await since(store, draft, 0)).draft == draft
    assert [entry.version for entry in await store.entries(draft.id, 0, 10)] == [1, 2]
    changes = (rename("Again"), add_member("pete"))
    copy = await loaded(store, draft, *changes)
    applied = staged(Snapshot(copy), draft, *changes, version=version)
    outcome = await put(store, draft, applied, version=version)
    assert isinstance(outcome, Accepted)
    assert (outcome.draft.version, outcome.draft.skipped) == (version, version - 3)
    found = await read(store, draft)
    assert found.draft == outcome.draft
    assert found.nodes[ROOT_KEY] == applied.nodes[ROOT_KEY]
    assert await store.entry(draft.id, version) == entry_of(version, applied, previous=2)
    now, _ = await stage(store, outcome.draft, rename("As ever"))
    assert (now.version, now.skipped) == (version + 1, version - 3)


async def test_a_version_that_was_named_stays_the_next_one(
    store: DraftStore, keeping_server: Server, keeping_client: Client
) -> None:
    """However long it takes to compute the change set as that version."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.restart)
    version = await skipped(store, draft)
    await keeping_client.blpop(["nothing"], timeout=1.1)  # wait by Redis' own clock
    assert await skipped(store, draft) == version
    assert isinstance(await put(store, draft, version=version), Accepted)


async def test_only_the_version_that_was_named_is_taken(
    store: DraftStore, keeping_server: Server
) -> None:
    """Neither the next number nor another one ahead."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.restart)
    version = await skipped(store, draft)
    for wrong in (3, version - 1, version + 1):
        assert await put(store, draft, version=wrong) == Skip(version=version)
    assert (await read(store, draft)).draft == draft
    assert isinstance(await put(store, draft, version=version), Accepted)


async def test_readers_come_across_a_skip_without_a_gap(
    store: DraftStore, keeping_server: Server
) -> None:
    """From every version that the draft had; a number that was left out is none of them."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.restart)
    now = await stage_behind(store, draft, rename("Across"))
    now, _ = await stage(store, now, rename("On"))
    high = now.version
    for version, behind in (
        (0, [1, 2, high - 1, high]),
        (1, [2, high - 1, high]),
        (2, [high - 1, high]),
        (high - 1, [high]),
        (high, []),
    ):
        found = await since(store, draft, version)
        assert not found.gap
        assert [entry.version for entry in found.entries] == behind
    for version in (3, 3 + SKIP // 2, high - 2, high + 1):
        found = await since(store, draft, version)
        assert (found.gap, found.entries) == (True, ())
    log = await store.entries(draft.id, 0, 10)
    assert [(entry.previous, entry.version) for entry in log] == [
        (0, 1),
        (1, 2),
        (2, high - 1),
        (high - 1, high),
    ]
    assert await store.entries(draft.id, 2, 1) == log[2:3]
    assert await store.entry(draft.id, 3) is None


@pytest.mark.parametrize("kept", [0, 2])
async def test_a_version_that_was_lost_is_never_another_one(
    store: DraftStore, keeping_server: Server, kept: int
) -> None:
    """Who has seen it is told of a gap, before and after the draft has grown past it."""
    draft = await opened(store, edits=kept)
    await asyncio.to_thread(keeping_server.set_aside)
    ahead = draft
    for number in range(3):
        ahead, _ = await stage(store, ahead, rename(f"Lost {number}"))
    await asyncio.to_thread(keeping_server.lose)
    assert (await read(store, draft)).draft == draft
    lost = range(kept + 1, kept + 4)
    for version in lost:
        assert (await since(store, draft, version)).gap
    outcome = await put(store, ahead)
    assert isinstance(outcome, Behind)
    assert outcome.read.gap
    now = await stage_behind(store, draft, rename("Other"))
    for _ in range(4):
        now, _ = await stage(store, now, rename("And on"))
    for version in lost:
        found = await since(store, draft, version)
        assert (found.gap, found.entries) == (True, ())
        assert await store.entry(draft.id, version) is None
    assert not (await since(store, draft, kept)).gap
    outcome = await put(store, ahead)
    assert isinstance(outcome, Behind)
    assert outcome.read.gap


async def test_restarts_in_a_row_reuse_no_number(store: DraftStore, keeping_server: Server) -> None:
    """Each loses all that came behind the one before, though they are quick and edits are many."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.set_aside)
    used: list[int] = []
    for _ in range(4):
        await asyncio.to_thread(keeping_server.lose)
        now = await stage_behind(store, draft, rename("Once more"))
        used.append(now.version)
        for _ in range(5):
            now, _ = await stage(store, now, rename("And on"))
            used.append(now.version)
    assert len(set(used)) == len(used)


async def test_restarts_in_a_row_without_a_loss_skip_each_time(
    store: DraftStore, keeping_server: Server
) -> None:
    """The log leads across all of them."""
    draft = now = await opened(store)
    for _ in range(3):
        await asyncio.to_thread(keeping_server.restart)
        now = await stage_behind(store, now, rename("Once more"))
    found = await since(store, draft, 2)
    assert not found.gap
    assert found.draft == now
    previous = [2, *(entry.version for entry in found.entries)]
    assert [entry.previous for entry in found.entries] == previous[:-1]
    assert now.skipped == now.version - 5


@pytest.fixture
def replicas() -> Iterator[tuple[str, str]]:
    """Two Redis that can replicate each other; each listens on a port of its own."""
    with (
        TemporaryDirectory(prefix="gqlc-") as folder,
        redis_server(Path(folder, "one"), port=0, appendonly=False) as one,
        redis_server(Path(folder, "two"), port=0, appendonly=False) as two,
    ):
        yield one, two


async def follows(client: Client, url: str) -> None:
    """Make a Redis the replica of another, and wait until it has all that is there."""
    host, _, port = url.removeprefix("redis://").partition("/")[0].partition(":")
    await client.replicaof(host, int(port))
    async with asyncio.timeout(20):
        while (await client.info("replication"))["master_link_status"] != "up":  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_master_that_comes_back_reuses_no_number(
    make_store: MakeStore, replicas: tuple[str, str]
) -> None:
    """It went on alone while its replica took its place, follows that, and is promoted again."""
    clients = [make_client(url) for url in replicas]
    one, two = clients
    try:
        store = make_store(client=one)
        await follows(two, replicas[0])
        draft = await opened(store)
        assert await one.wait(1, 10_000) == 1
        await two.replicaof("no", "one")
        await stage(store, draft, rename("Lost"))
        await follows(one, replicas[1])
        await one.replicaof("no", "one")
        assert (await read(store, draft)).draft == draft
        await stage_behind(store, draft, rename("Other"))
    finally:
        for client in clients:
            await client.aclose()


async def test_a_draft_that_is_closed_behind_a_restart_skips_as_well(
    store: DraftStore, keeping_server: Server
) -> None:
    """The store gives the number; readers come across."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.restart)
    outcome = await store.close(
        draft.id, token=None, state=DraftState.DISCARDED, entry=entry_of(0, change_id="end")
    )
    assert isinstance(outcome, Ended)
    version = outcome.draft.version
    assert version >= 2 + SKIP
    assert (outcome.entry.previous, outcome.entry.version) == (2, version)
    assert outcome.draft.skipped == version - 3
    found = await store.read(draft.id, Want(), since=2, change_id="end")
    assert found is not None
    assert (found.draft, found.gap) == (outcome.draft, False)
    assert found.entries == (outcome.entry,)
    assert found.outcome == Seen(version=version, fingerprint="")


async def test_what_the_client_expects_is_the_version_before_the_skip(
    store: DraftStore, keeping_server: Server
) -> None:
    """A restart without a loss makes nobody stale."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.restart)
    assert await put(store, draft, expected_version=1) == Stale(version=2)
    outcome = await put(store, draft, expected_version=2)
    assert isinstance(outcome, Skip)
    again = await put(store, draft, version=outcome.version, expected_version=2)
    assert isinstance(again, Accepted)
    assert await put(store, again.draft, expected_version=2) == Stale(version=outcome.version)
    assert isinstance(await put(store, again.draft, expected_version=outcome.version), Accepted)


async def test_a_change_id_is_known_under_the_number_it_got(
    store: DraftStore, keeping_server: Server
) -> None:
    """Those from before the restart too; a skip alone is no outcome."""
    draft = await opened(store, edits=0)
    first = await put(store, draft, change_id="before")
    assert isinstance(first, Accepted)
    await asyncio.to_thread(keeping_server.restart)
    assert await put(store, draft, change_id="before") == Seen(version=1, fingerprint="as asked")
    skip = await put(store, first.draft, change_id="across")
    assert isinstance(skip, Skip)
    second = await put(store, first.draft, version=skip.version, change_id="across")
    assert isinstance(second, Accepted)
    seen = Seen(version=skip.version, fingerprint="as asked")
    assert await put(store, first.draft, change_id="across") == seen
    found = await store.read(draft.id, Want(), change_id="across")
    assert found is not None
    assert found.outcome == seen


async def test_edits_at_once_behind_a_restart_skip_together(
    store: DraftStore, other: DraftStore, keeping_server: Server
) -> None:
    """One of them skips, and the others follow it without another hole."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.restart)
    versions = sorted(
        await asyncio.gather(
            *(edit_until_accepted((store, other)[i % 2], draft, f"m{i}") for i in range(20))
        )
    )
    assert versions[0] >= 2 + SKIP
    assert versions == list(range(versions[0], versions[0] + 20))
    found = await read(store, draft)
    assert found.draft.skipped == versions[0] - 3
    assert len(found.relations[MEMBERS]) == 22


async def edit_until_accepted(store: DraftStore, draft: Draft, key: str) -> int:
    """Add a member, as often as others come first or the numbers skip; returns the version."""
    copy = await loaded(store, draft, add_member(key))
    version: int | None = None
    while True:
        applied = staged(Snapshot(copy), copy.draft, add_member(key), version=version)
        match await put(store, copy.draft, applied, version=version):
            case Accepted(draft=now):
                return now.version
            case Behind(read=missed):
                version = None
                assert follow(copy, missed)
            case Skip(version=named):
                version = named
            case other:
                pytest.fail(f"not expected: {other}")


# Copies


def cache_of(store: DraftStore) -> CopyCache:
    """Return a worker's copies."""
    return CopyCache(store, max_bytes=10**6, max_count=10)


async def got(cache: CopyCache, draft: Draft) -> Copy:
    """Return the copy at the version of now."""
    copy = await cache.get(draft.id, FAMILY, fresh=True)
    assert copy is not None
    return copy


def name_at(copy: Copy, version: int) -> object:
    """Return the root's name at a version."""
    node = copy.node_at(version, ROOT_KEY)
    assert node is not None
    return node.fields["name"]


async def test_a_copy_follows_across_a_skip(
    store: DraftStore, other: DraftStore, keeping_server: Server
) -> None:
    """The same one, by its log alone, and it knows what was before."""
    draft = await opened(store)
    cache = cache_of(other)
    copy = await got(cache, draft)
    await asyncio.to_thread(keeping_server.restart)
    now = await stage_behind(store, draft, rename("Across"), add_member("pete"))
    assert await got(cache, draft) is copy
    assert copy.draft == now
    assert [key for _, key in copy.siblings_at(now.version, *MEMBERS)][-1] == "pete"
    assert [key for _, key in copy.siblings_at(2, *MEMBERS)] == ["members:0", "members:1"]
    assert [name_at(copy, version) for version in (2, now.version)] == ["Edit 1", "Across"]
    assert copy.entries(2) == [await store.entry(draft.id, now.version)]
    assert copy.entries(3) is None


@pytest.mark.parametrize("grown", [False, True])
async def test_a_copy_that_is_ahead_of_what_was_kept_is_begun_anew(
    store: DraftStore, other: DraftStore, keeping_server: Server, *, grown: bool
) -> None:
    """It shows what Redis has, whether the draft went on since or not."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.set_aside)
    await stage(store, draft, rename("Lost"), add_member("pete"))
    cache = cache_of(other)
    ahead = await got(cache, draft)
    assert ahead.version == 3
    await asyncio.to_thread(keeping_server.lose)
    now = await stage_behind(store, draft, rename("Other")) if grown else draft
    anew = await got(cache, draft)
    assert anew is not ahead
    assert anew.draft == now
    assert name_at(anew, now.version) == ("Other" if grown else "Edit 1")
    assert [key for _, key in anew.siblings_at(now.version, *MEMBERS)] == ["members:0", "members:1"]


async def test_a_copy_that_went_on_alone_is_forgotten_when_an_append_tells(
    store: DraftStore, other: DraftStore, keeping_server: Server
) -> None:
    """The append was computed before what was lost, and came behind what followed the loss."""
    draft = await opened(store)
    await asyncio.to_thread(keeping_server.set_aside)
    cache = cache_of(other)
    copy = await got(cache, draft)
    computed_at = copy.draft
    await stage(store, draft, rename("Lost"))
    assert (await got(cache, draft)).version == 3  # meanwhile, by another task
    await asyncio.to_thread(keeping_server.lose)
    now = await stage_behind(store, draft, rename("Other"))
    outcome = await put(other, computed_at)
    assert isinstance(outcome, Behind)
    assert not outcome.read.gap
    await cache.take(copy, outcome.read)
    anew = await got(cache, draft)
    assert anew is not copy
    assert (anew.draft, name_at(anew, now.version)) == (now, "Other")


async def test_a_lock_outlives_a_restart(store: DraftStore, keeping_server: Server) -> None:
    """With its lease: a commit goes on, and no edit gets in between."""
    draft = await opened(store)
    minute = timedelta(minutes=1)
    await store.lock(draft.id, version=2, token="c1", lease=minute)  # noqa: S106
    await asyncio.to_thread(keeping_server.restart)
    outcome = await put(store, draft)
    assert not isinstance(outcome, Accepted | Skip)
    ended = await store.close(
        draft.id,
        token="c1",  # noqa: S106
        state=DraftState.COMMITTED,
        entry=replace(entry_of(0), keys={ROOT_KEY: 1}),
    )
    assert isinstance(ended, Ended)
    assert await store.entry(draft.id, ended.draft.version) == ended.entry
