"""Drafts: the interface of all, and a type of its own for each cluster's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from inspect import isawaitable
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
import strawberry_django
from strawberry.relay import Node
from strawberry.scalars import JSON

from gql_cluster.api.context import caller_of
from gql_cluster.api.deltas import NodeChange, node_changes
from gql_cluster.api.enums import serve_enum
from gql_cluster.api.errors import ClusterErrorEntry, ConflictEntry, conflicts_shown
from gql_cluster.api.exported import shown
from gql_cluster.api.ids import draft_type
from gql_cluster.api.pages import LONGEST_PAGE, PAGE, First, page_size
from gql_cluster.api.presence import DraftEditor, draft_editors
from gql_cluster.api.roots import root_field
from gql_cluster.api.served import Served, instance_of
from gql_cluster.domain.draft import Draft as Header
from gql_cluster.domain.draft import DraftState
from gql_cluster.domain.error import NotFoundError
from gql_cluster.domain.history import can_redo, can_undo
from gql_cluster.domain.node import Json
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.load import decode_pk
from gql_cluster.service import read
from gql_cluster.service.dry_run import draft_conflicts, draft_errors
from gql_cluster.service.export import export
from gql_cluster.service.log import history
from gql_cluster.service.presence import editors_of
from gql_cluster.service.view import View

if TYPE_CHECKING:
    from gql_cluster.api.events import DraftEvent

serve_enum(
    DraftState,
    "Whether a draft takes changes. A closed one can be read for a while.",
    OPEN="It takes changes.",
    COMMITTED="It has been saved, and is closed.",
    DISCARDED="It has been dropped, and is closed.",
)

_CLUSTER = "The cluster as it is staged."


async def _cluster(self: Draft) -> Any:
    root = await instance_of(self.view, ROOT_KEY)
    if root is None:
        raise NotFoundError.of("The draft has expired.")
    return root


async def exported(draft: Draft) -> dict[str, Json]:
    """Return a draft as modelcluster's JSON, as far as the types show it."""
    data = await export(draft.served.engine, draft.view)
    return shown(draft.served.registry, draft.view.cluster, data)


