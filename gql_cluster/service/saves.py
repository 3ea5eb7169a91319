"""Telling that clusters were saved, by this API or by any other code in the project."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.apps import apps
from modelcluster.models import ClusterableModel

from gql_cluster import conf
from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.orm.signals import Roots, Saves
from gql_cluster.service.news import News, root_group, root_named
from gql_cluster.store.blocking import make_sync_client
from gql_cluster.store.keys import Keys
from gql_cluster.store.stamps import count_saves

logger = logging.getLogger(__name__)

UID = "gql_cluster"
"""Names the one follower of a process among the receivers of Django's signals."""
_PATIENCE = 1.0
"""Seconds that a save waits for the channel layer to take its wake-ups."""
_QUIET = 60.0
"""Seconds between two warnings."""


def follow() -> None:
    """Tell of every save in this process from now on; the models have to be loaded.

    Of every model that can be a root, because a process that saves may serve none of them. It
    costs a save one round trip to Redis, and wakes nobody, where no draft was opened of it.
    """
    roots = [model for model in apps.get_models() if issubclass(model, ClusterableModel)]
    Saves(roots, _Teller().tell).connect(UID)


class _Teller:
    """Tells the store and those who watch; that this can fail is of no account to a save.

    What is not told is found at commit all the same.
    """

    def __init__(self) -> None:
        self._quiet_until: dict[str, float] = {}
        self._sending: set[asyncio.Task[None]] = set()

    def tell(self, saved: Roots) -> None:
        """Count a save of each root, and wake who watches drafts of those that are counted."""
        settings = conf.load()
        names = [root_named(model._meta.label, pk) for model, pk in saved]
        try:
            client = make_sync_client(
                settings.REDIS_URL,
                timeout=settings.STORE_TIMEOUT,
                connect_timeout=settings.STORE_CONNECT_TIMEOUT,
            )
            counted = count_saves(client, Keys(prefix=settings.KEY_PREFIX), names)
        except StoreUnavailableError as exc:
            self._warn("Drafts of what was saved are not told of it.", exc)
            return
        if counted:
            self._wake([root_group(settings.KEY_PREFIX, name) for name in counted])

    def _wake(self, groups: Iterable[str]) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            async_to_sync(self._send)(groups)
            return
        # The ORM was called in the thread of a loop, which can't be waited for here.
        task = loop.create_task(self._send(groups))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, groups: Iterable[str]) -> None:
        layer = get_channel_layer()
        if layer is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                for group in groups:
                    await layer.group_send(group, {"type": News.SAVED.value})
        except Exception as exc:  # noqa: BLE001 - whatever the layer raises: there is the poll
            self._warn("A wake-up of draft watchers was lost.", exc)

    def _warn(self, message: str, exc: Exception) -> None:
        now = time.monotonic()
        if now >= self._quiet_until.get(message, 0):
            self._quiet_until[message] = now + _QUIET
            logger.warning(message, exc_info=exc)
