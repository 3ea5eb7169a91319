"""How many sockets are open at this worker: WebSockets and event streams, by whose they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import IPv6Address, ip_address
from typing import Any

_open: Counter[Hashable] = Counter()


class TooManySocketsError(Exception):
    """There are as many as there may be."""


@contextmanager
def counted(whose: Hashable, limit: int) -> Iterator[None]:
    """Count one more of somebody's as long as the body runs; None is nobody, and not counted.

    Raises `TooManySocketsError` where there would be more than `limit`.
    """
    if whose is None:
        yield
        return
    if _open[whose] >= limit:
        raise TooManySocketsError
    _open[whose] += 1
    try:
        yield
    finally:
        _open[whose] -= 1
        if not _open[whose]:
            del _open[whose]


def address_of(client: Any) -> Hashable:
    """Return the address of an ASGI `client`; of IPv6 the network, which one client has whole.

    Behind a proxy it is that of the client where the server was told to trust the proxy.
    """
    host = client[0] if client else None
    if not host:
        return None
    with suppress(ValueError):
        found = ip_address(host)
        if isinstance(found, IPv6Address):
            return found.packed[:8]
    return str(host)


def session_key(session: str | None) -> Hashable:
    """Return what a session's sockets are counted by."""
    return None if session is None else ("session", session)
