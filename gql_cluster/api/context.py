"""Who asks: the caller that the transport has put into the context of a request."""

from __future__ import annotations

from collections.abc import Mapping

import strawberry

from gql_cluster.service.engine import Caller

_NOBODY = Caller(session=None)


def caller_of(info: strawberry.Info) -> Caller:
    """Return who asks: the context's `caller`; else nobody."""
    return caller_in(info.context)


def caller_in(context: object) -> Caller:
    """Return the caller in a context, as an item or an attribute; else nobody."""
    if isinstance(context, Mapping):
        caller = context.get("caller")
    else:
        caller = getattr(context, "caller", None)
    return caller if isinstance(caller, Caller) else _NOBODY
