"""One change of a draft, as the engine takes it, and what it makes of plain rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    After,
    Before,
    Change,
    ClearNodes,
    EditNode,
    End,
    MoveNode,
    NewNode,
    Place,
    RemoveFromSet,
    RemoveNodes,
    ReplaceNodes,
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.orm.codec import defaults
from gql_cluster.orm.describe import describe
from schema.bands.models import Band
from tests.properties.sessions.others import DAY, text, value_for
from tests.properties.sessions.plain import FIELDS, RELATIONS, UNIQUE, Row, State

BAND = describe(Band)


@dataclass
class Changing:
    """Changes of a draft as the engine takes them, and what they make of plain rows."""

    state: State
    fresh: Iterator[int]
    genres: Sequence[int]
    changes: list[Change] = field(default_factory=list)

    def change(self, kind: str, one: int, two: int) -> None:
        """Make one change, where there is anything to change."""
        albums = self.state.of("Album")
        album = albums[two % len(albums)] if albums else None
        match kind:
            case "set":
                name, value = value_for("Band", one, two)
                self.state.set(ROOT_KEY, **{name: value})
                self.changes.append(SetFields(values={name: value}))
            case "genres":
                self._genres(one, two)
            case "album" if album is not None:
                self._update("Album", album, one, two, None)
            case "member":
                self._child("BandMember", ROOT_KEY, one, two, None)
            case "song" if album is not None:
                self._child("Song", album, one, two, album)
            case "add album":
                self._add_album(two)
            case "remove album" if album is not None:
                self._remove(album, None)
            case "swap":
                self._swap(one, two)
            case _:
                pass

    def _stage(self, change: Change, album: str | None) -> None:
        if album is not None:
            change = EditNode(relation="albums", key=album, changes=(change,))
        self.changes.append(change)

    def _genres(self, one: int, two: int) -> None:
        pks = frozenset(pk for index, pk in enumerate(self.genres) if two >> index & 1)
        held = self.state.rows[ROOT_KEY].values["genres"]
        given = tuple(sorted(pks))
        ways: list[tuple[Change, Any]] = [
            (AddToSet(name="genres", pks=given), held | pks),
            (RemoveFromSet(name="genres", pks=given), held - pks),
            (ReplaceSet(name="genres", pks=given), pks),
        ]
        what, now = ways[one % 3]
        self.state.set(ROOT_KEY, genres=now)
        self.changes.append(what)

    def _new(self, type_name: str, number: int, parent: str) -> tuple[NewNode, Row]:
        name = UNIQUE.get(type_name, "title")
        held = {each: defaults(BAND.models[type_name]).get(each) for each in FIELDS[type_name]}
        held[name] = text(number)
        given: dict[str, Any] = {name: text(number)}
        if type_name == "BandMember":
            given["instrument"] = "guitar"
        if type_name == "Album":
            given["released"] = DAY.isoformat()
        node = NewNode(
            key=f"k{next(self.fresh)}",
            values=given,
            defaults=defaults(BAND.models[type_name]),
        )
        return node, Row(type_name, parent, held)

    def _add_album(self, number: int) -> None:
        node, row = self._new("Album", number, ROOT_KEY)
        songs = [self._new("Song", each, node.key or "") for each in range(number % 3)]
        self.state.put(node.key or "", row)
        for song, below in songs:
            self.state.put(song.key or "", below)
        children = {"songs": tuple(song for song, _ in songs)}
        self.changes.append(AddNodes(relation="albums", nodes=(replace(node, children=children),)))

    def _update(self, type_name: str, key: str, one: int, two: int, album: str | None) -> None:
        name, value = value_for(type_name, one, two)
        self.state.set(key, **{name: value})
        relation = RELATIONS[type_name]
        self._stage(UpdateNode(relation=relation, key=key, values={name: value}), album)

    def _swap(self, one: int, two: int) -> None:
        """Give two members each other's names."""
        members = self.state.of("BandMember")
        pair = [members[number % len(members)] for number in (one, two)] if members else []
        names = [self.state.rows[key].values["name"] for key in pair]
        for key, name in zip(pair, reversed(names), strict=True):
            self.state.set(key, name=name)
            self._stage(UpdateNode(relation="members", key=key, values={"name": name}), None)

    def _remove(self, key: str, album: str | None) -> None:
        relation = RELATIONS[self.state.rows[key].type]
        self.state.bury(key)
        self._stage(RemoveNodes(relation=relation, keys=(key,)), album)

    def _child(self, type_name: str, parent: str, one: int, two: int, album: str | None) -> None:
        """Change one of ordered siblings, or all."""
        relation = RELATIONS[type_name]
        siblings = self.state.order(parent)
        key = siblings[two % len(siblings)] if siblings else None
        kind = ("add", "update", "remove", "move", "insert", "update", "move", "all")[one % 8]
        if kind == "add" or (kind == "insert" and not siblings):
            node, row = self._new(type_name, two, parent)
            self.state.put(node.key or "", row)
            self._stage(AddNodes(relation=relation, nodes=(node,)), album)
        elif kind == "insert":
            node, row = self._new(type_name, two, parent)
            at = two % (len(siblings) + 1)
            self.state.put(node.key or "", row, at)
            self._stage(AddNodes(relation=relation, nodes=(replace(node, position=at),)), album)
        elif kind == "all":
            self._all(type_name, parent, two, album)
        elif key is None:
            pass
        elif kind == "update":
            self._update(type_name, key, one // 8, two, album)
        elif kind == "remove":
            self._remove(key, album)
        elif kind == "move":
            self._move(key, parent, one + two, album)

    def _move(self, key: str, parent: str, number: int, album: str | None) -> None:
        siblings = self.state.order(parent)
        others = [each for each in siblings if each != key]
        other = others[number % len(others)] if others else None
        places: list[tuple[Place, int]] = [(End.FIRST, 0), (End.LAST, len(others))]
        if other is not None:
            at = others.index(other)
            places += [(Before(key=other), at), (After(key=other), at + 1)]
        place, at = places[number % len(places)]
        siblings[:] = [*others[:at], key, *others[at:]]
        relation = RELATIONS[self.state.rows[key].type]
        self._stage(MoveNode(relation=relation, key=key, place=place), album)

    def _all(self, type_name: str, parent: str, number: int, album: str | None) -> None:
        siblings = list(self.state.order(parent))
        relation = RELATIONS[type_name]
        kept = [] if number % 4 == 0 else siblings[:: -1 if number % 2 else 1][: 1 + number % 3]
        for key in siblings:
            if key not in kept:
                self.state.bury(key)
        if number % 4 == 0:
            self._stage(ClearNodes(relation=relation), album)
            return
        node, row = self._new(type_name, number, parent)
        at = number % (len(kept) + 1)
        self.state.put(node.key or "", row)
        self.state.orders[parent][:] = [*kept[:at], node.key or "", *kept[at:]]
        nodes: list[NewNode] = [NewNode(key=key) for key in kept]
        nodes.insert(at, node)
        self._stage(ReplaceNodes(relation=relation, nodes=tuple(nodes)), album)
