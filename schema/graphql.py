"""The GraphQL schema of every domain."""

import gql_cluster
from schema.bands import models as bands
from schema.films import types as films

schema = gql_cluster.Schema(clusters=[bands.Band, films.Movie])
