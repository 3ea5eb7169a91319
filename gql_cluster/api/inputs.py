"""Inputs: the types by which clients say what to stage, made of what a cluster consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from django.core.exceptions import ImproperlyConfigured
from django.db.models import FileField, Model
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation

from gql_cluster.api.names import InputNames, key_name, own_name, writable
from gql_cluster.api.scalars import describe_field, scalar_of
from gql_cluster.domain.change import End
from gql_cluster.domain.spec import NodeSpec, RelationSpec
from gql_cluster.orm.describe import Cluster

strawberry.enum(End, name="MoveEnd", description="An end of a relation.")


@strawberry.input(description="Where a child goes among its siblings: exactly one of the three.")
class MoveInput:
    """The place of a child, and which child."""

    key: strawberry.ID = strawberry.field(description="The child to move.")
    before: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The key of the sibling that it goes right before."
    )
    after: strawberry.ID | None = strawberry.field(
        default=UNSET, description="The key of the sibling that it goes right behind."
    )
    to: End | None = strawberry.field(default=UNSET, description="The end that it goes to.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A member of an input; `type` is a Python type, or the name of an input."""

    type: object
    description: str | None = None
    graphql_name: str | None = None
    required: bool = False


def _many(name: str) -> str:
    return f"list[{name}]"


class InputTypes:
    """Makes the input types of clusters, each type once. They may refer to one another."""

    def __init__(self, names: InputNames) -> None:
        """Start with none."""
        self._names = names
        self._types: dict[str, Any] = {
            "ID": strawberry.ID,
            "String": str,
            "MoveInput": MoveInput,
        }
        # Not the same as those made: a type that is below itself refers to itself.
        self._begun: set[str] = set()

    def new(self, cluster: Cluster) -> Any:
        """Return the input of a new cluster, `BandInput`."""
        return self._types[self._input(cluster, cluster.name)]

    def change(self, cluster: Cluster) -> Any:
        """Return the input of one change of a cluster, `BandChange`."""
        name = self._change(cluster, cluster.name)
        if name is None:
            msg = f"{cluster.label} has no field, relation or many-to-many that can be changed."
            raise ImproperlyConfigured(msg)
        return self._types[name]

    # Of a node

    def _input(self, cluster: Cluster, type_name: str) -> str:
        name = f"{self._names.node(cluster, type_name)}Input"
        if name in self._begun:
            return name
        self._begun.add(name)
        spec = cluster.spec.nodes[type_name]
        members: dict[str, _Member] = {}
        above = _relations_to(cluster, type_name)
        if above:
            members[own_name(spec, "key")] = _Member(
                type=strawberry.ID,
                description=(
                    "The new node's name within the draft; one is made up if there is none. "
                    "1 to 64 letters, digits, “_”, “.”, “~” or “-”."
                ),
            )
        if any(relation.order_field for relation in above):
            members[own_name(spec, "position")] = _Member(
                type=int, description="Its place among its siblings, from 0; else at the end."
            )
        members |= _fields(cluster, type_name, is_new=True)
        for relation in spec.relations.values():
            members[relation.name] = _Member(type=_many(self._input(cluster, relation.child)))
        for each in spec.sets.values():
            field: Any = cluster.models[type_name]._meta.get_field(each.name)
            member = "ID" if each.target else "String"
            members[each.name] = _Member(type=_many(member), description=describe_field(field))
        self._make(name, _title(cluster, type_name, "A new {}, with all below it."), members)
        return name

    def _own_fields(self, cluster: Cluster, type_name: str) -> str | None:
        name = f"{self._names.node(cluster, type_name)}Fields"
        members = _fields(cluster, type_name, is_new=False)
        if members and name not in self._types:
            description = _title(cluster, type_name, "Some fields of one {}; the others stay.")
            self._make(name, description, members)
        return name if members else None

    def _change(self, cluster: Cluster, type_name: str) -> str | None:
        base = self._names.node(cluster, type_name)
        name = f"{base}Change"
        if name in self._begun:
            return name
        spec = cluster.spec.nodes[type_name]
        fields = self._own_fields(cluster, type_name)
        if fields is None and not spec.relations and not spec.sets:
            return None
        self._begun.add(name)
        members: dict[str, _Member] = {}
        if fields is not None:
            members[own_name(spec, "set")] = _Member(
                type=fields, description="Give some of its own fields other values."
            )
        for relation in spec.relations.values():
            members[relation.name] = _Member(type=self._relation_change(cluster, base, relation))
        for each in spec.sets.values():
            members[each.name] = _Member(
                type=self._set_change(each.name) if each.target else self._tags_change()
            )
        self._make(name, _title(cluster, type_name, "One change of one {}."), members, one_of=True)
        return name

    # Of a relation

    def _relation_change(self, cluster: Cluster, parent: str, relation: RelationSpec) -> str:
        name = self._names.relation_change(parent, relation.name)
        if name in self._begun:
            return name
        self._begun.add(name)
        new = _many(self._input(cluster, relation.child))
        members = {"add": _Member(type=new, description="Add children.")}
        update = self._update(cluster, relation.child)
        if update is not None:
            members["update"] = _Member(type=update, description="Change fields of a child.")
        members["remove"] = _Member(
            type="list[ID]", description="Remove children, by key, with all below them."
        )
        order = ", in this order" if relation.order_field else ""
        if relation.order_field is not None:
            members["move"] = _Member(type="MoveInput", description="Give a child another place.")
        members["replace"] = _Member(
            type=new,
            description=(
                f"Make the relation hold just these{order}. A child whose key is there already "
                "is kept, and gets what is given of it."
            ),
        )
        members["clear"] = _Member(type=bool, description="Remove every child; only `true`.")
        edit = self._edit(cluster, relation.child)
        if edit is not None:
            members["edit"] = _Member(
                type=edit, description="Change a child, and what is below it."
            )
        self._make(name, f"One change of `{relation.name}`.", members, one_of=True)
        return name

    def _update(self, cluster: Cluster, type_name: str) -> str | None:
        fields = self._own_fields(cluster, type_name)
        if fields is None:
            return None
        name = f"{self._names.node(cluster, type_name)}Update"
        if name not in self._types:
            members = {
                "key": _Member(type=strawberry.ID, required=True),
                "set": _Member(type=fields, required=True),
            }
            self._make(name, _title(cluster, type_name, "Which {}, and its new values."), members)
        return name

    def _edit(self, cluster: Cluster, type_name: str) -> str | None:
        spec = cluster.spec.nodes[type_name]
        change = self._change(cluster, type_name) if spec.relations or spec.sets else None
        if change is None:
            return None
        name = f"{self._names.node(cluster, type_name)}Edit"
        if name not in self._types:
            members = {
                "key": _Member(type=strawberry.ID, required=True),
                "changes": _Member(type=_many(change), required=True),
            }
            self._make(name, _title(cluster, type_name, "Which {}, and its changes."), members)
        return name

    def _set_change(self, set_name: str) -> str:
        name = self._names.set_change(set_name)
        if name not in self._types:
            members = {
                "add": _Member(type="list[ID]", description="Add objects, by primary key."),
                "remove": _Member(type="list[ID]", description="Take objects out."),
                "replace": _Member(type="list[ID]", description="Make it hold just these."),
                "clear": _Member(type=bool, description="Take all out; only `true`."),
            }
            self._make(name, f"One change of `{set_name}`.", members, one_of=True)
        return name

    def _tags_change(self) -> str:
        name = self._names.tags_change()
        if name not in self._types:
            members = {
                "add": _Member(type="list[String]", description="Add tags, by name."),
                "remove": _Member(type="list[String]", description="Take tags off."),
                "replace": _Member(type="list[String]", description="Let it have just these."),
                "clear": _Member(type=bool, description="Take all off; only `true`."),
            }
            self._make(name, "One change of tags.", members, one_of=True)
        return name

    def _make(
        self, name: str, description: str, members: Mapping[str, _Member], *, one_of: bool = False
    ) -> None:
        body: dict[str, Any] = {"__annotations__": {}}
        for each, member in members.items():
            body["__annotations__"][each] = self._annotation(member)
            body[each] = strawberry.field(
                name=member.graphql_name,
                description=member.description,
                **({} if member.required else {"default": UNSET}),
            )
        made = type(name, (), {**body, "__doc__": description, "__module__": __name__})
        self._types[name] = strawberry.input(
            made, name=name, description=description, one_of=one_of
        )

    def _annotation(self, member: _Member) -> StrawberryAnnotation:
        annotation: Any = member.type
        if not member.required:
            is_name = isinstance(annotation, str)
            annotation = f"{annotation} | None" if is_name else annotation | None
        return StrawberryAnnotation(annotation, namespace=self._types)


