"""The addresses of the engine, with the orders' schema."""

from benchmarks.orders.schema import schema
from gql_cluster.transport import urls

urlpatterns = urls.urlpatterns(schema)
