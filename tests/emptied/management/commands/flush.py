"""Empties the database after a test.

Django's own command deletes from each of more than a hundred tables, though a test fills a few of
them, and then makes all content types and permissions anew: more work than most tests themselves.
"""

from __future__ import annotations

from typing import Any

from django.core.management.commands import flush
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import atomic

KEPT = ("django_content_type", "auth_permission")
"""What Django makes by itself for every model, and no test changes."""
_as_made: dict[str, list[tuple[Any, ...]]] = {}


class Command(flush.Command):
    """Deletes what is there; does all that Django's own does where it is not what it was."""

    def handle(self, **options: Any) -> None:
        """Wait for whoever still writes, and leave every table but those of `KEPT` empty."""
        database: str = options["database"]
        connection = connections[database]
        if database in _as_made:
            with atomic(using=database):
                _empty(connection)
                if _kept(connection) == _as_made[database]:
                    return
        super().handle(**options)
        _as_made[database] = _kept(connection)


def _empty(connection: BaseDatabaseWrapper) -> None:
    quoted = connection.ops.quote_name
    names = connection.introspection.django_table_names(only_existing=False, include_views=False)
    tables = [name for name in names if name not in KEPT]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # on SQLite, the transaction is the lock
            cursor.execute(f"LOCK TABLE {', '.join(map(quoted, tables))} IN SHARE MODE")
        filled = (f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {quoted(name)})" for name in tables)  # noqa: S608 - names of tables
        cursor.execute(" UNION ALL ".join(filled))
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {quoted(name)}")  # noqa: S608 - the same


def _kept(connection: BaseDatabaseWrapper) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        found = []
        for name in KEPT:
            cursor.execute(f"SELECT * FROM {name} ORDER BY id")  # noqa: S608 - the same
            found += cursor.fetchall()
        return found