@strawberry.interface(
    description="Staged, uncommitted state of one cluster, seen at one version throughout."
)
class Draft(Node):
    """A view as clients see it."""

    view: strawberry.Private[View]
    served: strawberry.Private[Served]

    @classmethod
    def resolve_id(cls, root: Any, *, info: strawberry.Info) -> str:
        """Return what stands behind the type name in the global id."""
        del info
        draft: Draft = root
        return draft.view.draft.id

    @classmethod
    def resolve_typename(cls, root: Any, info: strawberry.Info) -> str:
        """Return the type name in the global id."""
        del info
        draft: Draft = root
        return draft_type(draft.view.cluster.title)

    @strawberry.field(description="Counts the change sets that were accepted.")
    def version(self) -> int:
        """Return the version that is seen."""
        return self.view.draft.version

    @strawberry.field(description="Whether it takes changes.")
    def state(self) -> DraftState:
        """Return the state."""
        return self.view.draft.state

    @strawberry.field(description="Whether nothing of the cluster is saved yet.")
    def is_new(self) -> bool:
        """Tell whether there is a saved cluster."""
        return self.view.draft.is_new

    @strawberry.field(description="Whether anything differs from the base.")
    async def is_dirty(self) -> bool:
        """Tell whether a commit would save anything."""
        return bool(await read.draft_changes(self.served.engine, self.view))

    @strawberry.field(description="Whether the caller has a change set of its own to undo.")
    def can_undo(self, info: strawberry.Info) -> bool:
        """Tell whether `undoDraft` finds something."""
        return self._can(can_undo, info)

    @strawberry.field(description="Whether the caller has undone what it can still redo.")
    def can_redo(self, info: strawberry.Info) -> bool:
        """Tell whether `redoDraft` finds something."""
        return self._can(can_redo, info)

    def _can(self, can: Callable[[Header, str, int], bool], info: strawberry.Info) -> bool:
        draft = self.view.draft
        log_length = self.served.engine.parts.settings.LOG_LENGTH
        session = caller_of(info).session
        return (
            session is not None
            and draft.state is DraftState.OPEN
            and can(draft, session, log_length)
        )

    @strawberry.field(description="When it was opened.")
    def created_at(self) -> datetime:
        """Return the time of opening."""
        return self.view.draft.created_at

    @strawberry.field(description="When the last change set was accepted.")
    def updated_at(self) -> datetime:
        """Return the time of the last change."""
        return self.view.draft.updated_at

    @strawberry.field(description="When it expires, unless it is changed before.")
    def expires_at(self) -> datetime:
        """Return the time of expiry."""
        return self.view.draft.expires_at

    @strawberry.field(description="The difference from the base, node by node.")
    async def changes(self, info: strawberry.Info) -> list[NodeChange]:
        """Return what a commit would save."""
        deltas = await read.draft_changes(self.served.engine, self.view)
        changes = node_changes(deltas, self.view, self.served, info)
        seen: list[NodeChange] = await changes if isawaitable(changes) else changes
        return seen

    @strawberry.field(description="What a commit would refuse now: a dry run.")
    async def errors(self) -> list[ClusterErrorEntry]:
        """Return what is wrong with the whole cluster."""
        problems = await draft_errors(self.served.engine, self.view)
        return [ClusterErrorEntry(problem=problem) for problem in problems]

    @strawberry.field(description="What a commit would find changed underneath: a dry run.")
    async def conflicts(self) -> list[ConflictEntry]:
        """Return what others have saved that this draft changes, too."""
        conflicts = await draft_conflicts(self.served.engine, self.view)
        return conflicts_shown(conflicts, self.view.cluster, self.served.registry)

    @strawberry.field(
        description=(
            "The cluster as it is staged, in the form of django-modelcluster's "
            "`serializable_data()`, by the models' own names: what opening takes as `json`. What "
            "the types do not show to everybody is not in it."
        )
    )
    async def json(self) -> JSON:
        """Return the draft as modelcluster's JSON."""
        return await exported(self)  # type: ignore[return-value]

    @strawberry.field(description="The sessions that watch it now, the longest first.")
    async def editors(self) -> list[DraftEditor]:
        """Return who watches the draft."""
        return draft_editors(await editors_of(self.served.engine, self.view.draft.id))

    @strawberry.field(
        description=(
            f"What happened to it behind the version `after`, oldest first: {PAGE} events unless "
            f"told, {LONGEST_PAGE} at most. About `LOG_LENGTH` are kept."
        )
    )
    async def history(
        self,
        first: First = None,
        after: Annotated[
            int | None, strawberry.argument(description="Only what came behind this version.")
        ] = None,
    ) -> list[Annotated[DraftEvent, strawberry.lazy("gql_cluster.api.events")]]:
        """Return a page of the log."""
        from gql_cluster.api.events import past_events  # noqa: PLC0415 - events are of drafts

        entries = await history(self.served.engine, self.view, page_size(first), after or 0)
        return past_events(entries, self.view, self.served)

    cluster: Node = strawberry.field(resolver=_cluster, description=_CLUSTER)


root_field(Draft.__strawberry_definition__.get_field("history"))  # type: ignore[attr-defined]


def make_draft_type(cluster: Cluster, served: Served) -> Any:
    """Return the type of a cluster's drafts, `BandDraft`: its clusters are of the root's type."""
    root = served.registry.type_of(cluster.model)
    name = draft_type(cluster.title)
    body: dict[str, Any] = {
        "__doc__": f"A draft of a {cluster.title}.",
        "__module__": __name__,
        "cluster": strawberry.field(resolver=_cluster, graphql_type=root, description=_CLUSTER),
        "saved": saved_field(cluster, served, _saved_pk, "The cluster as it is saved now."),
    }
    made = type(name, (Draft,), body)
    return strawberry.type(made, name=name, description=f"Staged state of one {cluster.title}.")


def saved_field(
    cluster: Cluster, served: Served, pk_of: Callable[[Any], Json], description: str
) -> Any:
    """Return a field that reads the saved cluster, with the optimizer and the type's permissions.

    `pk_of` gives the primary key, as nodes hold it, of the object that the field is of.
    """
    model = cluster.model

    def resolve(self: Any) -> Any:
        pk = pk_of(self)
        return None if pk is None else model._default_manager.filter(pk=decode_pk(model, pk))

    root: Any = served.registry.type_of(model)
    return strawberry_django.field(
        resolver=resolve, graphql_type=root | None, description=description
    )


def _saved_pk(draft: Draft) -> Json:
    return draft.view.draft.pk
