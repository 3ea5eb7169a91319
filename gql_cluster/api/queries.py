"""The queries of drafts and of nodes; those of saved clusters are the mirror's."""

from __future__ import annotations

from typing import Any

import strawberry
from strawberry.relay import Node, PageInfo

from gql_cluster.api.context import caller_of
from gql_cluster.api.drafts import Draft
from gql_cluster.api.ids import DraftId, NodeId, SavedId
from gql_cluster.api.roots import root_field
from gql_cluster.api.served import Served, instance_of
from gql_cluster.domain.error import NotFoundError
from gql_cluster.service import read

_PAGE = 20
_LONGEST_PAGE = 100


@strawberry.type(description="A draft in a list of drafts.")
class DraftEdge:
    """One draft of a page."""

    node: Draft
    cursor: str


@strawberry.type(description="A page of the caller's open drafts, the newest first.")
class DraftConnection:
    """Some drafts, and whether there are more."""

    edges: list[DraftEdge]
    page_info: PageInfo


def make_query(served: Served) -> type:
    """Return the fields `node`, `draft` and `drafts` as a type."""

    @strawberry.type(name="Query")
    class DraftQuery:
        """What is read of drafts, and whatever has an id."""

        @strawberry.field(description="Whatever has this id: a saved object, a draft, or a node.")
        async def node(self, info: strawberry.Info, id: strawberry.ID) -> Node | None:
            """Return what a global id names, None where there is no such thing."""
            parsed = served.parse(id)
            found: Any = None
            if isinstance(parsed, SavedId):
                found = await served.saved(parsed, info)
            elif isinstance(parsed, DraftId):
                found = await _draft(served, info, parsed)
            elif isinstance(parsed, NodeId):
                draft = await _draft(
                    served, info, DraftId(cluster=parsed.cluster, draft=parsed.draft)
                )
                found = await instance_of(draft.view, parsed.key) if draft else None
            return found  # type: ignore[no-any-return]

        @strawberry.field(description="One of the caller's drafts; null when it has expired.")
        async def draft(self, info: strawberry.Info, id: strawberry.ID) -> Draft | None:
            """Return a draft by its global id."""
            parsed = served.parse(id)
            return await _draft(served, info, parsed) if isinstance(parsed, DraftId) else None

        @strawberry.field(
            description=f"The caller's open drafts, {_PAGE} unless told, {_LONGEST_PAGE} at most."
        )
        async def drafts(
            self, info: strawberry.Info, first: int | None = None, after: str | None = None
        ) -> DraftConnection:
            """Return a page of the caller's drafts."""
            size = _PAGE if first is None else max(0, min(first, _LONGEST_PAGE))
            page = await read.get_drafts(served.engine, caller_of(info), first=size, after=after)
            edges = [
                DraftEdge(node=served.draft(view), cursor=view.draft.id) for view in page.views
            ]
            return DraftConnection(
                edges=edges,
                page_info=PageInfo(
                    has_next_page=page.has_next,
                    has_previous_page=after is not None,
                    start_cursor=edges[0].cursor if edges else None,
                    end_cursor=edges[-1].cursor if edges else None,
                ),
            )

    for field in DraftQuery.__strawberry_definition__.fields:  # type: ignore[attr-defined]
        root_field(field)
    return DraftQuery


async def _draft(served: Served, info: strawberry.Info, id_: DraftId) -> Draft | None:
    try:
        view = await read.get_draft(served.engine, caller_of(info), id_.draft)
    except NotFoundError:
        return None
    return served.draft(view) if view.cluster.name == id_.cluster else None
