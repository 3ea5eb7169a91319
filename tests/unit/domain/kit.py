"""A small cluster for tests of the domain: a list whose items are lists, with a set each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

from hypothesis import strategies as st

from gql_cluster.domain.apply import apply
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
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.draft import Cause, Draft, DraftState, Entry
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.node import Node
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.spec import (
    ROOT_KEY,
    ClusterSpec,
    FieldSpec,
    NodeSpec,
    RelationSpec,
    SetSpec,
)
from gql_cluster.domain.tree import Siblings, Tree

NOW = datetime(2020, 1, 1, tzinfo=UTC)
PLACE = (ROOT_KEY, "items")
NOTE = FieldSpec(name="note", nullable=False)


def _spec(name: str, child: str | None) -> NodeSpec:
    relations = {}
    if child is not None:
        relations["items"] = RelationSpec(
            name="items", child=child, parent_field="parent", order_field="position"
        )
    return NodeSpec(
        name=name,
        label=f"app.{name}",
        fields={
            "name": FieldSpec(name="name", nullable=False),
            "position": FieldSpec(name="position", nullable=True, read_only=True),
        },
        relations=relations,
        sets={"tags": SetSpec(name="tags", target="app.Tag", fields={"note": NOTE})},
    )


CLUSTER = ClusterSpec(
    root="List",
    nodes={
        "List": _spec("List", "Item"),
        "Item": _spec("Item", "Leaf"),
        "Leaf": _spec("Leaf", None),
    },
)


def saved(count: int) -> dict[str, Node]:
    """Return the nodes of a saved list of so many items, two leaves each."""
    nodes = {ROOT_KEY: _node(ROOT_KEY, "List", None, 0)}
    for number in range(count):
        nodes[f"i{number}"] = _node(f"i{number}", "Item", ROOT_KEY, number)
        for leaf in range(2):
            key = f"i{number}-{leaf}"
            nodes[key] = _node(key, "Leaf", f"i{number}", leaf)
    return nodes


def _node(key: str, type_name: str, parent: str | None, number: int) -> Node:
    return Node(
        key=key,
        type=type_name,
        pk=key,
        parent=parent,
        relation=None if parent is None else "items",
        rank="" if parent is None else base_rank(number),
        fields={"name": key, "position": number + 1},
        sets={"tags": ()},
    )


class Nodes:
    """The plainest tree: all nodes in a dictionary."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = dict(nodes)

    def node(self, key: str) -> Node | None:
        """Return a node."""
        return self.nodes.get(key)

    def is_taken(self, key: str) -> bool:
        """Tell whether there is or was such a node."""
        return key in self.nodes

    def siblings(self, parent: str, relation: str) -> Siblings:
        """Return the living children, by looking at every node."""
        return sorted(
            (node.rank, node.key)
            for node in self.nodes.values()
            if (node.parent, node.relation) == (parent, relation) and not node.removed
        )


def header(version: int = 0, tail: int = 0) -> Draft:
    """Return the header of a draft."""
    return Draft(
        id="d",
        cluster="List",
        pk="root",
        owner="s",
        state=DraftState.OPEN,
        version=version,
        tail=tail,
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW,
    )


def entry(version: int, applied: Applied) -> Entry:
    """Return the entry of a change set."""
    return Entry(
        version=version,
        previous=version - 1,
        at=NOW,
        session="s",
        change_id=None,
        cause=Cause.EDIT,
        deltas=applied.deltas,
    )


_KEYS = count()


def run(tree: Tree, changes: list[Change], *, version: int, tail: int) -> Applied:
    """Apply changes; what is left unnamed gets keys that no other has."""
    return apply(
        CLUSTER, tree, changes, version=version, tail=tail, new_key=lambda: f":{next(_KEYS)}"
    )


def keys_of(tree: Nodes, parent: str = ROOT_KEY) -> list[str]:
    """Return the keys of the children, in order."""
    return [key for _, key in tree.siblings(parent, "items")]


@st.composite
def changes(draw: Any, tree: Nodes) -> list[Change]:
    """Draw a change set that can be applied to the tree."""
    return [draw(st.sampled_from(list(_changes(draw, tree))))]


def _changes(draw: Any, tree: Nodes) -> Iterator[Change]:
    here = keys_of(tree)
    text = draw(st.sampled_from("xyz"))
    yield SetFields(values={"name": text})
    note = {"note": draw(st.sampled_from("mn"))} if draw(st.booleans()) else {}
    yield AddToSet(name="tags", pks=(text, "x"), values=note)
    yield RemoveFromSet(name="tags", pks=(text,))
    yield ReplaceSet(name="tags", pks=(text, "y"), values=note)
    yield AddNodes(relation="items", nodes=(new(text), new(text)))
    yield AddNodes(relation="items", nodes=(new(text, draw(st.integers(0, len(here)))),))
    yield ClearNodes(relation="items")
    kept = draw(st.permutations(here))[: draw(st.integers(0, len(here)))]
    nodes = [NewNode(key=key) for key in kept]
    nodes.insert(draw(st.integers(0, len(nodes))), new(text))
    yield ReplaceNodes(relation="items", nodes=tuple(nodes))
    if here:
        key = draw(st.sampled_from(here))
        yield UpdateNode(relation="items", key=key, values={"name": text})
        yield RemoveNodes(relation="items", keys=(key,))
        yield MoveNode(relation="items", key=key, place=draw(st.sampled_from(End)))
        leaf = AddNodes(relation="items", nodes=(new(text, 0),))
        yield EditNode(relation="items", key=key, changes=(leaf, AddToSet(name="tags", pks=("z",))))
        others = [each for each in here if each != key]
        if others:
            next_to = draw(st.sampled_from([Before, After]))(key=draw(st.sampled_from(others)))
            yield MoveNode(relation="items", key=key, place=next_to)


def new(name: str, position: int | None = None) -> NewNode:
    """Make an unnamed node."""
    return NewNode(values={"name": name}, position=position)
