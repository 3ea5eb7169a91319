"""The settings of the engine: one dictionary, `GQL_CLUSTER`, all of it optional."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `GQL_CLUSTER` may hold, with the defaults. Times are in seconds."""

    REDIS_URL: str = "redis://127.0.0.1:6379/0"
    KEY_PREFIX: str = "gqlc"
    """Begins every Redis key; services that share a Redis need different ones."""
    DRAFT_TTL: int = 7 * 24 * 3600
    """How long an open draft is kept after its last change."""
    CLOSED_TTL: int = 3600
    """How long a committed or discarded draft can still be read."""
    LOG_LENGTH: int = 1000
    """About how many versions of a draft can be replayed; behind that comes a snapshot."""
    POLL_INTERVAL: float = 2.0
    """How late an event is at most when the channel layer has lost its wake-up."""
    COMMIT_LEASE: int = 30
    """How long a commit may take before others may find out whether it is still alive."""
    CACHE_BYTES: int = 64 * 1024 * 1024
    """How much of drafts a worker keeps in memory."""
    MAX_CHANGES: int = 1000
    """How many changes a request may hold, nested ones and inline children counted."""
    MAX_BYTES: int = 2 * 1024 * 1024
    """How much one request may write to a draft."""
    SESSION_AGE: int = 30 * 24 * 3600
    """How long a session token is valid."""

    @property
    def draft_ttl(self) -> timedelta:
        """`DRAFT_TTL` as a time span."""
        return timedelta(seconds=self.DRAFT_TTL)

    @property
    def closed_ttl(self) -> timedelta:
        """`CLOSED_TTL` as a time span."""
        return timedelta(seconds=self.CLOSED_TTL)


def given() -> dict[str, Any]:
    """Return what the project's settings say."""
    return dict(getattr(django_settings, "GQL_CLUSTER", {}))


def unknown() -> list[str]:
    """Return the names that the project's settings say and the engine does not know."""
    known = {field.name for field in fields(Settings)}
    return sorted(set(given()) - known)


def load() -> Settings:
    """Return the settings as they are now; read at use, never at import."""
    known = {field.name for field in fields(Settings)}
    return Settings(**{name: value for name, value in given().items() if name in known})
