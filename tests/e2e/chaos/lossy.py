"""A channel layer that loses some of what is sent to groups, without a word."""

from __future__ import annotations

import os
import random
from typing import Any

from channels_redis.pubsub import (  # type: ignore[import-untyped]
    RedisPubSubChannelLayer,
)


class LossyLayer(RedisPubSubChannelLayer):  # type: ignore[misc]
    """The service's own layer, but for the part CHAOS_LOSS of what is sent."""

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        """Send a message, or lose it."""
        if random.random() >= float(os.environ["CHAOS_LOSS"]):  # noqa: S311 - no secret
            await self._get_layer().group_send(group, message)
