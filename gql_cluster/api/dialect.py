"""How a database compares text and places nulls: what a draft's children are sorted by, too."""

from __future__ import annotations

import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from django.db import connections

_ASCII_UPPER = str.maketrans(string.ascii_lowercase, string.ascii_uppercase)
_BY_CODE_POINT = frozenset({"C", "POSIX", "C.UTF-8", "C.utf8"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A database's ways with text and nulls.

    `like_folds`: LIKE takes upper and lower case for the same. `ascii_only`: only A to Z have
    two cases. `by_code_point`: text is sorted so; else the database has to be asked.
    """

    alias: str
    like_folds: bool
    ascii_only: bool
    nulls_largest: bool
    by_code_point: bool

    def fold(self, text: str) -> str:
        """Return a text in one case."""
        return text.translate(_ASCII_UPPER) if self.ascii_only else text.upper()

    def like(self, text: str) -> str:
        """Return a text as LIKE compares it."""
        return self.fold(text) if self.like_folds else text

    def ranks(self, texts: Collection[str], collation: str | None) -> Mapping[str, int] | None:
        """Return the place of each text among the others, None where code points decide.

        Asks the database, with one query.
        """
        if len(texts) < 2 or (self.by_code_point and collation is None):  # noqa: PLR2004
            return None
        connection = connections[self.alias]
        suffix = f" COLLATE {connection.ops.quote_name(collation)}" if collation else ""
        row = "(CAST(%s AS text))"
        # The texts are parameters; the collation is the model field's.
        statement = (
            f"SELECT column1, DENSE_RANK() OVER (ORDER BY column1{suffix}) "  # noqa: S608
            f"FROM (VALUES {', '.join([row] * len(texts))}) AS given"
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, list(texts))
            return dict(cursor.fetchall())


@cache
def dialect_of(alias: str) -> Dialect:
    """Return the dialect of a database; the first time, PostgreSQL is asked for its locale."""
    connection = connections[alias]
    by_code_point = ascii_only = True
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT datcollate, datctype, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') "
                "FROM pg_database d WHERE datname = current_database()"
            )
            collate, ctype, provider = cursor.fetchone()
        by_code_point = provider == "b" or (provider == "c" and collate in _BY_CODE_POINT)
        ascii_only = provider == "c" and ctype in {"C", "POSIX"}
    return Dialect(
        alias=alias,
        like_folds=connection.features.has_case_insensitive_like,
        ascii_only=ascii_only,
        nulls_largest=connection.features.nulls_order_largest,
        by_code_point=by_code_point,
    )
