"""Payloads: what a mutation answers. With `errors` in it, nothing was staged or saved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import strawberry
from django.db.models import Model

from gql_cluster.api.drafts import Draft, saved_field
from gql_cluster.api.errors import (
    ClusterErrorEntry,
    ConflictEntry,
    KeptEntry,
    conflict_entries,
    entries,
)
from gql_cluster.api.events import DraftEvent, event_of
from gql_cluster.api.failures import is_data
from gql_cluster.api.ids import SavedId
from gql_cluster.api.saved_keys import SavedKey, saved_keys
from gql_cluster.api.served import Served
from gql_cluster.domain.error import ClusterError, ConflictError
from gql_cluster.domain.node import Json
from gql_cluster.models import Receipt
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.load import parse_pk
from gql_cluster.service.outcome import Committed, Outcome


@strawberry.type(description="The record of a commit, kept in the database.")
class Commit:
    """A receipt as clients see it."""

    receipt: strawberry.Private[Receipt]
    type_name: strawberry.Private[str]

    @strawberry.field(description="The record's own id.")
    def id(self) -> strawberry.ID:
        """Name the receipt."""
        return strawberry.ID(str(SavedId(type="Commit", pk=str(self.receipt.pk))))

    @strawberry.field(description="When it was saved.")
    def at(self) -> datetime:
        """Return the time of the commit."""
        return self.receipt.at

    @strawberry.field(description="The session that committed.")
    def session_id(self) -> strawberry.ID:
        """Name the session."""
        return strawberry.ID(self.receipt.session)

    @strawberry.field(description="The version of the draft that was saved.")
    def version(self) -> int:
        """Return the draft's version."""
        return self.receipt.version

    @strawberry.field(description="The id of the saved cluster.")
    def cluster_id(self) -> strawberry.ID:
        """Name the root."""
        return strawberry.ID(str(SavedId(type=self.type_name, pk=self.receipt.root_pk)))

    @strawberry.field(description="The primary key of the saved cluster.")
    def cluster_pk(self) -> strawberry.ID:
        """Return the root's primary key."""
        return strawberry.ID(self.receipt.root_pk)


_DRAFT = "The draft as it is now."
_EVENT = "What the request did to it; null where it opened it, or where that is not kept any more."
_ERRORS = "What was wrong; then nothing was staged or saved."


@strawberry.type(description="A draft of any cluster, and what happened to it.")
class DraftPayload:
    """What a mutation answers that takes any draft."""

    draft: Draft | None = strawberry.field(default=None, description=_DRAFT)
    event: DraftEvent | None = strawberry.field(default=None, description=_EVENT)
    errors: list[ClusterErrorEntry] = strawberry.field(default_factory=list, description=_ERRORS)
    kept: list[KeptEntry] = strawberry.field(
        default_factory=list,
        description="Of an undo or a redo: what could not be taken back, and stays as it is.",
    )
    conflicts: list[ConflictEntry] = strawberry.field(
        default_factory=list,
        description="Of a rebase: what others saved that this draft changes, too.",
    )


def draft_payload(outcome: Outcome, served: Served) -> DraftPayload:
    """Return the payload of what was done to a draft."""
    return DraftPayload(
        draft=served.draft(outcome.view),
        event=event_of(outcome, served),
        kept=[KeptEntry(kept=kept) for kept in outcome.kept],
    )


