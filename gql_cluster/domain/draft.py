"""A draft's header and the entries of its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from gql_cluster.domain.delta import Delta
from gql_cluster.domain.node import Json


class DraftState(Enum):
    """Whether a draft takes changes; a closed one can still be read until it expires."""

    OPEN = "OPEN"
    COMMITTED = "COMMITTED"
    DISCARDED = "DISCARDED"


class Cause(Enum):
    """What made an entry of the log."""

    EDIT = "EDIT"
    UNDO = "UNDO"
    REDO = "REDO"
    REVERT = "REVERT"
    RESET = "RESET"
    REBASE = "REBASE"
    COMMIT = "COMMIT"
    DISCARD = "DISCARD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A session's newest version that it can undo, and its newest undo that it can redo."""

    undo: int | None = None
    redo: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft's header.

    `cluster` is the root's type name and `pk` the saved root's primary key, None for a new
    cluster. `owner` is the session that opened it, `members` are those that joined it with a
    token made under `share`, empty where no token is valid. `tail` counts the ranks given out
    behind the base. `stamp` counts the saves of the cluster that the base has in it. `stacks`
    holds what each session can undo and redo. `skipped` are the numbers that `version` has left
    out. `locked` tells whether a commit held it when the header was read. Times are aware, in UTC.
    """

    id: str
    cluster: str
    pk: Json
    owner: str
    state: DraftState
    version: int
    tail: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    members: frozenset[str] = frozenset()
    share: str = ""
    stamp: int = 0
    stacks: Mapping[str, Stack] = field(default_factory=dict)
    skipped: int = 0
    locked: bool = False

    def admits(self, session: str) -> bool:
        """Tell whether a session may see and change the draft."""
        return session == self.owner or session in self.members

    @property
    def is_new(self) -> bool:
        """Tell whether nothing of the cluster is saved yet."""
        return self.pk is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one version did to a draft.

    `previous` is the version before it: one less, but behind a restart of the store, where the
    numbers skip. `keys` maps a commit's new and kept keys to primary keys, and `named` are those
    of them that had none before. `undoes` is the
    version that an undo takes back, or whose undoing a redo takes back; `below` is what lies
    below this entry on its session's stack. `theirs` is what a rebase brought into the base
    of the nodes that the draft had touched; into all others it brought its `deltas`.
    """

    version: int
    previous: int
    at: datetime
    session: str
    change_id: str | None
    cause: Cause
    deltas: tuple[Delta, ...] = ()
    keys: Mapping[str, Json] | None = None
    undoes: int | None = None
    below: int | None = None
    theirs: tuple[Delta, ...] = ()
    named: tuple[str, ...] = ()
