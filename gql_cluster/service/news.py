"""News: what wakes those who watch a draft, and waiting for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import Enum
from hashlib import blake2b

from gql_cluster.domain.node import Json


class News(Enum):
    """What may have changed; the type of the message that tells it to other workers."""

    DRAFT = "draft.changed"
    EDITORS = "editors.changed"
    SAVED = "cluster.saved"


def root_group(prefix: str, root: str) -> str:
    """Return the channel layer's group of those who watch a draft of a saved root."""
    # A primary key may be of any length and have any letters, a group's name may not.
    return f"{prefix}.root.{blake2b(root.encode(), digest_size=16).hexdigest()}"


def root_named(label: str, pk: Json) -> str:
    """Return what a saved root is called in the store; `label` is its model's."""
    return f"{label}:{pk}"


async def happens(event: asyncio.Event, *, within: float | None) -> None:
    """Return when the event is set, or after so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await event.wait()
