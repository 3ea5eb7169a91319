"""Presence: which sessions watch a draft, and the node and field that each has in focus."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Container
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db.models import Model

from gql_cluster.domain.error import ClusterError, InvalidChangeError
from gql_cluster.domain.tree import Want
from gql_cluster.service.news import News, happens
from gql_cluster.service.sight import hidden_with_all_above
from gql_cluster.store.presence import Editor, PresenceStore, Watcher

if TYPE_CHECKING:
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine

logger = logging.getLogger(__name__)

_PACE = 0.1
"""Seconds between two calls for one draft: what changes faster is told as one change."""
_LONGEST_KEY = 300


class Presence:
    """The watchers that this worker has of one draft, and what it knows of the draft's editors.

    One task makes all calls, so that what it knows is never older than what it knew.
    """

    def __init__(  # noqa: PLR0913 - what it asks, and whom it tells
        self,
        store: PresenceStore,
        draft_id: str,
        *,
        beat: float,
        changed: Callable[[], None],
        came: Callable[[], None],
        announce: Callable[[], Awaitable[None]],
    ) -> None:
        """`beat` is in seconds. `changed` tells those here of a change, `announce` all others.

        `came` has the draft looked at: what was changed before the store knew of a watcher here
        was told to nobody.
        """
        self._store = store
        self._draft_id = draft_id
        self._beat = beat
        self._changed = changed
        self._came = came
        self._announce = announce
        self.editors: tuple[Editor, ...] | None = None
        """The editors as they were at the last call; None before the first."""
        self._here: dict[Watcher, asyncio.Event] = {}
        self._left: set[Watcher] = set()
        self._known: set[Watcher] = set()
        self._due = asyncio.Event()
        self._over = asyncio.Event()

    def enter(self, session: str) -> Watcher:
        """Add a watcher; the next call tells it."""
        watcher = Watcher(id=secrets.token_urlsafe(9), session=session, since=datetime.now(UTC))
        self._here[watcher] = asyncio.Event()
        self.refresh()
        return watcher

    async def entered(self, watcher: Watcher) -> None:
        """Return when a call has told of a watcher, or when it failed: the next one will."""
        await self._here[watcher].wait()

    def leave(self, watcher: Watcher) -> None:
        """Let a watcher go; the next call tells it."""
        if (entered := self._here.pop(watcher, None)) is not None:
            entered.set()
            self._left.add(watcher)
            self.refresh()

    def refresh(self) -> None:
        """Ask for a call soon: others changed something."""
        self._due.set()

    def close(self) -> None:
        """Let `run` end, and every watcher go."""
        self._over.set()
        self._due.set()

    async def run(self) -> None:
        """Beat for the watchers until `close` is called."""
        while not self._over.is_set():
            self._due.clear()
            await self._call()
            await happens(self._over, within=_PACE)
            await happens(self._due, within=self._beat - _PACE)
        for watcher in list(self._here):
            self.leave(watcher)
        if self._left:
            await self._call()

    async def _call(self) -> None:
        told, left = list(self._here.items()), list(self._left)
        here = {watcher for watcher, _ in told}
        try:
            present = await self._store.beat(self._draft_id, [each for each, _ in told], left)
        except ClusterError:
            return  # the store is away: the next beat tells it all
        except Exception:
            logger.exception("Who watches a draft can't be told.")
            return
        finally:
            for _, entered in told:
                entered.set()
        self._left.difference_update(left)
        is_news = not here <= self._known
        self._known = here
        if is_news:
            self._came()
        if present.editors != self.editors:
            self.editors = present.editors
            self._changed()
        if present.changed:
            await self._announce()


async def set_focus(  # noqa: PLR0913 - one request, said whole
    engine: Engine,
    caller: Caller,
    draft_id: str,
    key: str | None,
    field: str | None,
    *,
    fields_of: Callable[[type[Model]], Container[str]],
) -> bool:
    """Say which node and field the caller has in focus, None for none; False if it watches not.

    `fields_of` gives the names that a model's fields have for clients. Raises
    `InvalidChangeError` for a node that the draft has not, or a field that the node has not.
    """
    if key is None and field is not None:
        raise InvalidChangeError.of("A field is in focus with its node only.", field=field)
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise InvalidChangeError.of("That can't be a key.")
    want = Want() if key is None else Want(keys=frozenset({key}))
    view = engine.view(await engine.copy(caller, draft_id, want, fresh=True))
    if key is not None:
        node = await view.load_line(key)
        if node is None or await hidden_with_all_above(caller, view, [node]):
            raise InvalidChangeError.of(f"There is no node “{key}” in the draft.", key=key)
        if field is not None and field not in fields_of(view.cluster.models[node.type]):
            raise InvalidChangeError.of(
                f"“{key}” has no field “{field[:64]}”.", key=key, field=field
            )
    session = caller.required_session()
    present = await engine.parts.presence.focus(draft_id, session, key, field)
    if present.changed:
        engine.parts.hub.wake(draft_id, News.EDITORS)
    return any(editor.session == session for editor in present.editors)


async def editors_of(engine: Engine, draft_id: str) -> tuple[Editor, ...]:
    """Return who watches a draft now, the longest first; the caller has checked who asks."""
    return await engine.parts.presence.editors(draft_id)
