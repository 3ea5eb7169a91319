"""Children of many kinds in one relation: each keeps its own, in a draft and through a commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gql_cluster.orm.describe import describe
from gql_cluster.orm.load import load
from tests.api.samples_kit import counted, schema_of
from tests.api.schema_kit import ERRORS, Client
from tests.festival.models import Person
from tests.festival.places import Block, Gallery, ImageBlock, Link, Page, Picture, TextBlock

BLOCKS = """
  __typename key heading
  mentions { name }
  links { url }
  ... on TextBlock { body }
  ... on ImageBlock { alt painters { name } }
  ... on Gallery { columns pictures { alt } }
"""


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema of pages."""
    schema = schema_of(Page)
    yield Client(schema=schema)
    await schema.engine.aclose()


async def opened(client: Client, **arguments: Any) -> tuple[str, list[Any]]:
    """Open a draft; return its id and its blocks."""
    data = await client.data(
        "mutation($pk: ID, $data: PageInput, $copy: ID, $json: JSON)"
        " { it: openPageDraft(pk: $pk, data: $data, copyOf: $copy, json: $json)"
        f" {{ draft {{ id cluster {{ blocks {{ {BLOCKS} }} }} }} {ERRORS} }} }}",
        **arguments,
    )
    assert data["it"]["errors"] == []
    draft = data["it"]["draft"]
    return draft["id"], draft["cluster"]["blocks"]


async def edited(client: Client, draft: str, *changes: Any) -> Any:
    """Stage changes; return the payload, with the blocks as they are then."""
    data = await client.data(
        "mutation($draft: ID!, $changes: [PageChange!]!)"
        " { it: editPageDraft(draft: $draft, changes: $changes) {"
        f" draft {{ cluster {{ blocks {{ {BLOCKS} }} }} errors {{ code key field message }} }}"
        " event { ... on DraftEdited { changes { kind typename node { __typename id } } } }"
        f" {ERRORS} }} }}",
        draft=draft,
        changes=list(changes),
    )
    return data["it"]


async def committed(client: Client, draft: str) -> Any:
    """Commit; return the payload."""
    data = await client.data(
        "mutation($draft: ID!) { it: commitPageDraft(draft: $draft) {"
        f" cluster {{ pk blocks {{ {BLOCKS} }} }} keys {{ key pk id }}"
        f" conflicts {{ kind key field base theirs mine }} {ERRORS} }} }}",
        draft=draft,
    )
    return data["it"]


def kinds_of(blocks: list[Any]) -> list[tuple[str, str]]:
    """Return type and heading of each block."""
    return [(each["__typename"], each["heading"]) for each in blocks]


def make_page() -> Page:
    """Save a page with a block of each kind."""
    page = Page.objects.create(title="Home")
    ann = Person.objects.create(name="Ann")
    block = Block.objects.create(page=page, heading="Plain", position=1)
    text = TextBlock.objects.create(page=page, heading="Text", position=2, body="Hello")
    image = ImageBlock.objects.create(page=page, heading="Image", position=3, alt="A cat")
    gallery = Gallery.objects.create(page=page, heading="Gallery", position=4, alt="Dogs")
    Picture.objects.create(gallery=gallery, alt="A dog")
    Link.objects.create(block=block, url="https://plain.example")
    Link.objects.create(block=gallery, url="https://gallery.example")
    text.mentions.add(ann)
    text.save()
    image.painters.add(ann)
    gallery.painters.add(ann)
    return page


SAVED: list[dict[str, Any]] = [
    {
        "__typename": "PlainBlock",
        "heading": "Plain",
        "mentions": [],
        "links": [{"url": "https://plain.example"}],
    },
    {
        "__typename": "TextBlock",
        "heading": "Text",
        "mentions": [{"name": "Ann"}],
        "links": [],
        "body": "Hello",
    },
    {
        "__typename": "PlainImageBlock",
        "heading": "Image",
        "mentions": [],
        "links": [],
        "alt": "A cat",
        "painters": [{"name": "Ann"}],
    },
    {
        "__typename": "Gallery",
        "heading": "Gallery",
        "mentions": [],
        "links": [{"url": "https://gallery.example"}],
        "alt": "Dogs",
        "painters": [{"name": "Ann"}],
        "columns": 3,
        "pictures": [{"alt": "A dog"}],
    },
]


