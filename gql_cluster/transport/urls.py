"""The addresses of a service: one for GraphQL, two for its operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import URLPattern, path

from gql_cluster import conf
from gql_cluster.transport.health import healthz, readyz
from gql_cluster.transport.http import GraphQLView

if TYPE_CHECKING:
    from gql_cluster.api.schema import Schema


def urlpatterns(schema: Schema) -> list[URLPattern]:
    """Return `/graphql`, `/healthz` and `/readyz`, for a project's `urlpatterns`.

    The settings `GRAPHIQL` and `ALLOW_GET` are read here.
    """
    settings = conf.load()
    view = GraphQLView.as_view(
        schema=schema,
        graphql_ide="graphiql" if settings.GRAPHIQL else None,
        allow_queries_via_get=settings.ALLOW_GET,
    )
    return [
        path("graphql", view, name="graphql"),
        path("healthz", healthz, name="healthz"),
        path("readyz", readyz(schema.engine), name="readyz"),
    ]
