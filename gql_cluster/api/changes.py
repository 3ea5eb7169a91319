"""From inputs to changes: what a client sent, as the domain takes it, values encoded.

Each function raises `InvalidChangeError`, with key, field and path, for what no draft can take
whatever it holds. What depends on the draft is for `domain.apply` to refuse.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.db.models import Model
from strawberry import UNSET

from gql_cluster.api.choices import enum_of
from gql_cluster.api.members import row_members
from gql_cluster.api.names import key_name, kind_members, own_name, writable
from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    After,
    Before,
    Change,
    ClearNodes,
    EditNode,
    MoveNode,
    NewNode,
    OfKind,
    Place,
    RemoveFromSet,
    RemoveNodes,
    ReplaceNodes,
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.node import Json, Values
from gql_cluster.domain.reference import reference_to
from gql_cluster.domain.spec import ROOT_KEY, FieldSpec, NodeSpec
from gql_cluster.orm.codec import defaults, encode_given
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.sets import members_of

Path: TypeAlias = tuple[str, ...]


def to_changes(cluster: Cluster, given: Sequence[Any]) -> list[Change]:
    """Return a request's changes; an error tells the index of the change that it is about."""
    if not given:
        raise InvalidChangeError.of("No changes are given.")
    changes: list[Change] = []
    for index, each in enumerate(given):
        try:
            changes.append(_Reader(cluster, cluster.name, ROOT_KEY, ()).change(each))
        except InvalidChangeError as exc:
            raise exc.at_change(index) from exc
    return changes


