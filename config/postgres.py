"""A connection to PostgreSQL that tells its pool when the server was restarted."""

from typing import Any

import psycopg
from psycopg_pool import ConnectionPool


class Connection(psycopg.Connection[Any]):
    """Where one that lay idle is found dead, the pool replaces all that lie idle.

    psycopg_pool would find them out one by one, a second apart: after a restart of the server
    each of them would cost a request. Nothing but the pool's check calls `execute`; Django has
    cursors.
    """

    def execute(self, *args: Any, **kwargs: Any) -> psycopg.Cursor[Any]:
        """Execute a statement."""
        try:
            return super().execute(*args, **kwargs)
        except psycopg.OperationalError:
            if self.broken and isinstance(self._pool, ConnectionPool):
                self._pool.drain()
            raise
