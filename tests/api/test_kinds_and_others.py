"""Rows of a base's table: what is unique among them, and what others make of them meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import gql_cluster
from schema.places.models import Bar, Place, Restaurant
from tests.api.samples_kit import Desk, schema_of
from tests.api.schema_kit import Client
from tests.shapes.models import Goods, Kit, Shop, Tool, Toy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def shops(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """Drafts of shops."""
    schema = schema_of(Shop)
    yield Desk(
        client=Client(schema=schema),
        cluster="Shop",
        fields="toys { key number ... on Kit { order } } tools { key number }",
    )
    await schema.engine.aclose()


@pytest.mark.parametrize("clusters", [(Restaurant,), (Place, Restaurant, Bar)])
async def test_what_is_unique_in_the_table_of_a_base_is_so_among_all_kinds(
    transactional_db: None,  # noqa: ARG001
    clusters: Any,
) -> None:
    """As Django's `validate_unique()` has it: the bar's name is no restaurant's."""
    await Bar.objects.acreate(name="Taken", address="1")
    schema = gql_cluster.Schema(clusters=clusters)
    client = Client(schema=schema)
    data = {"name": "Taken", "address": "2", "cuisine": "any", "seats": 1}
    opened = await client.data(
        "mutation($data: RestaurantInput!) { it: openRestaurantDraft(data: $data)"
        " { draft { id errors { field key message } } } }",
        data=data,
    )
    told = {"field": "name", "key": "root", "message": "Place with this Name already exists."}
    assert opened["it"]["draft"]["errors"] == [told]
    done = await client.data(
        "mutation($id: ID!) { it: commitRestaurantDraft(draft: $id)"
        " { errors { code field key message } } }",
        id=opened["it"]["draft"]["id"],
    )
    assert done["it"]["errors"] == [{"code": "VALIDATION_FAILED", **told}]
    await schema.engine.aclose()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"number": 7}, "Goods with this Number already exists."),
        ({"number": 1, "name": "SAW"}, "Constraint “goods_by_name” is violated."),
        ({"number": 100}, "Constraint “goods_below_100” is violated."),
    ],
)
@pytest.mark.parametrize("kind", ["toys", "kits", "tools"])
async def test_rules_of_a_base_outside_are_told_in_its_words(
    shops: Desk, kind: str, given: Any, message: str
) -> None:
    """A row that is of no kind at all has the value."""
    await Goods.objects.acreate(number=7, name="saw")
    data = {
        "toys": {"toys": [{"toy": given}]},
        "kits": {"toys": [{"kit": given}]},
        "tools": {"tools": [given]},
    }[kind]
    draft = await shops.open(data={"name": "Shop", **data})
    assert [each["message"] for each in draft["errors"]] == [message]


async def test_values_of_a_base_outside_are_handed_on_within_a_draft(shops: Desk) -> None:
    """Around, and from what goes to what comes, whatever their kinds."""
    shop = await Shop.objects.acreate(name="Shop")
    toy = await Toy.objects.acreate(shop=shop, number=1, name="A", position=1)
    kit = await Kit.objects.acreate(shop=shop, number=2, name="B", position=2)
    tool = await Tool.objects.acreate(shop=shop, number=3, name="C")
    gone = await Tool.objects.acreate(shop=shop, number=4, name="D")
    draft = (await shops.open(pk=str(shop.pk)))["id"]
    staged = await shops.edit(
        draft,
        {"toys": {"update": {"key": f"Toy:{toy.pk}", "set": {"toy": {"number": 3}}}}},
        {"toys": {"update": {"key": f"Kit:{kit.pk}", "set": {"kit": {"number": 1, "order": 9}}}}},
        {"tools": {"update": {"key": f"Tool:{tool.pk}", "set": {"number": 2}}}},
        {"tools": {"remove": [f"Tool:{gone.pk}"]}},
        {"toys": {"add": [{"kit": {"number": 4}}]}},
    )
    assert (staged["errors"], staged["draft"]["errors"]) == ([], [])
    done = await shops.commit(draft)
    assert [each["number"] for each in done["toys"]] == [3, 1, 4]
    assert [each["number"] for each in done["tools"]] == [2]


async def test_two_kinds_of_a_draft_are_told_of_one_value(shops: Desk) -> None:
    """A toy and a tool have nothing in common but the table of both."""
    data = {"name": "Shop", "toys": [{"kit": {"number": 1}}], "tools": [{"number": 1}]}
    draft = await shops.open(data=data)
    assert [each["field"] for each in draft["errors"]] == ["number"]


async def test_a_column_called_order_of_a_kind_is_the_clients(shops: Desk) -> None:
    """The relation's child says what numbers its siblings; the kind's own order is another's."""
    kits = [{"kit": {"number": number, "order": -number}} for number in (1, 2)]
    draft = (await shops.open(data={"name": "Shop", "toys": kits}))["id"]
    done = await shops.commit(draft)
    assert [(each["number"], each["order"]) for each in done["toys"]] == [(1, -1), (2, -2)]
    assert [kit.position async for kit in Kit.objects.order_by("number")] == [1, 2]
