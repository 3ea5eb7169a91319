"""Numbering ordered siblings: what each one's order field holds, given the order of the draft."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TypeAlias

from gql_cluster.domain.node import Node
from gql_cluster.domain.rank import is_base_rank
from gql_cluster.domain.spec import RelationSpec


def keeps_numbers(siblings: Sequence[Node]) -> bool:
    """Tell whether every saved sibling stands where it was, and new ones only behind them."""
    saved = [node for node in siblings if node.pk is not None]
    return all(map(is_base_rank, [node.rank for node in saved])) and all(
        node.pk is None for node in siblings[len(saved) :]
    )


Numbered: TypeAlias = tuple[Sequence[Node], dict[str, int]]
"""Siblings and their `numbers`."""


def renumbered(
    siblings: Sequence[Node], relation: RelationSpec, earlier: Numbered | None
) -> Numbered:
    """Return the `numbers` of siblings: the earlier ones where none has moved, come or gone."""
    if earlier is not None and len(earlier[0]) == len(siblings):
        pairs = zip(earlier[0], siblings, strict=True)
        if all(_is_alike(*pair, relation) for pair in pairs if pair[0] is not pair[1]):
            return siblings, earlier[1]
    return siblings, numbers(siblings, relation)


def _is_alike(one: Node, other: Node, relation: RelationSpec) -> bool:
    """Tell whether two nodes have the same say in the numbers."""
    names = attrgetter("key", "rank", "pk")
    field = relation.order_field or ""
    return names(one) == names(other) and one.fields.get(field) == other.fields.get(field)


def numbers(
    siblings: Sequence[Node], relation: RelationSpec, *, also_taken: Iterable[object] = ()
) -> dict[str, int]:
    """Return the number of each sibling whose own is not right, by key; siblings in order.

    Siblings that stand where they were saved keep their numbers, whatever they are, and those
    appended count on from the highest, `also_taken` by others included. Any other order is
    numbered anew from the relation's first number; one that keeps no order has no numbers.
    """
    field, first = relation.order_field, relation.first_number
    if field is None:
        return {}
    if keeps_numbers(siblings):
        added = [node.key for node in siblings if node.pk is None]
        if not added:
            return {}
        old = (node.fields.get(field) for node in siblings if node.pk is not None)
        taken = [value for value in (*old, *also_taken) if isinstance(value, int)]
        start = max(taken, default=first - 1) + 1
        return {key: number for number, key in enumerate(added, start=start)}
    return {
        node.key: number
        for number, node in enumerate(siblings, start=first)
        if node.fields.get(field) != number
    }
