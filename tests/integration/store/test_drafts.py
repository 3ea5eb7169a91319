"""Creating, reading and changing a draft."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from redis import Redis as SyncRedis

from gql_cluster.domain.change import (
    EditNode,
    End,
    MoveNode,
    RemoveNodes,
    UpdateNode,
)
from gql_cluster.domain.copy import Snapshot
from gql_cluster.domain.draft import Draft, DraftState, Stack
from gql_cluster.domain.node import Node
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.store.cache import follow
from gql_cluster.store.client import Client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import (
    Accepted,
    Acquired,
    Behind,
    Closed,
    Ended,
    Gone,
    Locked,
    Seen,
    Stale,
)
from tests.integration.store.band import (
    FAMILY,
    MEMBERS,
    NOW,
    ROOT,
    add_member,
    band_nodes,
    entry_of,
    loaded,
    new_draft,
    put,
    read,
    rename,
    replay,
    stage,
    staged,
)
from tests.integration.store.conftest import MakeStore

HOLDER = "a commit"


async def test_a_draft_is_read_as_it_was_created(store: DraftStore) -> None:
    """Header, nodes by key, siblings in order and families, all at version 0."""
    nodes = band_nodes(3)
    draft = await store.create(new_draft(), nodes)
    want = Want(
        keys=frozenset({ROOT_KEY, "jobs:1", "nobody"}),
        relations=frozenset({("members:2", "jobs"), ("jobs:0", "none")}),
        families=frozenset({MEMBERS}),
    )
    found = await read(store, draft, want)
    by_key = {node.key: node for node in nodes}
    assert found.draft == draft
    assert draft.expires_at == NOW + timedelta(minutes=5)
    assert found.nodes == {
        **{key: by_key[key] for key in (ROOT_KEY, "jobs:1", "members:0", "members:1", "members:2")},
        "nobody": None,
    }
    assert found.relations == {
        MEMBERS: [(f"b000000{i}", f"members:{i}") for i in range(3)],
        ("members:2", "jobs"): [("b0000000", "jobs:2")],
        ("jobs:0", "none"): [],
    }
    assert (found.entries, found.gap, found.outcome) == ((), False, None)
    assert found.size > 0


async def test_a_draft_that_never_was_is_none(store: DraftStore) -> None:
    """Whatever is asked of it."""
    draft = new_draft()
    assert await store.read(draft.id, FAMILY) is None
    assert await store.entries(draft.id, 0, 10) == []
    assert await store.entry(draft.id, 1) is None
    assert await store.touched(draft.id) is None
    assert await put(store, draft) == Gone()


async def test_an_accepted_change_set_is_there_at_once(store: DraftStore) -> None:
    """Nodes, order, header and log say the same."""
    draft = await store.create(new_draft(), band_nodes(3))
    changes = (
        rename("The Quarrymen"),
        add_member("pete"),
        RemoveNodes(relation="members", keys=("members:0",)),
        MoveNode(relation="members", key="members:2", place=End.FIRST),
    )
    now, applied = await stage(store, draft, *changes)
    found = await store.read(draft.id, FAMILY, since=0)
    assert found is not None
    assert found.draft == now
    assert (now.version, now.tail) == (1, applied.tail)
    assert now.updated_at == NOW + timedelta(seconds=1)
    assert [key for _, key in found.relations[MEMBERS]] == ["members:2", "members:1", "pete"]
    assert found.nodes[ROOT_KEY] == applied.nodes[ROOT_KEY]
    assert found.entries == (entry_of(1, applied),)


async def test_what_is_below_a_removed_node_stays(store: DraftStore) -> None:
    """Removal touches one node; its tombstone keeps the key taken."""
    draft = await store.create(new_draft(), band_nodes(1))
    await stage(store, draft, RemoveNodes(relation="members", keys=("members:0",)))
    below = ("members:0", "jobs")
    found = await read(
        store, draft, Want(keys=frozenset({"members:0"}), families=frozenset({below, MEMBERS}))
    )
    tombstone = found.nodes["members:0"]
    assert tombstone is not None
    assert tombstone.removed
    assert found.relations == {below: [("b0000000", "jobs:0")], MEMBERS: []}


async def test_a_change_id_seen_before_writes_nothing(store: DraftStore) -> None:
    """The first outcome comes back, also where the draft has gone on and been closed since."""
    draft = await store.create(new_draft(), band_nodes())
    assert isinstance(await put(store, draft, change_id="once"), Accepted)
    first = Seen(version=1, fingerprint="as asked")
    assert await put(store, draft, change_id="once") == first
    await stage(store, draft, rename("Later"))
    await store.close(draft.id, token=None, state=DraftState.DISCARDED, entry=entry_of(0))
    assert await put(store, draft, change_id="once", expected_version=77) == first
    found = await store.read(draft.id, Want(), change_id="once")
    assert found is not None
    assert found.outcome == first
    assert found.draft.version == 3


async def test_a_version_other_than_the_clients_is_stale(store: DraftStore) -> None:
    """It is told before the worker's own delay is, and nothing is staged."""
    draft = await store.create(new_draft(), band_nodes())
    await stage(store, draft, rename("One"))
    assert await put(store, draft, expected_version=0) == Stale(version=1)
    assert (await read(store, draft)).draft.version == 1


