"""Editing sessions for clients without cookies: a signed token that names a session."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.core import signing
from django.utils.crypto import constant_time_compare

from gql_cluster import conf
from gql_cluster.domain.error import UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.base_user import AbstractBaseUser

_SALT = "gql_cluster.session"
_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that was just started; `expires_at` is the token's."""

    id: str
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a token names: a session, and perhaps the user that has started it.

    `user` is the primary key, as text; `proof` is good for as long as the user's password is.
    """

    session: str
    user: str | None = None
    proof: str = ""

    def is_of(self, user: AbstractBaseUser) -> bool:
        """Tell whether the user's password is still the one of when the session was started."""
        return any(constant_time_compare(self.proof, proof) for proof in _proofs(user))


def new_session_id() -> str:
    """Return an id for a session; it is shown to others who watch the same draft."""
    return secrets.token_urlsafe(12)


def start(user: AbstractBaseUser | None = None) -> Session:
    """Start a session, of a user or of nobody; whoever holds its token is the session."""
    session = new_session_id()
    named = session if user is None else [session, str(user.pk), next(_proofs(user))]
    return Session(
        id=session,
        token=signing.dumps(named, salt=_SALT),
        expires_at=datetime.now(UTC) + timedelta(seconds=conf.load().SESSION_AGE),
    )


def read_token(token: str) -> Named:
    """Return what a token names; raises `UnauthenticatedError`."""
    try:
        named = signing.loads(token, salt=_SALT, max_age=conf.load().SESSION_AGE)
    except signing.SignatureExpired as exc:
        raise UnauthenticatedError.of("The session token has expired.") from exc
    except (signing.BadSignature, UnicodeEncodeError) as exc:
        raise UnauthenticatedError.of("The session token is not valid.") from exc
    if isinstance(named, str):
        return Named(session=named)
    session, user, proof = named
    return Named(session=session, user=user, proof=proof)


def _proofs(user: AbstractBaseUser) -> Iterator[str]:
    """Yield what a token shows of a user: by the secret key first, then by its fallbacks."""
    for shown in (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()):
        yield hashlib.blake2b(shown.encode(), digest_size=_BYTES).hexdigest()
