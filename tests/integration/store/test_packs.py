"""What a draft is opened with lies in packs until it is touched, and nobody can tell."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from gql_cluster.domain.batch import Batch
from gql_cluster.domain.change import (
    Before,
    Change,
    EditNode,
    End,
    MoveNode,
    RemoveNodes,
    UpdateNode,
)
from gql_cluster.domain.copy import Snapshot
from gql_cluster.domain.delta import Added, Removed
from gql_cluster.domain.draft import Draft
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.node import Node
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.store.client import Client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import Accepted
from tests.integration.store.band import (
    MEMBERS,
    add_member,
    band_nodes,
    loaded,
    new_draft,
    put,
    read,
    rename,
    stage,
    staged,
)
from tests.integration.store.conftest import MakeStore


def all_of(draft: Draft, members: int) -> Want:
    """Ask for everything there ever was, by key and by place."""
    places = frozenset({MEMBERS, *((f"members:{i}", "jobs") for i in range(members))})
    keys = {ROOT_KEY, *(f"{what}:{i}" for what in ("members", "jobs") for i in range(members))}
    added = {f"new-{i}" for i in range(draft.version + 1)}
    return Want(keys=frozenset(keys | added), relations=places, families=places)


def change(chance: random.Random, members: int, version: int) -> Change:
    """Return some change of children, of those that were packed or of others."""
    number = chance.randrange(members)
    key, other = f"members:{number}", f"members:{chance.randrange(members)}"
    values = {"name": f"Name {version}"}
    below: Change = UpdateNode(relation="jobs", key=f"jobs:{number}", values=values)
    if chance.random() < 0.5:
        below = RemoveNodes(relation="jobs", keys=(f"jobs:{number}",))
    return chance.choice(
        [
            UpdateNode(relation="members", key=key, values=values),
            EditNode(relation="members", key=key, changes=(below,)),
            MoveNode(relation="members", key=key, place=chance.choice([End.FIRST, End.LAST])),
            MoveNode(relation="members", key=key, place=Before(key=other)),
            RemoveNodes(relation="members", keys=(key,)),
            add_member(f"new-{version}"),
        ]
    )


@pytest.mark.parametrize("seed", range(8))
async def test_packed_and_apart_a_draft_is_the_same(
    store: DraftStore, client: Client, keys: Keys, make_store: MakeStore, seed: int
) -> None:
    """Whatever is changed, removed, moved and brought back: by key, by place, and its base."""
    chance = random.Random(seed)  # noqa: S311 - which edits, and no secret
    members = 40
    nodes = band_nodes(members)
    packed = await store.create(new_draft(), nodes)
    apart = await DraftStore.create(make_store(), new_draft(), nodes)
    nodes_key = keys.draft(packed.id)[1]
    assert await client.hlen(nodes_key) < 1 + 2 * members
    gone: list[Node] = []
    for _ in range(30):
        applied = await applied_to(store, packed, gone, chance, members)
        for each in (packed, apart):
            assert isinstance(await put(store, each, applied), Accepted)
        packed, apart = [(await read(store, each, Want())).draft for each in (packed, apart)]
        found, same = [await read(store, each, all_of(each, members)) for each in (packed, apart)]
        assert (found.nodes, found.relations) == (same.nodes, same.relations)
        assert await store.touched(packed.id) == await store.touched(apart.id)


async def applied_to(
    store: DraftStore, draft: Draft, gone: list[Node], chance: random.Random, members: int
) -> Applied:
    """Return what a random change does; now and then what was removed comes back."""
    version = draft.version + 1
    if gone and chance.random() < 0.3:
        node = gone.pop(chance.randrange(len(gone)))
        back = replace(node, removed=False, version=version)
        deltas = (Added(node=node),)
        return Applied(deltas=deltas, changes=(0,), nodes={node.key: back}, tail=draft.tail)
    while True:
        asked = change(chance, members, version)
        copy = await loaded(store, draft, asked)
        try:
            applied = staged(Snapshot(copy), copy.draft, asked)
        except InvalidChangeError:
            continue  # it is of what is not there any more
        gone += [delta.node for delta in applied.deltas if isinstance(delta, Removed)]
        return applied


async def test_a_child_that_comes_below_another_node_is_there_alone(store: DraftStore) -> None:
    """As a rebase has it where others gave a row another parent: removed and added, one key."""
    nodes = {node.key: node for node in band_nodes(3)}
    draft = await store.create(new_draft(), nodes.values())
    moved = replace(nodes["jobs:0"], parent="members:1", rank="b0000001", version=1)
    deltas = (Removed(node=nodes["jobs:0"]), Added(node=moved))
    applied = Applied(deltas=deltas, changes=(0, 0), nodes={moved.key: moved}, tail=0)
    assert isinstance(await put(store, draft, applied), Accepted)
    places = [(f"members:{i}", "jobs") for i in range(3)]
    found = await read(store, draft, Want(families=frozenset(places)))
    keys = [[key for _, key in found.relations[place]] for place in places]
    assert keys == [[], ["jobs:1", "jobs:0"], ["jobs:2"]]
    assert found.nodes == {**{k: nodes[k] for k in ("jobs:1", "jobs:2")}, moved.key: moved}


async def test_no_pack_is_written_again(store: DraftStore, client: Client, keys: Keys) -> None:
    """An edit writes the nodes that it touches, and nothing else of the draft's nodes."""
    draft = await store.create(new_draft(), band_nodes(100))
    stored = keys.draft(draft.id)[1]
    before = await client.hgetall(stored)
    update = UpdateNode(relation="members", key="members:7", values={"name": "New"})
    draft, _ = await stage(store, draft, update, rename("One"), add_member("pete"))
    after = await client.hgetall(stored)
    written = {key for key in after if after[key] != before.get(key)}
    assert written == {b"root", b"members:7", b"pete"}
    assert {key: after[key] for key in before if key not in written}.items() <= before.items()


