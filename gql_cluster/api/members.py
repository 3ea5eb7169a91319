"""Members of inputs: what clients may give of a node, and how an input is made of its members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import strawberry
from django.db.models import FileField, Model
from strawberry import UNSET
from strawberry.annotation import StrawberryAnnotation
from strawberry.types.base import get_object_definition

from gql_cluster.api.building import build
from gql_cluster.api.names import key_name, writable
from gql_cluster.api.scalars import describe_field, is_known, scalar_of
from gql_cluster.domain.spec import NodeSpec, SetSpec
from gql_cluster.orm.describe import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of an input; `type` is a Python type, or the name of an input."""

    type: object
    description: str | None = None
    graphql_name: str | None = None
    required: bool = False


def many(name: str) -> str:
    """Return the type of a list of what has a name."""
    return f"list[{name}]"


class InputMaker:
    """Makes inputs of their members, each once. They may refer to one another by name."""

    def __init__(self, **known: object) -> None:
        """`known` are types that members may name."""
        self.types: dict[str, Any] = {"ID": strawberry.ID, "String": str, **known}

    def make(
        self, name: str, description: str, members: Mapping[str, Member], *, one_of: bool = False
    ) -> None:
        """Make the input of a name; with `one_of`, a client gives just one of its members."""
        body: dict[str, Any] = {"__annotations__": {}}
        for each, member in members.items():
            body["__annotations__"][each] = self._annotation(member)
            body[each] = strawberry.field(
                name=member.graphql_name,
                description=member.description,
                **({} if member.required else {"default": UNSET}),
            )
        made = type(name, (), {**body, "__doc__": description, "__module__": __name__})
        given = strawberry.input(made, name=name, description=description, one_of=one_of)
        get_object_definition(given, strict=True).from_input = build
        self.types[name] = given

    def _annotation(self, member: Member) -> StrawberryAnnotation:
        annotation: Any = member.type
        if not member.required:
            is_name = isinstance(annotation, str)
            annotation = f"{annotation} | None" if is_name else annotation | None
        return StrawberryAnnotation(annotation, namespace=self.types)


def field_members(cluster: Cluster, type_name: str, *, is_new: bool) -> dict[str, Member]:
    """Return the fields of a node that clients may set, foreign keys by a key, too."""
    model = cluster.models[type_name]
    spec: NodeSpec = cluster.spec.nodes[type_name]
    found: dict[str, Member] = {}
    for each in writable(spec, is_new=is_new):
        field: Any = model._meta.get_field(each.name)
        found[each.name] = Member(
            type=type_of_member(field),
            description=describe_field(field),
            graphql_name="pk" if field.primary_key else None,
        )
        by_key = key_name(spec, each)
        if by_key is not None:
            found[by_key] = Member(
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


def type_of_member(field: Any) -> Any:
    """Return what clients give of a column."""
    if field.primary_key:
        return strawberry.ID
    # A draft holds the name that a file has in its storage.
    return str if isinstance(field, FileField) else scalar_of(field)


def key_member(cluster: Cluster, type_name: str) -> Member:
    """Return the member that names a child."""
    text = title(cluster, type_name, "The key of the {}.")
    return Member(type=strawberry.ID, required=True, description=text)


def title(cluster: Cluster, type_name: str, text: str, *, several: bool = False) -> str:
    """Return a text with what people call a node of a type, or several."""
    model: type[Model] = cluster.models[type_name]
    named = model._meta.verbose_name_plural if several else model._meta.verbose_name
    return text.format(str(named))
