"""Names and values of a draft's fields as clients know them: what an input takes, for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import strawberry
from django.db.models import Model

from gql_cluster.api.choices import enum_of
from gql_cluster.api.scalars import scalar_of
from gql_cluster.api.wire import BigInt, exact
from gql_cluster.domain.node import Json, Through
from gql_cluster.domain.reference import key_in
from gql_cluster.orm.codec import encode, items_of
from gql_cluster.orm.describe import AnyField

_PLAIN = (str, int, float)


def graphql_name(info: strawberry.Info, name: str) -> str:
    """Return a Python name as the schema spells it."""
    return info.schema.config.name_converter.apply_naming_config(name)


def graphql_path(info: strawberry.Info, path: Sequence[str]) -> list[str]:
    """Return a path from the root as the schema spells it: every other step is a key."""
    return [step if index % 2 else graphql_name(info, step) for index, step in enumerate(path)]


def client_value(model: type[Model], name: str, value: Json) -> Any:
    """Return what a node holds as a client would send it.

    Primary keys, of foreign keys and in sets, are strings; a foreign key that refers to a node by
    its key is `{"key": …}`; choices are the names of their
    enum. All else is JSON as `orm.codec` writes it. A choice that is none stays as it is.
    """
    convert = _converter(model, name)
    if isinstance(value, list) and model._meta.get_field(name).many_to_many:
        return [convert(each) for each in value]
    return None if value is None else convert(value)


def client_members(
    model: type[Model],
    name: str,
    members: Sequence[Json],
    through: Through,
    spell: Callable[[str], str],
) -> list[Any]:
    """Return members of a set as a client would name them; with what is given of their rows."""
    field: Any = model._meta.get_field(name)
    rows = field.remote_field.through
    keys = client_value(model, name, list(members))
    return [
        {
            "pk": key,
            "throughDefaults": {
                spell(each): client_value(rows, each, value) for each, value in given.items()
            },
        }
        if (given := through.get(member))
        else key
        for member, key in zip(members, keys, strict=True)
    ]


@cache
def _converter(model: type[Model], name: str) -> Callable[[Json], Json]:
    field: Any = model._meta.get_field(name)
    if field.is_relation:
        return lambda value: value if key_in(value) is not None else str(value)
    return _converter_of(field)


def _converter_of(field: AnyField) -> Callable[[Json], Json]:
    names = _choices(field)
    if names:
        return lambda value: names.get(value, value) if isinstance(value, _PLAIN) else value
    items = items_of(field)
    if items is not None:
        convert = _converter_of(items)
        return lambda value: [convert(e) for e in value] if isinstance(value, list) else value
    if scalar_of(field) is BigInt:
        return lambda value: exact(value) if isinstance(value, int) else value
    return lambda value: value


def _choices(field: AnyField) -> Mapping[Any, str | None]:
    enum = enum_of(field)
    if enum is None:
        return {}
    return {"": None, **{encode(field, each.value): each.name for each in enum}}