def without_keys(blocks: list[Any]) -> list[Any]:
    """Return blocks as any draft, and the saved page, have them."""
    return [{name: value for name, value in each.items() if name != "key"} for each in blocks]


async def test_each_child_is_what_it_is_saved_and_in_a_draft(client: Client) -> None:
    """One query of the client's, and the same answer."""
    page = await sync_to_async(make_page)()
    data = await client.data(
        f"query($pk: ID!) {{ page(pk: $pk) {{ blocks {{ {BLOCKS} }} }} }}", pk=str(page.pk)
    )
    assert without_keys(data["page"]["blocks"]) == SAVED
    _, blocks = await opened(client, pk=str(page.pk))
    assert without_keys(blocks) == SAVED


async def test_children_of_some_kinds_are_asked_for(client: Client) -> None:
    """Saved and in a draft, where one of them is not saved yet."""
    page = await sync_to_async(make_page)()
    lists = (
        "images: blocks(filters: {kind: [IMAGE_BLOCK]}) { heading }"
        " others: blocks(filters: {NOT: {kind: [IMAGE_BLOCK]}}) { heading }"
        " some: blocksConnection(filters: {kind: [GALLERY, TEXT_BLOCK]}) { totalCount }"
    )
    data = await client.data(f"query($pk: ID!) {{ page(pk: $pk) {{ {lists} }} }}", pk=str(page.pk))
    assert data["page"] == {
        "images": [{"heading": "Image"}, {"heading": "Gallery"}],
        "others": [{"heading": "Plain"}, {"heading": "Text"}],
        "some": {"totalCount": 2},
    }
    draft, _ = await opened(client, pk=str(page.pk))
    await edited(
        client, draft, {"blocks": {"add": [{"gallery": {"heading": "New", "alt": "New"}}]}}
    )
    data = await client.data(
        f"query($id: ID!) {{ draft(id: $id) {{ ... on PageDraft {{ cluster {{ {lists} }} }} }} }}",
        id=draft,
    )
    assert data["draft"]["cluster"] == {
        "images": [{"heading": "Image"}, {"heading": "Gallery"}, {"heading": "New"}],
        "others": [{"heading": "Plain"}, {"heading": "Text"}],
        "some": {"totalCount": 3},
    }


