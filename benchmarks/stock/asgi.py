"""The stock service: the same event to the same clients, by `listen_to_channel`."""

import os
from collections.abc import AsyncGenerator
from typing import Any

from channels.layers import get_channel_layer
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")

# First, because it loads the apps.
django_asgi_app = get_asgi_application()

import strawberry  # noqa: E402
from strawberry.channels import GraphQLProtocolTypeRouter  # noqa: E402
from strawberry.scalars import JSON  # noqa: E402

KIND = "draft.edited"


@strawberry.type
class Field:
    """A field that was changed."""

    name: str
    before: JSON
    after: JSON


@strawberry.type
class Change:
    """A node that was changed."""

    kind: str
    key: str
    typename: str
    fields: list[Field]


@strawberry.type
class Edited:
    """What happened."""

    version: int
    changes: list[Change]


@strawberry.type
class Query:
    """What costs a request that asks for nothing."""

    @strawberry.field
    def ping(self) -> int:
        """Return a number."""
        return 1


@strawberry.type
class Mutation:
    """What makes an event."""

    @strawberry.mutation
    async def edit(self, draft: strawberry.ID, version: int, key: str, value: str) -> int:
        """Send an event to all who listen; nothing is kept."""
        layer: Any = get_channel_layer()
        change = {
            "kind": "UPDATED",
            "key": key,
            "typename": "OrderLine",
            "fields": [{"name": "note", "before": "", "after": value}],
        }
        event = {"type": KIND, "version": version, "changes": [change]}
        await layer.group_send(f"draft.{draft}", event)
        return version


@strawberry.type
class Subscription:
    """What hears of it."""

    @strawberry.subscription
    async def events(
        self, info: strawberry.Info, draft: strawberry.ID
    ) -> AsyncGenerator[Edited, None]:
        """Yield each event of a draft."""
        socket = info.context["ws"]
        async with socket.listen_to_channel(KIND, groups=[f"draft.{draft}"]) as listened:
            async for message in listened:
                changes = [
                    Change(
                        kind=change["kind"],
                        key=change["key"],
                        typename=change["typename"],
                        fields=[Field(**field) for field in change["fields"]],
                    )
                    for change in message["changes"]
                ]
                yield Edited(version=message["version"], changes=changes)


schema = strawberry.Schema(query=Query, mutation=Mutation, subscription=Subscription)
# Its annotation says str, its documentation what is given here.
application = GraphQLProtocolTypeRouter(
    schema,
    django_application=django_asgi_app,  # type: ignore[arg-type]
)
