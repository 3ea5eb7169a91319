"""Undo, redo and revert against the simplest thing that does the same: all states, remembered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    After,
    Before,
    Change,
    ClearNodes,
    EditNode,
    End,
    MoveNode,
    NewNode,
    RemoveFromSet,
    RemoveNodes,
    ReplaceNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.delta import Added, key_of
from gql_cluster.domain.draft import Cause, Entry, Stack
from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.node import Node
from gql_cluster.domain.parts import Part, steps, take_apart, value_of
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import is_alive
from gql_cluster.domain.undo import Kept, KeptReason
from tests.unit.domain.drafting import Drafting, Shape, in_order, shape
from tests.unit.domain.kit import Nodes, keys_of, saved

_NUMBERS = count()


def name() -> str:
    """Return a text that was never there."""
    return f"n{next(_NUMBERS)}"


def fresh(below: int = 0) -> NewNode:
    """Make a node with some children, all named."""
    children = {"items": tuple(fresh() for _ in range(below))} if below else {}
    return NewNode(key=name(), values={"name": name()}, children=children)


def edits(draw: Any, tree: Nodes, parent: str, *, depth: int = 0) -> Iterator[Change]:
    """Yield changes of a node and its children."""
    here = keys_of(tree, parent)
    yield SetFields(values={"name": draw(st.sampled_from(["x", "y", name()]))})
    note = draw(st.sampled_from([{}, {"note": "m"}, {"note": "n"}]))
    yield AddToSet(name="tags", pks=(draw(st.sampled_from("xyz")), "x"), values=note)
    yield RemoveFromSet(name="tags", pks=(draw(st.sampled_from("xyz")),))
    below = 2 if depth == 0 else 0
    yield AddNodes(relation="items", nodes=(fresh(below), fresh()))
    at = draw(st.integers(0, len(here)))
    placed = fresh(below)
    yield AddNodes(
        relation="items",
        nodes=(
            NewNode(key=placed.key, values=placed.values, children=placed.children, position=at),
        ),
    )
    yield ClearNodes(relation="items")
    kept = [NewNode(key=key, values={"name": "x"}) for key in draw(st.permutations(here))[:at]]
    yield ReplaceNodes(relation="items", nodes=(*kept, fresh(below)))
    if here:
        key = draw(st.sampled_from(here))
        yield UpdateNode(relation="items", key=key, values={"name": name()})
        yield RemoveNodes(relation="items", keys=(key,))
        yield MoveNode(relation="items", key=key, place=draw(st.sampled_from(End)))
        other = draw(st.sampled_from(here))
        if other != key:
            next_to = draw(st.sampled_from([Before, After]))(key=other)
            yield MoveNode(relation="items", key=key, place=next_to)
        if depth == 0:
            inner = draw(st.sampled_from(list(edits(draw, tree, key, depth=1))))
            yield EditNode(relation="items", key=key, changes=(inner,))


def edit(data: st.DataObject, draft: Drafting, session: str) -> bool:
    """Stage a random change set; tell whether it changed anything."""
    changes = [data.draw(st.sampled_from(list(edits(data.draw, draft.tree, ROOT_KEY))))]
    return bool(draft.edit(session, *changes).deltas)


@settings(max_examples=40)
@given(data=st.data())
def test_undo_and_redo_of_one_session_are_a_stack_of_states(data: st.DataObject) -> None:
    """Whatever comes between: fields, sets, order, ranks and presence are exactly as they were."""
    draft = Drafting(saved(3))
    past: list[Shape] = []
    future: list[Shape] = []
    for _ in range(data.draw(st.integers(1, 14))):
        now = shape(draft.nodes)
        step = data.draw(st.sampled_from(["edit", "edit", "undo", "redo", "revert"]))
        assert draft.can_undo("s") == bool(past)
        assert draft.can_redo("s") == bool(future)
        if step == "undo" and past:
            assert draft.undo("s") == []
            future.append(now)
            assert shape(draft.nodes) == past.pop()
        elif step == "redo" and future:
            assert draft.redo("s") == []
            past.append(now)
            assert shape(draft.nodes) == future.pop()
        elif step == "revert":
            version = data.draw(st.integers(0, draft.draft.version))
            if draft.revert("s", version).deltas:
                past.append(now)
                future.clear()
            assert shape(draft.nodes) == shape(draft.states[version])
        elif edit(data, draft, "s"):
            past.append(now)
            future.clear()
    while draft.can_redo("s"):
        draft.redo("s")
    end = shape(draft.nodes)
    while draft.can_undo("s"):
        draft.undo("s")
    assert shape(draft.nodes) == shape(saved(3))
    while draft.can_redo("s"):
        draft.redo("s")
    assert shape(draft.nodes) == end


@settings(max_examples=40)
@given(data=st.data())
def test_a_revert_makes_the_draft_what_it_was(data: st.DataObject) -> None:
    """Whoever has changed, undone and reverted what; and that again can be undone."""
    draft = Drafting(saved(3))
    for _ in range(data.draw(st.integers(1, 12))):
        session = data.draw(st.sampled_from("ab"))
        step = data.draw(st.sampled_from(["edit", "edit", "undo", "redo", "revert"]))
        if step == "undo" and draft.can_undo(session):
            draft.undo(session)
        elif step == "redo" and draft.can_redo(session):
            draft.redo(session)
        elif step == "revert":
            before = shape(draft.nodes)
            version = data.draw(st.integers(0, draft.draft.version))
            reverted = draft.revert(session, version)
            assert shape(draft.nodes) == shape(draft.states[version])
            if reverted.deltas:
                draft.undo(session)
                assert shape(draft.nodes) == before
                draft.redo(session)
                assert shape(draft.nodes) == shape(draft.states[version])
        else:
            edit(data, draft, session)
    for version, nodes in enumerate(list(draft.states)):
        draft.revert("c", version)
        assert shape(draft.nodes) == shape(nodes)


def edits_of_own(draw: Any, draft: Drafting, session: str) -> Iterator[Change]:
    """Yield changes of nodes and members that no other session has anything to do with."""
    own = {"a": {"i0", "i1"}, "b": {"i2", "i3"}}[session] | {
        delta.node.key
        for entry in draft.entries
        for delta in entry.deltas
        if isinstance(delta, Added) and entry.session == session
    }
    yield AddNodes(relation="items", nodes=(fresh(2),))
    yield AddToSet(name="tags", pks=(session, f"{session}2"), values={"note": name()})
    yield RemoveFromSet(name="tags", pks=(session,))
    here = [key for key in keys_of(draft.tree) if key in own]
    if here:
        key = draw(st.sampled_from(here))
        inner = draw(st.sampled_from(list(edits(draw, draft.tree, key, depth=1))))
        yield EditNode(relation="items", key=key, changes=(inner,))
        yield RemoveNodes(relation="items", keys=(key,))
        # What a move of one makes of the order depends on where the others stand.
        if session == "a":
            yield SetFields(values={"name": name()})
            yield MoveNode(relation="items", key=key, place=draw(st.sampled_from(End)))


@settings(max_examples=40)
@given(data=st.data())
def test_what_is_left_of_two_sessions_is_what_the_other_did_alone(data: st.DataObject) -> None:
    """Where each has nodes of its own, and members of its own in the root's set."""
    both, alone = Drafting(saved(4)), Drafting(saved(4))
    for _ in range(data.draw(st.integers(1, 12))):
        session = data.draw(st.sampled_from("ab"))
        change = data.draw(st.sampled_from(list(edits_of_own(data.draw, both, session))))
        both.edit(session, change)
        if session == "b":
            alone.edit(session, change)
        elif both.can_undo("a") and data.draw(st.booleans()):
            both.undo("a")
    while both.can_redo("a"):
        assert both.redo("a") == []
    end = shape(both.nodes)
    while both.can_undo("a"):
        assert both.undo("a") == []
    assert shape(both.nodes, ranks=False) == shape(alone.nodes, ranks=False)
    while both.can_redo("a"):
        assert both.redo("a") == []
    assert shape(both.nodes) == end
    while both.can_undo("b"):
        assert both.undo("b") == []
    while both.can_undo("a"):
        assert both.undo("a") == []
    assert shape(both.nodes) == shape(saved(4))


