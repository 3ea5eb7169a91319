"""The query fields for saved clusters: one by its key, a list, a connection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import strawberry
import strawberry_django
from django.db.models import Model, QuerySet
from strawberry.types.field import StrawberryField
from strawberry_django.relay import DjangoListConnection

from gql_cluster.api.fields import MirrorField
from gql_cluster.api.names import singular
from gql_cluster.api.registry import Registry
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.load import decode_pk, parse_pk


def saved_fields(registry: Registry, cluster: Cluster) -> Mapping[str, StrawberryField]:
    """Return the fields `band(pk:)`, `bands(…)` and `bandsConnection(…)` by their Python names."""
    model: type[Model] = cluster.model
    type_: Any = registry.type_of(model)
    one, many = singular(cluster.title), plural(cluster)

    # An argument whose Python name is `pk` strawberry-django would filter by once more.
    def by_pk(
        key: Annotated[
            strawberry.ID, strawberry.argument(name="pk", description="Its database key.")
        ],
    ) -> QuerySet[Any]:
        parsed = parse_pk(model, key)
        if parsed is None:
            return model._default_manager.none()
        return model._default_manager.filter(pk=decode_pk(model, parsed))

    return {
        one: strawberry_django.field(
            resolver=by_pk,
            field_cls=MirrorField,
            graphql_type=type_ | None,
            description="The saved one with this database key, if it is there.",
        ),
        many: strawberry_django.field(
            field_cls=MirrorField,
            graphql_type=list[type_],
            pagination=True,
            description="All saved ones.",
        ),
        f"{many}_connection": strawberry_django.connection(
            DjangoListConnection[type_],
            field_cls=MirrorField,
            description="All saved ones, page by page.",
        ),
    }


def plural(cluster: Cluster) -> str:
    """Return the name of the field for all saved roots, in snake case.

    It is the model's `verbose_name_plural` if that can be a name, and clients know the model by
    its own; where one and many are called alike, `all_` goes before it.
    """
    one = singular(cluster.title)
    words = "_".join(str(cluster.model._meta.verbose_name_plural).lower().split())
    is_models = cluster.title == cluster.name and re.fullmatch(r"[a-z][a-z0-9_]*", words)
    many = words if is_models else _several(one)
    return f"all_{many}" if many == one else many


def _several(one: str) -> str:
    """Return an English plural, for words that say none of their own."""
    if re.search(r"[^aeiou]y$", one):
        return f"{one[:-1]}ies"
    return f"{one}es" if re.search(r"(s|x|z|ch|sh)$", one) else f"{one}s"