async def test_children_of_every_kind_are_added_edited_and_committed(client: Client) -> None:
    """From nothing, with all below them; each row is in its own table afterwards."""
    ann = await Person.objects.acreate(name="Ann")
    draft, blocks = await opened(
        client,
        data={
            "title": "New",
            "blocks": [
                {"textBlock": {"key": "t", "heading": "T", "body": "Hi"}},
                {"block": {"key": "b", "heading": "B", "links": [{"url": "https://b.example"}]}},
            ],
        },
    )
    assert kinds_of(blocks) == [("TextBlock", "T"), ("PlainBlock", "B")]
    done = await edited(
        client,
        draft,
        {"blocks": {"add": [{"gallery": {"key": "g", "alt": "G", "position": 0}}]}},
        {"blocks": {"update": {"key": "t", "set": {"textBlock": {"body": "Hello"}}}}},
        {"blocks": {"update": {"key": "g", "set": {"block": {"heading": "G"}}}}},
        {"blocks": {"update": {"key": "g", "set": {"imageBlock": {"alt": "Gs"}}}}},
        {
            "blocks": {
                "edit": {
                    "key": "g",
                    "changes": [
                        {"gallery": {"pictures": {"add": [{"alt": "P"}]}}},
                        {"gallery": {"painters": {"add": [str(ann.pk)]}}},
                        {"block": {"mentions": {"add": [str(ann.pk)]}}},
                        {"block": {"links": {"add": [{"url": "https://g.example"}]}}},
                    ],
                }
            }
        },
        {"blocks": {"move": {"key": "b", "to": "FIRST"}}},
    )
    assert done["errors"] == []
    assert done["draft"]["errors"] == []
    kinds = [(each["kind"], each["typename"]) for each in done["event"]["changes"]]
    assert kinds[:4] == [
        ("ADDED", "Gallery"),
        ("UPDATED", "TextBlock"),
        ("UPDATED", "Gallery"),
        ("UPDATED", "Gallery"),
    ]
    assert {each["node"]["__typename"] for each in done["event"]["changes"]} == {
        "Gallery",
        "TextBlock",
        "Picture",
        "Link",
        "PlainBlock",
    }
    staged = without_keys(done["draft"]["cluster"]["blocks"])
    assert kinds_of(staged) == [("PlainBlock", "B"), ("Gallery", "G"), ("TextBlock", "T")]
    saved = await committed(client, draft)
    assert saved["errors"] == []
    assert without_keys(saved["cluster"]["blocks"]) == staged

    def check() -> None:
        page = Page.objects.get(pk=saved["cluster"]["pk"])
        assert [*page.blocks.values_list("heading", "position")] == [("B", 1), ("G", 2), ("T", 3)]
        gallery = Gallery.objects.get()
        assert (gallery.heading, gallery.alt, gallery.columns) == ("G", "Gs", 3)
        assert gallery.pictures.get().alt == "P"
        assert gallery.mentions.get() == gallery.painters.get() == ann
        assert gallery.links.get().url == "https://g.example"
        assert TextBlock.objects.get().body == "Hello"
        assert Block.objects.get(heading="B").links.get().url == "https://b.example"
        assert ImageBlock.objects.get().pk == gallery.pk

    await sync_to_async(check)()
    ids = {each["key"]: each for each in saved["keys"]}
    data = await client.data(
        "query($id: ID!) { node(id: $id) { __typename ... on Gallery { alt } } }",
        id=ids["g"]["id"],
    )
    assert data["node"] == {"__typename": "Gallery", "alt": "Gs"}


async def test_saved_children_keep_their_kind_when_edited_as_their_base(client: Client) -> None:
    """Only what changes changes; a removed one is gone from all of its tables."""
    page = await sync_to_async(make_page)()
    draft, blocks = await opened(client, pk=str(page.pk))
    keys = {each["heading"]: each["key"] for each in blocks}
    done = await edited(
        client,
        draft,
        {"blocks": {"update": {"key": keys["Text"], "set": {"block": {"heading": "Words"}}}}},
        {"blocks": {"update": {"key": keys["Image"], "set": {"imageBlock": {"alt": "Cats"}}}}},
        {"blocks": {"remove": [keys["Gallery"]]}},
    )
    assert done["errors"] == []
    assert (await committed(client, draft))["errors"] == []

    def check() -> None:
        assert TextBlock.objects.values_list("heading", "body").get() == ("Words", "Hello")
        assert ImageBlock.objects.values_list("heading", "alt").get() == ("Image", "Cats")
        assert not Gallery.objects.exists()
        assert not Picture.objects.exists()
        assert [*Link.objects.values_list("url", flat=True)] == ["https://plain.example"]
        assert Block.objects.count() == 3

    await sync_to_async(check)()


