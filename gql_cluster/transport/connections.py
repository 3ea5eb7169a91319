"""Giving database connections and threads back while a socket stays open.

Django gives them back at the end of an HTTP request. A WebSocket and an event stream have no such
end, and each has a thread of its own: idle ones would hold every connection of the database.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.db.backends.signals import connection_created


@dataclass(slots=True)
class Used:
    """Whether a socket's thread may hold a connection."""

    is_used: bool = False


_used: ContextVar[Used | None] = ContextVar("gql_cluster_used_connections", default=None)


def begin() -> None:
    """Watch, from here on, what this socket's tasks and thread connect to."""
    _used.set(Used())


async def give_back() -> None:
    """Close what this socket's thread holds; there is no hop to it if it holds nothing.

    Nothing of a transaction is lost: each is begun and ended in one call of the thread.
    """
    used = _used.get()
    if used is not None and used.is_used:
        used.is_used = False
        await sync_to_async(connections.close_all)()


async def let_go() -> None:
    """Close what the thread holds, and end the thread; the next call of it starts another."""
    await give_back()
    context = SyncToAsync.thread_sensitive_context.get(None)
    if context is not None:
        thread = SyncToAsync.context_to_thread_executor.pop(context, None)
        if thread is not None:
            thread.shutdown(wait=False)


def begin_alone() -> None:
    """Watch this task, and have its work done in a thread that it has for itself.

    asgiref's own context does nothing within another one.
    """
    begin()
    SyncToAsync.thread_sensitive_context.set(ThreadSensitiveContext())


def _note(**kwargs: object) -> None:
    del kwargs
    if (used := _used.get()) is not None:
        used.is_used = True


connection_created.connect(_note, dispatch_uid="gql_cluster.transport.connections")
