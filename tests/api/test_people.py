"""The sample groups: an abstract base, a proxy, and members by rows with columns of their own."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from schema.people.models import Group, Membership, Person
from schema.people.samples import load
from tests.api.samples_kit import Desk, counted
from tests.api.schema_kit import Client

FIELDS = (
    "name about founded members { name } memberships { person { name } dateJoined inviteReason }"
)


@pytest.fixture
def desk(client: Client) -> Desk:
    """Drafts of groups."""
    return Desk(client=client, cluster="Group", fields=FIELDS)


@pytest.fixture
async def inklings(client: Client) -> Group:  # noqa: ARG001 - it has the database
    """A saved group of the samples."""
    assert await sync_to_async(load)() == 3
    assert await sync_to_async(load)() == 0
    return await Group.objects.aget(name="Inklings")


def names(people: Any) -> list[str]:
    """Return the names in a list."""
    return [each["name"] for each in people]


async def test_a_draft_shows_what_is_saved(desk: Desk, inklings: Group) -> None:
    """The members by the order of people, the memberships by the day of joining."""
    saved = await desk.saved(inklings.pk)
    assert names(saved["members"])[:2] == ["C. S. Lewis", "Charles Williams"]
    assert len(saved["members"]) == 6
    assert saved["memberships"][-1] == {
        "person": {"name": "Charles Williams"},
        "dateJoined": "1939-01-01",
        "inviteReason": "Came with the Press from London, in the war.",
    }
    assert (await desk.open(pk=str(inklings.pk)))["cluster"] == saved


async def test_members_are_edited_by_memberships_and_the_list_follows(
    desk: Desk, inklings: Group
) -> None:
    """In the draft at once, in the database after the commit alone."""
    draft = (await desk.open(pk=str(inklings.pk)))["id"]
    forster = await Person.objects.aget(name="E. M. Forster")
    gone = await Membership.objects.aget(person__name="Charles Williams")
    changes = [
        {"memberships": {"remove": [f"Membership:{gone.pk}"]}},
        {
            "memberships": {
                "add": [{"key": "new", "person": str(forster.pk), "dateJoined": "1950-05-01"}]
            }
        },
    ]
    payload = await desk.edit(draft, *changes)
    assert payload["errors"] == []
    drafted = payload["draft"]["cluster"]
    assert "E. M. Forster" in names(drafted["members"])
    assert "Charles Williams" not in names(drafted["members"])
    assert "Charles Williams" in names((await desk.saved(inklings.pk))["members"])
    committed = await desk.commit(draft)
    assert committed == drafted
    assert await desk.saved(inklings.pk) == drafted
    assert await inklings.members.filter(name="E. M. Forster").aexists()


async def test_a_new_group_has_the_members_of_its_memberships(desk: Desk, inklings: Group) -> None:
    """Before it is saved; filters and pages are answered, too."""
    assert inklings.pk
    people = [each async for each in Person.objects.all()[:3]]
    data = {
        "name": "Walkers",
        "memberships": [
            {"person": str(each.pk), "dateJoined": "2020-01-01"} for each in reversed(people)
        ],
    }
    draft = await desk.open(data=data)
    assert names(draft["cluster"]["members"]) == [each.name for each in people]
    narrow = Desk(
        client=desk.client,
        cluster="Group",
        fields='members(filters: {name: {startsWith: "C"}}, pagination: {limit: 1}) { name }'
        " membersConnection { totalCount }",
    )
    shown = (await narrow.edit(draft["id"], {"set": {"about": "On Sundays."}}))["draft"]["cluster"]
    assert names(shown["members"]) == ["C. S. Lewis"]
    assert shown["membersConnection"]["totalCount"] == 3


async def test_the_members_are_no_field_to_write(client: Client) -> None:
    """A membership needs a day, so that a list of people would not do."""
    query = '{ __type(name: "GroupChange") { inputFields { name } } }'
    fields = (await client.data(query))["__type"]["inputFields"]
    assert {each["name"] for each in fields} == {"set", "memberships"}


async def test_clean_of_a_membership_sees_the_drafted_group(desk: Desk, inklings: Group) -> None:
    """The group's day of founding counts as it is in the draft."""
    draft = (await desk.open(pk=str(inklings.pk)))["id"]
    early = {"person": None, "dateJoined": "1900-01-01"}
    forster = await Person.objects.aget(name="E. M. Forster")
    early["person"] = str(forster.pk)
    payload = await desk.edit(draft, {"memberships": {"add": [early]}})
    [error] = payload["draft"]["errors"]
    assert (error["message"], error["field"]) == ("The group is not that old.", "dateJoined")
    payload = await desk.edit(draft, {"set": {"founded": "1899-01-01"}})
    assert payload["draft"]["errors"] == []


async def test_a_proxy_has_its_own_manager_and_order(client: Client, inklings: Group) -> None:
    """The same rows, the oldest first, without those of whom the age is not known."""
    assert inklings.pk
    await Person.objects.acreate(name="A. N. Other")
    data = await client.data("{ people { name } peopleByAge { id name } }")
    assert names(data["people"])[0] == "A. N. Other"
    by_age = names(data["peopleByAge"])
    assert by_age[0] == "Roger Fry"
    assert by_age[-1] == "C. S. Lewis"
    assert len(by_age) == 14


@pytest.mark.parametrize("more", [0, 4])
async def test_lists_of_groups_cost_a_query_each(
    client: Client, inklings: Group, more: int
) -> None:
    """However many groups there are: groups, members, memberships."""
    someone = await Person.objects.aget(name="Roger Fry")
    for number in range(more):
        group = await Group.objects.acreate(name=f"{inklings} {number}")
        await Membership.objects.acreate(group=group, person=someone, date_joined="2000-01-01")
    queries = await sync_to_async(counted)(client, f"{{ groups {{ {FIELDS} }} }}")
    assert len(queries) == 3, queries


async def test_a_drafts_lists_cost_a_query_each(desk: Desk, inklings: Group) -> None:
    """The people of the memberships, and those of the members."""
    draft = (await desk.open(pk=str(inklings.pk)))["id"]
    query = f'{{ draft(id: "{draft}") {{ ... on GroupDraft {{ cluster {{ {FIELDS} }} }} }} }}'
    queries = await sync_to_async(counted)(desk.client, query)
    assert len(queries) == 2, queries
