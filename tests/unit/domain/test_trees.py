"""Trees of nodes under random changes, against the plainest tree that there is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gql_cluster.domain.change import (
    AddNodes,
    After,
    Before,
    Change,
    EditNode,
    End,
    MoveNode,
    RemoveNodes,
    ReplaceNodes,
    UpdateNode,
)
from gql_cluster.domain.copy import Copy, Snapshot
from gql_cluster.domain.delta import Added, Delta, advance, difference, invert, key_of
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.node import Node
from gql_cluster.domain.positions import keeps_numbers, numbers
from gql_cluster.domain.spec import ROOT_KEY, RelationSpec
from gql_cluster.domain.tree import Overlay
from tests.unit.domain.kit import PLACE, Nodes, changes, entry, header, keys_of, new, run, saved

ITEMS = RelationSpec(name="items", child="Item", parent_field="parent", order_field="position")


def seen(node: Node) -> object:
    """Return all of a node but when it was touched; members of a set in any order."""
    sets = {name: node.members(name) for name in node.sets}
    return (node.key, node.parent, node.rank, dict(node.fields), sets, node.removed)


def asked(order: list[str], change: Change, after: list[str]) -> list[str] | None:
    """Return in which order the keys have to be, None where the change says nothing of it."""
    added = [key for key in after if key not in order]
    match change:
        case AddNodes(nodes=nodes):
            place = nodes[0].position
            place = len(order) if place is None else place
            return [*order[:place], *added, *order[place:]]
        case RemoveNodes(keys=keys):
            return [key for key in order if key not in keys]
        case MoveNode(key=key, place=place_):
            rest = [each for each in order if each != key]
            match place_:
                case End.FIRST:
                    at = 0
                case End.LAST:
                    at = len(rest)
                case Before(key=other):
                    at = rest.index(other)
                case After(key=other):
                    at = rest.index(other) + 1
            return [*rest[:at], key, *rest[at:]]
        case ReplaceNodes(nodes=nodes):
            fresh = iter(added)
            return [node.key or next(fresh) for node in nodes]
        case _:
            return None


@settings(max_examples=40)
@given(data=st.data())
def test_a_copy_equals_the_plainest_tree_at_every_version(data: st.DataObject) -> None:
    """Now and at every version before; the deltas bring it there and back; keys are in order."""
    plain = Nodes(saved(4))
    copy = Copy(header())
    places = [PLACE, *((key, "items") for key in keys_of(plain))]
    copy.learn(plain.nodes, {place: plain.siblings(*place) for place in places}, size=0)
    snapshots = [(Snapshot(copy), dict(plain.nodes))]
    tail = 0
    for _ in range(data.draw(st.integers(1, 11))):
        previous, version = copy.version, copy.version + data.draw(st.sampled_from([1, 1, 10_000]))
        before, order = dict(plain.nodes), keys_of(plain)
        staged = data.draw(changes(plain))
        applied = run(Snapshot(copy), staged, version=version, tail=tail)
        tail = applied.tail
        follow(plain, list(applied.deltas), version)
        assert {key: plain.nodes[key] for key in applied.nodes} == dict(applied.nodes)
        expected = asked(order, staged[0], keys_of(plain))
        assert expected is None or keys_of(plain) == expected
        back = Nodes(plain.nodes)
        follow(back, [invert(delta) for delta in reversed(applied.deltas)], version)
        for key, undone in back.nodes.items():
            assert seen(undone) == seen(before[key]) if key in before else undone.removed
        copy.advance(replace(entry(version, applied), previous=previous), header(version, tail))
        snapshots.append((Snapshot(copy, version - 1), before))  # left out, where it is a skip
        snapshots.append((Snapshot(copy), dict(plain.nodes)))
    for snapshot, nodes in snapshots:
        tree = Nodes(nodes)
        assert snapshot.siblings(*PLACE) == tree.siblings(*PLACE)
        for key in copy._nodes:  # noqa: SLF001
            node = snapshot.node(key)
            if key in nodes:
                assert node is not None
                assert seen(node) == seen(nodes[key])
            else:
                assert node is None


def follow(tree: Nodes, deltas: list[Delta], version: int) -> None:
    """Do deltas to a plain tree."""
    for delta in deltas:
        key = key_of(delta)
        tree.nodes[key] = advance(tree.nodes.get(key), delta, version)


@settings(max_examples=40)
@given(data=st.data())
def test_an_overlay_equals_what_is_below_with_the_changes_made(data: st.DataObject) -> None:
    """Whether its siblings were looked at before the changes or after."""
    below = Nodes(saved(3))
    overlay, plain = Overlay(below), Nodes(below.nodes)
    for version in range(1, 8):
        if data.draw(st.booleans()):
            overlay.siblings(*PLACE)
        applied = run(plain, data.draw(changes(plain)), version=version, tail=version * 100)
        for delta in applied.deltas:
            follow(plain, [delta], version)
            node = plain.nodes[key_of(delta)]
            if isinstance(delta, Added) and overlay.node(node.key) is None:
                overlay.add(node)
            else:
                overlay.put(node)
    assert overlay.siblings(*PLACE) == plain.siblings(*PLACE)
    assert below.nodes == saved(3)
    assert all(overlay.node(key) == node for key, node in plain.nodes.items())


@settings(max_examples=40)
@given(data=st.data())
def test_a_difference_leads_from_one_node_to_the_other(data: st.DataObject) -> None:
    """Whatever was done between."""
    plain = Nodes(saved(3))
    before = dict(plain.nodes)
    for version in range(1, 6):
        applied = run(plain, data.draw(changes(plain)), version=version, tail=version * 100)
        follow(plain, list(applied.deltas), version)
    for key, node in plain.nodes.items():
        now = before.get(key)
        for delta in difference(now, node):
            now = advance(now, delta, 9)
        assert (now is None) == (key not in before and node.removed)
        assert now is None or now.removed == node.removed
        assert now is None or now.removed or seen(now) == seen(node)


@settings(max_examples=40)
@given(data=st.data())
def test_numbers_are_in_the_order_of_the_draft(data: st.DataObject) -> None:
    """Whatever was moved, added and removed: unique, rising, and new only where they have to be."""
    plain = Nodes(saved(4))
    for version in range(1, data.draw(st.integers(2, 10))):
        applied = run(plain, data.draw(changes(plain)), version=version, tail=version * 100)
        follow(plain, list(applied.deltas), version)
    siblings = [plain.nodes[key] for key in keys_of(plain)]
    given_ = numbers(siblings, ITEMS)
    held = [given_.get(node.key, node.fields["position"]) for node in siblings]
    assert held == sorted(set(held))  # type: ignore[type-var]
    if keeps_numbers(siblings):
        assert not any(key in given_ for key in saved(4))


def test_a_node_moved_before_an_inserted_one_is_seen_to_have_moved() -> None:
    """The place before an insertion was a saved sibling's, and is not taken for it."""
    plain = Nodes(saved(3))
    steps: list[Change] = [
        AddNodes(relation="items", nodes=(new("x", 1),)),
        RemoveNodes(relation="items", keys=("i0",)),
        MoveNode(relation="items", key="i2", place=End.FIRST),
    ]
    for version, change in enumerate(steps, start=1):
        follow(plain, list(run(plain, [change], version=version, tail=0).deltas), version)
    [added] = [key for key in plain.nodes if key.startswith(":")]
    remove = RemoveNodes(relation="items", keys=(added,))
    follow(plain, list(run(plain, [remove], version=4, tail=0).deltas), 4)
    siblings = [plain.nodes[key] for key in keys_of(plain)]
    assert [node.key for node in siblings] == ["i2", "i1"]
    assert numbers(siblings, ITEMS) == {"i2": 1}  # it is in its place


@pytest.mark.parametrize(
    "change",
    [
        UpdateNode(relation="items", key="i0-0", values={"name": "x"}),
        EditNode(relation="items", key="i0", changes=()),
        ReplaceNodes(relation="items", nodes=(new("x"), new("y"), *([new("z")] * 0))),
        MoveNode(relation="items", key="i0", place=Before(key="i0")),
        UpdateNode(relation="items", key="i0", values={"position": 7}),
        UpdateNode(relation="items", key="i0", values={"nope": None}),
        AddNodes(relation="items", nodes=(new("x", 9),)),
        AddNodes(relation="items", nodes=(new("x", -1),)),
    ],
)
def test_what_can_not_be_leaves_the_tree_as_it_is(change: Change) -> None:
    """The tree itself is never changed, by what can be done neither."""
    plain = Nodes(saved(2))
    if isinstance(change, ReplaceNodes):
        run(plain, [change], version=1, tail=0)
    else:
        with pytest.raises(InvalidChangeError):
            run(plain, [change], version=1, tail=0)
    assert plain.nodes == saved(2)
    assert plain.nodes[ROOT_KEY].version == 0
