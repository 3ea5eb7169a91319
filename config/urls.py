"""Every HTTP address of the service is the engine's."""

from gql_cluster.transport import urls
from schema import schema

urlpatterns = urls.urlpatterns(schema)
