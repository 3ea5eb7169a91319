"""Orders that Django keeps: `order_with_respect_to`, over GraphQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.api.samples_kit import schema_of
from tests.api.schema_kit import ERRORS, Client
from tests.festival.models import Act, Day, Festival

ACTS = "days { acts { key pk name } }"


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema that mirrors the untouched models."""
    schema = schema_of(Festival)
    yield Client(schema=schema)
    await schema.engine.aclose()


async def draft_of(client: Client, festival: Festival) -> str:
    """Open a draft and return its id."""
    data = await client.data(
        "mutation($pk: ID) { it: openFestivalDraft(pk: $pk) { draft { id } } }", pk=str(festival.pk)
    )
    return str(data["it"]["draft"]["id"])


async def edited(client: Client, draft: str, day: Day, *acts: Any) -> list[str]:
    """Stage changes of a day's acts, and return their names as the draft has them."""
    changes = [{"acts": each} for each in acts]
    change = {"days": {"edit": {"key": f"Day:{day.pk}", "changes": changes}}}
    data = await client.data(
        "mutation($draft: ID!, $changes: [FestivalChange!]!)"
        " { it: editFestivalDraft(draft: $draft, changes: $changes)"
        f" {{ draft {{ cluster {{ {ACTS} }} errors {{ message }} }} {ERRORS} }} }}",
        draft=draft,
        changes=[change],
    )
    assert data["it"]["errors"] == []
    assert data["it"]["draft"]["errors"] == []
    return [each["name"] for each in data["it"]["draft"]["cluster"]["days"][0]["acts"]]


async def committed(client: Client, draft: str) -> None:
    """Commit."""
    data = await client.data(
        "mutation($draft: ID!) { it: commitFestivalDraft(draft: $draft)"
        f" {{ cluster {{ {ACTS} }} {ERRORS} }} }}",
        draft=draft,
    )
    assert data["it"]["errors"] == []


async def saved(day: Day) -> list[tuple[str, int]]:
    """Return the names and numbers of a day's acts."""
    return [row async for row in Act.objects.filter(day=day).values_list("name", "_order")]


@pytest.fixture
async def day(client: Client) -> Day:  # noqa: ARG001 - it has the database
    """Return a day with three acts."""
    festival = await Festival.objects.acreate(name="Spring")
    day = await Day.objects.acreate(festival=festival, date="2026-05-01")
    for name in "abc":
        await Act.objects.acreate(day=day, name=name)
    return day


async def test_what_is_moved_and_added_is_saved_where_the_draft_has_it(
    client: Client, day: Day
) -> None:
    """A new act in the midst of them, too, which Django itself would put at the end."""
    draft = await draft_of(client, day.festival)
    first = await Act.objects.aget(name="c")
    names = await edited(
        client,
        draft,
        day,
        {"move": {"key": f"Act:{first.pk}", "to": "FIRST"}},
        {"add": [{"name": "x", "position": 1}]},
        {"add": [{"name": "y"}]},
    )
    assert names == ["c", "x", "a", "b", "y"]
    await committed(client, draft)
    assert await saved(day) == [(name, number) for number, name in enumerate(names)]


async def test_the_first_is_numbered_as_django_does(client: Client) -> None:
    """From 0, and what is appended counts on."""
    festival = await Festival.objects.acreate(name="Autumn")
    day = await Day.objects.acreate(festival=festival, date="2026-09-01")
    draft = await draft_of(client, festival)
    assert await edited(client, draft, day, {"add": [{"name": "a"}, {"name": "b"}]}) == ["a", "b"]
    await committed(client, draft)
    assert await saved(day) == [("a", 0), ("b", 1)]
    await Act.objects.acreate(day=day, name="c")
    draft = await draft_of(client, festival)
    assert (await edited(client, draft, day, {"add": [{"name": "d"}]}))[-1] == "d"
    await committed(client, draft)
    assert await saved(day) == [("a", 0), ("b", 1), ("c", 2), ("d", 3)]


async def test_the_column_is_no_field_for_clients(client: Client) -> None:
    """Nor an input; `position` and `move` are."""
    fields = await client.data(
        '{ act: __type(name: "Act") { fields { name } }'
        ' input: __type(name: "ActInput") { inputFields { name } } }'
    )
    assert "_order" not in {each["name"] for each in fields["act"]["fields"]}
    assert {each["name"] for each in fields["input"]["inputFields"]} == {"key", "position", "name"}
