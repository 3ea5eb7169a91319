"""A tree without what its reader may not see."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from gql_cluster.domain.node import Node
from gql_cluster.domain.tree import Siblings, Tree


@dataclass(frozen=True, slots=True)
class Seen:
    """A tree in which some nodes are as if they were not there; their keys stay taken."""

    below: Tree
    hidden: Container[str]

    def node(self, key: str) -> Node | None:
        """Return the node, None where it is hidden."""
        return None if key in self.hidden else self.below.node(key)

    def is_taken(self, key: str) -> bool:
        """Tell whether a key is known to have been given out."""
        return self.below.is_taken(key)

    def siblings(self, parent: str, relation: str) -> Siblings:
        """Return the living children of a relation that are not hidden."""
        found = self.below.siblings(parent, relation)
        return [each for each in found if each[1] not in self.hidden]
