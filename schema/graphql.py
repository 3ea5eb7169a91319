"""The GraphQL schema of every domain."""

from django.conf import settings
from strawberry.tools import merge_types

import gql_cluster
from schema.bands import models as bands
from schema.films import types as films
from schema.people import types as people
from schema.places import types as places
from schema.posts import types as posts

extensions = []
if settings.OTEL:
    from gql_cluster.api.tracing import Tracing

    extensions.append(Tracing)

schema = gql_cluster.Schema(
    clusters=[
        bands.Band,
        films.Movie,
        people.Group,
        places.Place,
        places.Restaurant,
        places.Bar,
        posts.Blog,
    ],
    query=merge_types("Query", (people.Query, places.Query)),
    extensions=extensions,
)
