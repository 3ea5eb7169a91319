"""Building inputs: of the members that a client gave, and no look at the others.

Strawberry looks at every member that an input may have, at each level of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from strawberry.types.arguments import InputContext
from strawberry.types.base import (
    StrawberryList,
    StrawberryObjectDefinition,
    StrawberryOptional,
    get_object_definition,
    has_object_definition,
)
from strawberry.types.lazy_type import LazyType

Reader: TypeAlias = Callable[[Any, InputContext], Any]

_MEMBERS = "__gql_cluster_members__"


def build(input_type: type, given: Mapping[str, Any], context: InputContext) -> Any:
    """Return an input of what graphql-core has coerced; what is not given is the type's default.

    It is for inputs all of whose members that may be left out default to `UNSET`.
    """
    members = vars(input_type).get(_MEMBERS)
    if members is None:
        members = _members(input_type, context)
        setattr(input_type, _MEMBERS, members)
    made: Any = object.__new__(input_type)
    for graphql_name, value in given.items():
        name, read = members[graphql_name]
        setattr(made, name, value if read is None or value is None else read(value, context))
    return made


def _members(input_type: type, context: InputContext) -> dict[str, tuple[str, Reader | None]]:
    definition = get_object_definition(input_type, strict=True)
    spell = context.config.name_converter.from_field
    return {
        spell(field): (field.python_name, _reader(field.resolve_type(type_definition=definition)))
        for field in definition.fields
    }


def _reader(of: Any) -> Reader | None:
    """Return what reads values of a type; None where they are as they are to be."""
    match of:
        case StrawberryOptional():
            return _reader(of.of_type)
        case LazyType():
            return _reader(of.resolve_type())
        case StrawberryList():
            return _list_reader(_reader(of.of_type))
        case _ if has_object_definition(of):
            return _input_reader(of, get_object_definition(of, strict=True))
        case _:
            return None


def _list_reader(read: Reader | None) -> Reader:
    if read is None:
        return lambda values, _: [*values]
    return lambda values, context: [
        None if value is None else read(value, context) for value in values
    ]


def _input_reader(of: Any, definition: StrawberryObjectDefinition) -> Reader:
    if definition.from_input is build:
        return lambda value, context: build(of, value, context)
    return lambda value, context: context.convert(value, of)
