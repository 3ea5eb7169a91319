"""What the tests of the schema build on: a client of one session, in process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from gql_cluster.service.caller import Caller
from schema.bands.models import Band, Genre

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from gql_cluster.api.schema import Schema

Limit: TypeAlias = Callable[..., None]
"""Sets other limits, by their names."""
ERRORS = "errors { code message key field path change }"
DRAFT = "draft { id version state isNew isDirty }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Sends operations as one session; without a session as nobody."""

    schema: Schema
    session: str | None = "ann"

    @property
    def context(self) -> Mapping[str, object]:
        """The context that a transport would give."""
        return {"caller": Caller(session=self.session)}

    async def send(self, query: str, **variables: Any) -> Any:
        """Return the whole result."""
        return await self.schema.execute(
            query, variable_values=variables, context_value=self.context
        )

    async def data(self, query: str, **variables: Any) -> Any:
        """Return the data; there are no errors."""
        result = await self.send(query, **variables)
        assert result.errors is None, result.errors
        return result.data

    async def codes(self, query: str, **variables: Any) -> list[str]:
        """Return the codes of the GraphQL errors."""
        result = await self.send(query, **variables)
        return [error.extensions["code"] for error in result.errors or ()]

    async def stream(self, query: str, **variables: Any) -> AsyncGenerator[Any, None]:
        """Yield the results of a subscription."""
        source = await self.schema.subscribe(
            query, variable_values=variables, context_value=self.context
        )
        async for result in source:
            yield result

    async def streamed_codes(self, query: str) -> list[str]:
        """Return the codes of an operation on a stream, as over WebSocket: there is one result."""
        source: Any = await self.schema.stream(query, context_value=self.context)
        (told,) = [result async for result in source]
        return [error.extensions["code"] for error in told.errors or ()]

    async def open(self, **arguments: Any) -> str:
        """Open a draft of a band and return its id."""
        data = await self.data(
            "mutation($pk: ID, $data: BandInput) { it: openBandDraft(pk: $pk, data: $data)"
            f" {{ {DRAFT} {ERRORS} }} }}",
            **arguments,
        )
        assert data["it"]["errors"] == []
        return str(data["it"]["draft"]["id"])

    async def edit(self, draft: str, *changes: object, fields: str = DRAFT) -> Any:
        """Stage changes of a band and return the payload."""
        data = await self.data(
            "mutation($draft: ID!, $changes: [BandChange!]!)"
            f" {{ it: editBandDraft(draft: $draft, changes: $changes) {{ {fields} {ERRORS} }} }}",
            draft=draft,
            changes=list(changes),
        )
        return data["it"]


async def make_band() -> tuple[str, str]:
    """Save a band and a genre, and return their primary keys."""
    genre = await Genre.objects.acreate(name="Rock")
    band = await Band.objects.acreate(name="The Beatles", formed=1960)
    return str(band.pk), str(genre.pk)


def add_member(key: str, name: str = "John", **more: object) -> dict[str, Any]:
    """Return the change that adds a member."""
    return {"members": {"add": [{"key": key, "name": name, "instrument": "GUITAR", **more}]}}
