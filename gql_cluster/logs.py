"""What a log record says of the request that it comes from: ids, and nothing that opens a door.

The transport begins it, whatever learns more adds to it, and `RequestFilter` puts it on records.
Any project's formatter can name it: `{request_id}`, `{session_id}` and so on, "-" where unknown.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar, Token
from dataclasses import dataclass
from random import getrandbits

NAMES = (
    "request_id",
    "connection_id",
    "operation_id",
    "session_id",
    "draft_id",
    "error_id",
)
UNKNOWN = "-"


@dataclass(slots=True, kw_only=True)
class Request:
    """One HTTP request, or one operation of a WebSocket; tasks and threads of it share it.

    `session_id` is an editing session's public id, as `Editor` shows it, and never its token.
    """

    request_id: str = UNKNOWN
    connection_id: str = UNKNOWN
    operation_id: str = UNKNOWN
    session_id: str = UNKNOWN
    draft_id: str = UNKNOWN
    error_id: str = UNKNOWN


_current: ContextVar[Request | None] = ContextVar("gql_cluster_request", default=None)
_NOBODY = Request()


def begin(request: Request) -> Token[Request | None]:
    """Let this be the request of the running task, and of what it starts; `end` takes it."""
    return _current.set(request)


def end(token: Token[Request | None]) -> None:
    """Let the request be what it was before."""
    _current.reset(token)


def current() -> Request | None:
    """Return the request that the running code belongs to, None where there is none."""
    return _current.get()


def note(*, session: str | None = None, draft: str | None = None) -> None:
    """Say whose session it is, and which draft it is about; the last word counts."""
    request = _current.get()
    if request is not None:
        if session is not None:
            request.session_id = session
        if draft is not None:
            request.draft_id = draft


def new_id() -> str:
    """Return a random id, of a request or an error, that is short enough to be read out.

    It opens nothing and need not be hard to guess; the system's randomness takes longer.
    """
    return f"{getrandbits(64):016x}"


class RequestFilter(logging.Filter):
    """Puts the ids of the request on each record, for the handler that it is set on."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through; one that names an id itself keeps it."""
        request = _current.get() or _NOBODY
        for name in NAMES:
            if name not in record.__dict__:
                record.__dict__[name] = getattr(request, name)
        return True
