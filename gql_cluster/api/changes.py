"""From inputs to changes: what a client sent, as the domain takes it, values encoded.

Each function raises `InvalidChangeError`, with key, field and path, for what no draft can take
whatever it holds. What depends on the draft is for `domain.apply` to refuse.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.core.exceptions import ValidationError
from django.db.models import Model
from strawberry import UNSET

from gql_cluster.api.choices import enum_of
from gql_cluster.api.names import key_name, own_name, writable
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
    Place,
    RemoveFromSet,
    RemoveNodes,
    ReplaceNodes,
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.node import Json
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

    def child(self, relation: str, key: str | None) -> _Reader:
        path = (*self.path, relation) if key is None else (*self.path, relation, key)
        return _Reader(self.cluster, self.spec.relations[relation].child, key, path)

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
                values = child.values(value.set, is_new=False)
                return UpdateNode(relation=relation, key=key, values=values)
            case "move":
                return MoveNode(relation=relation, key=key, place=self.place(relation, value))
            case _:
                changes = tuple(child.change(each) for each in value.changes)
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
            case _:
                self.require_true(name, value)
                return ReplaceSet(name=name, pks=())

    def children(self, relation: str, given: Sequence[Any]) -> tuple[NewNode, ...]:
        own = own_name(self.cluster.spec.nodes[self.spec.relations[relation].child], "key")
        keys = (_present(getattr(each, own)) for each in given)
        return tuple(
            self.child(relation, key).new(each) for each, key in zip(given, keys, strict=True)
        )

    def new(self, given: Any) -> NewNode:
        return NewNode(
            key=self.key if self.path else None,
            values=self.values(given, is_new=True),
            defaults=_defaults(self.cluster, self.type_name),
            position=_present(getattr(given, own_name(self.spec, "position"), UNSET)),
            children={
                name: self.children(name, value)
                for name in self.spec.relations
                if (value := _present(getattr(given, name))) is not None
            },
            sets={
                name: self.pks(name, value)
                for name in self.spec.sets
                if (value := _present(getattr(given, name))) is not None
            },
        )

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
        field: Any = self.model._meta.get_field(name)
        if given is None and not field.null and field.blank and enum_of(field) is not None:
            given = ""  # the blank choice
        try:
            return encode_given(field, given)
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

    def invalid(self, message: str, field: str) -> InvalidChangeError:
        path = (*self.path, field)
        return InvalidChangeError.of(message, key=self.key, field=field, path=path)


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
