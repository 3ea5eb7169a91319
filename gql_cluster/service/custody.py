"""What an operator does with drafts, whoever they belong to: look through them, and end them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING

from gql_cluster.domain.draft import Draft, DraftState
from gql_cluster.domain.tree import Want
from gql_cluster.service.engine import Engine
from gql_cluster.service.news import root_named
from gql_cluster.service.read import ROOT
from gql_cluster.store.codec import StoreFormatError
from gql_cluster.store.keys import Keys
from gql_cluster.store.listing import Listing
from gql_cluster.store.results import Locked

if TYPE_CHECKING:
    from gql_cluster.service.view import View

_AT_ONCE = 32
_LEASE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which drafts are meant: those that are all that is said; all drafts, if nothing is.

    `before` is the time since when they have not changed.
    """

    session: str | None = None
    cluster: str | None = None
    state: DraftState | None = None
    before: datetime | None = None

    def has(self, draft: Draft) -> bool:
        """Tell whether a draft is meant."""
        return (
            self.session in {None, draft.owner}
            and self.cluster in {None, draft.cluster}
            and self.state in {None, draft.state}
            and (self.before is None or draft.updated_at < self.before)
        )


class Expiry(Enum):
    """What came of ending a draft."""

    EXPIRED = "expired"
    GONE = "gone"
    COMMITTING = "committing"


async def each_draft(engine: Engine, chosen: Chosen) -> AsyncIterator[Draft]:
    """Yield the headers of the drafts that are meant, some read at once, in no order.

    One that a newer release wrote can't be read, and is left out.
    """
    parts = engine.parts
    names: list[str] = []
    async for name in Listing(parts.client, keys=Keys(prefix=parts.settings.KEY_PREFIX)):
        names.append(name)
        if len(names) == _AT_ONCE:
            for draft in await _headers(engine, names):
                if chosen.has(draft):
                    yield draft
            names.clear()
    for draft in await _headers(engine, names):
        if chosen.has(draft):
            yield draft


async def header(engine: Engine, draft_id: str) -> Draft | None:
    """Return a draft's header, None where there is no such draft, or none for this release."""
    found = await _headers(engine, [draft_id])
    return found[0] if found else None


async def any_view(engine: Engine, draft_id: str) -> View:
    """Return a draft, whoever it belongs to; raises `NotFoundError`."""
    return engine.view(await engine.any_copy(draft_id, ROOT))


async def expire(engine: Engine, draft: Draft) -> Expiry:
    """Forget a draft at once, and all that is kept of it; who watches it is told.

    What its session staged is lost. One that is being committed is left alone, and no edit gets
    in between.
    """
    parts = engine.parts
    locking = await parts.store.lock(
        draft.id, version=None, token=secrets.token_urlsafe(9), lease=_LEASE
    )
    if isinstance(locking, Locked):
        return Expiry.COMMITTING
    if not await parts.store.delete(draft.id):
        return Expiry.GONE
    await parts.sessions.forget(draft.owner, [draft.id])
    cluster = engine.clusters.get(draft.cluster)
    if cluster is not None and draft.pk is not None:
        root = root_named(cluster.label, draft.pk)
        await parts.sessions.release(draft.owner, root, draft.id)
    parts.hub.wake(draft.id)
    return Expiry.EXPIRED


async def _headers(engine: Engine, names: list[str]) -> list[Draft]:
    found = await asyncio.gather(*(_header(engine, name) for name in names))
    return [draft for draft in found if draft is not None]


async def _header(engine: Engine, draft_id: str) -> Draft | None:
    try:
        read = await engine.parts.store.read(draft_id, Want())
    except StoreFormatError:
        return None
    return None if read is None else read.draft
