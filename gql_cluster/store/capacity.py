"""How large a draft may be; what it holds is counted where it is stored."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from gql_cluster.domain.batch import Batch
from gql_cluster.domain.error import LimitExceededError
from gql_cluster.domain.node import Node
from gql_cluster.store.codec import encode_node, encode_value

_Stored = Sequence[str | bytes]


class Room(Enum):
    """What a draft can be full of."""

    NODES = "nodes"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many nodes a draft may hold, and how many bytes it and each field of them may take.

    Removed nodes count as long as the draft lives, because they can come back. The bytes are those
    of its nodes, of its base and of the outcomes that it remembers.
    """

    nodes: int = sys.maxsize
    bytes: int = sys.maxsize
    field_bytes: int = sys.maxsize

    def admit(
        self, nodes: Sequence[Node], stored: _Stored, batches: Sequence[Batch], packs: _Stored
    ) -> dict[str, int]:
        """Return what the header of a new draft says of its size; the scripts keep that up.

        `stored` and `packs` are the nodes and the batches as they are stored, each behind its
        name. Raises `LimitExceededError` for a draft that is too large, or has a field that is.
        """
        count = len(nodes) + sum(len(batch.rows) for batch in batches)
        if count > self.nodes:
            raise self.error(Room.NODES)
        size = sum(map(len, (*stored[1::2], *packs[1::2])))
        if size > self.bytes:
            raise self.error(Room.BYTES)
        self.check_fields(zip(nodes, map(len, stored[1::2]), strict=True))
        if max(map(len, packs), default=0) > self.field_bytes:
            rows = (node for batch in batches for node in batch.nodes())
            self.check_fields((node, len(encode_node(node))) for node in rows)
        return {"held": count, "bytes": size}

    def check_fields(self, nodes: Iterable[tuple[Node, int]]) -> None:
        """Raise `LimitExceededError` for a field that is too large; each node has its size."""
        for node, size in nodes:
            if size <= self.field_bytes:
                continue
            for name, value in node.fields.items():
                if len(encode_value(value)) > self.field_bytes:
                    message = f"A field may hold {self.field_bytes} bytes."
                    raise LimitExceededError.of(message, key=node.key, field=name)

    def error(self, room: Room) -> LimitExceededError:
        """Return the error of a draft that would hold more than it may."""
        if room is Room.NODES:
            message = f"A draft may hold {self.nodes} nodes, with those that were removed from it."
        else:
            message = f"A draft may take {self.bytes} bytes."
        return LimitExceededError.of(message)
