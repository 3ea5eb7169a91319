"""The queries of drafts and of nodes; those of saved clusters are the mirror's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import strawberry
from asgiref.sync import sync_to_async
from strawberry.relay import Node, PageInfo
from strawberry.scalars import JSON

from gql_cluster.api.context import caller_of
from gql_cluster.api.drafts import Draft, exported
from gql_cluster.api.ids import DraftId, NodeId, SavedId
from gql_cluster.api.pages import LONGEST_PAGE, PAGE, First, page_size
from gql_cluster.api.payloads import Commit, commit_of
from gql_cluster.api.roots import root_field
from gql_cluster.api.served import Served, instance_of
from gql_cluster.domain.error import NotFoundError
from gql_cluster.orm.receipts import receipts
from gql_cluster.service import read

_CURSOR = "What `after` takes to go on behind it."
_PAGE_INFO = "Whether there is more, and where this page begins and ends."

After = Annotated[
    str | None, strawberry.argument(description="The cursor to go on behind; else from the start.")
]
DraftIdArgument = Annotated[strawberry.ID, strawberry.argument(description="The draft's id.")]


@strawberry.type(description="A draft in a list of drafts.")
class DraftEdge:
    """One draft of a page."""

    node: Draft = strawberry.field(description="The draft.")
    cursor: str = strawberry.field(description=_CURSOR)


@strawberry.type(description="A page of the caller's open drafts, the newest first.")
class DraftConnection:
    """Some drafts, and whether there are more."""

    edges: list[DraftEdge] = strawberry.field(description="The drafts of this page.")
    page_info: PageInfo = strawberry.field(description=_PAGE_INFO)


@strawberry.type(description="A commit in a list of commits.")
class CommitEdge:
    """One receipt of a page."""

    node: Commit = strawberry.field(description="The record of the commit.")
    cursor: str = strawberry.field(description=_CURSOR)


@strawberry.type(description="A page of what was saved of a cluster, the newest first.")
class CommitConnection:
    """Some receipts, and whether there are more."""

    edges: list[CommitEdge] = strawberry.field(description="The commits of this page.")
    page_info: PageInfo = strawberry.field(description=_PAGE_INFO)


def make_query(served: Served) -> type:  # noqa: C901 - one function a field
    """Return the fields `node`, `draft`, `exportDraft`, `drafts` and `commits` as a type."""

    @strawberry.type(name="Query")
    class DraftQuery:
        """What is read of drafts, and whatever has an id."""

        @strawberry.field(description="Whatever has this id: a saved object, a draft, or a node.")
        async def node(
            self,
            info: strawberry.Info,
            id: Annotated[strawberry.ID, strawberry.argument(description="A global id.")],
        ) -> Node | None:
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
        async def draft(self, info: strawberry.Info, id: DraftIdArgument) -> Draft | None:
            """Return a draft by its global id."""
            return await _draft_named(served, info, id)

        @strawberry.field(
            description="`Draft.json` of one of the caller's drafts; null when it has expired."
        )
        async def export_draft(self, info: strawberry.Info, draft: DraftIdArgument) -> JSON | None:
            """Return a draft as modelcluster's JSON."""
            return await _exported(served, info, draft)

        @strawberry.field(
            description=f"The caller's open drafts, {PAGE} unless told, {LONGEST_PAGE} at most."
        )
        async def drafts(
            self, info: strawberry.Info, first: First = None, after: After = None
        ) -> DraftConnection:
            """Return a page of the caller's drafts."""
            page = await read.get_drafts(
                served.engine, caller_of(info), first=page_size(first), after=after
            )
            edges = [
                DraftEdge(node=served.draft(view), cursor=view.draft.id) for view in page.views
            ]
            info_ = _page_info([edge.cursor for edge in edges], after, has_next=page.has_next)
            return DraftConnection(edges=edges, page_info=info_)

        @strawberry.field(
            description=(
                "Who saved a cluster by a draft, and when, the newest first: "
                f"{PAGE} unless told, {LONGEST_PAGE} at most. Empty for one that can't be seen."
            )
        )
        async def commits(
            self,
            info: strawberry.Info,
            cluster: Annotated[
                strawberry.ID, strawberry.argument(description="The id of the saved cluster.")
            ],
            first: First = None,
            after: After = None,
        ) -> CommitConnection:
            """Return a page of a cluster's receipts."""
            parsed = served.parse(cluster)
            saved = await served.saved(parsed, info) if isinstance(parsed, SavedId) else None
            if saved is None:
                return CommitConnection(edges=[], page_info=_page_info([], after, has_next=False))
            page = await sync_to_async(receipts)(
                served.clusters.values(), saved, first=page_size(first), after=after
            )
            edges = [
                CommitEdge(node=commit_of(receipt, served, type(saved)), cursor=str(receipt.pk))
                for receipt in page.receipts
            ]
            info_ = _page_info([edge.cursor for edge in edges], after, has_next=page.has_next)
            return CommitConnection(edges=edges, page_info=info_)

    for field in DraftQuery.__strawberry_definition__.fields:  # type: ignore[attr-defined]
        root_field(field)
    return DraftQuery


def _page_info(cursors: Sequence[str], after: str | None, *, has_next: bool) -> PageInfo:
    return PageInfo(
        has_next_page=has_next,
        has_previous_page=after is not None,
        start_cursor=cursors[0] if cursors else None,
        end_cursor=cursors[-1] if cursors else None,
    )


async def _draft_named(served: Served, info: strawberry.Info, text: str) -> Draft | None:
    parsed = served.parse(text)
    return await _draft(served, info, parsed) if isinstance(parsed, DraftId) else None


async def _exported(served: Served, info: strawberry.Info, text: str) -> JSON | None:
    draft = await _draft_named(served, info, text)
    return None if draft is None else await exported(draft)  # type: ignore[return-value]


async def _draft(served: Served, info: strawberry.Info, id_: DraftId) -> Draft | None:
    try:
        view = await read.get_draft(served.engine, caller_of(info), id_.draft)
    except NotFoundError:
        return None
    return served.draft(view) if view.cluster.title == id_.cluster else None
