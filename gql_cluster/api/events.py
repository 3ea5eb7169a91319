"""Events as clients see them: past-tense facts about a draft, numbered by its version.

Besides, notices of the draft as it is now, which have no number of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import Any, assert_never

import strawberry

from gql_cluster.api.deltas import NodeChange, node_changes
from gql_cluster.api.drafts import Draft
from gql_cluster.api.errors import ConflictEntry, conflicts_shown
from gql_cluster.api.presence import DraftEditor, draft_editors
from gql_cluster.api.saved_keys import SavedKey, saved_keys, types_in
from gql_cluster.api.served import Served
from gql_cluster.domain.delta import told
from gql_cluster.domain.draft import Cause, Entry
from gql_cluster.service import watch
from gql_cluster.service.dry_run import draft_conflicts
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.view import View
from gql_cluster.service.watch import Event, Expired, Expiring, Notice


@strawberry.enum(description="What made a change set.")
class EditCause(Enum):
    """The causes of entries that change nodes."""

    EDIT = strawberry.enum_value("EDIT", description="A client sent the changes.")
    UNDO = strawberry.enum_value("UNDO", description="A session took back its last change set.")
    REDO = strawberry.enum_value("REDO", description="A session took back its last undo.")
    REVERT = strawberry.enum_value("REVERT", description="The draft went back to a version.")
    RESET = strawberry.enum_value("RESET", description="Nodes got back their base state.")
    REBASE = strawberry.enum_value(
        "REBASE", description="The draft's changes were laid over what is saved now."
    )


@strawberry.interface(
    description=(
        "Something that happened to a draft. Its version numbers it, and none is left out; only "
        "`EditorsChanged`, `BaseChanged`, `DraftExpiring` and `DraftExpired` carry the version of "
        "the moment."
    )
)
class DraftEvent:
    """An event or a notice as the service tells it."""

    event: strawberry.Private[Event | Notice]
    served: strawberry.Private[Served]

    @property
    def entry(self) -> Entry | None:
        """The entry of the log, None for a snapshot and for a notice."""
        return self.event.entry if isinstance(self.event, Event) else None

    @property
    def behind(self) -> View:
        """The draft right after it."""
        return self.event.at if isinstance(self.event, Event) else self.event.view

    @strawberry.field(description="The draft that it happened to.")
    def draft_id(self) -> strawberry.ID:
        """Name the draft."""
        return self.served.id_of(self.event.view)

    @strawberry.field(
        description="The version that it made, or that the draft is at; `after` takes it."
    )
    def version(self) -> int:
        """Return the number of the event."""
        return self.entry.version if self.entry else self.event.view.draft.version

    @strawberry.field(description="When it happened.")
    def at(self) -> datetime:
        """Return the time of the event; of a snapshot, that of the last change."""
        if isinstance(self.event, Event):
            return self.entry.at if self.entry else self.event.view.draft.updated_at
        return self.event.time

    @strawberry.field(description="The session that made it happen; null where there is not one.")
    def session_id(self) -> strawberry.ID | None:
        """Name the session."""
        return strawberry.ID(self.entry.session) if self.entry else None

    @strawberry.field(description="The `changeId` of the request that made it happen.")
    def change_id(self) -> strawberry.ID | None:
        """Return the client's name for the request."""
        change_id = self.entry.change_id if self.entry else None
        return None if change_id is None else strawberry.ID(change_id)

    def _changes(self, info: strawberry.Info) -> Any:
        deltas = told(self.entry.deltas) if self.entry else ()
        return node_changes(deltas, self.behind, self.served, info)

    @strawberry.field(
        description=(
            "The draft as it is now; its version may be newer than the event's. Null when it is "
            "gone."
        )
    )
    def draft(self) -> Draft | None:
        """Return the draft at the time of delivery."""
        return None if isinstance(self.event, Expired) else self.served.draft(self.event.view)


@strawberry.type(
    description="The draft as it is: comes first, and whenever earlier events are not kept."
)
class DraftSnapshot(DraftEvent):
    """Where a subscriber begins."""


@strawberry.type(description="Changes were staged.")
class DraftEdited(DraftEvent):
    """A change set was accepted."""

    @strawberry.field(description="What it changed, in the order that it was done.")
    def changes(self, info: strawberry.Info) -> list[NodeChange]:
        """Return the deltas of the change set."""
        return self._changes(info)  # type: ignore[no-any-return]  # or an awaitable of them

    @strawberry.field(description="What made the change set.")
    def cause(self) -> EditCause:
        """Name the cause."""
        return EditCause[(self.entry.cause if self.entry else Cause.EDIT).name]


