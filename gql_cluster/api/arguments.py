"""The inputs that a mirror type's lists are filtered and ordered by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import strawberry
import strawberry_django
from django.db.models import Model
from strawberry_django.fields.filter_types import BaseFilterLookup
from strawberry_django.ordering import Ordering

from gql_cluster.api.scalars import is_sortable, lookup_of
from gql_cluster.orm.describe import AnyField


def make_filter(model: type[Model], name: str, fields: Mapping[str, AnyField]) -> Any:
    """Return the filter of a type, by its primary key and these fields."""
    annotations: dict[str, Any] = {"pk": BaseFilterLookup[strawberry.ID] | None}
    for field_name, field in fields.items():
        lookup = lookup_of(field)
        if lookup is not None:
            annotations[field_name] = lookup | None
    return strawberry_django.filter_type(model, name=f"{name}Filter")(
        _class(f"{name}Filter", annotations)
    )


def make_order(model: type[Model], name: str, fields: Mapping[str, AnyField]) -> Any:
    """Return the ordering of a type, by its primary key and these fields."""
    names = ["pk", *(name for name, field in fields.items() if is_sortable(field))]
    annotations = dict.fromkeys(names, Ordering)
    return strawberry_django.order_type(model, name=f"{name}Order")(
        _class(f"{name}Order", annotations)
    )


def _class(name: str, annotations: Mapping[str, Any]) -> type:
    return type(name, (), {"__annotations__": dict(annotations), "__module__": __name__})
