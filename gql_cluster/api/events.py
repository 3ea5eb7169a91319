"""Events as clients see them: past-tense facts about a draft, numbered by its version."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from gql_cluster.api.deltas import NodeChange, node_changes
from gql_cluster.api.drafts import Draft
from gql_cluster.api.saved_keys import SavedKey, saved_keys
from gql_cluster.api.served import Served
from gql_cluster.domain.draft import Cause, Entry
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.watch import Event


@strawberry.enum(description="What made a change set.")
class EditCause(Enum):
    """The causes of entries that change nodes."""

    EDIT = strawberry.enum_value("EDIT", description="A client sent the changes.")


@strawberry.interface(
    description="Something that happened to a draft. Its version numbers it: none is left out."
)
class DraftEvent:
    """An event as the service tells it."""

    event: strawberry.Private[Event]
    served: strawberry.Private[Served]

    @property
    def entry(self) -> Entry | None:
        """The entry of the log, None for a snapshot."""
        return self.event.entry

    @strawberry.field(description="The draft that it happened to.")
    def draft_id(self) -> strawberry.ID:
        """Name the draft."""
        return self.served.id_of(self.event.view)

    @strawberry.field(description="The version that it made; `after` takes it.")
    def version(self) -> int:
        """Return the number of the event."""
        return self.entry.version if self.entry else self.event.view.draft.version

    @strawberry.field(description="When it happened.")
    def at(self) -> datetime:
        """Return the time of the event."""
        return self.entry.at if self.entry else self.event.view.draft.updated_at

    @strawberry.field(description="The session that made it happen; null for a snapshot.")
    def session_id(self) -> strawberry.ID | None:
        """Name the session."""
        return strawberry.ID(self.entry.session) if self.entry else None

    @strawberry.field(description="The `changeId` of the request that made it happen.")
    def change_id(self) -> strawberry.ID | None:
        """Return the client's name for the request."""
        change_id = self.entry.change_id if self.entry else None
        return None if change_id is None else strawberry.ID(change_id)

    @strawberry.field(
        description="The draft as it is now; its version may be newer than the event's."
    )
    def draft(self) -> Draft | None:
        """Return the draft at the time of delivery."""
        return self.served.draft(self.event.view)


@strawberry.type(
    description="The draft as it is: comes first, and whenever earlier events are not kept."
)
class DraftSnapshot(DraftEvent):
    """Where a subscriber begins."""


@strawberry.type(description="Changes were staged.")
class DraftEdited(DraftEvent):
    """A change set was accepted."""

    @strawberry.field(description="What it changed, in the order that it was done.")
    def changes(self) -> list[NodeChange]:
        """Return the deltas of the change set."""
        deltas = self.entry.deltas if self.entry else ()
        return node_changes(deltas, self.event.at, self.served)

    @strawberry.field(description="What made the change set.")
    def cause(self) -> EditCause:
        """Name the cause."""
        return EditCause[(self.entry.cause if self.entry else Cause.EDIT).name]


@strawberry.type(description="The cluster was saved as the draft had it; the draft is closed.")
class DraftCommitted(DraftEvent):
    """A commit."""

    @strawberry.field(description="What each node that the draft named is called since.")
    async def keys(self) -> list[SavedKey]:
        """Return the saved nodes."""
        keys = (self.entry.keys if self.entry else None) or {}
        return await saved_keys(self.event.view, self.served, keys)


@strawberry.type(description="The draft was dropped, and nothing of it saved.")
class DraftDiscarded(DraftEvent):
    """A discard."""


EVENTS = (DraftSnapshot, DraftEdited, DraftCommitted, DraftDiscarded)


def draft_event(event: Event, served: Served) -> DraftEvent:
    """Return an event as clients see it."""
    kind: type[DraftEvent]
    match event.entry:
        case None:
            kind = DraftSnapshot
        case Entry(cause=Cause.COMMIT):
            kind = DraftCommitted
        case Entry(cause=Cause.DISCARD):
            kind = DraftDiscarded
        case _:
            kind = DraftEdited
    return kind(event=event, served=served)


def event_of(outcome: Outcome, served: Served) -> DraftEvent | None:
    """Return the event that a request made; None where the log no longer has it."""
    entry = outcome.entry
    if entry is None:
        return None
    at = served.engine.view_at(outcome.view, entry.version)
    return draft_event(Event(view=outcome.view, at=at, entry=entry), served)
