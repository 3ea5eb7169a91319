"""Event streams, read as the browser's EventSource reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

EVENTS = "text/event-stream"


class Stream:
    """A response that is still being read."""

    def __init__(self, response: httpx.Response) -> None:
        """Take an open response."""
        self.response = response
        self.comments = 0
        self._lines = response.iter_lines()

    def next(self) -> tuple[str, Any]:
        """Return the name and the data of the next event; comments are counted."""
        name, data = "message", ""
        for line in self._lines:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line and (data or name != "message"):
                return name, json.loads(data) if data else None
            if field == "event":
                name = value
            elif field == "data":
                data += value
            elif not field and line:
                self.comments += 1
        raise EOFError

    def rest(self) -> list[tuple[str, Any]]:
        """Return all events up to the end."""
        found = []
        try:
            while True:
                found.append(self.next())
        except EOFError:
            return found

    def await_comments(self, count: int) -> None:
        """Read until so many comments have come."""
        while self.comments < count:
            line = next(self._lines)
            self.comments += line.startswith(":")


@contextmanager
def opened(
    http: httpx.Client, query: str, *, method: str = "POST", **more: Any
) -> Iterator[Stream]:
    """Ask for an operation as a stream of events."""
    headers = {"Accept": EVENTS, **more.pop("headers", {})}
    body = {"query": query, **more}
    given: Any = {"json": body} if method == "POST" else {"params": _in_url(body)}
    with http.stream(method, "/graphql", headers=headers, **given) as response:
        yield Stream(response)


def _in_url(body: Any) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()
    }
