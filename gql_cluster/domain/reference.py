"""References within a draft: foreign keys that hold the key of a node of the same draft.

A node that is not saved has no primary key to be referred to by. The value is `{"key": "…"}` then,
which is no other value of a foreign key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from gql_cluster.domain.delta import Added, Delta, Removed, Updated, key_of
from gql_cluster.domain.draft import Entry
from gql_cluster.domain.node import Json, Node, Values
from gql_cluster.domain.spec import ClusterSpec, FieldSpec, NodeSpec


def reference_to(key: str) -> Json:
    """Return what a foreign key holds that refers to a node of the same draft."""
    return {"key": key}


def key_in(value: Json) -> str | None:
    """Return the key in the value of a foreign key, None where it holds no key.

    Of other fields only `references` tells: JSON may look the same.
    """
    if isinstance(value, dict) and value.keys() == {"key"}:
        key = value["key"]
        return key if isinstance(key, str) else None
    return None


def references(spec: NodeSpec, values: Values) -> Iterator[tuple[str, str]]:
    """Yield the foreign keys that refer to a node by its key, with that."""
    if spec.refers:
        for name, value in values.items():
            if name in spec.refers and (key := key_in(value)) is not None:
                yield name, key


def by_pk(
    spec: NodeSpec, values: Values, node_of: Callable[[str], Node | None]
) -> Mapping[str, Json]:
    """Return values with the primary key of each node that has one, in place of its key."""
    named = references(spec, values)
    found = {name: _pk_of(spec.fields[name], node_of(key)) for name, key in named}
    return {**values, **{name: pk for name, pk in found.items() if pk is not None}}


def _pk_of(field: FieldSpec, node: Node | None) -> Json:
    return node.pk if node is not None and field.holds_pk and node.type in field.nodes else None


def ends(cluster: ClusterSpec, entries: Iterable[Entry]) -> set[str]:
    """Return the nodes that refer to others by their keys in entries of a log, and those others."""
    return {
        end
        for entry in entries
        for delta in entry.deltas
        for values in _values(delta)
        for _, key in references(cluster.nodes[_type_of(delta)], values)
        for end in (key_of(delta), key)
    }


def carried(
    cluster: ClusterSpec, entries: Sequence[Entry], node_of: Callable[[str], Node | None]
) -> list[Entry]:
    """Return entries of a log as if the nodes that a commit has saved since had been saved then.

    So a value that comes back over that commit comes back as the commit left it. What refers by
    a key to this day, in a node that is not saved itself, stays as it is.
    """
    return [
        replace(entry, deltas=tuple(_carried(cluster, delta, node_of) for delta in entry.deltas))
        for entry in entries
    ]


def _carried(cluster: ClusterSpec, delta: Delta, node_of: Callable[[str], Node | None]) -> Delta:
    spec = cluster.nodes[_type_of(delta)]
    if not any(True for values in _values(delta) for _ in references(spec, values)):
        return delta
    now = node_of(key_of(delta))
    kept = {name for name, _ in references(spec, now.fields)} if now is not None else set()

    def settled(values: Values) -> Values:
        return {**by_pk(spec, values, node_of), **{n: values[n] for n in kept if n in values}}

    match delta:
        case Updated(before=before, after=after):
            return replace(delta, before=settled(before), after=settled(after))
        case Added(node=node) | Removed(node=node):
            return replace(delta, node=replace(node, fields=settled(node.fields)))
        case _:
            return delta


def _values(delta: Delta) -> tuple[Values, ...]:
    match delta:
        case Updated(before=before, after=after):
            return before, after
        case Added(node=node) | Removed(node=node):
            return (node.fields,)
        case _:
            return ()


def _type_of(delta: Delta) -> str:
    return delta.node.type if isinstance(delta, Added | Removed) else delta.type