def to_root(cluster: Cluster, given: Any | None) -> NewNode:
    """Return the root of a new cluster, with what is given of it; its key is never the client's."""
    if given is None:
        return NewNode(defaults=_defaults(cluster, cluster.name))
    reader = _Reader(cluster, cluster.name, ROOT_KEY, ())
    for own in ("key", "position"):
        name = own_name(reader.spec, own)
        if getattr(given, name, UNSET) not in (UNSET, None):
            raise InvalidChangeError.of(f"The root of a cluster has no “{own}” to choose.")
    return reader.new(given)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the inputs of one node; `path` leads to it."""

    cluster: Cluster
    type_name: str
    key: str | None
    path: Path

    @property
    def spec(self) -> NodeSpec:
        return self.cluster.spec.nodes[self.type_name]

    @property
    def model(self) -> type[Model]:
        return self.cluster.models[self.type_name]

    def child(self, relation: str, key: str | None, kind: str | None = None) -> _Reader:
        path = (*self.path, relation) if key is None else (*self.path, relation, key)
        type_name = kind or self.spec.relations[relation].child
        return _Reader(self.cluster, type_name, key, path)

    def change_of_kind(self, given: Any) -> Change:
        """Read a change of a node that is of this type, or of one of its kinds."""
        kind, chosen = self.kind(given)
        if kind is None:
            return self.change(chosen)
        return OfKind(type=kind, change=replace(self, type_name=kind).change(chosen))

    def kind(self, given: Any) -> tuple[str | None, Any]:
        """Return which kind an input is about, None where there is but one, and what is given."""
        kinds = kind_members(self.cluster.spec, self.type_name)
        if not kinds:
            return None, given
        member, chosen = _chosen(given)
        return kinds[member], chosen

    def change(self, given: Any) -> Change:
        name, value = _chosen(given)
        if name in self.spec.relations:
            return self.relation_change(name, value)
        if name in self.spec.sets:
            return self.set_change(name, value)
        return SetFields(values=self.values(value, is_new=False))

    def relation_change(self, relation: str, given: Any) -> Change:
        kind, value = _chosen(given)
        match kind:
            case "add":
                return AddNodes(relation=relation, nodes=self.children(relation, value))
            case "replace":
                return ReplaceNodes(relation=relation, nodes=self.children(relation, value))
            case "remove":
                keys = tuple(self.known_key(relation, key) for key in value)
                return RemoveNodes(relation=relation, keys=keys)
            case "clear":
                self.require_true(relation, value)
                return ClearNodes(relation=relation)
            case _:
                return self.child_change(relation, kind, value)

    def child_change(self, relation: str, kind: str, value: Any) -> Change:
        key = self.known_key(relation, value.key)
        child = self.child(relation, key)
        match kind:
            case "update":
                of, fields = child.kind(value.set)
                if of is None:
                    values = child.values(fields, is_new=False)
                    return UpdateNode(relation=relation, key=key, values=values)
                values = replace(child, type_name=of).values(fields, is_new=False)
                change = OfKind(type=of, change=SetFields(values=values))
                return EditNode(relation=relation, key=key, changes=(change,))
            case "move":
                return MoveNode(relation=relation, key=key, place=self.place(relation, value))
            case _:
                changes = tuple(child.change_of_kind(each) for each in value.changes)
                return EditNode(relation=relation, key=key, changes=changes)

    def set_change(self, name: str, given: Any) -> Change:
        kind, value = _chosen(given)
        match kind:
            case "add":
                return AddToSet(name=name, pks=self.pks(name, value))
            case "remove":
                return RemoveFromSet(name=name, pks=self.pks(name, value))
            case "replace":
                return ReplaceSet(name=name, pks=self.pks(name, value))
            case "add_with" | "replace_with":
                pks = self.pks(name, value.pks)
                row = self.row(name, pks, value.through_defaults)
                make = AddToSet if kind == "add_with" else ReplaceSet
                return make(name=name, pks=pks, values=row)
            case _:
                self.require_true(name, value)
                return ReplaceSet(name=name, pks=())

    def children(self, relation: str, given: Sequence[Any]) -> tuple[NewNode, ...]:
        children: list[NewNode] = []
        for each in given:
            kind, fields = self.child(relation, None).kind(each)
            child = self.child(relation, None, kind)
            key = _present(getattr(fields, own_name(child.spec, "key")))
            children.append(self.child(relation, key, kind).new(fields, kind))
        return tuple(children)

    def new(self, given: Any, kind: str | None = None) -> NewNode:
        return NewNode(
            key=self.key if self.path else None,
            type=kind,
            values=self.values(given, is_new=True),
            defaults=_defaults(self.cluster, self.type_name),
            position=_present(getattr(given, own_name(self.spec, "position"), UNSET)),
            children={
                name: self.children(name, value)
                for name in self.spec.relations
                if (value := _present(getattr(given, name))) is not None
            },
            **self.sets(given),
        )

    def sets(self, given: Any) -> dict[str, Any]:
        """Return what is given of a new node's sets; the same member twice has its first row."""
        sets: dict[str, tuple[Json, ...]] = {}
        through: dict[str, dict[Json, Values]] = {}
        for name in self.spec.sets:
            bare = _present(getattr(given, name, UNSET))
            groups = _present(getattr(given, own_name(self.spec, f"{name}_with"), UNSET))
            if bare is None and groups is None:
                continue
            sets[name] = self.pks(name, bare or ())
            rows: dict[Json, Values] = {pk: {} for pk in sets[name]}
            for group in groups or ():
                pks = self.pks(name, group.pks)
                row = self.row(name, pks, group.through_defaults)
                rows = {**dict.fromkeys(pks, row), **rows}
                sets[name] += pks
            through[name] = {pk: row for pk, row in rows.items() if row}
        return {"sets": sets, "through": through}

    def row(self, name: str, pks: Sequence[Json], given: Any) -> Values:
        """Return what is given of the rows of some members."""
        field: Any = self.model._meta.get_field(name)
        values: dict[str, Json] = {}
        for column in row_members(self.model, self.spec.sets[name]):
            value = getattr(given, column.name)
            if value is not UNSET:
                try:
                    values[column.name] = _encoded(column, value)
                except ValidationError as exc:
                    below = (*map(str, pks[:1]), column.name)
                    raise self.invalid(" ".join(exc.messages), field.name, below) from exc
        return values

    def values(self, given: Any, *, is_new: bool) -> dict[str, Json]:
        return {
            field.name: value
            for field in writable(self.spec, is_new=is_new)
            if (value := self.given(given, field)) is not UNSET
        }

    def given(self, given: Any, field: FieldSpec) -> Any:
        """Return what a field is given, `UNSET` where nothing."""
        value = getattr(given, field.name)
        by_key = key_name(self.spec, field)
        key = UNSET if by_key is None else getattr(given, by_key)
        if _present(key) is not None:
            if _present(value) is not None:
                message = f"“{field.name}” takes a primary key or a key, and not both."
                raise self.invalid(message, field.name)
            return reference_to(self.known_key(field.name, key))
        if value is UNSET and key is UNSET:
            return UNSET
        return self.value(field.name, _present(value))

    def value(self, name: str, given: Any) -> Json:
        try:
            return _encoded(self.model._meta.get_field(name), given)
        except ValidationError as exc:
            raise self.invalid(" ".join(exc.messages), name) from exc

    def pks(self, name: str, given: Sequence[str]) -> tuple[Json, ...]:
        members = members_of(self.model, name)
        try:
            return tuple(members.parse(text) for text in given)
        except ValidationError as exc:
            raise self.invalid(" ".join(exc.messages), name) from exc

    def place(self, relation: str, given: Any) -> Place:
        chosen = [each for each in ("before", "after", "to") if _present(getattr(given, each))]
        if len(chosen) != 1:
            message = "A move needs exactly one of “before”, “after” and “to”."
            raise self.invalid(message, relation)
        match chosen[0]:
            case "before":
                return Before(key=self.known_key(relation, given.before))
            case "after":
                return After(key=self.known_key(relation, given.after))
            case _:
                place: Place = given.to
                return place

    def known_key(self, relation: str, key: str) -> str:
        if not _is_text(key):
            raise self.invalid(f"{key[:64]!r} can't be a key.", relation)
        return key

    def require_true(self, name: str, given: object) -> None:
        if given is not True:
            raise self.invalid("“clear” takes nothing but true.", name)

    def invalid(self, message: str, field: str, below: tuple[str, ...] = ()) -> InvalidChangeError:
        path = (*self.path, field, *below)
        return InvalidChangeError.of(message, key=self.key, field=field, path=path)


def _encoded(field: Any, given: Any) -> Json:
    """Return a value of a field as nodes hold it; raises `ValidationError`."""
    if given is None and not field.null and field.blank and enum_of(field) is not None:
        given = ""  # the blank choice
    return encode_given(field, given)


def _present(value: Any) -> Any:
    """Return what a client gave, None where it gave null or nothing."""
    return None if value is UNSET else value


def _chosen(given: Any) -> tuple[str, Any]:
    """Return the one member of a @oneOf input that was given."""
    return next(
        (field.name, value)
        for field in dataclasses.fields(given)
        if (value := _present(getattr(given, field.name))) is not None
    )


def _defaults(cluster: Cluster, type_name: str) -> dict[str, Json]:
    fields = cluster.spec.nodes[type_name].fields
    found = defaults(cluster.models[type_name])
    return {name: value for name, value in found.items() if name in fields}


def _is_text(value: str) -> bool:
    """Tell whether every store can keep a text: PostgreSQL takes no NUL, UTF-8 no surrogate."""
    return "\0" not in value and not any("\ud800" <= each <= "\udfff" for each in value)
