"""What is really in a worker's database, read past the worker."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.apps import apps

APPS = ("bands", "films", "people", "posts", "gql_cluster")


def select(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, read in a transaction of its own."""
    if urlsplit(url).scheme == "sqlite":
        with closing(sqlite3.connect(urlsplit(url).path, timeout=20)) as connection:
            return list(connection.execute(statement))
    with psycopg.connect(url) as connected:
        return connected.execute(statement.encode()).fetchall()


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of the service's own tables, by table."""
    models = apps.get_models(include_auto_created=True)
    tables = [model._meta.db_table for model in models if model._meta.app_label in APPS]
    statement = "SELECT * FROM {} ORDER BY id"
    return {table: select(url, statement.format(table)) for table in tables}
