"""Rows of a base's table: what is unique among them, and what others make of them meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async

import gql_cluster
from schema.places.models import Bar, Place, Restaurant
from tests.api.samples_kit import Desk, schema_of
from tests.api.schema_kit import ERRORS, Client
from tests.festival.places import (
    Block,
    Gallery,
    ImageBlock,
    Link,
    Page,
    Picture,
    TextBlock,
)
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


BLOCKS = """
  blocks {
    __typename key pk heading links { url }
    ... on TextBlock { body }
    ... on Gallery { alt pictures { alt } }
  }
"""


@pytest.fixture
async def pages(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """Drafts of pages."""
    schema = schema_of(Page)
    yield Desk(client=Client(schema=schema), cluster="Page", fields=BLOCKS)
    await schema.engine.aclose()


def save() -> dict[str, Block]:
    """Save a page with a block of each kind, and one more that nobody touches."""
    page = Page.objects.create(title="Home")
    gallery = Gallery(page=page, heading="Gallery", position=3, alt="Dogs")
    blocks: dict[str, Block] = {
        "plain": Block.objects.create(page=page, heading="Plain", position=1),
        "text": TextBlock.objects.create(page=page, heading="Text", position=2, body="Mine"),
        "gallery": gallery,
        "other": Block.objects.create(page=page, heading="Other", position=4),
    }
    gallery.save()
    Picture.objects.create(gallery=gallery, alt="A dog")
    Link.objects.create(block=blocks["plain"], url="https://link.example")
    return blocks


def turn(blocks: dict[str, Block]) -> None:
    """Make a text of the plain block, a plain block of the text, and a text of the gallery."""
    Gallery.objects.get(pk=blocks["gallery"].pk).delete(keep_parents=True)
    ImageBlock.objects.get(pk=blocks["gallery"].pk).delete(keep_parents=True)
    TextBlock.objects.get(pk=blocks["text"].pk).delete(keep_parents=True)
    for name in ("plain", "gallery"):
        TextBlock(block_ptr_id=blocks[name].pk, body="Theirs").save_base(raw=True)


def key_of(block: Block) -> str:
    """Return the key that a saved block has in a draft."""
    return f"{type(block).__name__}:{block.pk}"


async def rebased(desk: Desk, draft: str, policy: str) -> Any:
    """Rebase; return the payload."""
    data = await desk.client.data(
        "mutation($draft: ID!, $policy: ConflictPolicy!)"
        " { it: rebaseDraft(draft: $draft, onConflict: $policy) { conflicts { kind key field }"
        f" draft {{ ... on PageDraft {{ cluster {{ {BLOCKS} }} }} }} errors {{ code }} }} }}",
        draft=draft,
        policy=policy,
    )
    return data["it"]


async def committed(desk: Desk, draft: str, policy: str, *, keep_open: bool = False) -> Any:
    """Commit; return the payload."""
    data = await desk.client.data(
        "mutation($draft: ID!, $policy: ConflictPolicy!, $open: Boolean!)"
        " { it: commitPageDraft(draft: $draft, onConflict: $policy, keepOpen: $open)"
        f" {{ conflicts {{ kind key field }} cluster {{ {BLOCKS} }} {ERRORS} }} }}",
        draft=draft,
        policy=policy,
        open=keep_open,
    )
    return data["it"]


CHANGES: dict[str, Any] = {
    "set": lambda key, kind: {"update": {"key": key, "set": {kind: {"heading": "New"}}}},
    "move": lambda key, _: {"move": {"key": key, "to": "LAST"}},
    "below": lambda key, kind: {
        "edit": {
            "key": key,
            "changes": [{kind: {"links": {"add": {"url": "https://new.example"}}}}],
        }
    },
}
TURNED = {"plain": "TextBlock", "text": "PlainBlock", "gallery": "TextBlock"}
KINDS = {"plain": "block", "text": "textBlock", "gallery": "gallery"}


@pytest.mark.parametrize("way", ["commit", "rebase MINE", "rebase FAIL"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", TURNED)
async def test_a_row_that_has_become_another_kind_is_the_same_node(
    pages: Desk, name: str, change: str, way: str
) -> None:
    """What all kinds have is merged as ever, and the key stays."""
    blocks = await sync_to_async(save)()
    pk, key = str(blocks[name].page_id), key_of(blocks[name])
    draft = (await pages.open(pk=pk))["id"]
    staged = await pages.edit(draft, {"blocks": CHANGES[change](key, KINDS[name])})
    assert staged["errors"] == []
    await sync_to_async(turn)(blocks)
    if way != "commit":
        it = await rebased(pages, draft, way.split()[1])
        assert (it["errors"], it["conflicts"]) == ([], [])
        [mine] = [each for each in it["draft"]["cluster"]["blocks"] if each["key"] == key]
        assert mine["__typename"] == TURNED[name]
    done = await committed(pages, draft, "FAIL")
    assert (done["errors"], done["conflicts"]) == ([], [])
    found = done["cluster"]["blocks"]
    assert len(found) == len(blocks)
    [block] = [each for each in found if each["pk"] == str(blocks[name].pk)]
    assert block["__typename"] == TURNED[name]
    assert block.get("body") == ("Theirs" if name != "text" else None)
    if change == "set":
        assert block["heading"] == "New"
    elif change == "move":
        assert found[-1] == block
    else:
        assert block["links"][-1] == {"url": "https://new.example"}


@pytest.mark.parametrize(("policy", "left"), [("THEIRS", 4), ("MINE", 3)])
@pytest.mark.parametrize("way", ["commit", "rebase"])
@pytest.mark.parametrize("name", TURNED)
async def test_a_removed_row_that_has_become_another_kind_is_a_conflict(
    pages: Desk, name: str, way: str, policy: str, left: int
) -> None:
    """Nobody's text goes without a word; mine takes it out, theirs leaves it there."""
    blocks = await sync_to_async(save)()
    key = key_of(blocks[name])
    draft = (await pages.open(pk=str(blocks[name].page_id)))["id"]
    assert (await pages.edit(draft, {"blocks": {"remove": [key]}}))["errors"] == []
    await sync_to_async(turn)(blocks)
    told = [{"kind": "CHANGED", "key": key, "field": None}]
    assert (await committed(pages, draft, "FAIL"))["conflicts"] == told
    if way == "rebase":
        assert (await rebased(pages, draft, "FAIL"))["conflicts"] == told
        assert (await rebased(pages, draft, policy))["errors"] == []
    done = await committed(pages, draft, "FAIL" if way == "rebase" else policy)
    assert (done["errors"], len(done["cluster"]["blocks"])) == ([], left)
    assert await Block.objects.filter(pk=blocks[name].pk).acount() == left - 3


