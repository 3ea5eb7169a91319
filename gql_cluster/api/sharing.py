"""Sharing as clients see it: a link to a draft is made, taken, and taken back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

import strawberry

from gql_cluster.api.context import caller_of
from gql_cluster.api.drafts import Draft
from gql_cluster.api.errors import ClusterErrorEntry, entries
from gql_cluster.api.payloads import DraftPayload, answered, draft_payload
from gql_cluster.api.requests import DraftArgument, mutation_field
from gql_cluster.api.served import Served
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.share import join, share, unshare
from gql_cluster.service.view import View

Token = Annotated[str, strawberry.argument(description="What `shareDraft` has given.")]


@strawberry.type(description="A link to a draft.")
class ShareDraftPayload:
    """What `shareDraft` answers."""

    token: str | None = strawberry.field(
        default=None,
        description="What lets any session in by `joinDraft`; part of a link, and secret.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When the token expires; whoever has joined stays."
    )
    draft: Draft | None = strawberry.field(default=None, description="The draft as it is now.")
    errors: list[ClusterErrorEntry] = strawberry.field(
        default_factory=list, description="What was wrong; then nothing was shared."
    )


def sharing_fields(served: Served) -> dict[str, Any]:
    """Return `shareDraft`, `joinDraft` and `unshareDraft` as the fields of a type."""

    async def answer(work: Callable[[], Awaitable[View]]) -> DraftPayload:
        async def payload() -> DraftPayload:
            return draft_payload(Outcome(view=await work(), entry=None), served)

        given: DraftPayload = await answered(
            payload, lambda error: DraftPayload(errors=entries(error))
        )
        return given

    async def share_draft(info: strawberry.Info, draft: DraftArgument) -> ShareDraftPayload:
        async def payload() -> ShareDraftPayload:
            link = await share(served.engine, caller_of(info), served.draft_id(draft))
            return ShareDraftPayload(
                token=link.token, expires_at=link.expires_at, draft=served.draft(link.view)
            )

        given: ShareDraftPayload = await answered(
            payload, lambda error: ShareDraftPayload(errors=entries(error))
        )
        return given

    async def join_draft(info: strawberry.Info, token: Token) -> DraftPayload:
        return await answer(lambda: join(served.engine, caller_of(info), token))

    async def unshare_draft(info: strawberry.Info, draft: DraftArgument) -> DraftPayload:
        return await answer(lambda: unshare(served.engine, caller_of(info), served.draft_id(draft)))

    return {
        "share_draft": mutation_field(
            "shareDraft",
            share_draft,
            "Make a link that lets other sessions into the caller's own draft.",
            ShareDraftPayload,
        ),
        "join_draft": mutation_field(
            "joinDraft",
            join_draft,
            "See and edit another session's draft, by a link to it.",
            DraftPayload,
        ),
        "unshare_draft": mutation_field(
            "unshareDraft",
            unshare_draft,
            "Take back all links to the caller's own draft, and let out whoever has joined it.",
            DraftPayload,
        ),
    }
