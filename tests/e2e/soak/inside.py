"""The service's addresses, and one that tells what a worker holds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from django.http import JsonResponse
from django.urls import path

from config.urls import urlpatterns as of_service
from schema import schema

if TYPE_CHECKING:
    from django.http import HttpRequest


async def inside(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - a view
    """Tell how many tasks there are, and drafts that are watched."""
    watches = schema.engine.parts.hub._watches  # noqa: SLF001 - nobody else asks
    return JsonResponse({"tasks": len(asyncio.all_tasks()), "watched": len(watches)})


urlpatterns = [*of_service, path("inside", inside)]
