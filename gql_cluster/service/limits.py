"""Limits: how much one request may bring into a draft."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from gql_cluster.domain.change import AddNodes, Change, EditNode, NewNode, ReplaceNodes
from gql_cluster.domain.error import InvalidChangeError, LimitExceededError
from gql_cluster.store.capacity import Capacity
from gql_cluster.store.codec import encode_node

if TYPE_CHECKING:
    from gql_cluster.conf import Settings
    from gql_cluster.domain.editor import Applied


def check_changes(settings: Settings, changes: Sequence[Change]) -> None:
    """Raise `LimitExceededError` for more than `MAX_CHANGES`, `InvalidChangeError` for none."""
    if not changes:
        raise InvalidChangeError.of("No changes are given.")
    if sum(1 for _ in _each(changes)) > settings.MAX_CHANGES:
        raise LimitExceededError.of(
            f"One request may hold {settings.MAX_CHANGES} changes and new nodes."
        )


def check_new(settings: Settings, root: NewNode) -> None:
    """Raise `LimitExceededError` for a new cluster of more than `MAX_CHANGES` nodes."""
    if sum(1 for _ in _each_node([root])) > settings.MAX_CHANGES:
        raise LimitExceededError.of(f"One request may hold {settings.MAX_CHANGES} new nodes.")


def check_bytes(settings: Settings, applied: Applied) -> None:
    """Raise `LimitExceededError` where the touched nodes take more than `MAX_BYTES`.

    And for a field of them that takes more than `MAX_FIELD_BYTES`.
    """
    sizes = [(node, len(encode_node(node))) for node in applied.nodes.values()]
    size = sum(size for _, size in sizes)
    if size > settings.MAX_BYTES:
        raise LimitExceededError.of(
            f"One request may write {settings.MAX_BYTES} bytes to a draft, and not {size}."
        )
    capacity(settings).check_fields(sizes)


def capacity(settings: Settings) -> Capacity:
    """Return how large a draft may be."""
    return Capacity(
        nodes=settings.MAX_NODES,
        bytes=settings.MAX_DRAFT_BYTES,
        field_bytes=settings.MAX_FIELD_BYTES,
    )


def _each(changes: Iterable[Change]) -> Iterator[object]:
    for change in changes:
        yield change
        match change:
            case EditNode(changes=inner):
                yield from _each(inner)
            case AddNodes(nodes=nodes) | ReplaceNodes(nodes=nodes):
                yield from _each_node(nodes)
            case _:
                pass


def _each_node(nodes: Iterable[NewNode]) -> Iterator[NewNode]:
    for node in nodes:
        yield node
        for children in node.children.values():
            yield from _each_node(children)
