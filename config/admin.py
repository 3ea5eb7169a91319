"""Django's admin site, and the files that its pages need: addresses that are there with ADMIN=1.

WhiteNoise serves the files as the packages bring them, so there is nothing to collect. It is asked
here and not as middleware, which would cost every other request a thread.
"""

from functools import cache

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from whitenoise.middleware import WhiteNoiseMiddleware


def static_file(request: HttpRequest) -> HttpResponse:
    """Answer with a file of an installed app."""
    found = _files()(request)
    # Whole: they are small, and under ASGI Django would warn of a stream that is synchronous.
    body = b"".join(found.streaming_content) if found.streaming else found.content
    return HttpResponse(body, status=found.status_code, headers=dict(found.items()))


@cache
def _files() -> WhiteNoiseMiddleware:
    return WhiteNoiseMiddleware(_missing)


def _missing(request: HttpRequest) -> HttpResponseBase:
    raise Http404(request.path)


urlpatterns = [
    path("admin/", admin.site.urls),
    path("static/<path:name>", lambda request, name: static_file(request)),  # noqa: ARG005
]