async def test_a_worker_that_is_behind_gets_what_it_missed(store: DraftStore) -> None:
    """The entries come with the refusal: no second read is needed."""
    draft = await store.create(new_draft(), band_nodes())
    _, one = await stage(store, draft, rename("One"))
    _, two = await stage(store, draft, rename("Two"))
    outcome = await put(store, draft)
    assert isinstance(outcome, Behind)
    assert not outcome.read.gap
    assert outcome.read.draft.version == 2
    assert outcome.read.entries == (entry_of(1, one), entry_of(2, two))


async def test_a_worker_too_far_behind_is_told_of_the_gap(make_store: MakeStore) -> None:
    """The log is trimmed by length; the outcomes are not."""
    store = make_store(log_length=1)
    draft = now = await store.create(new_draft(), band_nodes())
    for number in range(300):
        outcome = await put(store, now, change_id=f"change {number}")
        assert isinstance(outcome, Accepted)
        now = outcome.draft
    outcome = await put(store, draft)
    assert isinstance(outcome, Behind)
    assert outcome.read.gap
    assert outcome.read.entries == ()
    assert (found := await store.read(draft.id, Want(), since=3)) is not None
    assert (found.gap, found.entries) == (True, ())
    assert await store.entry(draft.id, 3) is None
    [kept, *_] = await store.entries(draft.id, 3, 1)
    assert kept.version > 4
    assert await store.entries(draft.id, 298, 10) == [
        replace(entry_of(version), change_id=f"change {version - 1}") for version in (299, 300)
    ]
    assert await put(store, now, change_id="change 0") == Seen(version=1, fingerprint="as asked")


async def test_entries_come_in_pages(store: DraftStore) -> None:
    """A reader goes on from the last version that it has."""
    now = await store.create(new_draft(), band_nodes())
    for _ in range(5):
        now, _ = await stage(store, now, rename("Again" * (now.version + 1)))
    pages = [await store.entries(now.id, after, 2) for after in (-1, 0, 2, 4, 5, 6)]
    assert [[entry.version for entry in page] for page in pages] == [
        [1, 2],
        [1, 2],
        [3, 4],
        [5],
        [],
        [],
    ]
    for entry in pages[2]:
        assert await store.entry(now.id, entry.version) == entry
    assert await store.entry(now.id, 6) is None


async def test_a_reader_is_told_whether_it_missed_anything(store: DraftStore) -> None:
    """It gets all that follows the version it has, unless that is ahead of the draft."""
    now = await store.create(new_draft(), band_nodes())
    for _ in range(5):
        now, _ = await stage(store, now, rename("Again" * (now.version + 1)))
    reads = [await store.read(now.id, Want(), since=since) for since in (0, 2, 4, 5, 6, -1)]
    assert [
        read and ([entry.version for entry in read.entries], read.gap, read.draft.version)
        for read in reads
    ] == [
        ([1, 2, 3, 4, 5], False, 5),
        ([3, 4, 5], False, 5),
        ([5], False, 5),
        ([], False, 5),
        ([], True, 5),  # ahead of the draft: it lost what it was told
        ([], True, 5),
    ]


