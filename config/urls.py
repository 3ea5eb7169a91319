"""Every HTTP address of the service is the engine's, and that of the admin site where it is on."""

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path

from gql_cluster.transport import urls
from schema import schema

handler400 = "gql_cluster.transport.refusals.bad_request"
handler403 = "gql_cluster.transport.refusals.permission_denied"
handler404 = "gql_cluster.transport.refusals.page_not_found"
handler500 = "gql_cluster.transport.refusals.server_error"

urlpatterns: list[URLPattern | URLResolver] = [*urls.urlpatterns(schema)]
if settings.ADMIN:
    urlpatterns.append(path("", include("config.admin")))
