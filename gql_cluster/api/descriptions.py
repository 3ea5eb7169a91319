"""What Strawberry and strawberry-django make and leave undescribed: lookups, orders, arguments.

It is described once the schema is built, in that schema alone; what has a description keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLSchema
from strawberry_django import Ordering
from strawberry_django.fields import filter_types
from strawberry_django.pagination import OffsetPaginationInput

_PARTS = {
    "year": "By its year.",
    "month": "By its month, from 1.",
    "day": "By its day of the month, from 1.",
    "weekDay": "By its day of the week, from 1 for Sunday.",
    "isoWeekDay": "By its day of the week, from 1 for Monday.",
    "week": "By its week of the year, as ISO 8601 counts them.",
    "isoYear": "By the year that its week belongs to, as ISO 8601 counts them.",
    "quarter": "By its quarter of the year, from 1.",
    "hour": "By its hour.",
    "minute": "By its minute.",
    "second": "By its second.",
    "date": "By its date alone.",
    "time": "By its time of day alone.",
}
_RANGE = {"start": "The first that is in it.", "end": "The last that is in it."}
_TYPES: Mapping[object, tuple[str, Mapping[str, str]]] = {
    filter_types.BaseFilterLookup: ("Filters by a value: all of it must hold.", {}),
    filter_types.ComparisonFilterLookup: ("Filters by what compares: all of it must hold.", {}),
    filter_types.RangeLookup: ("A range with both its ends.", _RANGE),
    filter_types.DateFilterLookup: ("Filters by a date: all of it must hold.", _PARTS),
    filter_types.TimeFilterLookup: ("Filters by a time of day: all of it must hold.", _PARTS),
    filter_types.DatetimeFilterLookup: ("Filters by a time: all of it must hold.", _PARTS),
    Ordering: (
        "Which way to order, and where nulls go: else where the database puts them.",
        {
            "ASC": "The least first.",
            "ASC_NULLS_FIRST": "Nulls, then the least.",
            "ASC_NULLS_LAST": "The least first, nulls at the end.",
            "DESC": "The greatest first.",
            "DESC_NULLS_FIRST": "Nulls, then the greatest.",
            "DESC_NULLS_LAST": "The greatest first, nulls at the end.",
        },
    ),
    OffsetPaginationInput: (
        "Which part of a list is asked for.",
        {"offset": "How many are passed over.", "limit": "How many there are at most."},
    ),
}
_NAMED = {
    "Query": "What can be read.",
    "Mutation": "What can be done.",
    "Subscription": "What can be followed.",
    "UUID": "A UUID as text, in groups of 8, 4, 4, 4 and 12 hexadecimal digits.",
}
_ARGUMENTS = {
    "filters": "Which ones: all of it must hold.",
    "ordering": "What they are ordered by; the first counts most.",
    "pagination": "Which part of the list.",
}


def describe_libraries(schema: GraphQLSchema) -> None:
    """Describe what is left undescribed of a schema's root types, lookups and arguments."""
    for name, type_ in schema.type_map.items():
        text, members = _texts(type_)
        _describe(type_, _NAMED.get(name, text))
        for each, member in {
            **getattr(type_, "values", {}),
            **getattr(type_, "fields", {}),
        }.items():
            _describe(member, members.get(each))
            for argument_name, argument in getattr(member, "args", {}).items():
                _describe(argument, _ARGUMENTS.get(argument_name))


def _texts(type_: Any) -> tuple[str | None, Mapping[str, str]]:
    """Return what is said of a type by the class that it is made of, or is derived from."""
    definition = type_.extensions.get("strawberry-definition")
    bases: Sequence[object] = getattr(getattr(definition, "origin", None), "__mro__", ())
    return next((_TYPES[base] for base in bases if base in _TYPES), (None, {}))


def _describe(element: Any, text: str | None) -> None:
    if element.description is None and text is not None:
        element.description = text
