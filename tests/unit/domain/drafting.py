"""A draft with its log, staged as the service does it: the plainest way to go back and forth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count

from gql_cluster.domain.change import (
    AddNodes,
    Change,
    EditNode,
    NewNode,
    RemoveNodes,
    UpdateNode,
)
from gql_cluster.domain.delta import Delta, advance, invert, key_of
from gql_cluster.domain.draft import Cause, Entry, Stack
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.history import can_redo, can_undo, pushed
from gql_cluster.domain.node import Node
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.rebase import Rebased, rebase
from gql_cluster.domain.revert import reset, reset_needs, revert, revert_needs
from gql_cluster.domain.tree import Siblings, Want
from gql_cluster.domain.undo import Kept, undo, undo_needs
from tests.unit.domain.kit import CLUSTER, NOW, Nodes, header, run

Shape = list[object]
Values = Mapping[str, Node]
STAGED = set(Cause) - {Cause.REBASE, Cause.COMMIT}


class Loaded:
    """A tree of which only what was asked for is loaded, and what is above the keys."""

    def __init__(self, nodes: Values, want: Want) -> None:
        self._nodes = Nodes(nodes)
        self._want = want
        self._keys: set[str] = set()
        for wanted in want.keys:
            key: str | None = wanted
            while key is not None and key in nodes and key not in self._keys:
                self._keys.add(key)
                key = nodes[key].parent

    def node(self, key: str) -> Node | None:
        """Return a node that was asked for."""
        assert key in self._keys or key not in self._nodes.nodes, key
        return self._nodes.node(key)

    def is_taken(self, key: str) -> bool:
        """Nobody asks."""
        raise NotImplementedError

    def siblings(self, parent: str, relation: str) -> Siblings:
        """Return the children of a relation that was asked for."""
        assert (parent, relation) in self._want.relations
        return self._nodes.siblings(parent, relation)


class Drafting:
    """A draft that several sessions edit.

    `states` has its nodes at each version, `touched` the base of those that were ever changed.
    """

    def __init__(self, nodes: Values) -> None:
        self.base: dict[str, Node] = dict(nodes)
        self.states: list[Values] = [dict(nodes)]
        self.entries: list[Entry] = []
        self.touched: dict[str, Node | None] = {}
        self.draft = header()

    @property
    def nodes(self) -> Values:
        """The nodes of now."""
        return self.states[-1]

    @property
    def tree(self) -> Nodes:
        """The tree of now."""
        return Nodes(self.nodes)

    @property
    def version(self) -> int:
        """The version that is made next."""
        return self.draft.version + 1

    def edit(self, session: str, *changes: Change) -> Entry:
        """Stage changes."""
        applied = run(self.tree, list(changes), version=self.version, tail=self.draft.tail)
        return self._stage(session, Cause.EDIT, applied)

    def can_undo(self, session: str) -> bool:
        """Tell whether there is anything to undo."""
        return can_undo(self.draft, session, 1000)

    def can_redo(self, session: str) -> bool:
        """Tell whether there is anything to redo."""
        return can_redo(self.draft, session, 1000)

    def undo(self, session: str) -> Sequence[Kept]:
        """Undo the session's last change set; return what stays of it."""
        return self._undo(session, Cause.UNDO, lambda stack: stack.undo)

    def redo(self, session: str) -> Sequence[Kept]:
        """Redo the session's last undo."""
        return self._undo(session, Cause.REDO, lambda stack: stack.redo)

    def _undo(
        self, session: str, cause: Cause, top: Callable[[Stack], int | None]
    ) -> Sequence[Kept]:
        version = top(self.draft.stacks[session])
        assert version is not None
        entry, later = self.entries[version - 1], self.entries[version:]
        tree = Loaded(self.nodes, undo_needs(entry, later))
        applied, kept = undo(tree, entry, later, version=self.version, tail=self.draft.tail)
        self._stage(session, cause, applied, undone=entry)
        return kept

    def revert(self, session: str, version: int) -> Entry:
        """Go back to a version."""
        later = self.entries[version:]
        tree = Loaded(self.nodes, revert_needs(later))
        applied = revert(tree, later, version=self.version, tail=self.draft.tail)
        return self._stage(session, Cause.REVERT, applied)

    def reset(
        self, session: str, keys: Sequence[str], fields: Sequence[str] | None = None
    ) -> Entry:
        """Give nodes back their base state."""
        tree = Loaded(self.nodes, reset_needs(self.touched, keys))
        applied = reset(
            CLUSTER, tree, self.touched, keys, fields, version=self.version, tail=self.draft.tail
        )
        return self._stage(session, Cause.RESET, applied)

    def rebase(self, saved: Values, policy: ConflictPolicy = ConflictPolicy.FAIL) -> bool:
        """Bring the draft up to what is saved now; tell whether the policy could decide all."""
        rebased = rebase(
            CLUSTER, self.nodes, self.touched, in_order(saved), policy, version=self.version
        )
        if not rebased.conflicts:
            self._settle(Cause.REBASE, saved, rebased)
        return not rebased.conflicts

    def commit(self) -> None:
        """Save the draft, and go on with it; each name is in capitals then."""
        saved = {
            node.key: replace(
                node, pk=node.key, fields={**node.fields, "name": str(node.fields["name"]).upper()}
            )
            for node in in_order(self.nodes)
        }
        named = {key: replace(node, pk=key) for key, node in self.nodes.items() if key in saved}
        self.states[-1] = {**self.nodes, **named}
        rebased = rebase(
            CLUSTER,
            self.nodes,
            {},
            in_order(saved),
            ConflictPolicy.THEIRS,
            version=self.version,
        )
        self._settle(Cause.COMMIT, saved, rebased)

    def _settle(self, cause: Cause, saved: Values, rebased: Rebased) -> None:
        ranks: dict[tuple[str | None, str | None], Iterator[int]] = defaultdict(count)
        self.base = {}
        for node in in_order(saved):
            rank = base_rank(next(ranks[node.parent, node.relation])) if node.parent else ""
            self.base[node.key] = replace(node, rank=rank)
        self.touched = dict(rebased.base)
        applied = Applied(
            deltas=rebased.deltas,
            changes=(None,) * len(rebased.deltas),
            nodes=rebased.nodes,
            tail=self.draft.tail,
        )
        self._stage("other", cause, applied, theirs=rebased.theirs)

    def _stage(
        self,
        session: str,
        cause: Cause,
        applied: Applied,
        *,
        undone: Entry | None = None,
        theirs: Sequence[Delta] = (),
    ) -> Entry:
        before, version = self.nodes, self.version
        after = {**before, **applied.nodes, **_follow(before, applied.deltas, version)}
        for delta in applied.deltas if cause in STAGED else ():
            self.touched.setdefault(key_of(delta), self.base.get(key_of(delta)))
        # The deltas say all, there and back; but a tombstone may be written without.
        told = {key for key, node in applied.nodes.items() if not node.removed} | {
            key_of(delta) for delta in applied.deltas
        }
        assert {key: after[key] for key in told} == {key: applied.nodes[key] for key in told}
        assert len(applied.changes) == len(applied.deltas)
        back = _follow(after, [invert(delta) for delta in reversed(applied.deltas)], version)
        assert {key: seen(node) for key, node in back.items()} == {
            key: seen(before.get(key)) for key in back
        }
        entry, stacks = pushed(
            self.draft,
            Entry(
                version=version,
                previous=version - 1,
                at=NOW,
                session=session,
                change_id=None,
                cause=cause,
                deltas=applied.deltas,
                theirs=tuple(theirs),
            ),
            undone=undone,
        )
        self.draft = replace(self.draft, version=version, tail=applied.tail, stacks=stacks)
        self.entries.append(entry)
        self.states.append(after)
        return entry


