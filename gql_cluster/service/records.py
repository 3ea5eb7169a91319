"""Records of a draft's children, kept in the copy of the worker: what lists are sorted by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias

from gql_cluster.orm.record import BYTES, Record, columns_of

if TYPE_CHECKING:
    from gql_cluster.domain.node import Node
    from gql_cluster.domain.spec import RelationSpec
    from gql_cluster.service.view import View


_Made: TypeAlias = tuple[Sequence[Record], Mapping[str, int]]
"""All records of a relation, and the numbers that are in them."""


def records_of(
    view: View, parent: str, relation: RelationSpec, nodes: Sequence[Node]
) -> Sequence[Record] | None:
    """Return some children of a relation as records; None where these do not tell all.

    They are made once for all requests of this worker. After a change, those of nodes that are
    the same are used again.
    """
    if view.targets.saved or view.targets.kin(parent, relation):
        return None
    offspring = view.snapshot.offspring(parent, relation.name)
    made: _Made = offspring.made("records", partial(_made, view, parent, relation))
    records, _ = made
    if nodes is offspring.nodes:
        return records
    wanted = {node.key for node in nodes}
    return [record for record in records if record.node_.key in wanted]


def _made(view: View, parent: str, relation: RelationSpec, earlier: _Made | None) -> _Made:
    columns = cache(partial(columns_of, view.cluster))
    nodes, numbers = view.children(parent, relation.name), view.numbers(parent, relation)
    before, numbered = earlier or ((), {})

    if view.snapshot.version == view.snapshot.copy.version:  # an earlier one's are not kept
        view.snapshot.copy.size += BYTES * (len(nodes) - len(before))

    def make(node: Node) -> Record:
        return Record(node, columns(node.type), relation.order_field, numbers.get(node.key))

    if numbers == numbered and len(before) == len(nodes):
        pairs = zip(before, nodes, strict=True)
        return [record if record.node_ is node else make(node) for record, node in pairs], numbers
    known = {record.node_.key: record for record in before}

    def find(node: Node) -> Record:
        record = known.get(node.key)
        if record is None or record.node_ is not node or record.number_ != numbers.get(node.key):
            return make(node)
        return record

    return [find(node) for node in nodes], numbers
