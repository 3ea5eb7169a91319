"""Types that a project declares for a model and its kinds: what they hide, nobody sees."""

# Annotations are evaluated where they stand: the types are local ones.
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import strawberry_django
from asgiref.sync import sync_to_async
from django.db import models
from django.test.utils import isolate_apps
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from strawberry import auto
from strawberry.permission import BasePermission

import gql_cluster
from gql_cluster.api.ids import SavedId
from tests.api.schema_kit import ERRORS, Client
from tests.festival.places import Block, Gallery, ImageBlock, Page, TextBlock

Serve = Callable[..., Client]


@pytest.fixture
async def serve(transactional_db: None) -> AsyncIterator[Serve]:  # noqa: ARG001
    """Return what makes a client of a schema of one root, which is closed in the end."""
    made: list[gql_cluster.Schema] = []

    def client_of(root: Any, **options: Any) -> Client:
        made.append(gql_cluster.Schema(clusters=[root], **options))
        return Client(schema=made[-1])

    yield client_of
    for schema in made:
        await schema.engine.aclose()


class Never(BasePermission):
    """Lets nobody."""

    message = "Nobody reads that."

    def has_permission(self, source: Any, info: Any, **kwargs: Any) -> bool:
        """Say no."""
        del source, info, kwargs
        return False


def derived() -> tuple[Any, Any]:
    """Return the types of a page and of text blocks, the latter derived of an interface."""

    @gql_cluster.interface(Block, name="Block")
    class BlockType:
        position: auto

    @gql_cluster.type(TextBlock, name="TextBlock")
    class TextBlockType(BlockType):
        body: str = strawberry_django.field(permission_classes=[Never])

        @classmethod
        def get_queryset(cls, queryset: Any, info: Any, **kwargs: Any) -> Any:
            """Hide some."""
            del info, kwargs
            return queryset.exclude(heading="hidden")

    @gql_cluster.type(Page, name="Page")
    class PageType:
        title: auto
        blocks: list[BlockType]

    return PageType, TextBlockType


def make_page() -> Page:
    """Save a page with blocks of three kinds, and a hidden one."""
    page = Page.objects.create(title="Home")
    Block.objects.create(page=page, heading="plain", position=1)
    TextBlock.objects.create(page=page, heading="text", position=2, body="Hello")
    Gallery.objects.create(page=page, heading="gallery", position=3, alt="Dogs")
    TextBlock.objects.create(page=page, heading="hidden", position=4, body="Secret")
    return page


async def opened(client: Client, fields: str, **given: Any) -> Any:
    """Open a draft of a page, and return it."""
    data = await client.data(
        "mutation($pk: ID, $data: PageInput) { it: openPageDraft(pk: $pk, data: $data)"
        f" {{ draft {{ id {fields} }} {ERRORS} }} }}",
        **given,
    )
    assert data["it"]["errors"] == []
    return data["it"]["draft"]


async def test_a_derived_type_counts_though_no_field_leads_to_it(serve: Serve) -> None:
    """Its permission holds, and what the interface leaves out no kind shows."""
    page_type, text_type = derived()
    page = await sync_to_async(make_page)()
    client = serve(page_type, types=[text_type])
    sdl = client.schema.as_str()
    assert "heading: String!" not in sdl
    query = "query($pk: ID!) { page(pk: $pk) { blocks { __typename ... on TextBlock { body } } } }"
    result = await client.send(query, pk=str(page.pk))
    assert [error.message for error in result.errors] == ["Nobody reads that."]
    draft = await opened(client, "json", pk=str(page.pk))
    assert "Hello" not in str(draft["json"])


async def test_what_a_kind_hides_is_hidden_wherever_its_interface_leads(serve: Serve) -> None:
    """In a list, a connection, a draft, and the JSON."""
    page_type, _ = derived()
    page = await sync_to_async(make_page)()
    client = serve(page_type)
    lists = "blocks { __typename position } blocksConnection { totalCount }"
    data = await client.data(f"query($pk: ID!) {{ page(pk: $pk) {{ {lists} }} }}", pk=str(page.pk))
    seen = {
        "blocks": [
            {"__typename": "PlainBlock", "position": 1},
            {"__typename": "TextBlock", "position": 2},
            {"__typename": "Gallery", "position": 3},
        ],
        "blocksConnection": {"totalCount": 3},
    }
    assert data["page"] == seen
    draft = await opened(client, f"json cluster {{ {lists} }}", pk=str(page.pk))
    assert draft["cluster"] == seen
    assert "blocks" not in draft["json"]


