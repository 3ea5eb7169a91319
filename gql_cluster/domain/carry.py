"""Carrying earlier values over the rebases that came since: what they would have made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gql_cluster.domain.delta import Added, Delta, Moved, Removed
from gql_cluster.domain.draft import Cause, Entry
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.parts import (
    RANK,
    Part,
    Step,
    net,
    put_together,
    take_apart,
    value_of,
)
from gql_cluster.domain.rank import is_base_rank


def is_rebase(entry: Entry) -> bool:
    """Tell whether an entry gave the draft another base; a commit that leaves it open does too."""
    return entry.cause in {Cause.REBASE, Cause.COMMIT}


def brought(entries: Iterable[Entry]) -> Iterator[Node]:
    """Yield the nodes that rebases have put somewhere, perhaps away from another parent."""
    for entry in filter(is_rebase, entries):
        for delta in (*entry.deltas, *entry.theirs):
            if isinstance(delta, Added):
                yield delta.node


def buried(entries: Iterable[Entry]) -> set[str]:
    """Return the nodes that were removed before a commit among some entries.

    That has deleted them, and forgotten what was below them: they can't come back.
    """
    gone: set[str] = set()
    found: set[str] = set()
    for entry in entries:
        if entry.cause is Cause.COMMIT:
            found |= gone
        for delta in entry.deltas:
            if isinstance(delta, Removed):
                gone.add(delta.node.key)
            elif isinstance(delta, Added):
                gone.discard(delta.node.key)
                found.discard(delta.node.key)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moves:
    """What one rebase made of the draft, and of the base; which relations got other ranks.

    A commit gives all of those anew, and tells nothing of the base before. `brought` has nodes
    that others have put where they are now.
    """

    made: Sequence[Mapping[str, Mapping[Part, Step]]]
    brought: Mapping[str, Node]
    moved: frozenset[str]
    reordered: frozenset[tuple[str | None, str | None]]
    anew: bool

    @classmethod
    def of(cls, rebase: Entry) -> _Moves:
        deltas = (*rebase.deltas, *rebase.theirs)
        moved = (each for each in deltas if isinstance(each, Moved))
        return cls(
            made=(net(rebase.deltas), net(rebase.theirs)),
            brought={node.key: node for node in brought([rebase])},
            moved=frozenset((*_moved(rebase.deltas), *_moved(rebase.theirs))),
            reordered=frozenset((delta.parent, delta.relation) for delta in moved),
            anew=rebase.cause is Cause.COMMIT,
        )

    def parts(self, key: str) -> set[Part]:
        return {part for made in self.made for part in made.get(key, ())}

    def steps(self, key: str, part: Part) -> Iterator[Step]:
        return (made[key][part] for made in self.made if part in made.get(key, ()))

    def loses(self, node: Node, rank: Json) -> bool:
        """Tell whether a rank that is not the node's own says nothing among its siblings now."""
        if node.key in self.moved:
            return True
        is_between = str(rank).startswith("b") and not is_base_rank(str(rank))
        return (node.parent, node.relation) in self.reordered and (self.anew or is_between)


def _moved(deltas: Sequence[Delta]) -> Iterator[str]:
    """Yield what came or went; what came back to where it was only is of another kind by now."""
    nodes: dict[str, list[Node]] = defaultdict(list)
    for delta in deltas:
        if isinstance(delta, Added | Removed):
            nodes[delta.node.key].append(delta.node)
    for key, known in nodes.items():
        if (
            len({node.type for node in known}) == 1
            or len({(n.parent, n.relation) for n in known}) > 1
        ):
            yield key


class Rebases:
    """The rebases among some entries, which moved the ground under the values from before."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take all entries behind the values that are to be carried, oldest first."""
        self._moves = [_Moves.of(entry) for entry in entries if is_rebase(entry)]

    def carried(self, key: str, part: Part, value: Json) -> Json:
        """Return what the rebases would have made of an earlier value of a part."""
        for moves in self._moves:
            found = (after for before, after in moves.steps(key, part) if before == value)
            value = next(found, value)
        return value

    def place(self, node: Node, rank: Json) -> Json:
        """Return where an earlier rank of a node is by now, None where that can't be told."""
        for moves in self._moves:
            found = (after for before, after in moves.steps(node.key, RANK) if before == rank)
            rank = next(found, None if moves.loses(node, rank) else rank)
        return rank

    def carry(self, node: Node) -> Node:
        """Return what the rebases would have made of an earlier state of a node."""
        values = take_apart(node)
        parts = {part: None for moves in self._moves for part in moves.parts(node.key)}
        for part in parts:
            values[part] = self.carried(node.key, part, value_of(values, part))
        node = put_together(node, values)
        for moves in self._moves:
            there = moves.brought.get(node.key)
            if there is not None and (there.parent, there.relation) != (node.parent, node.relation):
                node = replace(node, parent=there.parent, relation=there.relation, rank=there.rank)
            if there is not None and there.type != node.type:
                node = _turned(node, there)
        return node


def _turned(node: Node, there: Node) -> Node:
    """Return a node as what others have made of its row: another kind, with other fields."""
    return replace(
        node,
        type=there.type,
        fields={name: node.fields.get(name, value) for name, value in there.fields.items()},
        sets={name: node.sets.get(name, members) for name, members in there.sets.items()},
        through={name: rows for name, rows in node.through.items() if name in there.sets},
    )
