"""A draft's header and the entries of its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    COMMIT = "COMMIT"
    DISCARD = "DISCARD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft's header.

    `cluster` is the root's type name and `pk` the saved root's primary key, None for a new
    cluster. `owner` is the session that opened it. `tail` counts the ranks given out behind
    the base. Times are aware, in UTC.
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

    @property
    def is_new(self) -> bool:
        """Tell whether nothing of the cluster is saved yet."""
        return self.pk is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one version did to a draft. `keys` maps a commit's new and kept keys to primary keys."""

    version: int
    at: datetime
    session: str
    change_id: str | None
    cause: Cause
    deltas: tuple[Delta, ...] = ()
    keys: Mapping[str, Json] | None = None