async def test_the_base_keeps_each_touched_node_as_it_was_at_open(store: DraftStore) -> None:
    """However often it changes afterwards; a key added since has none."""
    nodes = {node.key: node for node in band_nodes(2)}
    draft = await store.create(new_draft(), nodes.values())
    assert await store.touched(draft.id) == {}
    await stage(store, draft, rename("One"), add_member("pete"))
    job = UpdateNode(relation="jobs", key="jobs:1", values={"name": "drums"})
    edit = EditNode(relation="members", key="members:1", changes=(job,))
    await stage(store, draft, edit)
    await stage(store, draft, rename("Two"), RemoveNodes(relation="members", keys=("pete",)))
    base = {ROOT_KEY: nodes[ROOT_KEY], "pete": None, "jobs:1": nodes["jobs:1"]}
    assert await store.touched(draft.id) == base


async def test_a_new_cluster_has_no_base(store: DraftStore) -> None:
    """All of it is changed."""
    nodes = [replace(node, pk=None) for node in band_nodes(2)]
    draft = await store.create(new_draft(pk=None), nodes)
    await stage(store, draft, add_member("pete"))
    assert await store.touched(draft.id) == {}


async def test_fifty_edits_at_once_make_fifty_consecutive_versions(
    store: DraftStore, make_store: MakeStore
) -> None:
    """From two workers; the log replayed over what was opened equals what is stored."""
    nodes = band_nodes()
    draft = await store.create(new_draft(), nodes)
    stores = (store, make_store())
    versions = await asyncio.gather(
        *(edit_until_accepted(stores[i % 2], draft, f"m{i}") for i in range(50))
    )
    assert sorted(versions) == list(range(1, 51))
    log = await store.entries(draft.id, 0, 100)
    assert [(entry.previous, entry.version) for entry in log] == [(n, n + 1) for n in range(50)]
    replayed = replay(nodes, log)
    found = await read(store, draft, Want(keys=frozenset(replayed), families=frozenset({MEMBERS})))
    assert found.nodes == replayed
    order = sorted(
        (node.rank, node.key) for node in replayed.values() if node.relation == "members"
    )
    assert found.relations[MEMBERS] == order
    assert len(order) == 53


async def edit_until_accepted(store: DraftStore, draft: Draft, key: str) -> int:
    """Rename the root and add a member, as often as others come first; returns the version."""
    changes = (rename(f"By {key}"), add_member(key))
    copy = await loaded(store, draft, *changes)
    while True:
        applied = staged(Snapshot(copy), copy.draft, *changes)
        match await put(store, copy.draft, applied):
            case Accepted(draft=now):
                return now.version
            case Behind(read=missed):
                assert follow(copy, missed)
            case other:
                pytest.fail(f"not expected: {other}")


async def test_what_each_session_can_undo_comes_back_as_it_was(store: DraftStore) -> None:
    """With the header, whole, as the newest entry left it."""
    draft = await store.create(replace(new_draft(), stacks={"paul": Stack(redo=9)}), band_nodes())
    assert (await read(store, draft)).draft.stacks == {"paul": Stack(redo=9)}
    stacks = {"ringo": Stack(undo=1), 'é"\\': Stack(undo=4, redo=2), "paul": Stack()}
    outcome = await put(store, draft, stacks=stacks)
    assert isinstance(outcome, Accepted)
    assert outcome.draft.stacks == stacks
    assert (await read(store, draft)).draft.stacks == stacks
    outcome = await put(store, outcome.draft, stacks={})
    assert isinstance(outcome, Accepted)
    assert (await read(store, draft)).draft == outcome.draft
    assert outcome.draft.stacks == {}


async def test_a_change_id_sent_twice_at_once_is_applied_once(
    store: DraftStore, make_store: MakeStore
) -> None:
    """Two workers send it; one of them learns that it was seen."""
    draft = await store.create(new_draft(), band_nodes())
    outcomes = await asyncio.gather(
        put(store, draft, change_id="once"), put(make_store(), draft, change_id="once")
    )
    assert {type(outcome) for outcome in outcomes} == {Accepted, Seen}
    assert (await read(store, draft)).draft.version == 1


