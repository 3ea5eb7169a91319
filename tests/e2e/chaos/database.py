"""What is in the workers' PostgreSQL: bands as rows by name, and receipts."""

from __future__ import annotations

import base64
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.e2e.chaos.record import Receipt, Row

TABLES = {
    "Band": ("bands_band", None),
    "BandMember": ("bands_bandmember", ("band_id", "Band")),
    "Album": ("bands_album", ("band_id", "Band")),
    "Song": ("bands_song", ("album_id", "Album")),
}
COMPARED = {
    "Band": ("name", "origin", "biography"),
    "BandMember": ("name", "joined"),
    "Album": ("title", "label"),
    "Song": ("title",),
}
"""The fields that the operations change, named alike in GraphQL and in the tables."""


def rows(url: str) -> dict[str, Row]:
    """Return every row of every band, named like `Song:7`, with its parent's name; and genres."""
    found: dict[str, Row] = {}
    for typename, (table, parent) in TABLES.items():
        for row in _select(url, f"SELECT * FROM {table}"):  # noqa: S608 - no input
            kept = {name: row[name] for name in COMPARED[typename]}
            if parent is not None:
                kept["parent"] = f"{parent[1]}:{row[parent[0]]}"
            found[f"{typename}:{row['id']}"] = kept
    for name, row in found.items():
        if name.startswith("Band:"):
            row["genres"] = set()
    for row in _select(url, "SELECT band_id, genre_id FROM bands_band_genres"):
        found[f"Band:{row['band_id']}"]["genres"].add(str(row["genre_id"]))
    return found


def order(url: str) -> dict[str, list[str]]:
    """Return the members of each band, and the songs of each album, by position."""
    found: dict[str, list[str]] = {}
    for typename in ("BandMember", "Song"):
        table, (column, above) = TABLES[typename]  # type: ignore[misc]
        for row in _select(url, f"SELECT * FROM {table} ORDER BY position"):  # noqa: S608 - as above
            found.setdefault(f"{above}:{row[column]}", []).append(f"{typename}:{row['id']}")
    return found


def receipts(url: str) -> list[Receipt]:
    """Return every receipt, in the order in which their transactions were committed."""
    statement = """
        SELECT * FROM gql_cluster_receipt ORDER BY pg_xact_commit_timestamp(xmin), id
    """
    return [
        Receipt(
            draft=base64.b64encode(f"BandDraft:{row['draft_id']}".encode()).decode(),
            version=row["version"],
            change_id=row["change_id"],
            policy=row["on_conflict"],
            keep_open=row["keep_open"],
            band=row["root_pk"],
            keys={key: str(pk) for key, pk in row["keys"].items()},
        )
        for row in _select(url, statement)
    ]


def new_genres(url: str, name: str, count: int) -> list[str]:
    """Add so many genres, and return their primary keys."""
    statement = "INSERT INTO bands_genre (name) VALUES (%s) RETURNING id"
    with psycopg.connect(url) as connection:
        cursors = [connection.execute(statement, [f"{name} {each}"]) for each in range(count)]
        return [str(row[0]) for cursor in cursors for row in cursor]


def _select(url: str, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(url) as connection:
        return connection.cursor(row_factory=dict_row).execute(statement.encode()).fetchall()
