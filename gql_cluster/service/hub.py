"""Waiting for a draft to change: one listener a draft and worker, however many watch.

The channel layer only wakes it, and may lose a wake-up: the truth is the draft's log, which is
looked at every `poll` seconds at the latest, and how often its saved root was saved; and who
watches, which is asked with every beat.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, assert_never

from channels.layers import get_channel_layer

from gql_cluster.domain.draft import Draft
from gql_cluster.domain.error import ClusterError
from gql_cluster.domain.tree import Want
from gql_cluster.service.news import News, happens, root_group
from gql_cluster.service.presence import Presence
from gql_cluster.store.cache import CopyCache
from gql_cluster.store.presence import Editor, PresenceStore, Watcher
from gql_cluster.store.stamps import Stamps

logger = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds that the channel layer may take for a wake-up."""
_QUIET = 60.0
"""Seconds between two warnings."""
_GRACE = 0.05
"""Seconds that Redis keeps a draft beyond its expiry, because it was told of it that late."""


class Watch:
    """One draft that is watched here, and each subscriber's event."""

    def __init__(self, draft_id: str) -> None:
        self.draft_id = draft_id
        self.presence: Presence
        self.subscribers: dict[asyncio.Event, None] = {}  # in the order in which they came
        self.header: Draft | None = None
        self.root: str | None = None
        self.stamp: int | None = None
        self.noticed: datetime | None = None
        self.due = asyncio.Event()
        self.over = asyncio.Event()

    def changed(self) -> None:
        """Wake the subscribers."""
        for subscriber in self.subscribers:
            subscriber.set()

    def take(self, news: News) -> None:
        """Have it looked at what may have changed."""
        match news:
            case News.DRAFT | News.SAVED:
                self.due.set()
            case News.EDITORS:
                self.presence.refresh()
            case _:
                assert_never(news)

    def close(self) -> None:
        """Let its tasks end."""
        self.over.set()
        self.due.set()
        self.presence.close()


class Subscriber:
    """One who watches a draft: `changed` is set whenever something may have happened to it."""

    def __init__(self, hub: Hub, watch: Watch, watcher: Watcher) -> None:
        self._hub = hub
        self._watch = watch
        self._presence = watch.presence
        self._watcher = watcher
        self.changed = asyncio.Event()

    @property
    def stamp(self) -> int | None:
        """How often the root was saved, as far as is known here; the draft may be known newer."""
        return self._watch.stamp

    def follow(self, root: str) -> None:
        """Have the saves of the draft's root looked at, too, from now on."""
        self._hub.follow(self._watch, root)

    @property
    def editors(self) -> tuple[Editor, ...] | None:
        """Who watches the draft, as far as is known here; None where it is not known as yet."""
        return self._presence.editors

    async def entered(self) -> None:
        """Return when its session is an editor of the draft, or when the store is away."""
        await self._presence.entered(self._watcher)


