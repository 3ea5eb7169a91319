"""How long the lists of introspection are: a schema knows, on average."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    is_abstract_type,
)

_MOST = 500
"""Types that are counted: what asks for all of a large schema, once, passes by the defaults."""


def lengths(schema: GraphQLSchema) -> Mapping[tuple[str, str], int]:
    """Return the length of each list by the name of its type and its own."""
    types = [*schema.type_map.values()]
    fields = [
        field
        for each in types
        if isinstance(each, GraphQLObjectType | GraphQLInterfaceType)
        for field in each.fields.values()
    ]
    found = {
        "fields": len(fields),
        "inputFields": sum(len(e.fields) for e in types if isinstance(e, GraphQLInputObjectType)),
        "enumValues": sum(len(e.values) for e in types if isinstance(e, GraphQLEnumType)),
        "interfaces": sum(
            len(e.interfaces)
            for e in types
            if isinstance(e, GraphQLObjectType | GraphQLInterfaceType)
        ),
        "possibleTypes": sum(
            len(schema.get_possible_types(e)) for e in types if is_abstract_type(e)
        ),
    }
    arguments = sum(len(field.args) for field in fields)
    return {
        ("__Schema", "types"): min(len(types), _MOST),
        ("__Schema", "directives"): len(schema.directives),
        ("__Field", "args"): ceil(arguments / len(fields)),
        **{("__Type", name): ceil(count / len(types)) for name, count in found.items()},
    }
