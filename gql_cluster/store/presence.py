"""Who watches each draft, and what they have in focus."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gql_cluster.store.client import Client, guarded
from gql_cluster.store.keys import Keys
from gql_cluster.store.scripts import Scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """One subscription to a draft's events, such as a tab of a session. `id` is random."""

    id: str
    session: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """A session that watches a draft; the node and the field that it has in focus, if any."""

    session: str
    since: datetime
    key: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The editors of a draft, the longest first; `changed` tells whether the call changed them."""

    editors: tuple[Editor, ...]
    changed: bool


class PresenceStore:
    """The watchers and editors of drafts, kept beside them.

    A watcher is forgotten `ttl` after its last beat, and a session, with its focus, with the last
    of its watchers. Each method is one round trip and atomic, may be repeated, and forgets who
    is due. Raises `StoreUnavailableError`.
    """

    def __init__(self, client: Client, *, ttl: timedelta, keys: Keys | None = None) -> None:
        """Take the client, which stays its owner's to close, and the expiry."""
        self._client = client
        self._run = Scripts(client)
        self._ttl_ms = ttl // timedelta(milliseconds=1)
        self._keys = keys or Keys()

    @guarded
    async def beat(
        self, draft_id: str, stay: Collection[Watcher], leave: Collection[Watcher] = ()
    ) -> Present:
        """Keep some watchers, who may be new, and let others go."""
        return await self._call(draft_id, stay=stay, leave=leave)

    @guarded
    async def focus(
        self, draft_id: str, session: str, key: str | None, field: str | None
    ) -> Present:
        """Move a session's focus, or clear it; nothing is kept for one that is no editor."""
        focus = "" if key is None else f"{key}\0{field or ''}"
        return await self._call(draft_id, session=session, focus=focus)

    @guarded
    async def editors(self, draft_id: str) -> tuple[Editor, ...]:
        """Return who watches a draft now, the longest first."""
        return (await self._call(draft_id)).editors

    async def _call(
        self,
        draft_id: str,
        *,
        session: str = "",
        focus: str = "",
        stay: Collection[Watcher] = (),
        leave: Collection[Watcher] = (),
    ) -> Present:
        _, changed, flat = await self._run(
            "presence",
            self._keys.editors(draft_id),
            self._ttl_ms,
            session,
            focus,
            len(stay),
            *(part for each in stay for part in (each.session, each.id, each.since.isoformat())),
            len(leave),
            *(part for each in leave for part in (each.session, each.id)),
        )
        return Present(editors=_editors(flat), changed=changed > 0)


def _editors(flat: Sequence[bytes]) -> tuple[Editor, ...]:
    rows = zip(flat[::2], flat[1::2], strict=True)
    editors = [_editor(session.decode(), row.decode()) for session, row in rows]
    return tuple(sorted(editors, key=lambda editor: (editor.since, editor.session)))


def _editor(session: str, row: str) -> Editor:
    since, _, focus = row.partition("\0")
    key, _, field = focus.partition("\0")
    return Editor(
        session=session,
        since=datetime.fromisoformat(since),
        key=key or None,
        field=field or None,
    )
