"""Packs: the saved children that a draft is opened with, many in one stored value.

A node that nobody touches needs no place of its own in Redis. It lies in the pack that its key
tells, behind the names that it shares with others, and its siblings' order is one list. Neither
is ever written again: a node that is touched gets a value of its own, and a member of the index,
which count instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from operator import itemgetter
from typing import Any

import msgspec

from gql_cluster.domain.batch import Batch
from gql_cluster.domain.node import Node
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.tree import Siblings
from gql_cluster.store.keys import place

_PACKED = 16
"""How many nodes a pack has on average: so many are read where one is wanted."""
_APART = 50
"""About how many bytes more a node takes by itself."""

_dumps = msgspec.json.Encoder().encode
_loads = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Batches as they are stored: how many packs, then each pack and list behind its name."""

    count: int
    values: Sequence[str | bytes]


def pack(batches: Iterable[Batch]) -> Packed:
    """Pack what is saved below a root.

    Whoever chooses a key chooses none of these: a script need not look into packs to tell that a
    key is free.
    """
    batches = [*batches]
    count = -(-sum(len(batch.rows) for batch in batches) // _PACKED)
    packs: dict[int, dict[Any, list[Any]]] = defaultdict(lambda: defaultdict(list))
    siblings: dict[tuple[str, str], list[Sequence[Any]]] = defaultdict(list)
    numbers: dict[str, int] = {}
    for batch in batches:
        siblings[batch.parent, batch.relation] += batch.rows
        alike = (batch.type, batch.relation, batch.names, batch.sets)
        split: dict[int, list[Any]] = defaultdict(list)
        for row in batch.rows:
            number = numbers[row[0]] = _number(row[0], count)
            split[number].append(row)
        for number, rows in split.items():
            packs[number][alike].append((batch.parent, rows))
    values: list[str | bytes] = []
    for number, groups in packs.items():
        values += f"\0{number}", _dumps([(*alike, below) for alike, below in groups.items()])
    for where, rows in siblings.items():
        keys = [row[0] for row in sorted(rows, key=itemgetter(2))]
        holding = ",".join(map(str, sorted({numbers[key] for key in keys})))
        values += "\0" + place(*where), "\0".join([holding, *keys])
    return Packed(count=count, values=values)


def _number(key: str, count: int) -> int:
    """Return the pack that a key is in; the scripts count the same."""
    return int.from_bytes(sha1(key.encode(), usedforsecurity=False).digest()[:4], "big") % count


def unpack(packs: Iterable[bytes | None], wanted: Container[str]) -> tuple[dict[str, Node], int]:
    """Return the wanted nodes that are in some packs, and about the bytes that they are."""
    found: dict[str, Node] = {}
    size = 0
    for data in packs:
        batches = [
            Batch(type=type_, parent=parent, relation=relation, names=names, sets=sets, rows=rows)
            for type_, relation, names, sets, below in _loads(data or b"[]")
            for parent, rows in below
        ]
        before, count = len(found), sum(len(batch.rows) for batch in batches)
        for batch in batches:
            found.update({node.key: node for node in batch.nodes(wanted)})
        size += (len(found) - before) * (_APART + len(data or b"") // max(count, 1))
    return found, size


def ordered(order: bytes | None, members: Sequence[tuple[str, str]]) -> Siblings:
    """Return the children of a relation: those of the list, but for what the index says.

    There a child that was touched has a member of its own; one without a rank is not there any
    more.
    """
    living = [member for member in members if member[0]]
    if order is None:
        return living
    _, *keys = order.decode().split("\0")
    touched = {key for _, key in members}
    listed = [(base_rank(i), key) for i, key in enumerate(keys) if key not in touched]
    return sorted(listed + living) if living else listed