def _follow(nodes: Values, deltas: Sequence[Delta], version: int) -> dict[str, Node]:
    touched: dict[str, Node] = {}
    for delta in deltas:
        key = key_of(delta)
        touched[key] = advance(touched.get(key) or nodes.get(key), delta, version)
    return touched


def in_order(nodes: Values) -> list[Node]:
    """Return the nodes that are in a draft, parents first, siblings in order."""
    below: dict[str | None, list[Node]] = defaultdict(list)
    for node in sorted(nodes.values(), key=lambda node: (node.rank, node.key)):
        if not node.removed:
            below[node.parent].append(node)
    found = below[None]
    for node in found:
        found += below[node.key]
    return found


def seen(node: Node | None) -> object:
    """Return all of a node but when it was touched, None where it is not in the draft."""
    if node is None or node.removed:
        return None
    sets = {name: node.members(name) for name in node.sets}
    return node.type, node.pk, node.parent, node.relation, node.rank, dict(node.fields), sets


def shape(nodes: Values, *, ranks: bool = True) -> Shape:
    """Return all that is seen of a draft, in order."""
    return [(node.key, seen(node if ranks else replace(node, rank=""))) for node in in_order(nodes)]


# Change sets, in short


def rename(key: str, name: str) -> Change:
    """Give a child another name."""
    return UpdateNode(relation="items", key=key, values={"name": name})


def remove(key: str) -> Change:
    """Remove a child."""
    return RemoveNodes(relation="items", keys=(key,))


def within(key: str, *changes: Change) -> Change:
    """Change an item and what is below it."""
    return EditNode(relation="items", key=key, changes=changes)


def add(key: str, *leaves: str, position: int | None = None) -> Change:
    """Add a child, perhaps with leaves."""
    below = {"items": tuple(NewNode(key=leaf, values={"name": leaf}) for leaf in leaves)}
    node = NewNode(
        key=key, values={"name": key}, children=below if leaves else {}, position=position
    )
    return AddNodes(relation="items", nodes=(node,))


def others(draft: Drafting, **names: str) -> dict[str, Node]:
    """Return the saved nodes as others have named them."""
    return {
        key: replace(node, fields={**node.fields, "name": names.get(key, node.fields["name"])})
        for key, node in draft.base.items()
    }


def name_of(draft: Drafting, key: str) -> object:
    """Return the name of a node."""
    return draft.nodes[key].fields["name"]
