"""Watching a draft: every event once and in order, over any number of reconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from gql_cluster import metrics
from gql_cluster.domain.draft import Draft, DraftState, Entry
from gql_cluster.domain.error import (
    DatabaseUnavailableError,
    NotFoundError,
    StoreUnavailableError,
)
from gql_cluster.domain.tree import Want
from gql_cluster.service.engine import root_name
from gql_cluster.service.log import entries_behind
from gql_cluster.service.news import happens
from gql_cluster.service.read import ROOT
from gql_cluster.store.presence import Editor

if TYPE_CHECKING:
    from gql_cluster.conf import Settings
    from gql_cluster.domain.copy import Copy
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.hub import Subscriber
    from gql_cluster.service.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a draft, numbered; a snapshot of it where `entry` is None.

    `view` is the draft now, `at` as it was right after the entry.
    """

    view: View
    at: View
    entry: Entry | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorsChanged:
    """Others came or left, or somebody's focus moved; only the newest of several is told."""

    view: View
    time: datetime
    editors: tuple[Editor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseChanged:
    """Others have saved the cluster since the draft's base; only the newest save is told."""

    view: View
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """The draft expires soon, unless it is changed; told once for each time of expiry."""

    view: View
    time: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """The draft is gone; `view` is what was known of it last, and can load no more."""

    view: View
    time: datetime


Notice: TypeAlias = EditorsChanged | BaseChanged | Expiring | Expired
"""What is told of a draft as it is now: it has no number, and is not kept."""


async def watch(
    engine: Engine, caller: Caller, draft_id: str, *, after: int | None
) -> AsyncGenerator[Event | Notice, None]:
    """Yield each event behind the version `after`, then each one as it happens, and notices.

    Without `after`, or where the log does not reach back to it, a snapshot comes first; it comes
    again instead of more than `MAX_BACKLOG` events that happened while the caller did not ask
    for the next. Ends behind the event that closes the draft, or its expiry. Raises
    `NotFoundError` for a draft that is not there for the caller, or not any more. A lost wake-up
    delays an event by `POLL_INTERVAL` at most. The caller is an editor as long as it runs.
    """
    copy = await engine.copy(caller, draft_id, ROOT, fresh=True)
    joined_at = copy.version
    with engine.parts.hub.watching(draft_id, caller.required_session()) as here:
        await here.entered()  # before the first snapshot, which shows the editors
        subscription = _Subscription(engine, caller, copy, after, here)
        metrics.open_now["subscriptions"] += 1
        try:
            while (told := await subscription.next()) is not None:
                _count(told, joined_at)
                yield told
        finally:
            metrics.open_now["subscriptions"] -= 1


def _count(told: Event | Notice, joined_at: int) -> None:
    """Count what is told; how late it is, of what happened since the subscriber came."""
    if not isinstance(told, Event):
        metrics.events[type(told).__name__] += 1
    elif told.entry is None:
        metrics.events["Snapshot"] += 1
    else:
        metrics.events[told.entry.cause.value.title()] += 1
        if told.entry.version > joined_at:
            late = datetime.now(UTC) - told.entry.at
            metrics.lag.take(max(0.0, late.total_seconds()))


class _Subscription:
    """One subscriber's place in the log, and what it has been told besides.

    The next thing to tell is looked for when it is asked for: a slow reader has no queue.
    """

    def __init__(
        self, engine: Engine, caller: Caller, copy: Copy, after: int | None, here: Subscriber
    ) -> None:
        self._engine = engine
        self._parts = engine.parts
        self._session = caller.required_session()
        self._caller = caller
        self._copy = copy
        self._here = here
        self._cursor = after
        self._joined_at = copy.version
        self._begun = False
        self._over = False
        self._is_following = False
        self._editors: tuple[Editor, ...] | None = None
        self._expiry: datetime | None = None
        self._stamp: int | None = None

    async def next(self) -> Event | Notice | None:
        """Return what is to be told next, as soon as there is something; None at the end."""
        changed = self._here.changed
        while not self._over:
            told: Event | Notice | None = None
            if changed.is_set() or not self._has_told_all():
                changed.clear()
                try:
                    await self._caller.user()
                    if not await self._refresh():
                        self._over = True
                        return Expired(view=self._view(), time=datetime.now(UTC))
                    told = await self._event()
                    if told is None and self._copy.draft.state is not DraftState.OPEN:
                        return None
                except (StoreUnavailableError, DatabaseUnavailableError):
                    await happens(changed, within=self._settings.POLL_INTERVAL)
                    changed.set()
                    continue
            self._begun = True
            told = told or self._notice()
            if told is not None:
                return told
            await self._wait(changed)
        return None

    async def _wait(self, changed: asyncio.Event) -> None:
        """Return when there may be something to tell, or it is time to look who asks."""
        if self._caller.identity is None:
            await changed.wait()
        elif not changed.is_set():
            await happens(changed, within=self._settings.USER_RECHECK)
            changed.set()

    @property
    def _settings(self) -> Settings:
        return self._parts.settings

    def _has_told_all(self) -> bool:
        """Tell whether there is no entry more, as far as is known here."""
        draft = self._copy.draft
        return self._begun and self._cursor == draft.version and draft.state is DraftState.OPEN

    async def _refresh(self) -> bool:
        """Take the draft as it is known here; False when it is gone.

        Raises `NotFoundError` when it is there and the caller may not see it any more.
        """
        draft_id = self._copy.draft.id
        if (
            self._is_following
            and self._parts.cache.keeps(self._copy)
            and self._copy.draft.admits(self._session)
        ):
            await self._engine.require_see(self._caller, self._copy.draft)
            return True
        try:
            self._copy = await self._engine.copy(self._caller, draft_id, ROOT, fresh=False)
        except NotFoundError:
            if await self._parts.cache.get(draft_id, Want(), fresh=True) is not None:
                raise
            return False
        draft = self._copy.draft
        if draft.pk is not None:
            self._here.follow(root_name(self._engine.clusters[draft.cluster], draft.pk))
            self._is_following = True
        return True

    async def _event(self) -> Event | None:
        """Return the next event of the log, or a snapshot that stands for many."""
        copy = self._copy
        entries = await self._entries()
        if entries is None:
            if not self._begun:
                self._editors = self._here.editors  # the snapshot shows them
            view = self._view()
            self._cursor = view.draft.version
            return Event(view=view, at=view, entry=None)
        for entry in entries:
            self._cursor = entry.version
            now = self._view()
            is_now = entry.version == now.draft.version
            at = now if is_now else self._engine.view(copy, version=entry.version)
            return Event(view=now, at=at, entry=entry)
        return None

    async def _entries(self) -> Sequence[Entry] | None:
        """Return the entries behind the cursor, None where a snapshot has to stand for them."""
        if self._cursor is None:
            return None
        behind = await entries_behind(self._engine, self._copy, self._cursor)
        if behind is None or self._cursor < self._joined_at:
            return behind
        return behind if len(behind) <= self._settings.MAX_BACKLOG else None

    # Notices: all that is told without a number is decided here.

    def _notice(self) -> Notice | None:
        """Return what is to be told of the draft as it is now, one at a time, the first first."""
        now = datetime.now(UTC)
        editors, draft = self._here.editors, self._copy.draft
        if editors not in (None, self._editors):
            self._editors = editors
            return EditorsChanged(view=self._view(), time=now, editors=editors)
        stamp = self._here.stamp
        # What a commit of the draft itself saves is its base when it has ended.
        if stamp is not None and draft.stamp < stamp != self._stamp and not draft.locked:
            self._stamp = stamp
            return BaseChanged(view=self._view(), time=now)
        if draft.expires_at != self._expiry and now >= self._notice_of(draft):
            self._expiry = draft.expires_at
            return Expiring(view=self._view(), time=now, expires_at=draft.expires_at)
        return None

    def _notice_of(self, draft: Draft) -> datetime:
        return draft.expires_at - timedelta(seconds=self._settings.EXPIRY_NOTICE)

    def _view(self) -> View:
        return self._engine.view(self._copy)
