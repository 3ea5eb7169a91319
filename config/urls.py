"""Every HTTP address of the service is the engine's."""

from django.urls import include, path

urlpatterns = [path("", include("gql_cluster.transport.urls"))]
