"""Enums: the GraphQL enum of a model field with choices."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from enum import Enum
from functools import cache
from typing import Any

import strawberry
from django.apps import apps
from django.utils import translation
from strawberry.types.enum import EnumValueDefinition

from gql_cluster.orm.describe import AnyField

_BLANK = ("", None)


@cache
def enum_of(field: AnyField) -> type[Enum] | None:
    """Return the Strawberry enum of a field's choices, always the same; None without choices.

    It is named `<Model><Field>`, with the app's label before it where another app has a model and a
    choice called alike. A member's value is the stored value; its description is the label. The
    blank choice is not among them: it is null.
    """
    if field.is_relation or not field.choices:
        return None
    members: dict[str, Any] = {}
    values: list[Any] = []
    for value, label in field.flatchoices:
        stored = value.value if isinstance(value, Enum) else value
        if stored in _BLANK or stored in values:
            continue
        values.append(stored)
        name = member_name(stored, label, members)
        members[name] = EnumValueDefinition(value=stored, description=str(label))
    if not members:
        return None
    name = _enum_name(field)
    make: Any = Enum
    description = (
        f"What the {field.verbose_name} of {field.model._meta.verbose_name_plural} may be."
    )
    made: type[Enum] = strawberry.enum(
        make(name, members, module=__name__), description=description
    )
    return made


def _enum_name(field: AnyField) -> str:
    model, name = field.model, field.model.__name__ + pascal_case(field.name)
    is_shared = any(
        each.name == field.name and each.choices
        for other in apps.get_models()
        if other.__name__ == model.__name__ and other._meta.label != model._meta.label
        for each in other._meta.local_concrete_fields
    )
    return pascal_case(model._meta.app_label) + name if is_shared else name


def member_name(value: object, label: object, taken: Container[str]) -> str:
    """Return a GraphQL name for a value: upper case, and none of those taken.

    A value that is no word, such as a number, is named by its label, if that is one: by what is
    in the source, so that the schema is the same in every language.
    """
    with translation.override(None):
        names = (_as_name(value), _as_name(label))
    name = next((each for each in names if each[:1].isalpha()), f"_{names[0]}")
    if name == "_":
        name = "VALUE"
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name}_{number}"
    return unique


def _as_name(text: object) -> str:
    ascii_only = unicodedata.normalize("NFKD", str(text)).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Z0-9]+", "_", ascii_only.upper()).strip("_")


def pascal_case(name: str) -> str:
    """Return a Python name as a part of a GraphQL type's name."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
