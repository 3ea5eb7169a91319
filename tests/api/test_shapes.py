"""Models of every shape, mirrored as they are: what a commit saves is what the draft was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models import Model

import gql_cluster
from tests.api.schema_kit import ERRORS, Client
from tests.festival import places
from tests.festival.models import Festival, Person

ROOTS = [
    Festival,
    places.Venue,
    places.Hall,
    places.Arena,
    places.BigHall,
    places.Stage,
    places.Team,
    places.Asset,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A root, what a draft of a new one is made of, how that is edited, and what is to be saved.

    `fields` selects what `begun` and `ended` show of the draft, and then of what is saved.
    """

    model: type[Model]
    data: Mapping[str, Any]
    fields: str
    begun: Mapping[str, Any]
    changes: tuple[Mapping[str, Any], ...]
    ended: Mapping[str, Any]


SHAPES = {
    "abstract, a field removed, a field overridden": Shape(
        model=places.Venue,
        data={"title": "Barn", "rooms": [{"key": "a", "name": "A"}, {"key": "b", "name": "B"}]},
        fields="title rooms { name }",
        begun={"title": "Barn", "rooms": [{"name": "B"}, {"name": "A"}]},
        changes=(
            {"set": {"title": "Big barn"}},
            {"rooms": {"update": {"key": "a", "set": {"name": "C"}}}},
        ),
        ended={"title": "Big barn", "rooms": [{"name": "C"}, {"name": "B"}]},
    ),
    "a table below, children of both": Shape(
        model=places.Hall,
        data={
            "title": "Hall",
            "rooms": [{"name": "A"}],
            "doors": [{"key": "1", "number": 1}, {"key": "2", "number": 2}],
        },
        fields="title seats rooms { name } doors { number }",
        begun={
            "title": "Hall",
            "seats": 0,
            "rooms": [{"name": "A"}],
            "doors": [{"number": 1}, {"number": 2}],
        },
        changes=(
            {"set": {"title": "Great hall", "seats": 500}},
            {"doors": {"update": {"key": "1", "set": {"number": 2}}}},
            {"doors": {"update": {"key": "2", "set": {"number": 1}}}},
            {"rooms": {"clear": True}},
        ),
        ended={
            "title": "Great hall",
            "seats": 500,
            "rooms": [],
            "doors": [{"number": 2}, {"number": 1}],
        },
    ),
    "two tables below": Shape(
        model=places.Arena,
        data={"title": "Arena", "seats": 5, "pitch": "grass", "doors": [{"number": 7}]},
        fields="title seats pitch rooms { name } doors { number }",
        begun={
            "title": "Arena",
            "seats": 5,
            "pitch": "grass",
            "rooms": [],
            "doors": [{"number": 7}],
        },
        changes=(
            {"set": {"title": "A", "seats": 6, "pitch": ""}},
            {"rooms": {"add": [{"name": "R"}]}},
        ),
        ended={
            "title": "A",
            "seats": 6,
            "pitch": "",
            "rooms": [{"name": "R"}],
            "doors": [{"number": 7}],
        },
    ),
    "a proxy whose manager hides": Shape(
        model=places.BigHall,
        data={"title": "Big", "seats": 2000, "doors": [{"key": "d", "number": 1}]},
        fields="title seats doors { number }",
        begun={"title": "Big", "seats": 2000, "doors": [{"number": 1}]},
        changes=(
            {"set": {"seats": 3000}},
            {"doors": {"update": {"key": "d", "set": {"number": 9}}}},
        ),
        ended={"title": "Big", "seats": 3000, "doors": [{"number": 9}]},
    ),
    "two parents": Shape(
        model=places.Stage,
        data={"name": "Main", "risers": [{"key": "r", "height": "0.50"}]},
        fields="name lamps watts risers { height }",
        begun={"name": "Main", "lamps": 1, "watts": 100, "risers": [{"height": "0.50"}]},
        changes=(
            {"set": {"lamps": 8, "watts": 900}},
            {"risers": {"add": [{"height": "1.25"}]}},
        ),
        ended={
            "name": "Main",
            "lamps": 8,
            "watts": 900,
            "risers": [{"height": "0.50"}, {"height": "1.25"}],
        },
    ),
    "of django-model-utils": Shape(
        model=places.Team,
        data={"name": "Crew", "shifts": [{"key": "s"}]},
        fields="name status shifts { status takenAt }",
        begun={
            "name": "Crew",
            "status": "DRAFT",
            "shifts": [{"status": "OPEN", "takenAt": None}],
        },
        changes=({"set": {"status": "ON_AIR"}}, {"shifts": {"add": [{"status": "OPEN"}]}}),
        ended={
            "name": "Crew",
            "status": "ON_AIR",
            "shifts": [{"status": "OPEN", "takenAt": None}] * 2,
        },
    ),
    "marked instead of deleted": Shape(
        model=places.Asset,
        data={"name": "Truck", "parts": [{"key": "a", "name": "A"}, {"key": "b", "name": "B"}]},
        fields="name parts { name }",
        begun={"name": "Truck", "parts": [{"name": "A"}, {"name": "B"}]},
        changes=({"set": {"name": "Van"}}, {"parts": {"remove": ["a"]}}),
        ended={"name": "Van", "parts": [{"name": "B"}]},
    ),
}


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema that mirrors all of the untouched models."""
    schema = gql_cluster.Schema(clusters=ROOTS)
    yield Client(schema=schema)
    await schema.engine.aclose()


# Its manager says that another one is meant by now; that is for the project to hear.
@pytest.mark.filterwarnings("ignore:.*objects model manager will include:DeprecationWarning")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
async def test_a_shape_is_opened_edited_committed_and_opened_again(
    client: Client, shape: Shape
) -> None:
    """New first, then on what is saved, edited back; each time the draft is what is saved."""
    name = shape.model.__name__
    opening = (
        f"mutation($data: {name}Input, $pk: ID)"
        f" {{ it: open{name}Draft(data: $data, pk: $pk)"
        f" {{ draft {{ id cluster {{ {shape.fields} }} }} {ERRORS} }} }}"
    )
    editing = (
        f"mutation($draft: ID!, $changes: [{name}Change!]!)"
        f" {{ it: edit{name}Draft(draft: $draft, changes: $changes)"
        f" {{ draft {{ cluster {{ {shape.fields} }} errors {{ message field }} }} {ERRORS} }} }}"
    )
    committing = (
        f"mutation($draft: ID!) {{ it: commit{name}Draft(draft: $draft)"
        f" {{ cluster {{ pk {shape.fields} }} {ERRORS} }} }}"
    )
    opened = (await client.data(opening, data=shape.data))["it"]
    assert opened["errors"] == []
    assert opened["draft"]["cluster"] == shape.begun
    draft = opened["draft"]["id"]
    edited = (await client.data(editing, draft=draft, changes=list(shape.changes)))["it"]
    assert edited["errors"] == []
    assert edited["draft"] == {"cluster": shape.ended, "errors": []}
    committed = (await client.data(committing, draft=draft))["it"]
    assert committed["errors"] == []
    pk = committed["cluster"].pop("pk")
    assert committed["cluster"] == shape.ended
    again = (await client.data(opening, pk=pk))["it"]
    assert again["errors"] == []
    assert again["draft"]["cluster"] == shape.ended


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
