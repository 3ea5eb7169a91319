"""A worker's copy of a draft: as much of it as was asked for, kept up to date from the log."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from weakref import WeakSet

from gql_cluster.domain.delta import Added, Delta, Moved, Removed, advance, invert, key_of
from gql_cluster.domain.draft import Draft, DraftState, Entry
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.offspring import Offspring
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Siblings, Want, leave

_KEPT_ENTRIES = 256
_SPARE_ENTRIES = 64


class NotLoadedError(LookupError):
    """A part of a draft was read that had not been loaded: a fault of the engine."""


class Copy:
    """What a worker knows of one draft, at the newest version that it has heard of.

    It is changed only between two awaits, so every reader sees one version. The last 256
    entries are kept, some more until it is time to look who needs them, and as many as a `Snapshot`
    needs that somebody still holds.
    """

    def __init__(self, draft: Draft) -> None:
        """Start with the header alone."""
        self.draft = draft
        self.size = 0
        self.saved: Mapping[str, Json] = {}
        """Key to primary key of every node that a commit of the draft has written."""
        self._nodes: dict[str, Node | None] = {}
        self._siblings: dict[tuple[str, str], Siblings] = {}
        self._families: set[tuple[str, str]] = set()
        # Each with the tick at which it was begun. A thread may make one while a change comes in:
        # what has an earlier tick than the last change of its place is out of date.
        self._offspring: dict[tuple[str, str], tuple[int, Offspring]] = {}
        self._changed: dict[tuple[str, str], int] = {}
        self._settled = 0
        self._tick = 0
        # Keys added since this copy is kept: all below them is known from the log.
        self._born: set[str] = set()
        self._entries: deque[Entry] = deque()
        self._snapshots: WeakSet[Snapshot] = WeakSet()

    @property
    def version(self) -> int:
        """The version of the draft that this copy is at."""
        return self.draft.version

    def missing(self, want: Want) -> Want:
        """Return the part of `want` that is not loaded yet."""
        return Want(
            keys=frozenset(key for key in want.keys if key not in self._nodes),
            relations=frozenset(p for p in want.relations if self._known_siblings(p) is None),
            families=frozenset(p for p in want.families if not self.has_family(p)),
        )

    def has_family(self, place: tuple[str, str]) -> bool:
        """Tell whether the children of a relation, by parent and name, are loaded."""
        if place in self._families:
            return True
        siblings = self._known_siblings(place)
        if siblings is None or any(key not in self._nodes for _, key in siblings):
            return False
        self._families.add(place)
        return True

    def _known_siblings(self, place: tuple[str, str]) -> Siblings | None:
        if place not in self._siblings and place[0] in self._born:
            self._siblings[place] = []
        return self._siblings.get(place)

    def learn(
        self,
        nodes: Mapping[str, Node | None],
        relations: Mapping[tuple[str, str], Siblings],
        *,
        size: int,
    ) -> None:
        """Take what was loaded at this copy's version; `size` is its bytes as stored."""
        for key, node in nodes.items():
            self._nodes.setdefault(key, node)
        for place, siblings in relations.items():
            self._siblings.setdefault(place, siblings)
        self.size += size

    def advance(self, entry: Entry, draft: Draft) -> None:
        """Take the next entry of the log, and the header as it is then."""
        if entry.previous != self.version:
            msg = f"entry {entry.version} follows {entry.previous}, not {self.version}"
            raise ValueError(msg)
        for delta in entry.deltas:
            self._advance(delta, entry.version)
        for delta in entry.theirs:
            # What others have added and the draft does not keep is a tombstone in it.
            key = key_of(delta)
            if isinstance(delta, Added) and key in self._nodes and self._nodes[key] is None:
                self._nodes[key] = replace(delta.node, version=entry.version, removed=True)
        self._entries.append(entry)
        self.draft = draft
        if entry.keys:
            # The nodes of a draft that is closed stay as they were, unless its commit was merged
            # with what others saved: so the store has them, too.
            is_open = draft.state is not DraftState.COMMITTED
            self.settle(entry.keys, in_nodes=is_open or bool(entry.deltas))
        if len(self._entries) > _KEPT_ENTRIES + _SPARE_ENTRIES:
            self._trim()

    def settle(self, keys: Mapping[str, Json], *, in_nodes: bool = False) -> None:
        """Take what a commit has saved: a new cluster has a root in the database from then on.

        `in_nodes` tells whether the nodes have their primary keys from then on, too.
        """
        self.saved = {**self.saved, **keys}
        for key, pk in keys.items() if in_nodes else ():
            if (node := self._nodes.get(key)) is not None:
                self._nodes[key] = node.saved_as(pk)
        if self.draft.pk is None:
            self.draft = replace(self.draft, pk=keys.get(ROOT_KEY))
        self._tick = self._settled = self._tick + 1

    def renew(self, draft: Draft) -> None:
        """Take a newer header of this very version: who may see the draft, how long it lives."""
        self.draft = replace(draft, pk=self.draft.pk if draft.pk is None else draft.pk)

    def _trim(self) -> None:
        needed = min((each.version for each in self._snapshots), default=self.version)
        while len(self._entries) > _KEPT_ENTRIES and self._entries[0].version <= needed:
            self._entries.popleft()

    def recall(self, entries: Sequence[Entry], *, size: int) -> None:
        """Take entries from before those that are kept, so that older versions can be read.

        They are kept as long as a snapshot needs them; `size` is their bytes as stored.
        """
        reach = self._entries[0].previous if self._entries else self.version
        earlier = [entry for entry in entries if entry.version <= reach]
        if earlier and earlier[-1].version == reach:
            self._entries.extendleft(reversed(earlier))
            self.size += size
            self._bury()

    def _bury(self) -> None:
        """Know the nodes that left their place before this copy began: earlier versions have them.

        The entries that are kept tell what has become of them since.
        """
        left: dict[str, Node] = {}
        for entry in self._entries:
            for delta in entry.deltas:
                key = key_of(delta)
                if key in left or isinstance(delta, Removed):
                    left[key] = advance(left.get(key), delta, entry.version)
            for key, pk in (entry.keys or {}).items():
                if key in left:
                    left[key] = replace(left[key], pk=pk)
        for key, node in left.items():
            self._nodes.setdefault(key, node)

    def hold(self, snapshot: Snapshot) -> None:
        """Keep what a snapshot needs as long as somebody holds it."""
        self._snapshots.add(snapshot)

    def _advance(self, delta: Delta, version: int) -> None:
        key = key_of(delta)
        before = self._nodes.get(key)
        if isinstance(delta, Added | Removed):
            node = delta.node
            if isinstance(delta, Added) and node.version == version:
                self._born.add(key)
            self._resort(node, there=isinstance(delta, Added))
        elif isinstance(delta, Moved):
            self._rerank(delta)
        if before is not None or isinstance(delta, Added | Removed):
            node = self._nodes[key] = advance(before, delta, version)
            self._tick += 1
            self._changed[node.parent or "", node.relation or ""] = self._tick

    def _resort(self, node: Node, *, there: bool) -> None:
        siblings = self._known_siblings((node.parent or "", node.relation or ""))
        if siblings is not None:
            leave(siblings, node.rank, node.key)
            if there:
                insort(siblings, (node.rank, node.key))

    def _rerank(self, delta: Moved) -> None:
        siblings = self._known_siblings((delta.parent or "", delta.relation or ""))
        if siblings is not None:
            leave(siblings, delta.before, delta.key)
            insort(siblings, (delta.after, delta.key))

    def entries(self, after: int) -> list[Entry] | None:
        """Return the entries behind a version, None where not all of them are kept."""
        if after >= self.version:
            return []
        if not self._entries or self._entries[0].previous > after:
            return None
        behind = [*self._behind(after)]
        behind.reverse()
        # A version that is not one of this history, or was skipped, has no followers.
        return behind if behind[0].previous == after else None

    def entry(self, version: int) -> Entry | None:
        """Return what a version did, None where that is not kept here."""
        return next((each for each in reversed(self._entries) if each.version == version), None)

    def is_taken(self, key: str) -> bool:
        """Tell whether a key is known to have been given out."""
        return self._nodes.get(key) is not None

    def node_at(self, version: int, key: str) -> Node | None:
        """Return the node as it was at a version; raises `NotLoadedError`."""
        node = self._known(key)
        if version >= self.version:
            return node
        for delta in self._undone(version):
            if key_of(delta) == key:
                # One that came back was a tombstone before, and its version is an older one.
                is_born = isinstance(delta, Added) and delta.node.version > version
                node = None if is_born else advance(node, invert(delta), version)
        if node is not None and node.pk is not None and self._is_named_behind(version, node):
            node = replace(node, pk=None)
        return node

    def _is_named_behind(self, version: int, node: Node) -> bool:
        """Tell whether it was a commit behind a version that gave a node its primary key."""
        return node.key != ROOT_KEY and any(
            node.key in entry.named for entry in self._behind(version)
        )

    def siblings_at(self, version: int, parent: str, relation: str) -> Siblings:
        """Return the children as they were at a version; raises `NotLoadedError`."""
        place = (parent, relation)
        siblings = self._known_siblings(place)
        if siblings is None:
            msg = f"{parent}.{relation}"
            raise NotLoadedError(msg)
        if version >= self.version:
            return siblings
        siblings = list(siblings)
        for delta in self._undone(version):
            match delta:
                case Added(node=node) if (node.parent, node.relation) == place:
                    leave(siblings, node.rank, node.key)
                case Removed(node=node) if (node.parent, node.relation) == place:
                    insort(siblings, (node.rank, node.key))
                case Moved() if (delta.parent, delta.relation) == place:
                    leave(siblings, delta.after, delta.key)
                    insort(siblings, (delta.before, delta.key))
                case _:
                    pass
        return siblings

    def offspring_at(self, version: int, parent: str, relation: str) -> Offspring:
        """Return the children themselves; raises `NotLoadedError`."""
        place, tick = (parent, relation), self._tick
        siblings = self.siblings_at(version, parent, relation)
        if version >= self.version:
            since, offspring = self._offspring.get(place, (-1, None))
            if offspring is None or since < max(self._settled, self._changed.get(place, 0)):
                offspring = Offspring(self._all_of(siblings), offspring)
                self._offspring[place] = tick, offspring
            return offspring
        behind = [entry for entry in self._entries if entry.version > version]
        other = {key_of(delta) for entry in behind for delta in entry.deltas}
        other.update(key for entry in behind for key in entry.named)
        return Offspring(
            [
                node
                for _, key in siblings
                if (node := self.node_at(version, key) if key in other else self._known(key))
            ]
        )

    def _all_of(self, siblings: Siblings) -> list[Node]:
        known = self._nodes
        try:
            return [node for _, key in siblings if (node := known[key]) is not None]
        except KeyError as exc:
            raise NotLoadedError(*exc.args) from None

    def _known(self, key: str) -> Node | None:
        try:
            return self._nodes[key]
        except KeyError:
            raise NotLoadedError(key) from None

    def _undone(self, version: int) -> Iterable[Delta]:
        """Yield the deltas behind a version, newest first."""
        for entry in self._behind(version):
            yield from reversed(entry.deltas)

    def _behind(self, version: int) -> Iterable[Entry]:
        """Yield the entries behind a version, newest first."""
        for entry in reversed(self._entries):
            if entry.version <= version:
                return
            yield entry


