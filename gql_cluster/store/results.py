"""What comes back from the store; a caller matches the variants that a method names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeAlias

from gql_cluster.domain.draft import Draft, DraftState, Entry
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.tree import Siblings
from gql_cluster.store.capacity import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The change id was applied before, as this version; nothing was written now."""

    version: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Parts of a draft, all at `draft.version`.

    `entries` are those behind the version asked for, in order without a hole, as many as the
    limit allows. `gap`: the log does not reach back so far, or the version is not of its history.
    A node is None where there never was one. `size` is the bytes of all this as stored.
    """

    draft: Draft
    entries: tuple[Entry, ...] = ()
    gap: bool = False
    nodes: Mapping[str, Node | None] = field(default_factory=dict)
    relations: Mapping[tuple[str, str], Siblings] = field(default_factory=dict)
    outcome: Seen | None = None
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased:
    """The new base that a rebase brings: the base nodes of all that the draft differs in.

    A node is None where the draft added it. `stamp` counts the saves that the base has in it.
    """

    base: Mapping[str, Node | None]
    stamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a commit has saved, and is the base from then on: the nodes that differ, as saved."""

    pk: Json
    stamp: int
    nodes: Collection[Node]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The change set is kept. `draft` is the header now; `size` the bytes written.

    `is_watched` tells whether anybody watches the draft, on whatever worker.
    """

    draft: Draft
    size: int
    is_watched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The draft is closed by this entry; `draft` is the header now."""

    draft: Draft
    entry: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """The lock is held, at `draft.version`, which no edit changes as long as it is held."""

    draft: Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """Others appended meanwhile: `read` brings what happened since the caller's version."""

    read: Read


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """The draft is at this version, not at the one that the client expected."""

    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A node was to be added under this key, and there is or was one already."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """The change set would make the draft larger than it may be."""

    of: Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """The next version is this one: Redis has been restarted, and the numbers skip ahead."""

    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The draft has been closed, by the entry of this version."""

    state: DraftState
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """A commit of this version holds the draft under this token.

    `left` of its lease is below zero when over.
    """

    token: str
    left: timedelta
    version: int

    @property
    def lease_over(self) -> bool:
        """Tell whether the commit has outlived its lease: it may have died."""
        return self.left <= timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockLost:
    """The token's lock is held no more, by anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """There is no such draft for this session: it expired, never was, or is another's."""


Appended: TypeAlias = (
    Accepted | Seen | Behind | Stale | Skip | Taken | Full | Closed | Locked | Gone
)
Locking: TypeAlias = Acquired | Stale | Closed | Locked | Gone
Closing: TypeAlias = Ended | Closed | Locked | LockLost | Gone
