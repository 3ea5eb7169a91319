"""A tree of nodes that are all at hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from gql_cluster.domain.node import Node
from gql_cluster.domain.tree import Siblings


class Whole:
    """A whole cluster as a tree."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        """Take every node, none of them removed."""
        self._nodes = {node.key: node for node in nodes}
        self._siblings: dict[tuple[str, str], Siblings] = defaultdict(list)
        for node in self._nodes.values():
            if node.parent is not None and node.relation is not None:
                self._siblings[node.parent, node.relation].append((node.rank, node.key))
        for siblings in self._siblings.values():
            siblings.sort()

    def node(self, key: str) -> Node | None:
        """Return the node, None where there is none."""
        return self._nodes.get(key)

    def is_taken(self, key: str) -> bool:
        """Tell whether there is a node with the key."""
        return key in self._nodes

    def siblings(self, parent: str, relation: str) -> Siblings:
        """Return the children of a relation."""
        return self._siblings[parent, relation]
