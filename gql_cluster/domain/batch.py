"""Batches: saved siblings of one type as rows, because opening looks at none of them as a node."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from gql_cluster.domain.node import Node
from gql_cluster.domain.rank import base_rank

AHEAD = 3
"""How much of a row comes before its values: the key, the primary key, the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Children of one node that stand in a relation as they were saved, and are of one type.

    A row has the key, the primary key, the index among all siblings, then the values of the
    fields that are `names`, and the members of each of the `sets`.
    """

    type: str
    parent: str
    relation: str
    names: Sequence[str]
    sets: Sequence[str]
    rows: list[Sequence[Any]]

    def nodes(self, wanted: Container[str] | None = None) -> Iterator[Node]:
        """Yield the children as nodes, or those whose keys are wanted."""
        width = AHEAD + len(self.names)
        for row in self.rows:
            if wanted is None or row[0] in wanted:
                yield Node(
                    key=row[0],
                    type=self.type,
                    pk=row[1],
                    parent=self.parent,
                    relation=self.relation,
                    rank=base_rank(row[2]),
                    fields=dict(zip(self.names, row[AHEAD:width], strict=True)),
                    sets={n: tuple(m) for n, m in zip(self.sets, row[width:], strict=True)},
                )


def nodes_of(batches: Iterable[Batch]) -> Iterator[Node]:
    """Yield all nodes, parents first, and siblings in order, of whatever types they are."""
    places: dict[tuple[str, str], list[Batch]] = defaultdict(list)
    for batch in batches:
        places[batch.parent, batch.relation].append(batch)
    for alike in places.values():
        nodes = [node for batch in alike for node in batch.nodes()]
        yield from nodes if len(alike) == 1 else sorted(nodes, key=attrgetter("rank"))
