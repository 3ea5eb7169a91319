"""Inputs: the types by which clients say what to stage, made of what a cluster consists of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry import UNSET

from gql_cluster.api.enums import serve_enum
from gql_cluster.api.members import InputMaker, Member, field_members, key_member, many, title
from gql_cluster.api.names import InputNames, kind_members, own_name
from gql_cluster.api.scalars import describe_field
from gql_cluster.api.set_inputs import SetInputs
from gql_cluster.domain.change import End
from gql_cluster.domain.spec import RelationSpec
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


class InputTypes:
    """Makes the input types of clusters, each type once. They may refer to one another."""

    def __init__(self, names: InputNames) -> None:
        """Start with none."""
        self._names = names
        self._maker = InputMaker(MoveInput=MoveInput)
        self._make = self._maker.make
        self._sets = SetInputs(self._maker, names)
        # Not the same as those made: a type that is below itself refers to itself.
        self._begun: set[str] = set()

    def new(self, cluster: Cluster) -> Any:
        """Return the input of a new cluster, `BandInput`."""
        return self._maker.types[self._input(cluster, cluster.name)]

    def change(self, cluster: Cluster) -> Any:
        """Return the input of one change of a cluster, `BandChange`."""
        name = self._change(cluster, cluster.name)
        if name is None:
            raise SetupError(
                "E014",
                f"{cluster.label} has no field, relation or many-to-many that can be changed.",
                hint="Leave it out of the clusters, or make one of its fields editable.",
            )
        return self._maker.types[name]

    # Of a node

    def _input(self, cluster: Cluster, type_name: str) -> str:
        name = f"{self._names.own(cluster, type_name)}Input"
        if name in self._begun:
            return name
        self._begun.add(name)
        spec = cluster.spec.nodes[type_name]
        members: dict[str, Member] = {}
        above = _relations_to(cluster, type_name)
        if above:
            members[own_name(spec, "key")] = Member(
                type=strawberry.ID,
                description=(
                    "The new node's name within the draft; one is made up if there is none. "
                    "1 to 64 letters, digits, “_”, “.”, “~” or “-”."
                ),
            )
        if any(relation.order_field for relation in above):
            members[own_name(spec, "position")] = Member(
                type=int, description="Its place among its siblings, from 0; else at the end."
            )
        members |= field_members(cluster, type_name, is_new=True)
        for relation in spec.relations.values():
            members[relation.name] = Member(
                type=many(self._new(cluster, relation.child)),
                description=title(cluster, relation.child, "Its {}.", several=True),
            )
        for each in spec.sets.values():
            field: Any = cluster.models[type_name]._meta.get_field(each.name)
            member = "ID" if each.target else "String"
            if each.is_bare:
                members[each.name] = Member(type=many(member), description=describe_field(field))
            group = self._sets.group(cluster, type_name, each)
            if group is not None:
                members[own_name(spec, f"{each.name}_with")] = Member(
                    type=many(group),
                    description=f"{describe_field(field)}, and what their rows hold.",
                )
        self._make(name, title(cluster, type_name, "A new {}, with all below it."), members)
        return name

    def _own_fields(self, cluster: Cluster, type_name: str) -> str | None:
        name = f"{self._names.own(cluster, type_name)}Fields"
        members = field_members(cluster, type_name, is_new=False)
        if members and name not in self._maker.types:
            description = title(cluster, type_name, "Some fields of one {}; the others stay.")
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
        members: dict[str, Member] = {}
        if fields is not None:
            members[own_name(spec, "set")] = Member(
                type=fields, description="Give some of its own fields other values."
            )
        for relation in spec.relations.values():
            members[relation.name] = Member(
                type=self._relation_change(cluster, base, relation),
                description=title(cluster, relation.child, "Change its {}.", several=True),
            )
        for each in spec.sets.values():
            field: Any = cluster.models[type_name]._meta.get_field(each.name)
            members[each.name] = Member(
                type=self._sets.change(cluster, type_name, each)
                if each.target
                else self._sets.tags_change(),
                description=describe_field(field),
            )
        self._make(name, title(cluster, type_name, "One change of one {}."), members, one_of=True)
        return name

    # Of a relation

    def _relation_change(self, cluster: Cluster, parent: str, relation: RelationSpec) -> str:
        name = self._names.relation_change(parent, relation.name)
        if name in self._begun:
            return name
        self._begun.add(name)
        new = many(self._new(cluster, relation.child))
        members = {"add": Member(type=new, description="Add children.")}
        update = self._update(cluster, relation.child)
        if update is not None:
            members["update"] = Member(type=update, description="Change fields of a child.")
        members["remove"] = Member(
            type="list[ID]", description="Remove children, by key, with all below them."
        )
        order = ", in this order" if relation.order_field else ""
        if relation.order_field is not None:
            members["move"] = Member(type="MoveInput", description="Give a child another place.")
        members["replace"] = Member(
            type=new,
            description=(
                f"Make the relation hold just these{order}. A child whose key is there already "
                "is kept, and gets what is given of it."
            ),
        )
        members["clear"] = Member(type=bool, description="Remove every child; only `true`.")
        edit = self._edit(cluster, relation.child)
        if edit is not None:
            members["edit"] = Member(type=edit, description="Change a child, and what is below it.")
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
            member: Member(type=made, description=title(cluster, kind, "Of a {}."))
            for member, kind in kind_members(cluster.spec, type_name).items()
            if (made := make(cluster, kind)) is not None
        }
        if not members:
            return None
        self._make(name, title(cluster, type_name, text), members, one_of=True)
        return name

    def _update(self, cluster: Cluster, type_name: str) -> str | None:
        fields = self._fields_of(cluster, type_name)
        if fields is None:
            return None
        name = f"{self._names.family(cluster, type_name)}Update"
        if name not in self._maker.types:
            members = {
                "key": key_member(cluster, type_name),
                "set": Member(
                    type=fields, required=True, description="The fields that get other values."
                ),
            }
            self._make(name, title(cluster, type_name, "Which {}, and its new values."), members)
        return name

    def _edit(self, cluster: Cluster, type_name: str) -> str | None:
        nodes = [cluster.spec.nodes[kind] for kind in cluster.spec.kinds(type_name)]
        has_more = any(spec.relations or spec.sets for spec in nodes)
        change = self._change_of(cluster, type_name) if has_more else None
        if change is None:
            return None
        name = f"{self._names.family(cluster, type_name)}Edit"
        if name not in self._maker.types:
            members = {
                "key": key_member(cluster, type_name),
                "changes": Member(
                    type=many(change), required=True, description="One after the other."
                ),
            }
            self._make(name, title(cluster, type_name, "Which {}, and its changes."), members)
        return name


def _relations_to(cluster: Cluster, type_name: str) -> list[RelationSpec]:
    return [
        relation
        for spec in cluster.spec.nodes.values()
        for relation in spec.relations.values()
        if cluster.spec.is_kind(type_name, relation.child)
    ]