@pytest.mark.parametrize(
    "change",
    [
        {"update": {"key": "t", "set": {"imageBlock": {"alt": "A"}}}},
        {"update": {"key": "i", "set": {"gallery": {"alt": "A"}}}},
        {"edit": {"key": "t", "changes": [{"imageBlock": {"set": {"alt": "A"}}}]}},
        {"replace": [{"imageBlock": {"key": "t", "alt": "A"}}]},
    ],
)
async def test_a_child_is_not_edited_as_what_it_is_not(client: Client, change: Any) -> None:
    """That is refused with the child's key, and nothing is staged."""
    draft, _ = await opened(
        client,
        data={
            "title": "New",
            "blocks": [
                {"textBlock": {"key": "t", "body": "Hi"}},
                {"imageBlock": {"key": "i", "alt": "I"}},
            ],
        },
    )
    done = await edited(client, draft, {"blocks": change})
    [error] = done["errors"]
    assert error["code"] == "INVALID_CHANGE"
    assert error["key"] in {"t", "i"}
    assert "is a" in error["message"]


async def test_replace_keeps_children_of_any_kind(client: Client) -> None:
    """By its own kind, or by one above it."""
    page = await sync_to_async(make_page)()
    draft, blocks = await opened(client, pk=str(page.pk))
    keys = {each["heading"]: each["key"] for each in blocks}
    done = await edited(
        client,
        draft,
        {
            "blocks": {
                "replace": [
                    {"gallery": {"alt": "New"}},
                    {"block": {"key": keys["Gallery"], "heading": "Kept"}},
                    {"textBlock": {"key": keys["Text"], "body": "Bye"}},
                ]
            }
        },
    )
    assert done["errors"] == []
    assert kinds_of(done["draft"]["cluster"]["blocks"]) == [
        ("Gallery", ""),
        ("Gallery", "Kept"),
        ("TextBlock", "Text"),
    ]
    assert (await committed(client, draft))["errors"] == []
    assert [
        each async for each in Block.objects.values_list("heading", "position").order_by("position")
    ] == [("", 1), ("Kept", 2), ("Text", 3)]
    assert await Gallery.objects.acount() == 2


async def test_what_is_unique_is_so_among_all_kinds(client: Client) -> None:
    """Two new ones of different kinds clash, and a new one with a saved one of another kind."""
    page = await sync_to_async(make_page)()
    draft, blocks = await opened(client, pk=str(page.pk))
    done = await edited(
        client,
        draft,
        {"blocks": {"add": [{"textBlock": {"key": "a", "heading": "Twice", "body": "A"}}]}},
        {"blocks": {"add": [{"gallery": {"key": "b", "heading": "Twice", "alt": "B"}}]}},
        {"blocks": {"add": [{"textBlock": {"key": "c", "heading": "Image", "body": "C"}}]}},
    )
    errors = {each["key"] for each in done["draft"]["errors"]}
    assert errors == {"b", "c"}
    refused = await committed(client, draft)
    assert {each["code"] for each in refused["errors"]} == {"VALIDATION_FAILED"}
    # A value can be taken over from a child of another kind that leaves, or that takes another.
    keys = {each["heading"]: each["key"] for each in blocks}
    done = await edited(
        client,
        draft,
        {"blocks": {"remove": ["b", keys["Image"]]}},
        {"blocks": {"update": {"key": "a", "set": {"block": {"heading": "Gallery"}}}}},
        {"blocks": {"update": {"key": keys["Gallery"], "set": {"block": {"heading": "Text"}}}}},
        {"blocks": {"update": {"key": keys["Text"], "set": {"block": {"heading": "T"}}}}},
    )
    assert done["draft"]["errors"] == []
    assert (await committed(client, draft))["errors"] == []


async def test_a_conflict_of_a_kinds_own_field_is_told(client: Client) -> None:
    """Both changed the text; what the base of the kinds has merges."""
    page = await sync_to_async(make_page)()
    draft, blocks = await opened(client, pk=str(page.pk))
    key = blocks[1]["key"]
    await TextBlock.objects.aupdate(body="Theirs", heading="Headed")
    done = await edited(
        client, draft, {"blocks": {"update": {"key": key, "set": {"textBlock": {"body": "Mine"}}}}}
    )
    assert done["errors"] == []
    refused = await committed(client, draft)
    assert refused["conflicts"] == [
        {
            "kind": "FIELD",
            "key": key,
            "field": "body",
            "base": "Hello",
            "theirs": "Theirs",
            "mine": "Mine",
        }
    ]


