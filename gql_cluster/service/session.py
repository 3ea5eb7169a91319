"""Editing sessions for clients without cookies: a signed token that names a session."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.core import signing

from gql_cluster import conf
from gql_cluster.domain.error import UnauthenticatedError

_SALT = "gql_cluster.session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that was just started; `expires_at` is the token's."""

    id: str
    token: str
    expires_at: datetime


def new_session_id() -> str:
    """Return an id for a session; it is shown to others who watch the same draft."""
    return secrets.token_urlsafe(12)


def start() -> Session:
    """Start a session; whoever holds its token is the session."""
    session = new_session_id()
    return Session(
        id=session,
        token=signing.dumps(session, salt=_SALT),
        expires_at=datetime.now(UTC) + timedelta(seconds=conf.load().SESSION_AGE),
    )


def session_of(token: str) -> str:
    """Return the session that a token names; raises `UnauthenticatedError`."""
    try:
        session = signing.loads(token, salt=_SALT, max_age=conf.load().SESSION_AGE)
    except signing.SignatureExpired as exc:
        raise UnauthenticatedError.of("The session token has expired.") from exc
    except signing.BadSignature as exc:
        raise UnauthenticatedError.of("The session token is not valid.") from exc
    return str(session)