@strawberry.type(
    description="The cluster was saved as the draft had it. The draft is closed, or goes on."
)
class DraftCommitted(DraftEvent):
    """A commit."""

    @strawberry.field(description="What each node that the draft named is called since.")
    async def keys(self) -> list[SavedKey]:
        """Return the saved nodes."""
        keys = (self.entry.keys if self.entry else None) or {}
        view = self.event.view
        return await saved_keys(view.cluster, self.served, keys, await types_in(view, keys))

    @strawberry.field(
        description="What saving changed in a draft that stays open: numbers given, and the like."
    )
    def changes(self, info: strawberry.Info) -> list[NodeChange]:
        """Return the deltas of the commit."""
        return self._changes(info)  # type: ignore[no-any-return]  # or an awaitable of them


@strawberry.type(description="The draft was dropped, and nothing of it saved.")
class DraftDiscarded(DraftEvent):
    """A discard."""


@strawberry.type(
    description=(
        "Sessions have come to watch the draft or have left, or moved their focus. Of several "
        "such changes the newest may be told alone."
    )
)
class EditorsChanged(DraftEvent):
    """Who watches the draft now."""

    event: strawberry.Private[watch.EditorsChanged]

    @strawberry.field(description="The sessions that watch it now, the longest first.")
    def editors(self) -> list[DraftEditor]:
        """Return the editors."""
        return draft_editors(self.event.editors)


@strawberry.type(
    description=(
        "Others have saved the cluster since the draft's base. Of several saves the newest may be "
        "told alone; one that was not seen is told again to whoever subscribes."
    )
)
class BaseChanged(DraftEvent):
    """A save underneath."""

    event: strawberry.Private[watch.BaseChanged]

    @strawberry.field(description="What a commit would find changed underneath now.")
    async def conflicts(self) -> list[ConflictEntry]:
        """Return what others have saved that the draft changes, too."""
        view = self.event.view
        conflicts = await draft_conflicts(self.served.engine, view)
        return conflicts_shown(conflicts, view.cluster, self.served.registry)


@strawberry.type(description="The draft expires soon, unless it is changed before.")
class DraftExpiring(DraftEvent):
    """A warning, once for each time of expiry."""

    event: strawberry.Private[Expiring]

    @strawberry.field(description="When it expires.")
    def expires_at(self) -> datetime:
        """Return the time of expiry."""
        return self.event.expires_at


@strawberry.type(description="The draft is gone, and what was not committed is lost.")
class DraftExpired(DraftEvent):
    """The end of a draft that nobody closed."""


EVENTS = (
    DraftSnapshot,
    DraftEdited,
    DraftCommitted,
    DraftDiscarded,
    EditorsChanged,
    BaseChanged,
    DraftExpiring,
    DraftExpired,
)


def draft_event(event: Event | Notice, served: Served) -> DraftEvent:
    """Return an event or a notice as clients see it."""
    kind: Any  # a type that takes this kind of event
    match event:
        case Event(entry=None):
            kind = DraftSnapshot
        case Event(entry=Entry(cause=Cause.COMMIT)):
            kind = DraftCommitted
        case Event(entry=Entry(cause=Cause.DISCARD)):
            kind = DraftDiscarded
        case Event():
            kind = DraftEdited
        case watch.EditorsChanged():
            kind = EditorsChanged
        case watch.BaseChanged():
            kind = BaseChanged
        case Expiring():
            kind = DraftExpiring
        case Expired():
            kind = DraftExpired
        case _:
            assert_never(event)
    made: DraftEvent = kind(event=event, served=served)
    return made


def past_events(entries: Sequence[Entry], now: View, served: Served) -> list[DraftEvent]:
    """Return entries of the log as clients see them."""
    return [
        draft_event(
            Event(view=now, at=served.engine.view_at(now, entry.version), entry=entry), served
        )
        for entry in entries
    ]


def event_of(outcome: Outcome, served: Served) -> DraftEvent | None:
    """Return the event that a request made; None where the log no longer has it."""
    entry = outcome.entry
    if entry is None:
        return None
    at = served.engine.view_at(outcome.view, entry.version)
    return draft_event(Event(view=outcome.view, at=at, entry=entry), served)
