"""The GraphQL schema of every domain."""

import gql_cluster
from schema.bands import models as bands
from schema.films import types as films
from schema.people import types as people
from schema.posts import types as posts

schema = gql_cluster.Schema(
    clusters=[bands.Band, films.Movie, people.Group, posts.Blog],
    query=people.Query,
)