@settings(max_examples=40)
@given(data=st.data())
def test_an_undo_changes_nothing_that_others_did(data: st.DataObject) -> None:
    """Neither their values nor the nodes that they have been in; and what is kept is kept."""
    draft = Drafting(saved(3))
    for _ in range(data.draw(st.integers(1, 16))):
        session = data.draw(st.sampled_from("ab"))
        step = data.draw(st.sampled_from(["edit", "undo", "redo", "revert"]))
        stack = draft.draft.stacks.get(session, Stack())
        top = {"undo": stack.undo, "redo": stack.redo}.get(step)
        if step == "revert":
            draft.revert(session, data.draw(st.integers(0, draft.draft.version)))
        elif top is None:
            edit(data, draft, session)
        else:
            before, later = draft.nodes, draft.entries[top:]
            kept = draft.undo(session) if step == "undo" else draft.redo(session)
            after = draft.nodes
            assert [seen(before, each) for each in kept] == [seen(after, each) for each in kept]
            for key, part in last_of_others(later, session):
                was_left, was, now = (
                    value_of(take_apart(nodes[key]), part) if key in nodes else None
                    for nodes in (draft.states[top], before, after)
                )
                if was != was_left and is_alive(before.get, before[key]):
                    assert is_alive(after.get, after[key])
                    assert was == now


