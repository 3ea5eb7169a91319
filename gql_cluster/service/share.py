"""Sharing: links that let other sessions into a draft, for as long as its owner wants."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from django.core import signing

from gql_cluster.domain.error import LimitExceededError, NotFoundError
from gql_cluster.service.policy import require
from gql_cluster.service.read import ROOT, get_draft
from gql_cluster.store.sharing import Joining

if TYPE_CHECKING:
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View

_SALT = "gql_cluster.share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link to a draft that was just made; `expires_at` is the token's."""

    view: View
    token: str
    expires_at: datetime


async def share(engine: Engine, caller: Caller, draft_id: str) -> Link:
    """Make a link to the caller's own draft, good beside all that it made before.

    Raises `NotFoundError`, and `ForbiddenError` for a draft that the caller has only joined.
    """
    copy = await engine.own_copy(caller, draft_id, ROOT)
    may_share = await engine.parts.policy.may_share(caller, engine.subject(copy.draft))
    await require(caller, allowed=may_share)
    nonce = await engine.parts.sharing.share(draft_id, secrets.token_urlsafe(12))
    if nonce is None:
        raise NotFoundError.of("There is no such draft.")
    return Link(
        view=await get_draft(engine, caller, draft_id),
        token=signing.dumps([draft_id, nonce], salt=_SALT),
        expires_at=datetime.now(UTC) + timedelta(seconds=engine.parts.settings.SHARE_AGE),
    )


async def join(engine: Engine, caller: Caller, token: str) -> View:
    """Let the caller into the draft that a link is of, and put that on its list.

    Raises `NotFoundError` where the link is not good, or not any more,
    `LimitExceededError` where `MAX_MEMBERS` have joined, and what the policy's answer comes to.
    """
    session = caller.required_session()
    draft_id, nonce = _read(token, engine.parts.settings.SHARE_AGE)
    most = engine.parts.settings.MAX_MEMBERS
    try:
        copy = await engine.any_copy(draft_id, ROOT)
    except NotFoundError as exc:
        raise _invalid() from exc
    await engine.require_see(caller, copy.draft)  # before it is let in
    joining = await engine.parts.sharing.join(draft_id, session, nonce, most=most)
    match joining:
        case Joining.JOINED:
            view = await get_draft(engine, caller, draft_id)
            # The list goes by when each draft was opened, whoever opened it.
            await engine.parts.sessions.add(session, draft_id, view.draft.created_at)
            return view
        case Joining.FULL:
            raise LimitExceededError.of(f"No more than {most} can join a draft.")
        case Joining.GONE:
            raise _invalid()
        case _:
            assert_never(joining)


async def unshare(engine: Engine, caller: Caller, draft_id: str) -> View:
    """Take every link to the caller's own draft back, and let out whoever has joined it.

    What these watch ends at once. Raises `NotFoundError`, and `ForbiddenError` for a draft
    that the caller has only joined.
    """
    await engine.own_copy(caller, draft_id, ROOT)
    if not await engine.parts.sharing.unshare(draft_id):
        raise NotFoundError.of("There is no such draft.")
    engine.parts.hub.wake(draft_id)
    return await get_draft(engine, caller, draft_id)


def _read(token: str, age: int) -> tuple[str, str]:
    """Return the draft and the nonce that a link names."""
    try:
        draft_id, nonce = signing.loads(token, salt=_SALT, max_age=age)
    except (signing.BadSignature, UnicodeEncodeError) as exc:
        raise _invalid() from exc
    return draft_id, nonce


def _invalid() -> NotFoundError:
    return NotFoundError.of("This link is not valid any more.")
