"""What comes back with a node that had left the draft: all that was below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gql_cluster.domain.delta import Added, Delta
from gql_cluster.domain.node import Node


def returned(deltas: Iterable[Delta], version: int) -> list[str]:
    """Return the keys that deltas add and that were perhaps there before this version."""
    return [
        delta.node.key
        for delta in deltas
        if isinstance(delta, Added) and delta.node.version < version
    ]


def bring(
    deltas: Sequence[Delta], below: Iterable[Node], after: Mapping[str, Node]
) -> tuple[Delta, ...]:
    """Return the deltas with what each node that comes back brings along.

    `below` is all that was below these, parents first; `after` are the nodes as they are to be
    that the deltas change. What has a delta of its own that adds it is not named twice.
    """
    brought: dict[str, list[Node]] = {
        delta.node.key: [] for delta in deltas if isinstance(delta, Added)
    }
    top = {key: key for key in brought}
    for node in below:
        above = top.get(node.parent or "")
        is_gone = after.get(node.key, node).removed
        if above is not None and node.key not in top and not is_gone:
            top[node.key] = above
            brought[above].append(after.get(node.key, node))
    return tuple(
        replace(delta, brought=tuple(brought[delta.node.key]))
        if isinstance(delta, Added)
        else delta
        for delta in deltas
    )