async def test_undo_copy_and_json_keep_the_kinds(client: Client) -> None:
    """What is undone comes back as it was; a copy and the JSON have each kind, too."""
    page = await sync_to_async(make_page)()
    draft, _ = await opened(client, pk=str(page.pk))
    done = await edited(client, draft, {"blocks": {"clear": True}})
    assert done["draft"]["cluster"]["blocks"] == []
    data = await client.data(
        f"mutation($draft: ID!) {{ undoDraft(draft: $draft) {{ draft {{ json ... on PageDraft"
        f" {{ cluster {{ blocks {{ {BLOCKS} }} }} }} }} }} }}",
        draft=draft,
    )
    undone = data["undoDraft"]["draft"]
    assert without_keys(undone["cluster"]["blocks"]) == SAVED
    _, copied = await opened(client, copy=draft)
    assert without_keys(copied) == SAVED
    _, again = await opened(client, json={**undone["json"], "pk": None, "blocks": []})
    assert again == []
    fresh = [_new(each) for each in undone["json"]["blocks"]]
    _, read = await opened(client, json={**undone["json"], "pk": None, "blocks": fresh})
    assert without_keys(read) == SAVED
    _, same = await opened(client, json=undone["json"])
    assert without_keys(same) == SAVED


def _new(data: Any) -> Any:
    """Return a node's JSON without its primary key and its parent's, and those below it."""
    if isinstance(data, list):
        return [_new(each) for each in data]
    if isinstance(data, dict):
        gone = {"pk", "page", "block", "gallery"}
        return {name: _new(value) for name, value in data.items() if name not in gone}
    return data


async def test_json_of_another_kind_is_refused(client: Client) -> None:
    """A kind that is none of the relation's, and one that the saved child does not have."""
    page = await sync_to_async(make_page)()
    text = await TextBlock.objects.aget()
    for block in (
        {"__model__": "festival.room", "heading": "X"},
        {"pk": text.pk, "__model__": "festival.gallery"},
    ):
        data = await client.data(
            f"mutation($json: JSON) {{ it: openPageDraft(json: $json) {{ {ERRORS} }} }}",
            json={"pk": page.pk, "blocks": [block]},
        )
        [error] = data["it"]["errors"]
        assert error["code"] == "INVALID_CHANGE"
        assert "__model__" in error["message"]


@pytest.mark.parametrize("label", ["festival.block", "festival.nothing", ["festival.page"], 1])
@pytest.mark.parametrize("is_saved", [True, False])
async def test_json_of_another_model_is_no_root(
    client: Client, label: object, *, is_saved: bool
) -> None:
    """Nothing of it is read as if it were one; the root's own label is right."""
    page = await sync_to_async(make_page)()
    given = {"pk": page.pk if is_saved else None, "title": "Other"}
    data = await client.data(
        f"mutation($json: JSON) {{ it: openPageDraft(json: $json) {{ {ERRORS} }} }}",
        json={**given, "__model__": label},
    )
    [error] = data["it"]["errors"]
    assert error["code"] == "INVALID_CHANGE"
    assert "__model__" in error["message"]
    await opened(client, json={**given, "__model__": "festival.page"})