def seen(nodes: Mapping[str, Node], kept: Kept) -> object:
    """Return what of a node was not undone."""
    node = nodes[kept.key]
    if kept.reason is KeptReason.REMOVED:
        assert not is_alive(nodes.get, node)
    if kept.field is None:
        return node.rank, node.removed
    assert kept.path[-1] == kept.field
    return node.fields[kept.field]


def last_of_others(later: Sequence[Entry], session: str) -> list[tuple[str, Part]]:
    """Return the parts that another session was the last to change, not by undoing."""
    last: dict[tuple[str, Part], Entry] = {}
    for entry in later:
        for delta in entry.deltas:
            for part, _ in steps(delta):
                last[key_of(delta), part] = entry
    return [
        place
        for place, entry in last.items()
        if entry.session != session and entry.cause is not Cause.UNDO
    ]


def saved_by_others(data: st.DataObject, base: Mapping[str, Node]) -> dict[str, Node]:
    """Return the base as others have saved it meanwhile."""
    nodes = dict(base)
    for _ in range(data.draw(st.integers(1, 3))):
        here = keys_of(Nodes(nodes))
        parent = data.draw(st.sampled_from([ROOT_KEY, *here]))
        here = keys_of(Nodes(nodes), parent)
        node = nodes[data.draw(st.sampled_from([parent, *here]))]
        match data.draw(st.sampled_from(["name", "tag", "remove", "add", "order", "elsewhere"])):
            case "name":
                value = data.draw(st.sampled_from(["x", "y", name()]))
                nodes[node.key] = replace(node, fields={**node.fields, "name": value})
            case "tag":
                tags = data.draw(st.sets(st.sampled_from("xyz")))
                nodes[node.key] = replace(node, sets={"tags": tuple(tags)})
            case "remove" if node.key != ROOT_KEY:
                nodes = {k: n for k, n in nodes.items() if node.key not in {k, n.parent}}
            case "add" if here:
                number = 1 + max(int(nodes[key].rank[1:], 16) for key in here)
                twin = replace(nodes[here[0]], key=name(), rank=base_rank(number))
                nodes[twin.key] = replace(twin, pk=twin.key, fields={"name": "x", "position": 1})
            case "elsewhere" if node.type == "Leaf":
                item = data.draw(st.sampled_from(keys_of(Nodes(nodes))))
                last = base_rank(len(nodes))
                nodes[node.key] = replace(node, parent=item, rank=last)
            case "order":
                for number, key in enumerate(data.draw(st.permutations(here))):
                    nodes[key] = replace(nodes[key], rank=base_rank(number))
            case _:
                pass
    return nodes


@settings(max_examples=40)
@given(data=st.data(), policy=st.sampled_from([ConflictPolicy.MINE, ConflictPolicy.THEIRS]))
def test_what_is_restored_over_rebases_is_the_new_base(
    data: st.DataObject, policy: ConflictPolicy
) -> None:
    """All undone, what is left of the saved nodes is as others have saved it."""
    draft = Drafting(saved(3))
    kept: list[Kept] = []
    for _ in range(data.draw(st.integers(1, 10))):
        step = data.draw(st.sampled_from(["edit", "move", "undo", "redo", "rebase", "rebase"]))
        here = keys_of(draft.tree)
        if step == "undo" and draft.can_undo("s"):
            kept += draft.undo("s")
        elif step == "redo" and draft.can_redo("s"):
            kept += draft.redo("s")
        elif step == "rebase":
            draft.rebase(saved_by_others(data, draft.base), policy)
        elif step == "move" and len(here) > 1:
            key, other = data.draw(st.permutations(here))[:2]
            draft.edit("s", MoveNode(relation="items", key=key, place=After(key=other)))
        else:
            edit(data, draft, "s")
    while draft.can_undo("s"):
        kept += draft.undo("s")
    # A place among siblings that were put into another order can't always be told any more.
    lost = {each.key for each in kept if each.field is None}
    for key, node in draft.base.items():
        left = draft.nodes[key]
        is_placed = policy is ConflictPolicy.THEIRS and key not in lost
        assert is_alive(draft.nodes.get, left)
        assert left.rank == node.rank or not is_placed
        assert take_apart(replace(left, rank="")) == take_apart(replace(node, rank=""))
    if policy is ConflictPolicy.THEIRS:
        assert {node.key for node in in_order(draft.nodes)} == draft.base.keys()
