"""Taking back what one entry of the log did. Nobody is overwritten: what others changed stays.

A value that comes back is first carried over the rebases that came between, so that it never
takes back what they brought in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from gql_cluster.domain.carry import Rebases, buried, is_rebase
from gql_cluster.domain.delta import Added, Delta, Removed, key_of
from gql_cluster.domain.draft import Cause, Entry
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.node import Node
from gql_cluster.domain.parts import (
    RANK,
    THERE,
    Part,
    PartKind,
    Step,
    net,
    put_together,
    steps,
    take_apart,
    value_of,
)
from gql_cluster.domain.target import born, known, needs_of, reach
from gql_cluster.domain.tree import Tree, Want, is_alive, path_to


class KeptReason(Enum):
    """Why a part of a change set was not undone."""

    CHANGED = "CHANGED"
    """Another session, or a rebase, has changed it since."""
    REMOVED = "REMOVED"
    """The node, or one above it, is not in the draft any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A part of a change set that was not undone, and stays as it is.

    `field` is None for the node as a whole, and for its place among its siblings. `path` leads
    from the root to the node, or on to the field.
    """

    key: str
    path: tuple[str, ...]
    field: str | None
    reason: KeptReason


def undo_needs(entry: Entry, later: Sequence[Entry]) -> Want:
    """Return which parts of a draft `undo` looks at; the nodes above `keys` are needed as well."""
    want = needs_of(entry.deltas, later)
    if not any(isinstance(delta, Added) for delta in entry.deltas):
        return want
    # Others may have been below what was added.
    above = {parent for _, parent in _foreign_keys(entry.session, later) if parent is not None}
    return Want(keys=want.keys | above, relations=want.relations)


def undo(
    tree: Tree, entry: Entry, later: Sequence[Entry], *, version: int, tail: int
) -> tuple[Applied, Sequence[Kept]]:
    """Return what takes back an entry as far as nobody else has changed it since, and what stays.

    `later` are all entries behind it, and `tree` is the draft behind the last of them. `version`
    is the one that the undo becomes. The undo of an undo is a redo.
    """
    work = _Undo(tree, entry, later)
    newest_first = list(reversed(net(entry.deltas).items()))
    for key, parts in newest_first:
        work.bring_or_take(key, parts)
    for key, parts in newest_first:
        work.restore(key, parts)
    applied = reach(tree, work.wanted, new=work.new, version=version, tail=tail)
    return applied, work.kept


class _Undo:
    """What the nodes that an entry touched are to be, and what stays of it."""

    def __init__(self, tree: Tree, entry: Entry, later: Sequence[Entry]) -> None:
        self.wanted: dict[str, Node] = {}
        self.kept: list[Kept] = []
        self.new = born([entry])
        self._tree = tree
        self._buried = buried([entry, *later])
        self._others = _Others(tree, entry, later)
        self._rebases = Rebases(later)

    def bring_or_take(self, key: str, parts: Mapping[Part, Step]) -> None:
        """Bring back a node that the entry removed, or take out one that it added."""
        was_there, left_there = parts.get(THERE, (True, True))
        node = known(self._tree, key)
        if left_there in {was_there, node.removed}:
            return
        if was_there:
            if key not in self._buried and not self._others.changed(key, THERE):
                self.wanted[key] = self._rebases.carry(replace(node, removed=False))
        elif self._others.were_in(key):
            self._keep(node, None, KeptReason.CHANGED)
        else:
            self.wanted[key] = replace(node, removed=True)

    def restore(self, key: str, parts: Mapping[Part, Step]) -> None:
        """Give back their values to the parts of a node that was there at any time before."""
        was_there, _ = parts.get(THERE, (True, True))
        if not was_there and key not in self.wanted:
            return
        before = known(self._tree, key)
        node = self.wanted.get(key, before)
        if not self._is_reached(node if was_there else before):
            self.wanted.pop(key, None)
            if any(was != left for was, left in parts.values()):
                self._keep(before, None, KeptReason.REMOVED)
        elif was_there:
            for field in self._restore(node, parts):
                self._keep(node, field, KeptReason.CHANGED)
        elif key not in self.new:
            # It was brought back, and perhaps changed then: it goes as it had gone.
            self._restore(node, parts)

    def _restore(self, node: Node, parts: Mapping[Part, Step]) -> list[str | None]:
        """Return the fields that others have changed; None for the place among the siblings."""
        key, values = node.key, take_apart(node)
        kept: list[str | None] = []
        for part, (before, after) in parts.items():
            if part == THERE or before == after:
                continue
            now = value_of(values, part)
            target, left = self._rebases.carried(key, part, before), after
            if part == RANK:
                target = self._rebases.place(node, before)
                left = self._rebases.carried(key, part, after)
            elif part.kind is PartKind.MEMBER:
                left = self._rebases.carried(key, part, after)  # a row that was given is saved
            if now == target:
                continue
            is_lost = part == RANK and target is None
            if now == left and not is_lost and not self._others.changed(key, part):
                values[part] = target
            elif part.kind is not PartKind.MEMBER:
                kept.append(part.name or None)
        self.wanted[key] = put_together(node, values)
        return kept

    def _is_reached(self, node: Node) -> bool:
        """Tell whether a node is in the draft, before or after."""
        return is_alive(self._tree.node, node) or is_alive(self._node, node)

    def _node(self, key: str) -> Node | None:
        return self.wanted.get(key) or self._tree.node(key)

    def _keep(self, node: Node, field: str | None, reason: KeptReason) -> None:
        path = path_to(self._tree.node, node)
        path = path if field is None else (*path, field)
        self.kept.append(Kept(key=node.key, path=path, field=field, reason=reason))


class _Others:
    """Where others than an entry's session have been since: other sessions, and rebases."""

    def __init__(self, tree: Tree, entry: Entry, later: Sequence[Entry]) -> None:
        self._tree = tree
        self._parents = dict(_foreign_keys(entry.session, later))
        self._changes: Counter[tuple[str, Part]] = Counter()
        self._rebased: set[str] = set()
        self._above: set[str] = set()
        signs: dict[int | None, int] = {}
        # Nobody but the draft can have changed what is not saved yet, but for its rank.
        unsaved = _unsaved(entry)
        for each in later:
            if is_rebase(each):
                self._rebased.update({key_of(d) for d in (*each.deltas, *each.theirs)} - unsaved)
                unsaved = unsaved if each.cause is Cause.REBASE else set()
                continue
            unsaved |= _unsaved(each)
            if each.session != entry.session:
                # What they have taken back themselves is no change, if it was one since.
                signs[each.version] = -signs.get(each.undoes, -1)
                self._count(each.deltas, signs[each.version])

    def _count(self, deltas: Iterable[Delta], sign: int) -> None:
        for delta in deltas:
            for part, _ in steps(delta):
                place = key_of(delta), part
                self._changes[place] = max(0, self._changes[place] + sign)

    def changed(self, key: str, part: Part) -> bool:
        """Tell whether another session has changed a part, though perhaps to what it was."""
        return self._changes[key, part] > 0

    def were_in(self, key: str) -> bool:
        """Tell whether anybody else has changed a node or anything below it."""
        if not self._above:
            changed = (key for (key, _), count in self._changes.items() if count)
            for each in (*changed, *self._rebased):
                self._climb(each)
        return key in self._above

    def _climb(self, key: str) -> None:
        above: str | None = key
        while above is not None and above not in self._above:
            self._above.add(above)
            if above in self._parents:
                above = self._parents[above]
            else:
                above = known(self._tree, above).parent


def _unsaved(entry: Entry) -> set[str]:
    added = (delta.node for delta in entry.deltas if isinstance(delta, Added))
    return {node.key for node in added if node.pk is None}


def _foreign_keys(session: str, later: Sequence[Entry]) -> Iterator[tuple[str, str | None]]:
    """Yield the key and the parent of each node that others than a session have changed."""
    for entry in later:
        if is_rebase(entry) or entry.session != session:
            for delta in (*entry.deltas, *entry.theirs):
                node = delta.node if isinstance(delta, Added | Removed) else delta
                yield key_of(delta), node.parent
