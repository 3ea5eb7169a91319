"""A cluster in dictionaries: rows, the order of their children, and what was taken away."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

FIELDS = {
    "Band": ("name", "origin", "formed"),
    "BandMember": ("name", "joined"),
    "Album": ("title", "label"),
    "Song": ("title",),
}
UNIQUE = {"BandMember": "name", "Album": "title"}
"""The field that no two siblings of a type may have the same value in."""
ORDERED = {"BandMember": "Band", "Song": "Album"}
"""The types whose siblings keep an order, with the type above: one relation of each parent."""
RELATIONS = {"BandMember": "members", "Album": "albums", "Song": "songs"}


@dataclass(frozen=True, slots=True)
class Row:
    """One object: what it holds, a set as a frozenset, and what it is saved as."""

    type: str
    parent: str | None
    values: Mapping[str, Any]
    pk: int | None = None
    number: int | None = None


@dataclass
class State:
    """A cluster: its rows, parents first, the order of the children of each, and what is buried."""

    rows: dict[str, Row] = field(default_factory=dict)
    orders: dict[str, list[str]] = field(default_factory=dict)
    graves: dict[str, State] = field(default_factory=dict)

    def copy(self) -> State:
        """Return another one like it."""
        kept = {key: list(keys) for key, keys in self.orders.items()}
        return State(dict(self.rows), kept, dict(self.graves))

    def order(self, key: str) -> list[str]:
        """Return the ordered children of a row."""
        return self.orders.get(key, [])

    def of(self, type_name: str) -> list[str]:
        """Return the keys of all rows of a type."""
        return [key for key, row in self.rows.items() if row.type == type_name]

    def below(self, key: str) -> list[str]:
        """Return the keys below a row, parents first."""
        found = [key]
        for above in found:
            found += [each for each, row in self.rows.items() if row.parent == above]
        return found[1:]

    def above(self, key: str) -> list[str]:
        """Return the keys above a row."""
        parent = self.rows[key].parent
        return [] if parent is None else [parent, *self.above(parent)]

    def put(self, key: str, row: Row, at: int | None = None) -> None:
        """Take a row that is not there, as the last child where no place is given."""
        self.rows[key] = row
        if row.type in ORDERED and row.parent is not None:
            siblings = self.orders.setdefault(row.parent, [])
            siblings.insert(len(siblings) if at is None else at, key)

    def set(self, key: str, **values: Any) -> None:
        """Give a row other values."""
        row = self.rows[key]
        self.rows[key] = replace(row, values={**row.values, **values})

    def cut(self, key: str) -> State:
        """Take a row and all below it away, and return that."""
        keys = [key, *self.below(key)]
        part = State(
            {each: self.rows.pop(each) for each in keys},
            {each: self.orders.pop(each) for each in keys if each in self.orders},
        )
        for siblings in self.orders.values():
            if key in siblings:
                siblings.remove(key)
        return part

    def graft(self, part: State, parent: str | None) -> None:
        """Take what was cut, as the last child of a row."""
        key, *_ = part.rows
        self.put(key, replace(part.rows.pop(key), parent=parent))
        self.rows.update(part.rows)
        self.orders.update({each: list(keys) for each, keys in part.orders.items()})

    def bury(self, key: str) -> None:
        """Take a row away, so that it can be revived with what was below it then."""
        self.graves[key] = self.cut(key)

    def revive(self, key: str) -> None:
        """Bring a buried row back, as the last child."""
        part = self.graves.pop(key)
        self.graft(part.copy(), part.rows[key].parent)

    def renamed(self, names: Mapping[str, str]) -> State:
        """Return it under other keys."""
        rows = {
            names.get(key, key): replace(row, parent=names.get(row.parent or "", row.parent))
            for key, row in self.rows.items()
        }
        orders = {
            names.get(key, key): [names.get(each, each) for each in keys]
            for key, keys in self.orders.items()
        }
        return State(rows, orders)


def values(state: State) -> dict[str, tuple[str, str | None, dict[str, Any]]]:
    """Return all that rows hold, and where, but their order."""
    return {key: (row.type, row.parent, dict(row.values)) for key, row in state.rows.items()}


def orders(state: State) -> dict[str, list[str]]:
    """Return the orders that there are."""
    return {key: keys for key, keys in state.orders.items() if keys}


def numbers(state: State) -> dict[str, int | None]:
    """Return the number of each row among its siblings."""
    return {key: row.number for key, row in state.rows.items()}


def changes(base: State, state: State) -> set[tuple[str, str, str | None]]:
    """Return what differs but the order: what was done, the key, and the field."""
    return {("Removed", key, None) for key in removed(base, state)} | set(_changes(base, state))


def _changes(base: State, state: State) -> Iterator[tuple[str, str, str | None]]:
    for key, row in state.rows.items():
        was = base.rows.get(key)
        if was is None or was.parent != row.parent:
            yield "Added", key, None
            if was is not None:
                yield "Removed", key, None
            continue
        for name, value in row.values.items():
            if value != was.values[name]:
                yield "Related" if name == "genres" else "Updated", key, name


def removed(base: State, state: State) -> list[str]:
    """Return the keys of rows that went while what is above them stayed."""
    return [k for k, row in base.rows.items() if k not in state.rows and row.parent in state.rows]


def is_numbered(state: State, saved: Collection[str]) -> bool:
    """Tell whether each order is numbered from 1, or rises, the rows not saved counting on."""
    for keys in state.orders.values():
        found = [state.rows[key].number or 0 for key in keys]
        new = [number for key, number in zip(keys, found, strict=True) if key not in saved]
        rises = found == sorted(set(found))
        counts_on = found[len(found) - len(new) :] == new
        is_gapless = not new or new == list(range(new[0], new[0] + len(new)))
        if found != list(range(1, len(keys) + 1)) and not (rises and counts_on and is_gapless):
            return False
    return True
