"""What HTTP says to a request that is not executed at all."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

BAD_REQUEST = "BAD_REQUEST"
FORBIDDEN = "FORBIDDEN"
LIMIT_EXCEEDED = "LIMIT_EXCEEDED"


class Refusal(Exception):  # noqa: N818 - it is no fault of the server's
    """A request that is not executed: its status, and an error with a code."""

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        code: str = BAD_REQUEST,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take what the client is told."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers: Mapping[str, str] = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """The response, in the form of GraphQL."""
        return {"errors": [{"message": str(self), "extensions": {"code": self.code}}]}
