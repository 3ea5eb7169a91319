"""Drafts that are older than the models are now: what a node still has a place for.

A migration may take a field, a relation or a model from under an open draft. What was staged there
is let go, as what was saved there is; the rest of the draft goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gql_cluster.domain.node import Node
from gql_cluster.domain.spec import ClusterSpec


def has_place(cluster: ClusterSpec, node_of: Callable[[str], Node | None], node: Node) -> bool:
    """Tell whether the models know the type of a node, and the relations that it is below."""
    while node.type in cluster.nodes:
        if node.parent is None:
            return True
        above = node_of(node.parent)
        known = None if above is None else cluster.nodes.get(above.type)
        if above is None or known is None or node.relation not in known.relations:
            return False
        node = above
    return False


def fitted(cluster: ClusterSpec, node: Node) -> Node:
    """Return a node with only what the models know of it; most often itself."""
    spec = cluster.nodes[node.type]
    if node.fields.keys() <= spec.fields.keys() and node.sets.keys() <= spec.sets.keys():
        return node
    return replace(
        node,
        fields={name: value for name, value in node.fields.items() if name in spec.fields},
        sets={name: pks for name, pks in node.sets.items() if name in spec.sets},
        through={name: rows for name, rows in node.through.items() if name in spec.sets},
    )