async def test_what_is_declared_as_a_type_has_no_kinds_to_tell(serve: Serve) -> None:
    """Its rows are served and edited as what it declares, and stay what they are."""

    @gql_cluster.type(Block, name="Block")
    class BlockType:
        position: auto

    @gql_cluster.type(Page, name="Page")
    class PageType:
        title: auto
        blocks: list[BlockType]

    page = await sync_to_async(make_page)()
    client = serve(PageType)
    assert "TextBlock" not in client.schema.as_str()
    text = await TextBlock.objects.aget(heading="text")
    id_ = str(SavedId(type="TextBlock", pk=str(text.pk)))
    assert await client.data("query($id: ID!) { node(id: $id) { id } }", id=id_) == {"node": None}
    draft = await opened(client, "json cluster { blocks { __typename key } }", pk=str(page.pk))
    assert {each["__typename"] for each in draft["cluster"]["blocks"]} == {"Block"}
    assert all("heading" not in each and "body" not in each for each in draft["json"]["blocks"])
    change = {"blocks": {"update": {"key": f"Block:{text.pk}", "set": {"heading": "words"}}}}
    editing = "editPageDraft(draft: $id, changes: $changes)"
    committing = "commitPageDraft(draft: $id)"
    for takes, mutation in (
        ("$id: ID!, $changes: [PageChange!]!", editing),
        ("$id: ID!", committing),
    ):
        query = f"mutation({takes}) {{ it: {mutation} {{ {ERRORS} }} }}"
        given = {"changes": [change]} if mutation is editing else {}
        assert (await client.data(query, id=draft["id"], **given))["it"]["errors"] == []
    await text.arefresh_from_db()
    assert (text.heading, text.body) == ("words", "Hello")


async def test_limits_hold_for_what_inherits(serve: Serve) -> None:
    """Those of the interface for all kinds, those of a kind for what is below it."""

    @gql_cluster.interface(Block, name="Block", children={"links": gql_cluster.Children(max_num=1)})
    class BlockType:
        heading: auto

    @gql_cluster.type(Page, name="Page")
    class PageType:
        title: auto
        blocks: list[BlockType]

    client = serve(PageType)
    links = [{"url": "https://1.example"}, {"url": "https://2.example"}]
    blocks = [
        {"block": {"key": "a", "links": links}},
        {"textBlock": {"key": "b", "body": "B", "links": links}},
        {"gallery": {"key": "c", "alt": "C", "links": links}},
        {"gallery": {"key": "d", "alt": "D", "links": links[:1]}},
    ]
    draft = await opened(client, "errors { key field }", data={"title": "New", "blocks": blocks})
    assert draft["errors"] == [{"key": key, "field": "links"} for key in "abc"]


async def test_an_interface_between_two_is_one_type_for_both(serve: Serve) -> None:
    """Of a declared interface of a kind, its own kinds are told apart."""

    @gql_cluster.interface(Block, name="Block")
    class BlockType:
        heading: auto

    @gql_cluster.interface(ImageBlock, name="ImageBlock")
    class ImageBlockType(BlockType):
        alt: auto

    @gql_cluster.type(Page, name="Page")
    class PageType:
        title: auto
        blocks: list[BlockType]

    assert issubclass(ImageBlockType, BlockType)
    page = await sync_to_async(make_page)()
    client = serve(PageType)
    query = (
        "query($pk: ID!) { page(pk: $pk) { blocks(filters: {kind: [IMAGE_BLOCK]})"
        " { __typename ... on ImageBlock { alt } ... on Gallery { columns } } } }"
    )
    data = await client.data(query, pk=str(page.pk))
    assert data["page"]["blocks"] == [{"__typename": "Gallery", "alt": "Dogs", "columns": 3}]


def test_a_kind_may_have_a_parental_key_of_its_own() -> None:
    """The interface allows for it: the key that all have may be null in a draft."""
    with isolate_apps("schema.films"):

        class Tome(ClusterableModel):
            class Meta:
                app_label = "films"

        class Entry(models.Model):  # noqa: DJ008
            tome = ParentalKey(Tome, on_delete=models.CASCADE, related_name="entries")

            class Meta:
                app_label = "films"

        class Cited(Entry):  # noqa: DJ008
            part = ParentalKey(Tome, on_delete=models.CASCADE, related_name="parts")

            class Meta:
                app_label = "films"

    sdl = gql_cluster.Schema(clusters=[Tome]).as_str()
    entry = sdl[sdl.index("interface Entry ") :]
    assert "  tome: Tome\n" in entry[: entry.index("}")]
