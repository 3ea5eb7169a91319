"""The names of everything that is kept in Redis."""

from __future__ import annotations

from dataclasses import dataclass

from gql_cluster.domain.node import Node

PREFIX = "gqlc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Key names under one prefix, so that services can share one Redis.

    The braces are a hash tag: on a Redis Cluster the keys of a draft lie on one node, and so
    do those of a session.
    """

    prefix: str = PREFIX

    def draft(self, draft_id: str) -> list[str]:
        """Return the six keys of a draft, in the order in which the scripts name them."""
        tag = f"{self.prefix}:{{draft:{draft_id}}}"
        return [f"{tag}:{part}" for part in ("meta", "nodes", "base", "index", "log", "done")]

    def editors(self, draft_id: str) -> list[str]:
        """Return the two keys of a draft's watchers: themselves, and their sessions."""
        return [self.watchers(draft_id), f"{self.prefix}:{{draft:{draft_id}}}:editors"]

    def watchers(self, draft_id: str) -> str:
        """Return the key of a draft's watchers; it is there as long as there are any."""
        return f"{self.prefix}:{{draft:{draft_id}}}:watchers"

    def session_drafts(self, session: str) -> str:
        """Return the key of a session's drafts by time."""
        return f"{self.prefix}:{{session:{session}}}:drafts"

    def session_roots(self, session: str) -> str:
        """Return the key of a session's drafts by saved root."""
        return f"{self.prefix}:{{session:{session}}}:roots"

    def bucket(self, name: str) -> str:
        """Return the key of a token bucket."""
        return f"{self.prefix}:bucket:{name}"

    def stamp(self, root: str) -> str:
        """Return the key of the count of a saved root's saves."""
        return f"{self.prefix}:{{root:{root}}}:stamp"


def place(parent: str, relation: str) -> str:
    """Return how the index names all children of a relation."""
    return f"{parent}\0{relation}"


def index_member(parent: str | None, relation: str | None, rank: str, key: str) -> str | None:
    """Return how the index names a node, None for the root, which it leaves out."""
    if parent is None or relation is None:
        return None
    return f"{place(parent, relation)}\0{rank}\0{key}"


def gone_member(node: Node) -> str | None:
    """Return how the index names a node that was removed: without a rank."""
    return index_member(node.parent, node.relation, "", node.key)