async def test_a_thousand_children_take_no_more_than_their_json(
    store: DraftStore, client: Client, keys: Keys
) -> None:
    """Untouched; each key of the draft is counted with all that Redis needs for it."""
    nodes = [node for node in band_nodes(1000) if node.type != "Job"]
    draft = await store.create(new_draft(), nodes)
    sizes = [await client.memory_usage(key, samples=0) for key in keys.draft(draft.id)]
    plain = [
        {"pk": node.pk, "above": 1, "sort_order": i, **node.fields, "genres": []}
        for i, node in enumerate(nodes)
    ]
    assert sum(size or 0 for size in sizes) <= len(json.dumps(plain))


async def test_a_family_is_kept_and_read_in_one_call_each(
    own_client: Client, make_store: MakeStore
) -> None:
    """Each pack once; it is read by as many commands for ten children as for thousands."""
    store = make_store(client=own_client)
    found = []
    for members in (10, 5000):
        nodes = [node for node in band_nodes(members) if node.type != "Job"]
        await read(store, await store.create(new_draft(), nodes))  # the scripts are known now
        await own_client.config_resetstat()
        draft = await store.create(new_draft(), nodes)
        assert (await own_client.info("commandstats"))["cmdstat_evalsha"]["calls"] == 1
        await own_client.config_resetstat()
        assert len((await read(store, draft)).nodes) == members + 1
        stats = await own_client.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}
        found.append({name: n for name, n in calls.items() if "config" not in name})
    assert found[0] == found[1]
    assert found[0]["evalsha"] == 1


KEYS = ["Line:1", "Line:" + "9" * 40, "Zeile:é", 'K:"\\"', "K:a b", "K:%d", "K:😀"]


async def test_each_key_is_found_in_its_pack(store: DraftStore) -> None:
    """The script counts packs as Python does, whatever stands in a key."""
    keys = [*KEYS, *(f"Line:{n}" for n in range(100, 400))]
    batch = Batch(
        type="Member",
        parent=ROOT_KEY,
        relation="members",
        names=("name",),
        sets=("genres",),
        rows=[(key, f"pk of {key}", i, f"Name {i}", (i, "é")) for i, key in enumerate(keys)],
    )
    [root] = [node for node in band_nodes(0) if node.key == ROOT_KEY]
    draft = await DraftStore.create(store, new_draft(), [root], [batch])
    nodes = {node.key: node for node in batch.nodes()}
    for key in keys[:60]:
        found = await read(store, draft, Want(keys=frozenset({key, f"{key}1"})))
        assert found.nodes == {key: nodes[key], f"{key}1": nodes.get(f"{key}1")}
    found = await read(store, draft)
    assert found.nodes == nodes | {ROOT_KEY: root}
    assert [key for _, key in found.relations[MEMBERS]] == keys
