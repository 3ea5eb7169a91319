"""Children that name their parent by another column than its primary key, while others save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from strawberry import auto

import gql_cluster
from tests.api.samples_kit import Desk, schema_of
from tests.api.schema_kit import ERRORS, Client
from tests.shapes.models import Country, Street, Town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FIELDS = "code towns { key number streets { key name1 } }"


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema of countries."""
    schema = schema_of(Country)
    yield Client(schema=schema)
    await schema.engine.aclose()


async def make() -> tuple[str, Town]:
    """Save a country whose primary key is no column that anything refers to."""
    await Country.objects.acreate(code="other", name="Other")
    country = await Country.objects.acreate(code="at", name="Austria")
    town = await Town.objects.acreate(country=country, number=7)
    await Street.objects.acreate(town=town, name_1="Ring")
    return str(country.pk), town


async def test_the_column_is_set_of_a_new_parent_alone(client: Client) -> None:
    """A later change would leave children behind; so no input offers it."""
    desk = Desk(client=client, cluster="Country", fields=FIELDS)
    town = {"number": 1, "streets": [{"name1": "Zeil"}]}
    data = {"code": "de", "name": "Germany", "towns": [town]}
    draft = (await desk.open(data=data))["id"]
    saved = await desk.commit(draft)
    assert [(town["number"], len(town["streets"])) for town in saved["towns"]] == [(1, 1)]
    fields = await client.data('{ __type(name: "CountryFields") { inputFields { name } } }')
    assert [each["name"] for each in fields["__type"]["inputFields"]] == ["name"]


async def test_what_others_save_below_is_brought_in(client: Client) -> None:
    """By a rebase, with what is below it, to the parent that it names."""
    pk, town = await make()
    desk = Desk(client=client, cluster="Country", fields=FIELDS)
    draft = (await desk.open(pk=pk))["id"]
    await desk.edit(draft, {"set": {"name": "Österreich"}})
    theirs = await Town.objects.acreate(country_id="at", number=8)
    await Street.objects.acreate(town=theirs, name_1="Graben")
    data = await client.data(
        "mutation($id: ID!) { it: rebaseDraft(draft: $id) {"
        f" draft {{ ... on CountryDraft {{ cluster {{ {FIELDS} }} }} }} {ERRORS} }} }}",
        id=draft,
    )
    assert data["it"]["errors"] == []
    towns = data["it"]["draft"]["cluster"]["towns"]
    assert [(each["key"], len(each["streets"])) for each in towns] == [
        (f"Town:{town.pk}", 1),
        (f"Town:{theirs.pk}", 1),
    ]


async def test_a_value_that_others_took_is_a_conflict(client: Client) -> None:
    """Within the same cluster; the commit says so, and saves nothing."""
    pk, town = await make()
    desk = Desk(client=client, cluster="Country", fields=FIELDS)
    draft = (await desk.open(pk=pk))["id"]
    add = {"streets": {"add": [{"key": "s", "name1": "Gasse"}]}}
    await desk.edit(
        draft,
        {"towns": {"add": [{"key": "mine", "number": 9}]}},
        {"towns": {"edit": {"key": f"Town:{town.pk}", "changes": [add]}}},
    )
    await Town.objects.acreate(country_id="at", number=9)
    result: Any = await client.data(
        "mutation($id: ID!) { it: commitCountryDraft(draft: $id)"
        f" {{ conflicts {{ kind key field }} {ERRORS} }} }}",
        id=draft,
    )
    assert result["it"]["conflicts"] == [{"kind": "UNIQUE", "key": "mine", "field": "number"}]
    assert [error["code"] for error in result["it"]["errors"]] == ["CONFLICT"]
    assert await Street.objects.acount() == 1


async def test_a_value_that_others_took_two_levels_down_is_a_conflict(client: Client) -> None:
    """The row that has it is known for one of this cluster's by both columns."""
    pk, town = await make()
    desk = Desk(client=client, cluster="Country", fields=FIELDS)
    draft = (await desk.open(pk=pk))["id"]
    add = {"streets": {"add": [{"key": "mine", "name1": "Gasse", "code": 5}]}}
    await desk.edit(draft, {"towns": {"edit": {"key": f"Town:{town.pk}", "changes": [add]}}})
    await Street.objects.acreate(town=town, name_1="Weg", code=5)
    result: Any = await client.data(
        "mutation($id: ID!) { it: commitCountryDraft(draft: $id)"
        " { conflicts { kind key field } } }",
        id=draft,
    )
    assert result["it"]["conflicts"] == [{"kind": "UNIQUE", "key": "mine", "field": "code"}]


async def test_a_child_that_others_deleted_is_a_conflict(client: Client) -> None:
    """As of any other."""
    pk, town = await make()
    desk = Desk(client=client, cluster="Country", fields=FIELDS)
    draft = (await desk.open(pk=pk))["id"]
    street = await Street.objects.aget()
    key = f"Street:{street.pk}"
    update = {"streets": {"update": {"key": key, "set": {"name1": "Gürtel"}}}}
    await desk.edit(draft, {"towns": {"edit": {"key": f"Town:{town.pk}", "changes": [update]}}})
    await street.adelete()
    result: Any = await client.data(
        "mutation($id: ID!) { it: commitCountryDraft(draft: $id) { conflicts { kind key } } }",
        id=draft,
    )
    kinds = [(each["kind"], each["key"]) for each in result["it"]["conflicts"]]
    assert kinds == [("DELETED", key)]


async def test_the_number_of_children_is_counted(transactional_db: None) -> None:  # noqa: ARG001
    """With what others have added."""

    @gql_cluster.type(Country, name="Country", children={"towns": gql_cluster.Children(max_num=2)})
    class Declared:
        code: auto

    schema = gql_cluster.Schema(clusters=[Declared])
    desk = Desk(client=Client(schema=schema), cluster="Country", fields="code")
    pk, _ = await make()
    draft = (await desk.open(pk=pk))["id"]
    await desk.edit(draft, {"towns": {"add": [{"number": 3}]}})
    await Town.objects.acreate(country_id="at", number=4)
    result = await desk.client.data(
        "mutation($id: ID!) { it: commitCountryDraft(draft: $id) { errors { code reason } } }",
        id=draft,
    )
    await schema.engine.aclose()
    assert result["it"]["errors"] == [{"code": "VALIDATION_FAILED", "reason": "too_many_forms"}]