def _relations_to(cluster: Cluster, type_name: str) -> list[RelationSpec]:
    return [
        relation
        for spec in cluster.spec.nodes.values()
        for relation in spec.relations.values()
        if relation.child == type_name
    ]


def _fields(cluster: Cluster, type_name: str, *, is_new: bool) -> dict[str, _Member]:
    model = cluster.models[type_name]
    spec: NodeSpec = cluster.spec.nodes[type_name]
    found: dict[str, _Member] = {}
    for each in writable(spec, is_new=is_new):
        field: Any = model._meta.get_field(each.name)
        found[each.name] = _Member(
            type=_type(field),
            description=describe_field(field),
            graphql_name="pk" if field.primary_key else None,
        )
        by_key = key_name(spec, each)
        if by_key is not None:
            found[by_key] = _Member(
                type=strawberry.ID,
                description=(
                    f"{describe_field(field)}: the key of a node of this draft, "
                    "in place of a primary key."
                ),
            )
    return found


def _type(field: Any) -> Any:
    if field.primary_key:
        return strawberry.ID
    # A draft holds the name that a file has in its storage.
    return str if isinstance(field, FileField) else scalar_of(field)


def _title(cluster: Cluster, type_name: str, text: str) -> str:
    model: type[Model] = cluster.models[type_name]
    return text.format(str(model._meta.verbose_name))