class Hub:
    """The watched drafts of one event loop."""

    def __init__(  # noqa: PLR0913 - all that it looks at, and how often
        self,
        cache: CopyCache,
        presence: PresenceStore,
        stamps: Stamps,
        *,
        prefix: str,
        poll: float,
        beat: float,
        notice: float,
    ) -> None:
        """`poll`, `beat` and `notice`, how long before an expiry it is told, are in seconds."""
        self._cache = cache
        self._presence = presence
        self._stamps = stamps
        self._prefix = prefix
        self._poll = poll
        self._beat = beat
        self._notice = notice
        self._name = secrets.token_urlsafe(9)
        self._watches: dict[str, Watch] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # What is being told, and whether it has happened again since.
        self._telling: dict[tuple[str, News], bool] = {}
        self._quiet_until = 0.0

    def wake(
        self,
        draft_id: str,
        news: News = News.DRAFT,
        *,
        version: int | None = None,
        elsewhere: bool = True,
    ) -> None:
        """Tell every worker that a draft has changed; that this can fail is of no account.

        Nobody waits for it, and what happens while a worker is being told is told together.
        `version` is the one that was made here. Without `elsewhere` nobody watches it but here.
        """
        if (watch := self._watches.get(draft_id)) is not None:
            if version is not None and self._cache.knows(draft_id, version):
                watch.changed()
            else:
                watch.take(news)
        if elsewhere:
            self._tell(draft_id, news)

    @contextmanager
    def watching(self, draft_id: str, session: str) -> Iterator[Subscriber]:
        """Keep a draft's copy up to date, and a session its editor, as long as the block runs."""
        watch = self._watches.get(draft_id) or self._begin(draft_id)
        watcher = watch.presence.enter(session)
        subscriber = Subscriber(self, watch, watcher)
        watch.subscribers[subscriber.changed] = None
        try:
            yield subscriber
        finally:
            watch.subscribers.pop(subscriber.changed, None)
            watch.presence.leave(watcher)
            if not watch.subscribers and self._watches.get(draft_id) is watch:
                del self._watches[draft_id]
                watch.close()

    def follow(self, watch: Watch, root: str) -> None:
        """Look at the saves of a watched draft's root, too."""
        if watch.root is None and not watch.over.is_set():
            watch.root = root
            watch.due.set()
            self._run(self._listen(watch, root_group(self._prefix, root)))

    async def aclose(self) -> None:
        """Stop listening."""
        for watch in self._watches.values():
            watch.close()
        self._watches.clear()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(self._poll, _PATIENCE))

    def _begin(self, draft_id: str) -> Watch:
        watch = self._watches[draft_id] = Watch(draft_id)
        watch.presence = Presence(
            self._presence,
            draft_id,
            beat=self._beat,
            changed=watch.changed,
            came=watch.due.set,
            announce=partial(self._announce, watch),
        )
        group = self._group(draft_id)
        for work in (self._follow(watch), self._listen(watch, group), watch.presence.run()):
            self._run(work)
        return watch

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Looking

    async def _follow(self, watch: Watch) -> None:
        """Look at the draft whenever it is due, and by and by."""
        while not watch.over.is_set():
            watch.due.clear()
            await self._look(watch)
            await happens(watch.due, within=self._pause(watch))

    async def _look(self, watch: Watch) -> None:
        try:
            header = await self._header(watch)
            if header is None or header != watch.header:
                watch.header = header
                watch.changed()
            self._notice_expiry(watch)
            if header is not None and watch.root is not None:
                await self._look_at_root(watch, watch.root, header)
        except ClusterError:
            return  # the store is away: the subscribers will know when it is back
        except Exception:
            logger.exception("A draft that is watched can't be read.")

    def _notice_expiry(self, watch: Watch) -> None:
        """Wake the subscribers when there is their notice to tell, once for each expiry."""
        header = watch.header
        if header is None or header.expires_at == watch.noticed:
            return
        if _seconds_to(header.expires_at) <= self._notice:
            watch.noticed = header.expires_at
            watch.changed()

    async def _look_at_root(self, watch: Watch, root: str, header: Draft) -> None:
        stamp = await self._stamps.get(root)
        if stamp == watch.stamp:
            return
        if stamp > header.stamp:
            # Again, for the header as it is behind the save: that may be the draft's own commit.
            watch.header = await self._header(watch)
        watch.stamp = stamp
        watch.changed()

    async def _header(self, watch: Watch) -> Draft | None:
        copy = await self._cache.get(watch.draft_id, Want(), fresh=True)
        return None if copy is None else copy.draft

    def _pause(self, watch: Watch) -> float:
        if watch.header is None:
            return self._poll
        left = _seconds_to(watch.header.expires_at)
        due = (left - self._notice, left + _GRACE)
        return min((self._poll, *(each for each in due if each > 0)))

    # Listening

    async def _listen(self, watch: Watch, group: str) -> None:
        """Take the wake-ups of the channel layer, and begin anew where it fails."""
        layer: Any = get_channel_layer()
        while layer is not None and not watch.over.is_set():
            try:
                await self._receive(layer, watch, group)
            except Exception as exc:  # noqa: BLE001 - whatever the layer raises: there is the poll
                self._warn("Listening for drafts was interrupted.", exc)
                await happens(watch.over, within=self._poll)

    async def _receive(self, layer: Any, watch: Watch, group: str) -> None:
        channel = await layer.new_channel()
        # Ended by an event and not by cancelling: a receive that is cancelled leaves its group.
        over = asyncio.ensure_future(watch.over.wait())
        received: asyncio.Future[Any] = asyncio.ensure_future(layer.receive(channel))
        try:
            await layer.group_add(group, channel)
            for news in News:  # something may have happened before the group was joined
                watch.take(news)
            while not over.done():
                await asyncio.wait({received, over}, return_when=asyncio.FIRST_COMPLETED)
                if received.done():
                    self._take(watch, received.result())
                    received = asyncio.ensure_future(layer.receive(channel))
        finally:
            try:
                await layer.group_discard(group, channel)
            finally:
                over.cancel()
                received.cancel()
                await asyncio.wait({over, received})

    def _take(self, watch: Watch, message: Any) -> None:
        news = next((each for each in News if each.value == message.get("type")), None)
        # What this hub sent, it has taken itself; a newer release may tell what is not known here.
        if news is not None and message.get("by") != self._name:
            watch.take(news)

    # Telling

    def _tell(self, draft_id: str, news: News) -> None:
        what = (draft_id, news)
        is_told = what in self._telling
        self._telling[what] = is_told
        if not is_told:
            self._run(self._tell_all(what))

    async def _tell_all(self, what: tuple[str, News]) -> None:
        is_due = True
        while is_due:
            self._telling[what] = False
            await self._send(*what)
            is_due = self._telling[what]
        del self._telling[what]

    async def _announce(self, watch: Watch) -> None:
        """Tell all others who watch the draft, here too, that its editors have changed."""
        other = self._watches.get(watch.draft_id)
        if other is not None and other is not watch:
            other.take(News.EDITORS)
        await self._send(watch.draft_id, News.EDITORS)

    async def _send(self, draft_id: str, news: News) -> None:
        layer: Any = get_channel_layer()
        if layer is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await layer.group_send(
                    self._group(draft_id), {"type": news.value, "by": self._name}
                )
        except Exception as exc:  # noqa: BLE001 - whatever the layer raises: there is the poll
            self._warn("A wake-up of draft watchers was lost.", exc)

    def _group(self, draft_id: str) -> str:
        return f"{self._prefix}.draft.{draft_id}"

    def _warn(self, message: str, exc: Exception) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET
            logger.warning(message, exc_info=exc)


def _seconds_to(time: datetime) -> float:
    return (time - datetime.now(UTC)).total_seconds()
