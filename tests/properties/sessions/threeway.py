"""Three sides of a cluster merged row by row and field by field, all of it looked at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gql_cluster.domain.error import ConflictKind, ConflictPolicy
from gql_cluster.domain.spec import ROOT_KEY
from tests.properties.sessions.plain import ORDERED, UNIQUE, Row, State, removed

FAIL, MINE, THEIRS = ConflictPolicy.FAIL, ConflictPolicy.MINE, ConflictPolicy.THEIRS
_NOTHING = object()


class Told(NamedTuple):
    """A conflict; the values of fields only."""

    kind: ConflictKind
    key: str
    field: str | None = None
    base: Any = None
    theirs: Any = None
    mine: Any = None


@dataclass
class Merged:
    """What three sides come to.

    `loose` are the parents of which only laws tell the order. `is_double`: the draft gives a
    value twice that only one may have. `is_messy`: giving way to one another, values meet again.
    `is_nowhere`: the cluster is gone, and the draft has no changes to save.
    """

    state: State
    conflicts: set[Told] = field(default_factory=set)
    loose: set[str] = field(default_factory=set)
    is_double: bool = False
    is_messy: bool = False
    is_nowhere: bool = False


def merge(
    base: State, theirs: State, mine: State, moved: Collection[str], policy: ConflictPolicy
) -> Merged:
    """Lay a draft over what others have saved since its base.

    `moved` are the rows that the draft has put elsewhere among their siblings.
    """
    return _Merging(base, theirs, mine, frozenset(moved), policy).merged()


@dataclass
class _Merging:
    base: State
    theirs: State
    mine: State
    moved: frozenset[str]
    policy: ConflictPolicy

    def merged(self) -> Merged:
        self.result = Merged(self.theirs.copy())
        self.state, self.conflicts = self.result.state, self.result.conflicts
        cut = removed(self.base, self.mine)
        named = {key for key, row in self.mine.rows.items() if self._is_changed(key, row)}
        named |= {self.base.rows[key].parent or "" for key in cut}
        named |= {above for key in named for above in self.mine.above(key)}
        if not named and not self.theirs.rows:
            return Merged(self.mine.copy(), is_nowhere=True)
        gone = [key for key in self.mine.rows if key in named and self._is_gone(key)]
        self._settle_gone(gone)
        for key, row in self.mine.rows.items():
            self._lay_over(key, row, gone)
        for key in cut:
            self._remove(key)
        if not self.conflicts:
            self._settle_doubles()
        for parent in (key for key, row in self.state.rows.items() if row.type in ORDERED.values()):
            self._merge_order(parent)
        return self.result

    def _is_changed(self, key: str, row: Row) -> bool:
        was = self.base.rows.get(key)
        if was is None or key in self.moved:
            return True
        return (row.values, row.parent) != (was.values, was.parent)

    def _is_gone(self, key: str) -> bool:
        """Tell whether others have deleted a row, or moved it to another parent."""
        was, now = self.base.rows.get(key), self.theirs.rows.get(key)
        if now is None:
            return was is not None
        return now.parent not in {self.mine.rows[key].parent, was.parent if was else None}

    def _settle_gone(self, gone: Iterable[str]) -> None:
        for key in gone:
            if self.policy is FAIL:
                self.conflicts.add(Told(ConflictKind.DELETED, key))
            elif self.policy is MINE and key not in self.theirs.rows:
                for each in (key, *self.mine.below(key)):
                    if each not in self.state.rows:
                        self.state.put(each, self.mine.rows[each])
        if self.policy is THEIRS and ROOT_KEY in gone:
            self.conflicts.add(Told(ConflictKind.DELETED, ROOT_KEY))

    def _lay_over(self, key: str, row: Row, gone: Collection[str]) -> None:
        was, now = self.base.rows.get(key), self.theirs.rows.get(key)
        if self.policy is THEIRS and {key, *self.mine.above(key)} & {*gone}:
            return
        if now is None:
            is_there = key in self.state.rows
            if was is None and not is_there and row.parent in {None, *self.state.rows}:
                self.state.put(key, row)
        elif key not in gone or self.policy is not FAIL:
            self._merge_row(key, {} if was is None else was.values, now, row)
            is_mine = key in gone or was is None or row.parent != was.parent
            if is_mine and row.parent != now.parent:
                self.state.graft(self.state.cut(key), row.parent)

    def _merge_row(self, key: str, was: Mapping[str, Any], now: Row, row: Row) -> None:
        for name, mine in row.values.items():
            base, theirs = was.get(name, _NOTHING), now.values[name]
            if isinstance(mine, frozenset):
                base = base if isinstance(base, frozenset) else frozenset()
                self.state.set(key, **{name: (theirs - (base - mine)) | (mine - base)})
            elif mine in (base, theirs):
                continue
            elif theirs == base or self.policy is MINE:
                self.state.set(key, **{name: mine})
            elif self.policy is FAIL:
                told = Told(ConflictKind.FIELD, key, name, was.get(name), theirs, mine)
                self.conflicts.add(told)

    def _remove(self, key: str) -> None:
        if key not in self.theirs.rows:
            return
        if self._is_other(key):
            if self.policy is FAIL:
                self.conflicts.add(Told(ConflictKind.CHANGED, key))
            if self.policy is THEIRS:
                return
        if key in self.state.rows:
            self.state.cut(key)

    def _is_other(self, key: str) -> bool:
        """Tell whether a row holds something else, or anything is below it that was not so."""

        def held(state: State) -> object:
            row = state.rows[key]
            below = [(each, state.rows[each]) for each in state.below(key)]
            return row.parent, row.values, {k: (r.parent, r.values, r.number) for k, r in below}

        return held(self.base) != held(self.theirs)

    # Values that only one may have

    def _settle_doubles(self) -> None:
        for keys, name in _doubles(self.state):
            value = self.state.rows[keys[0]].values[name]
            written = [key for key in keys if self._is_written(key, name, value)]
            other = next((key for key in keys if key not in written), None)
            was = self.base.rows.get(other or "")
            if other is None or (was is not None and was.values[name] == value):
                self.result.is_double = True
                continue
            if len(written) > 1:
                self.result.is_double = self.result.is_messy = True
            for key in written:
                self._give_way(key, other, name, value)
        if self.policy is not FAIL and not self.result.is_double and _doubles(self.state):
            self.result.is_messy = True

    def _is_written(self, key: str, name: str, value: Any) -> bool:
        now = self.theirs.rows.get(key)
        return key in self.mine.rows and (now is None or now.values[name] != value)

    def _give_way(self, key: str, other: str, name: str, value: Any) -> None:
        if self.policy is FAIL:
            was = self.base.rows[key].values[name] if key in self.base.rows else None
            self.conflicts.add(Told(ConflictKind.UNIQUE, key, name, was, value, value))
        elif self.policy is THEIRS and key in self.theirs.rows:
            self.state.set(key, **{name: self.theirs.rows[key].values[name]})
        elif self.policy is MINE and other in self.base.rows:
            self.state.set(other, **{name: self.base.rows[other].values[name]})
        elif (goes := key if self.policy is THEIRS else other) in self.state.rows:
            self.state.cut(goes)

    # Orders

    def _merge_order(self, parent: str) -> None:
        """Take the one order where the other side has moved nothing; leave what both did to laws.

        What the laws are is said in `laws`; the exact order is tested with the domain.
        """
        here = self.state.order(parent)
        base, theirs, mine = (s.order(parent) for s in (self.base, self.theirs, self.mine))
        new = [key for key in mine if key not in base]
        stays = [key for key in mine if key in base] + new == mine and not self.moved & {*mine}
        if theirs == base and {*here} <= {*mine}:
            order = mine
        elif stays and {*here} <= {*theirs, *new}:
            order = [*theirs, *new]
        else:
            self.result.loose.add(parent)
            return
        self.state.orders[parent] = [key for key in order if key in here]


def _doubles(state: State) -> list[tuple[list[str], str]]:
    """Return the keys of siblings with the same value where only one may have it, and the field."""
    found: dict[tuple[str, str | None, Any], list[str]] = defaultdict(list)
    for key, row in state.rows.items():
        if row.type in UNIQUE:
            found[row.type, row.parent, row.values[UNIQUE[row.type]]].append(key)
    return [(keys, UNIQUE[place[0]]) for place, keys in found.items() if len(keys) > 1]