async def test_a_draft_expires_whole(make_store: MakeStore, client: Client, keys: Keys) -> None:
    """Its time begins anew with each change; then nothing of it is left."""
    store = make_store(ttl=timedelta(seconds=1))
    draft = await store.create(new_draft(), band_nodes())
    await client.pexpire(keys.draft(draft.id)[0], 60_000)  # not for ever, if the renewal is missing
    await stage(store, draft, rename("One"), add_member("pete"))
    names = keys.draft(draft.id)
    left = [await client.pttl(name) for name in names if await client.exists(name)]
    assert len(left) == 5  # no change id was given: no outcomes are kept
    assert all(0 < milliseconds <= 1000 for milliseconds in left)
    await client.blpop([f"{keys.prefix}:nothing"], timeout=1)  # wait by Redis' own clock
    assert await client.exists(*names) == 0
    assert await store.read(draft.id, FAMILY) is None
    assert await put(store, draft) == Gone()


async def test_a_deleted_draft_is_gone(store: DraftStore, client: Client, keys: Keys) -> None:
    """No key of it stays."""
    draft = await store.create(new_draft(), band_nodes())
    await put(store, draft, change_id="once")
    await store.delete(draft.id)
    assert await client.exists(*keys.draft(draft.id)) == 0


async def test_scripts_are_sent_again_where_redis_forgot_them(
    store: DraftStore, redis_client: SyncRedis
) -> None:
    """As after a restart or a failover."""
    draft = await store.create(new_draft(), band_nodes())
    await store.read(draft.id, ROOT)
    redis_client.script_flush()
    assert (await read(store, draft)).draft.version == 0


def test_all_keys_of_a_draft_lie_in_one_slot() -> None:
    """So the scripts run on a Redis Cluster."""
    from redis.crc import key_slot  # noqa: PLC0415

    keys = Keys().draft("0123")
    assert len({key_slot(key.encode()) for key in keys}) == 1


async def test_one_more_child_of_five_thousand_is_one_call_and_few_fields(
    own_client: Client, make_store: MakeStore
) -> None:
    """Neither writing nor reading one node grows with the cluster."""
    store = make_store(client=own_client)
    draft = await store.create(new_draft(), many(5000))
    copy = await loaded(store, draft, add_member("pete"))
    await put(store, copy.draft)  # the script is known from here on
    copy.advance(entry_of(1), replace(copy.draft, version=1))
    applied = staged(Snapshot(copy), copy.draft, add_member("pete"))
    await own_client.config_resetstat()
    assert isinstance(await put(store, copy.draft, applied), Accepted)
    calls = await counts(own_client)
    assert calls.pop("evalsha") == 1
    reads = {"hmget": 2, "hexists": 2, "hget": 2, "exists": 4}  # is all there, is the key free
    reads |= {"hstrlen": 1}  # is there room
    assert calls == reads | {"hset": 3, "zadd": 1, "xadd": 1, "pexpire": 6}
    await own_client.config_resetstat()
    one = await read(store, draft, Want(keys=frozenset({"members:77"})))
    stats = await own_client.info("stats")
    assert one.size < 120
    assert stats["total_net_output_bytes"] < 5000
    everything = await read(store, draft)
    assert len(everything.relations[MEMBERS]) == len(everything.nodes) - 1 == 5001
    assert None not in everything.nodes.values()


def many(members: int) -> list[Node]:
    """Return a band with many members, who have no jobs."""
    return [node for node in band_nodes(members) if node.type != "Job"]


async def counts(client: Client) -> dict[str, int]:
    """Return how often each command ran since the counts were reset."""
    stats = await client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
    return {
        name: n for name, n in calls.items() if name not in {"config|resetstat", "config", "info"}
    }


async def test_a_closed_or_locked_draft_takes_no_change(store: DraftStore) -> None:
    """Each refusal says which it is."""
    draft = await store.create(new_draft(), band_nodes())
    taken = await store.lock(draft.id, version=None, token=HOLDER, lease=timedelta(minutes=1))
    assert isinstance(taken, Acquired)
    outcome = await put(store, draft, expected_version=9)
    assert isinstance(outcome, Locked)
    assert outcome.token == HOLDER
    assert not outcome.lease_over
    ended = await store.close(draft.id, token=HOLDER, state=DraftState.COMMITTED, entry=entry_of(0))
    assert isinstance(ended, Ended)
    assert await put(store, draft) == Closed(state=DraftState.COMMITTED, version=1)
