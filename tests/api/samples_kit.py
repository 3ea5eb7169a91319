"""What the tests of the sample domains build on: drafts of any cluster, and counted queries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext

import gql_cluster
from tests.api.schema_kit import ERRORS, Client


@cache
def schema_of(*clusters: type) -> gql_cluster.Schema:
    """Return the schema of some clusters, made once: its engine is closed by each test."""
    return gql_cluster.Schema(clusters=clusters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Drafts of one cluster, each payload with `fields` of it."""

    client: Client
    cluster: str
    fields: str

    async def saved(self, pk: object) -> Any:
        """Return a saved cluster."""
        one = self.cluster.lower()
        query = f"query($pk: ID!) {{ it: {one}(pk: $pk) {{ {self.fields} }} }}"
        return (await self.client.data(query, pk=str(pk)))["it"]

    async def open(self, **arguments: Any) -> Any:
        """Open a draft and return it."""
        return (
            await self._send("open", "$pk: ID, $data: @Input", "pk: $pk, data: $data", arguments)
        )["draft"]

    async def edit(self, draft: str, *changes: object) -> Any:
        """Stage changes and return the payload."""
        return await self._send(
            "edit",
            "$draft: ID!, $changes: [@Change!]!",
            "draft: $draft, changes: $changes",
            {"draft": draft, "changes": list(changes)},
        )

    async def commit(self, draft: str) -> Any:
        """Commit and return the saved cluster."""
        query = (
            f"mutation($draft: ID!) {{ it: commit{self.cluster}Draft(draft: $draft)"
            f" {{ cluster {{ {self.fields} }} {ERRORS} }} }}"
        )
        data = (await self.client.data(query, draft=draft))["it"]
        assert data["errors"] == []
        return data["cluster"]

    async def _send(self, verb: str, takes: str, gives: str, arguments: dict[str, Any]) -> Any:
        query = (
            f"mutation({takes}) {{ it: {verb}@Draft({gives})"
            f" {{ draft {{ id cluster {{ {self.fields} }} errors {{ code message field }} }}"
            f" {ERRORS} }} }}"
        ).replace("@", self.cluster)
        return (await self.client.data(query, **arguments))["it"]


def counted(client: Client, query: str) -> list[str]:
    """Return the queries that an operation makes; to be run in a thread."""
    with CaptureQueriesContext(connection) as queries:
        async_to_sync(client.data)(query)
    return [each["sql"] for each in queries.captured_queries]
