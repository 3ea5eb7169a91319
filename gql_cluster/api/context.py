"""Who asks: the caller that the transport has put into the context of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import strawberry

from gql_cluster.api.sight import Sight
from gql_cluster.service.caller import Caller

_NOBODY = Caller(session=None)


def caller_of(info: strawberry.Info) -> Caller:
    """Return who asks: the context's `caller`, as an item or an attribute; else nobody.

    It sees what the types' `get_queryset` shows to this request.
    """
    caller = caller_in(info.context)
    registry = getattr(info.schema, "registry", None)
    if registry is None or not registry.hiding:
        return caller
    return replace(caller, sight=Sight(registry, info))


def caller_in(context: object) -> Caller:
    """Return who asks, as a context says."""
    if isinstance(context, Mapping):
        caller = context.get("caller")
    else:
        caller = getattr(context, "caller", None)
    return caller if isinstance(caller, Caller) else _NOBODY
