"""The subscription to a draft's events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated

import strawberry

from gql_cluster.api.context import caller_of
from gql_cluster.api.events import DraftEvent, draft_event
from gql_cluster.api.roots import root_field
from gql_cluster.api.served import Served
from gql_cluster.service.read import get_draft
from gql_cluster.service.watch import Event, Notice, watch


def make_subscription(served: Served) -> type:
    """Return the field `draftEvents` as a type."""

    async def resolve(
        info: strawberry.Info,
        draft: Annotated[strawberry.ID, strawberry.argument(description="The draft's id.")],
        after: Annotated[
            int | None,
            strawberry.argument(
                description="The last version seen; without it a snapshot comes first."
            ),
        ] = None,
    ) -> AsyncIterator[DraftEvent]:
        draft_id = served.draft_id(draft)
        caller = caller_of(info)
        # So that what can't be watched at all is refused before the stream begins.
        await get_draft(served.engine, caller, draft_id)
        return _shown(watch(served.engine, caller, draft_id, after=after), served)

    field = strawberry.subscription(
        resolver=resolve,
        name="draftEvents",
        description=(
            "What happens to a draft, each event once and in order. It ends behind the event "
            "that closes the draft, or its expiry. As long as it runs, the caller is an editor."
        ),
        graphql_type=DraftEvent,
    )
    body = {"__module__": __name__, "draft_events": root_field(field)}
    return strawberry.type(type("DraftSubscription", (), body), name="Subscription")


async def _shown(
    events: AsyncGenerator[Event | Notice, None], served: Served
) -> AsyncIterator[DraftEvent]:
    # Closed with this one, so that nothing listens any more for a subscriber that is gone.
    async with aclosing(events):
        async for event in events:
            yield draft_event(event, served)