class Snapshot:
    """A draft at one version, as a tree, whatever is staged meanwhile.

    Stands at a version that the copy's entries reach back to (see `Copy.recall`).
    """

    def __init__(self, copy: Copy, version: int | None = None) -> None:
        """Stand at an earlier version, or at the copy's of now."""
        self.copy = copy
        self._offspring: dict[tuple[str, str], Offspring] = {}
        self.draft = copy.draft if version is None else replace(copy.draft, version=version)
        self.version = self.draft.version
        copy.hold(self)

    def node(self, key: str) -> Node | None:
        """Return the node, a tombstone too, or None where there never was one."""
        return self.copy.node_at(self.draft.version, key)

    def is_taken(self, key: str) -> bool:
        """Tell whether a key is known to have been given out, at any version."""
        return self.copy.is_taken(key)

    def siblings(self, parent: str, relation: str) -> Siblings:
        """Return the living children of a relation."""
        return self.copy.siblings_at(self.version, parent, relation)

    def offspring(self, parent: str, relation: str) -> Offspring:
        """Return the living children of a relation themselves; raises `NotLoadedError`."""
        place = (parent, relation)
        if place not in self._offspring:
            self._offspring[place] = self.copy.offspring_at(self.version, parent, relation)
        return self._offspring[place]