@pytest.mark.parametrize("what", ["field", "added", "changed"])
async def test_changes_of_what_a_row_is_no_more_are_a_conflict(pages: Desk, what: str) -> None:
    """Theirs alone decides it: there is nothing that mine could be written to."""
    blocks = await sync_to_async(save)()
    name = "text" if what == "field" else "gallery"
    key, picture = key_of(blocks[name]), f"Picture:{(await Picture.objects.aget()).pk}"
    below = {
        "added": {"add": {"key": "new", "alt": "A cat"}},
        "changed": {"update": {"key": picture, "set": {"alt": "A cat"}}},
    }
    change: Any = {"update": {"key": key, "set": {"textBlock": {"body": "New"}}}}
    if what != "field":
        change = {"edit": {"key": key, "changes": [{"gallery": {"pictures": below[what]}}]}}
    draft = (await pages.open(pk=str(blocks[name].page_id)))["id"]
    both = {"blocks": {"add": {"textBlock": {"heading": "Last", "body": "Mine"}}}}
    assert (await pages.edit(draft, {"blocks": change}, both))["errors"] == []
    await sync_to_async(turn)(blocks)
    node = {"field": key, "added": "new", "changed": picture}[what]
    told = [{"kind": "DELETED", "key": node, "field": None}]
    for policy in ("FAIL", "MINE"):
        assert (await rebased(pages, draft, policy))["conflicts"] == told
        refused = await committed(pages, draft, policy)
        assert refused["conflicts"] == told
    done = await committed(pages, draft, "THEIRS")
    assert (done["errors"], done["conflicts"]) == ([], [])
    found = [each["__typename"] for each in done["cluster"]["blocks"]]
    assert found == ["TextBlock", "PlainBlock", "TextBlock", "PlainBlock", "TextBlock"]


@pytest.mark.parametrize("name", TURNED)
@pytest.mark.parametrize("by", ["rebase", "keepOpen"])
async def test_keys_and_undo_outlive_another_kind(pages: Desk, by: str, name: str) -> None:
    """A draft goes on as if nothing had happened, and takes back what it did."""
    blocks = await sync_to_async(save)()
    key = key_of(blocks[name])
    draft = (await pages.open(pk=str(blocks[name].page_id)))["id"]
    await pages.edit(draft, {"blocks": CHANGES["set"](key, KINDS[name])})
    await sync_to_async(turn)(blocks)
    if by == "rebase":
        assert (await rebased(pages, draft, "FAIL"))["errors"] == []
    else:
        done = await committed(pages, draft, "FAIL", keep_open=True)
        assert (done["errors"], done["conflicts"]) == ([], [])
    data = await pages.client.data(
        "mutation($draft: ID!) { it: undoDraft(draft: $draft) { kept { key reason }"
        f" draft {{ ... on PageDraft {{ cluster {{ {BLOCKS} }} }} }} errors {{ code }} }} }}",
        draft=draft,
    )
    assert (data["it"]["errors"], data["it"]["kept"]) == ([], [])
    [node] = [n for n in data["it"]["draft"]["cluster"]["blocks"] if n["key"] == key]
    assert (node["__typename"], node["heading"]) == (TURNED[name], blocks[name].heading)
    assert (await committed(pages, draft, "FAIL"))["errors"] == []
    assert (await Block.objects.aget(pk=blocks[name].pk)).heading == blocks[name].heading


async def test_a_removal_is_undone_when_the_row_has_become_another_kind(pages: Desk) -> None:
    """It comes back as what it is by now."""
    blocks = await sync_to_async(save)()
    key = key_of(blocks["plain"])
    draft = (await pages.open(pk=str(blocks["plain"].page_id)))["id"]
    await pages.edit(draft, {"blocks": {"remove": [key]}})
    await sync_to_async(turn)(blocks)
    assert (await rebased(pages, draft, "MINE"))["errors"] == []
    data = await pages.client.data(
        "mutation($draft: ID!) { it: undoDraft(draft: $draft) { kept { key reason }"
        f" draft {{ ... on PageDraft {{ cluster {{ {BLOCKS} }} }} }} errors {{ code }} }} }}",
        draft=draft,
    )
    assert (data["it"]["errors"], data["it"]["kept"]) == ([], [])
    first = data["it"]["draft"]["cluster"]["blocks"][0]
    assert (first["key"], first["__typename"], first["body"]) == (key, "TextBlock", "Theirs")
    assert (await committed(pages, draft, "FAIL"))["errors"] == []
    assert (await TextBlock.objects.aget(pk=blocks["plain"].pk)).body == "Theirs"
