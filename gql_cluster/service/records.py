"""Records of a draft's children, kept in the copy of the worker: what lists are sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from gql_cluster.orm.record import BYTES, Record, columns_of

if TYPE_CHECKING:
    from gql_cluster.domain.node import Node
    from gql_cluster.domain.spec import RelationSpec
    from gql_cluster.service.view import View


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
    records: Sequence[Record] = offspring.made_from(
        "records", partial(_made, view, parent, relation)
    )
    if nodes is offspring.nodes:
        return records
    wanted = {node.key for node in nodes}
    return [record for record in records if record.node_.key in wanted]


def _made(
    view: View, parent: str, relation: RelationSpec, earlier: Sequence[Record] | None
) -> Sequence[Record]:
    columns = cache(partial(columns_of, view.cluster))
    numbers = view.numbers(parent, relation)
    known = {record.node_.key: record for record in earlier or ()}
    records: list[Record] = []
    count = 0
    for node in view.children(parent, relation.name):
        number = numbers.get(node.key)
        record = known.get(node.key)
        if record is None or record.node_ is not node or record.number_ != number:
            record = Record(node, columns(node.type), relation.order_field, number)
            count += 1
        records.append(record)
    view.snapshot.copy.size += count * BYTES
    return records
