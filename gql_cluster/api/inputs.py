"""Inputs: the types by which clients say what to stage, made of what a cluster consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from django.db.models import FileField, Model
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation

from gql_cluster.api.enums import serve_enum
from gql_cluster.api.names import InputNames, key_name, kind_members, own_name, writable
from gql_cluster.api.scalars import describe_field, is_known, scalar_of
from gql_cluster.domain.change import End
from gql_cluster.domain.spec import NodeSpec, RelationSpec, SetSpec
from gql_cluster.improper import SetupError
from gql_cluster.orm.describe import Cluster

serve_enum(
    End,
    "An end of a relation.",
    name="MoveEnd",
    FIRST="Before all of its siblings.",
    LAST="Behind all of its siblings.",
)


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
            raise SetupError(
                "E014",
                f"{cluster.label} has no field, relation or many-to-many that can be changed.",
                hint="Leave it out of the clusters, or make one of its fields editable.",
            )
        return self._types[name]

    # Of a node

    def _input(self, cluster: Cluster, type_name: str) -> str:
        name = f"{self._names.own(cluster, type_name)}Input"
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
            members[relation.name] = _Member(
                type=_many(self._new(cluster, relation.child)),
                description=_title(cluster, relation.child, "Its {}.", many=True),
            )
        for each in spec.sets.values():
            field: Any = cluster.models[type_name]._meta.get_field(each.name)
            member = "ID" if each.target else "String"
            if each.is_bare:
                members[each.name] = _Member(type=_many(member), description=describe_field(field))
            group = self._group(cluster, type_name, each)
            if group is not None:
                members[own_name(spec, f"{each.name}_with")] = _Member(
                    type=_many(group),
                    description=f"{describe_field(field)}, and what their rows hold.",
                )
        self._make(name, _title(cluster, type_name, "A new {}, with all below it."), members)
        return name

    def _own_fields(self, cluster: Cluster, type_name: str) -> str | None:
        name = f"{self._names.own(cluster, type_name)}Fields"
        members = _fields(cluster, type_name, is_new=False)
        if members and name not in self._types:
            description = _title(cluster, type_name, "Some fields of one {}; the others stay.")
            self._make(name, description, members)
        return name if members else None

    def _change(self, cluster: Cluster, type_name: str) -> str | None:
        base = self._names.own(cluster, type_name)
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
            members[relation.name] = _Member(
                type=self._relation_change(cluster, base, relation),
                description=_title(cluster, relation.child, "Change its {}.", many=True),
            )
        for each in spec.sets.values():
            field: Any = cluster.models[type_name]._meta.get_field(each.name)
            members[each.name] = _Member(
                type=self._set_change(cluster, type_name, each)
                if each.target
                else self._tags_change(),
                description=describe_field(field),
            )
        self._make(name, _title(cluster, type_name, "One change of one {}."), members, one_of=True)
        return name

    # Of a relation

    def _relation_change(self, cluster: Cluster, parent: str, relation: RelationSpec) -> str:
        name = self._names.relation_change(parent, relation.name)
        if name in self._begun:
            return name
        self._begun.add(name)
        new = _many(self._new(cluster, relation.child))
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

    # Of children, which may be of several kinds

    def _new(self, cluster: Cluster, type_name: str) -> str:
        kinds = kind_members(cluster.spec, type_name)
        if not kinds:
            return self._input(cluster, type_name)
        text = "A new {}, of one of its kinds, with all below it."
        made = self._of_kinds(cluster, type_name, "Input", self._input, text)
        return str(made)  # every kind has an input

    def _fields_of(self, cluster: Cluster, type_name: str) -> str | None:
        if not kind_members(cluster.spec, type_name):
            return self._own_fields(cluster, type_name)
        text = "Some fields of one {}, by its kind or one above that; the others stay."
        return self._of_kinds(cluster, type_name, "Fields", self._own_fields, text)

    def _change_of(self, cluster: Cluster, type_name: str) -> str | None:
        if not kind_members(cluster.spec, type_name):
            return self._change(cluster, type_name)
        text = "One change of one {}, by its kind or one above that."
        return self._of_kinds(cluster, type_name, "Change", self._change, text)

    def _of_kinds(
        self,
        cluster: Cluster,
        type_name: str,
        suffix: str,
        make: Callable[[Cluster, str], str | None],
        text: str,
    ) -> str | None:
        """Return the input that takes just one of what is made for each kind."""
        name = f"{self._names.family(cluster, type_name)}{suffix}"
        if name in self._begun:
            return name
        self._begun.add(name)
        members = {
            member: _Member(type=made, description=_title(cluster, kind, "Of a {}."))
            for member, kind in kind_members(cluster.spec, type_name).items()
            if (made := make(cluster, kind)) is not None
        }
        if not members:
            return None
        self._make(name, _title(cluster, type_name, text), members, one_of=True)
        return name

    def _update(self, cluster: Cluster, type_name: str) -> str | None:
        fields = self._fields_of(cluster, type_name)
        if fields is None:
            return None
        name = f"{self._names.family(cluster, type_name)}Update"
        if name not in self._types:
            members = {
                "key": _key(cluster, type_name),
                "set": _Member(
                    type=fields, required=True, description="The fields that get other values."
                ),
            }
            self._make(name, _title(cluster, type_name, "Which {}, and its new values."), members)
        return name

    def _edit(self, cluster: Cluster, type_name: str) -> str | None:
        nodes = [cluster.spec.nodes[kind] for kind in cluster.spec.kinds(type_name)]
        has_more = any(spec.relations or spec.sets for spec in nodes)
        change = self._change_of(cluster, type_name) if has_more else None
        if change is None:
            return None
        name = f"{self._names.family(cluster, type_name)}Edit"
        if name not in self._types:
            members = {
                "key": _key(cluster, type_name),
                "changes": _Member(
                    type=_many(change), required=True, description="One after the other."
                ),
            }
            self._make(name, _title(cluster, type_name, "Which {}, and its changes."), members)
        return name

    def _set_change(self, cluster: Cluster, type_name: str, held: SetSpec) -> str:
        group = self._group(cluster, type_name, held)
        parent = self._names.node(cluster, type_name)
        name = (
            self._names.set_change(held.name)
            if group is None
            else self._names.of_rows(parent, held.name, "Change")
        )
        if name not in self._types:
            members = {
                "add": _Member(type="list[ID]", description="Add objects, by primary key."),
                "add_with": _Member(
                    type=group, description="Add objects, and say what their rows hold."
                ),
                "remove": _Member(type="list[ID]", description="Take objects out."),
                "replace": _Member(type="list[ID]", description="Make it hold just these."),
                "replace_with": _Member(
                    type=group,
                    description="Make it hold just these; those that are new in it get such rows.",
                ),
                "clear": _Member(type=bool, description="Take all out; only `true`."),
            }
            left_out = {"add_with", "replace_with"} if group is None else set()
            left_out |= set() if held.is_bare else {"add", "replace"}
            members = {each: member for each, member in members.items() if each not in left_out}
            self._make(name, f"One change of `{held.name}`.", members, one_of=True)
        return name

    def _group(self, cluster: Cluster, type_name: str, held: SetSpec) -> str | None:
        """Return the input of some members and what their rows hold; None where that is nothing."""
        model = cluster.models[type_name]
        given = row_members(model, held)
        if not given:
            return None
        parent = self._names.node(cluster, type_name)
        name = self._names.of_rows(parent, held.name, "Members")
        if name not in self._types:
            rows = self._names.of_rows(parent, held.name, "Fields")
            fields = {
                each.name: _Member(type=_type(each), description=describe_field(each))
                for each in given
            }
            self._make(rows, f"What a row of `{held.name}` holds besides its two ends.", fields)
            members = {
                "pks": _Member(type="list[ID]", description="The objects.", required=True),
                "through_defaults": _Member(
                    type=rows, description="What the row of each holds.", required=True
                ),
            }
            self._make(name, f"Some of `{held.name}`, whose rows hold the same.", members)
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
        if cluster.spec.is_kind(type_name, relation.child)
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


def row_members(model: type[Model], held: SetSpec) -> list[Any]:
    """Return the columns that clients may give of a row between a model and members of a set."""
    field: Any = model._meta.get_field(held.name)
    columns = (field.remote_field.through._meta.get_field(name) for name in held.fields)
    return [column for column in columns if is_known(column)]


def _type(field: Any) -> Any:
    if field.primary_key:
        return strawberry.ID
    # A draft holds the name that a file has in its storage.
    return str if isinstance(field, FileField) else scalar_of(field)


def _key(cluster: Cluster, type_name: str) -> _Member:
    text = _title(cluster, type_name, "The key of the {}.")
    return _Member(type=strawberry.ID, required=True, description=text)


def _title(cluster: Cluster, type_name: str, text: str, *, many: bool = False) -> str:
    model: type[Model] = cluster.models[type_name]
    named = model._meta.verbose_name_plural if many else model._meta.verbose_name
    return text.format(str(named))