async def test_a_copy_leaves_out_what_some_kinds_have(client: Client) -> None:
    """A field, a set, and a relation with what is below it, by the schema's names."""
    page = await sync_to_async(make_page)()
    draft, _ = await opened(client, pk=str(page.pk))

    async def copied(*exclude: str) -> Any:
        data = await client.data(
            "mutation($of: ID, $exclude: [String!]) {"
            " it: openPageDraft(copyOf: $of, exclude: $exclude)"
            f" {{ draft {{ cluster {{ blocks {{ {BLOCKS} }} }} }} {ERRORS} }} }}",
            of=draft,
            exclude=list(exclude),
        )
        return data["it"]

    done = await copied("blocks.body", "blocks.painters", "blocks.columns", "blocks.pictures.alt")
    assert done["errors"] == []
    plain, text, image, gallery = without_keys(done["draft"]["cluster"]["blocks"])
    assert plain == SAVED[0]
    assert text == {**SAVED[1], "body": ""}
    assert image == {**SAVED[2], "painters": []}
    assert gallery == {**SAVED[3], "painters": [], "pictures": [{"alt": ""}]}

    done = await copied("blocks.pictures", "blocks.links")
    blocks = without_keys(done["draft"]["cluster"]["blocks"])
    assert blocks == [
        {**each, "links": [], **({"pictures": []} if "pictures" in each else {})} for each in SAVED
    ]

    unknown = ["blocks.nothing", "blocks.body.alt", "body", "blocks.pictures.body"]
    refused = await copied("blocks.body", *unknown)
    assert [each["field"] for each in refused["errors"]] == unknown


async def test_modelcluster_reads_the_json_of_children_of_many_kinds(client: Client) -> None:
    """As the kind that it knows."""
    page = await sync_to_async(make_page)()
    draft, _ = await opened(client, pk=str(page.pk))
    data = await client.data("query($id: ID!) { draft(id: $id) { json } }", id=draft)

    def read() -> list[str]:
        again: Any = Page.from_serializable_data(data["draft"]["json"])
        return [each.heading for each in again.blocks.all()]

    assert await sync_to_async(read)() == ["Plain", "Text", "Image", "Gallery"]


async def test_others_add_and_remove_children_of_any_kind(client: Client) -> None:
    """What others did meanwhile is merged, each row as what it is."""
    page = await sync_to_async(make_page)()
    draft, blocks = await opened(client, pk=str(page.pk))
    await TextBlock.objects.acreate(page=page, heading="Theirs", position=9, body="New")
    await ImageBlock.objects.filter(heading="Image").adelete()
    done = await edited(
        client,
        draft,
        {"blocks": {"add": [{"gallery": {"heading": "Mine", "alt": "M", "position": 0}}]}},
        {"blocks": {"remove": [blocks[0]["key"]]}},
    )
    assert done["errors"] == []
    saved = await committed(client, draft)
    assert saved["errors"] == saved["conflicts"] == []
    assert kinds_of(saved["cluster"]["blocks"]) == [
        ("Gallery", "Mine"),
        ("TextBlock", "Text"),
        ("Gallery", "Gallery"),
        ("TextBlock", "Theirs"),
    ]


@pytest.mark.django_db
def test_opening_costs_a_query_a_relation_whatever_the_kinds() -> None:
    """All kinds of a relation are one query, and so is what several kinds have below them."""
    page = make_page()
    with CaptureQueriesContext(connection) as queries:
        nodes = load(describe(Page), page.pk)
    assert nodes is not None
    assert len(nodes) == 8
    # Page, blocks, links, pictures; mentions of all blocks, painters of both kinds of images.
    assert len([each for each in queries if each["sql"].startswith("SELECT")]) == 6


@pytest.mark.parametrize("more", [0, 4])
async def test_saved_children_of_many_kinds_cost_a_query_a_relation(
    client: Client, more: int
) -> None:
    """Though the model has a plain manager: pages, blocks, and what blocks of each kind have."""

    def add() -> None:
        page = make_page()
        for number in range(more):
            image = ImageBlock.objects.create(page=page, position=9, alt="A")
            image.painters.add(Person.objects.create(name="Bob"))
            gallery = Gallery.objects.create(page=page, heading=str(number), position=9, alt="B")
            Picture.objects.create(gallery=gallery, alt="C")

    await sync_to_async(add)()
    query = f"{{ pages {{ title blocks {{ {BLOCKS} }} }} }}"
    queries = await sync_to_async(counted)(client, query)
    # Pages, blocks, mentions, links, painters of images and of galleries, pictures of galleries.
    assert len(queries) == 6, queries
