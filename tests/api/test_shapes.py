"""Models that inherit, and keys of all kinds: what `test_every_shape.py` does not ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from asgiref.sync import sync_to_async

from tests.api.samples_kit import schema_of
from tests.api.schema_kit import ERRORS, Client
from tests.festival import places
from tests.festival.models import Person


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema that mirrors all of the untouched models."""
    schema = schema_of(places.Venue, places.Team)
    yield Client(schema=schema)
    await schema.engine.aclose()


async def test_a_clone_of_another_type_is_not_made(client: Client) -> None:
    """A hall that is edited as a venue stays a hall, and one that is deleted goes whole."""
    hall = await places.Hall.objects.acreate(title="Hall", seats=5)
    data = await client.data(
        "mutation($pk: ID) { it: openVenueDraft(pk: $pk) { draft { id } } }", pk=str(hall.pk)
    )
    draft = data["it"]["draft"]["id"]
    await client.data(
        'mutation($draft: ID!) { editVenueDraft(draft: $draft, changes: [{set: {title: "V"}}])'
        " { errors { code } } }",
        draft=draft,
    )
    data = await client.data(
        "mutation($draft: ID!) { it: commitVenueDraft(draft: $draft)"
        f" {{ cluster {{ title }} {ERRORS} }} }}",
        draft=draft,
    )
    assert data["it"] == {"cluster": {"title": "V"}, "errors": []}
    await hall.arefresh_from_db()
    assert (hall.title, hall.seats) == ("V", 5)


async def test_keys_of_all_kinds_are_edited(client: Client) -> None:
    """One to one, and to the same model, outside of the cluster and within."""
    ann = await Person.objects.acreate(name="Ann")
    parent = await places.Team.objects.acreate(name="Parent")
    taken = await places.Shift.objects.acreate(team=parent)
    data = await client.data(
        "mutation($data: TeamInput) { it: openTeamDraft(data: $data) {"
        " draft { id cluster { lead { name } parent { name } shifts { after { status } } } }"
        f" {ERRORS} }} }}",
        data={
            "name": "Part",
            "lead": str(ann.pk),
            "parent": str(parent.pk),
            "shifts": [{"after": str(taken.pk)}],
        },
    )
    assert data["it"]["errors"] == []
    assert data["it"]["draft"]["cluster"] == {
        "lead": {"name": "Ann"},
        "parent": {"name": "Parent"},
        "shifts": [{"after": {"status": "OPEN"}}],
    }
    data = await client.data(
        "mutation($draft: ID!) { it: commitTeamDraft(draft: $draft)"
        f" {{ cluster {{ pk created modified }} {ERRORS} }} }}",
        draft=data["it"]["draft"]["id"],
    )
    assert data["it"]["errors"] == []
    part = await places.Team.objects.select_related("lead", "parent").aget(name="Part")
    assert (part.lead, part.parent) == (ann, parent)
    assert data["it"]["cluster"]["created"] == part.created.isoformat()
    assert await sync_to_async(lambda: part.shifts.get().after)() == taken
