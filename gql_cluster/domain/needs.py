"""Telling which parts of a draft some changes will look at, so that they can be loaded first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

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
    OfKind,
    RemoveFromSet,
    RemoveNodes,
    ReplaceNodes,
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.node import Values
from gql_cluster.domain.reference import key_in
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want


def needs(changes: Sequence[Change]) -> Want:
    """Return which parts of a draft applying the changes will look at."""
    wants = list(_needs(ROOT_KEY, changes))
    return Want(
        keys=frozenset(key for want in wants for key in want.keys) | referred(changes) | {ROOT_KEY},
        relations=frozenset(place for want in wants for place in want.relations),
        families=frozenset(place for want in wants for place in want.families),
    )


def referred(changes: Sequence[Change]) -> frozenset[str]:
    """Return the keys that changes may refer to: the nodes above them are needed as well."""
    held = (value for values in _given(changes) for value in values.values())
    return frozenset(key for value in held if (key := key_in(value)) is not None)


def _given(changes: Sequence[Change]) -> Iterator[Values]:
    for change in changes:
        match change:
            case SetFields(values=values) | UpdateNode(values=values):
                yield values
            case AddNodes(nodes=nodes) | ReplaceNodes(nodes=nodes):
                yield from _given_new(nodes)
            case EditNode(changes=inner):
                yield from _given(inner)
            case OfKind(change=one):
                yield from _given([one])
            case _:
                pass


def _given_new(nodes: Iterable[NewNode]) -> Iterator[Values]:
    for node in nodes:
        yield node.values
        for children in node.children.values():
            yield from _given_new(children)


def _needs(parent: str, changes: Sequence[Change]) -> Iterator[Want]:  # noqa: C901, PLR0912 - one case a kind
    for change in changes:
        match change:
            case AddNodes(relation=relation, nodes=nodes):
                if any(node.position is not None for node in nodes):
                    yield Want(relations=frozenset({(parent, relation)}))
            case ReplaceNodes(relation=relation, nodes=nodes):
                yield from _replace_needs(parent, relation, nodes)
            case ClearNodes(relation=relation):
                yield Want(families=frozenset({(parent, relation)}))
            case UpdateNode(key=key):
                yield Want(keys=frozenset({key}))
            case RemoveNodes(keys=keys):
                yield Want(keys=frozenset(keys))
            case MoveNode(relation=relation, key=key, place=place):
                target = {place.key} if isinstance(place, Before | After) else set()
                yield Want(keys=frozenset({key, *target}))
                if place is not End.LAST:
                    yield Want(relations=frozenset({(parent, relation)}))
            case EditNode(key=key, changes=inner):
                yield Want(keys=frozenset({key}))
                yield from _needs(key, inner)
            case OfKind(change=inner):
                yield from _needs(parent, [inner])
            case SetFields() | AddToSet() | RemoveFromSet() | ReplaceSet():
                pass
            case _:
                assert_never(change)


def _replace_needs(parent: str, relation: str, nodes: Sequence[NewNode]) -> Iterator[Want]:
    yield Want(families=frozenset({(parent, relation)}))
    for node in nodes:
        if node.key is not None:
            for inner, children in node.children.items():
                yield from _replace_needs(node.key, inner, children)
