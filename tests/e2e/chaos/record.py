"""What a round has seen: all that clients were told, and what is there in the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.e2e.chaos.plan import Kind

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A draft as it was before anybody changed it; `band` is its primary key if it is saved."""

    draft: str
    desk: str
    band: str | None
    cluster: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A request to change a draft that was accepted.

    `marks` are names and titles that it has added, each of them used by no other request.
    """

    draft: str
    change_id: str
    operation: str
    payload: dict[str, Any]
    marks: tuple[str, ...] = ()

    @property
    def event(self) -> dict[str, Any] | None:
        """The event that the reply told of; a commit's does not."""
        return self.payload.get("event")

    @property
    def is_commit(self) -> bool:
        """Whether it has saved the draft."""
        return "receipt" in self.payload

    @property
    def is_rebase(self) -> bool:
        """Whether it has given the draft another base."""
        return self.event is not None and self.event["cause"] == "REBASE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request that was refused, and whether that is an answer that it may get."""

    draft: str
    change_id: str
    operation: str
    errors: tuple[str, ...]
    is_foreseen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A request or a socket that came to nothing, for which the client can't do anything.

    `codes` are those that the service told; `lost` is what became of the connection. What is late
    came when nothing was away any more.
    """

    what: str
    worker: str
    codes: tuple[str | None, ...] = ()
    lost: str = ""
    is_late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event as a subscriber got it, on its how-manieth connection, opened with this `after`."""

    connection: int
    after: int | None
    event: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Subscription:
    """All that one subscriber was told of one draft, over all its connections.

    `after` is what it has asked for at first: 0 for all that there is, None for a snapshot.
    """

    subscriber: str
    draft: str
    after: int | None
    deliveries: list[Delivery] = field(default_factory=list)
    is_over: bool = False

    @property
    def seen(self) -> int | None:
        """The last version that it knows of."""
        return self.deliveries[-1].event["version"] if self.deliveries else self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A draft in the end: as it is served, and its whole log."""

    version: int
    state: str
    cluster: dict[str, Any]
    log: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt as it is in the database, where they are in the order of their transactions."""

    draft: str
    version: int
    change_id: str
    policy: str
    keep_open: bool
    band: str
    keys: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Record:
    """One round. Rows are named like `Band:1`; see `database`."""

    seed: int
    faults: list[Kind] = field(default_factory=list)
    dead_workers: set[str] = field(default_factory=set)
    opened: dict[str, Opened] = field(default_factory=dict)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    served: dict[str, Served] = field(default_factory=dict)
    before: dict[str, Row] = field(default_factory=dict)
    after: dict[str, Row] = field(default_factory=dict)
    order: dict[str, list[str]] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """Say how much there was of everything."""
        told = sum(len(each.deliveries) for each in self.subscriptions)
        return (
            f"{len(self.faults)} faults; {len(self.opened)} drafts; "
            f"{len(self.acknowledged)} requests accepted and {len(self.refused)} refused; "
            f"{len(self.receipts)} commits; {told} events told to {len(self.subscriptions)} "
            f"subscriptions; {len(self.troubles)} errors met"
        )

    def count(self, kind: Kind) -> int:
        """Return how often a fault happened."""
        return self.faults.count(kind)