def refused_payload(error: ClusterError, served: Served, draft: str) -> DraftPayload:
    """Return the payload of what was refused; `draft` is the id that was sent."""
    conflicts = (
        conflict_entries(error, served.cluster_of(draft), served.registry)
        if isinstance(error, ConflictError)
        else []
    )
    return DraftPayload(errors=entries(error), conflicts=conflicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payloads:
    """The payload types of one cluster, and how to fill them."""

    served: Served
    cluster: Cluster
    edited: Any
    committed: Any

    def of(self, outcome: Outcome) -> Any:
        """Return the payload of what was opened or edited."""
        draft = self.served.draft(outcome.view)
        return self.edited(draft=draft, event=event_of(outcome, self.served))

    def of_commit(self, committed: Committed) -> Any:
        """Return the payload of a commit."""
        draft = None if committed.view is None else self.served.draft(committed.view)
        return self.committed(draft=draft, committed=committed, served=self.served)

    def refused(self, error: ClusterError) -> Any:
        """Return the payload of what could not be opened or edited."""
        return self.edited(errors=entries(error))

    def refused_commit(self, error: ClusterError) -> Any:
        """Return the payload of a commit that was refused."""
        conflicts = conflict_entries(error, self.cluster, self.served.registry)
        return self.committed(errors=entries(error), conflicts=conflicts)


def make_payloads(cluster: Cluster, served: Served) -> Payloads:
    """Return the payload types of a cluster: `BandDraftPayload` and `CommitBandDraftPayload`."""
    name = cluster.title
    annotations = {"draft": served.drafts[cluster.name] | None}
    edited = type(
        f"{name}DraftPayload",
        (DraftPayload,),
        {
            "__module__": __name__,
            "__annotations__": annotations,
            "draft": strawberry.field(default=None, description=_DRAFT),
        },
    )
    saved = saved_field(cluster, served, _root_pk, "The cluster as it is saved now.")
    committed = type(
        f"Commit{name}DraftPayload",
        (),
        {
            "__module__": __name__,
            "__annotations__": {
                **annotations,
                "conflicts": list[ConflictEntry],
                "errors": list[ClusterErrorEntry],
                "committed": strawberry.Private[Committed],
                "served": strawberry.Private[Served],
            },
            "committed": None,
            "served": None,
            "cluster": saved,
            "draft": strawberry.field(default=None, description=_DRAFT),
            "receipt": strawberry.field(resolver=_receipt, description="The record of it."),
            "keys": strawberry.field(
                resolver=_keys, description="What each node that the draft named is called since."
            ),
            "conflicts": strawberry.field(
                default_factory=list,
                description="What others saved that this draft changes, too.",
            ),
            "errors": strawberry.field(default_factory=list, description=_ERRORS),
        },
    )
    return Payloads(
        served=served,
        cluster=cluster,
        edited=strawberry.type(edited, description=f"A draft of a {name}, and what happened."),
        committed=strawberry.type(committed, description=f"What was saved of a {name}."),
    )


def _root_pk(payload: Any) -> Json:
    committed: Committed | None = payload.committed
    if committed is None:
        return None
    served: Served = payload.served
    cluster = served.cluster_labelled(committed.receipt.cluster)
    return parse_pk(cluster.model, committed.receipt.root_pk)


async def _receipt(self: Any) -> Commit | None:
    committed: Committed | None = self.committed
    if committed is None:
        return None
    served: Served = self.served
    cluster = served.cluster_labelled(committed.receipt.cluster)
    model = await served.model_of_root(cluster, committed.receipt.root_pk)
    return commit_of(committed.receipt, served, model)


async def _keys(self: Any) -> list[SavedKey]:
    committed: Committed | None = self.committed
    if committed is None:
        return []
    receipt = committed.receipt
    cluster = self.served.cluster_labelled(receipt.cluster)
    return await saved_keys(cluster, self.served, receipt.keys, receipt.types)


def commit_of(receipt: Receipt, served: Served, model: type[Model]) -> Commit:
    """Return a receipt as clients see it; `model` is that of what the saved root is."""
    return Commit(receipt=receipt, type_name=served.registry.typename_of(model))


async def answered(
    work: Callable[[], Awaitable[Any]], refused: Callable[[ClusterError], Any]
) -> Any:
    """Return a mutation's payload; what a client can act on becomes data in it."""
    try:
        return await work()
    except ClusterError as exc:
        if not is_data(exc):
            raise
        return refused(exc)
