"""Where some editors work together on one draft after another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.client import Client


@dataclass(slots=True, kw_only=True)
class Desk:
    """A draft under edit, and what its editors know of it.

    `draft` is empty while none is open; each is shared with the guest, if there is one. `band` is
    the primary key of its band, None while that is not saved; a shared band is under edit at
    other desks too. `genres` are those that no other desk uses. `members` and `songs` have been
    added here, and nobody else changes them; songs come with the album that they are on.
    """

    name: str
    client: Client
    guest: Client | None
    band: str | None
    is_shared: bool
    genres: tuple[str, ...]
    draft: str = ""
    opened: asyncio.Condition = field(default_factory=asyncio.Condition)
    albums: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    songs: list[tuple[str, str]] = field(default_factory=list)

    async def other_than(self, draft: str) -> str:
        """Return the draft that is under edit, as soon as there is one, and another than this."""
        async with self.opened:
            await self.opened.wait_for(lambda: self.draft not in {"", draft})
            return self.draft

    async def begin(self, draft: str, cluster: dict[str, Any]) -> None:
        """Go on with a draft that was just opened."""
        self.albums = [album["key"] for album in cluster["albums"]]
        self.members, self.songs = [], []
        async with self.opened:
            self.draft = draft
            self.opened.notify_all()

    def learn(self, event: dict[str, Any]) -> None:
        """Take in what a request has done."""
        if event["cause"] == "REBASE":
            return
        for change in event["changes"]:
            match change["kind"], change["typename"]:
                case "ADDED", "BandMember":
                    self.members.append(change["key"])
                case "REMOVED", "BandMember" if change["key"] in self.members:
                    self.members.remove(change["key"])
                case "ADDED", "Song":
                    self.songs.append((change["parentKey"], change["key"]))
                case "REMOVED", "Song" if (change["parentKey"], change["key"]) in self.songs:
                    self.songs.remove((change["parentKey"], change["key"]))
