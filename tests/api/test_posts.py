"""The sample blogs: managers and querysets of the models' own as lists, methods and properties."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from schema.posts.models import Blog, Comment, Post
from schema.posts.samples import load
from tests.api.samples_kit import Desk, counted
from tests.api.schema_kit import Client

FIELDS = (
    "title name url posts { title words url comments { author text } }"
    ' publicPosts { title } postsBy(author: "piet de boer") { title }'
)
EACH = ("posts", "publicPosts", 'postsBy(author: "x")', "publicPostsConnection")


@pytest.fixture
def desk(client: Client) -> Desk:
    """Drafts of blogs."""
    return Desk(client=client, cluster="Blog", fields=FIELDS)


@pytest.fixture
async def blog(client: Client) -> Blog:  # noqa: ARG001 - it has the database
    """A saved blog of the samples."""
    assert await sync_to_async(load)() == 2
    assert await sync_to_async(load)() == 0
    return await Blog.objects.aget(slug="slow-bread")


def titles(posts: Any) -> list[str]:
    """Return the titles in a list."""
    return [each["title"] for each in posts]


async def key_of(title: str) -> str:
    """Return the key that a draft gives a saved post."""
    return f"Post:{(await Post.objects.aget(title=title)).pk}"


async def test_a_draft_shows_what_is_saved(desk: Desk, blog: Blog) -> None:
    """Managers, methods, properties and tags alike."""
    saved = await desk.saved(blog.pk)
    assert titles(saved["posts"]) == [
        "A starter from nothing",
        "Rye without fear",
        "The mill at the ford",
        "What salt does",
    ]
    assert titles(saved["publicPosts"]) == [
        "The mill at the ford",
        "What salt does",
        "A starter from nothing",
    ]
    assert set(titles(saved["postsBy"])) == {"The mill at the ford", "Rye without fear"}
    assert (saved["name"], saved["url"]) == ("Slow Bread", "/blogs/slow-bread/")
    mill = saved["posts"][2]
    assert mill["url"] == "/posts/the-mill-at-the-ford/"
    assert mill["words"] == 21
    assert (await desk.open(pk=str(blog.pk)))["cluster"] == saved


async def test_a_draft_answers_by_its_own_state(desk: Desk, blog: Blog) -> None:
    """What is edited moves between the lists at once, and is saved as it was shown."""
    draft = (await desk.open(pk=str(blog.pk)))["id"]
    before = await desk.saved(blog.pk)
    rye, salt = await key_of("Rye without fear"), await key_of("What salt does")
    new = {
        "title": "Crumbs",
        "slug": "crumbs",
        "author": "Piet de Boer",
        "body": "One two three.",
        "published": True,
        "publishedOn": "2026-01-01",
        "tags": ["rye"],
        "comments": [{"author": "Ines", "text": "Yes."}],
    }
    published = {"published": True, "publishedOn": "2025-12-01"}
    payload = await desk.edit(
        draft,
        {"set": {"title": "Slower Bread", "slug": "slower"}},
        {"posts": {"add": [new]}},
        {"posts": {"update": {"key": rye, "set": published}}},
        {"posts": {"update": {"key": salt, "set": {"published": False}}}},
    )
    assert payload["errors"] == []
    drafted = payload["draft"]["cluster"]
    assert (drafted["name"], drafted["url"]) == ("Slower Bread", "/blogs/slower/")
    assert titles(drafted["publicPosts"]) == [
        "Crumbs",
        "Rye without fear",
        "The mill at the ford",
        "A starter from nothing",
    ]
    assert titles(drafted["postsBy"]) == ["Crumbs", "Rye without fear", "The mill at the ford"]
    assert drafted["posts"][1] == {
        "title": "Crumbs",
        "words": 3,
        "url": "/posts/crumbs/",
        "comments": [{"author": "Ines", "text": "Yes."}],
    }
    assert await desk.saved(blog.pk) == before
    assert await desk.commit(draft) == drafted
    assert await desk.saved(blog.pk) == drafted


async def test_tags_of_posts_are_edited_by_name(client: Client, blog: Blog) -> None:
    """Of one that is there, and of one that is new."""
    desk = Desk(client=client, cluster="Blog", fields="posts { title tags }")
    draft = (await desk.open(pk=str(blog.pk)))["id"]
    rye = await key_of("Rye without fear")
    new = {"title": "Crumbs", "slug": "crumbs", "author": "Ines", "tags": ["flour"]}
    payload = await desk.edit(
        draft,
        {"posts": {"add": [new]}},
        {"posts": {"edit": {"key": rye, "changes": [{"tags": {"replace": ["baking"]}}]}}},
    )
    assert payload["errors"] == []
    for shown in (payload["draft"]["cluster"], await desk.commit(draft), await desk.saved(blog.pk)):
        tags = {each["title"]: set(each["tags"]) for each in shown["posts"]}
        assert tags["Crumbs"] == {"flour"}
        assert tags["Rye without fear"] == {"baking"}
        assert tags["The mill at the ford"] == {"flour", "travel"}


async def test_named_lists_take_what_any_list_takes(client: Client, blog: Blog) -> None:
    """Filters, an ordering before the manager's own, pages and connections, on both alike."""
    asked = (
        'publicPosts(filters: {author: {startsWith: "Marta"}}) { title }'
        " oldest: publicPosts(ordering: [{publishedOn: ASC}], pagination: {limit: 1}) { title }"
        " publicPostsConnection(first: 1) { totalCount edges { node { title } } }"
        ' postsByConnection(author: "PIET DE BOER", filters: {published: {exact: true}})'
        " { totalCount }"
    )
    desk = Desk(client=client, cluster="Blog", fields=asked)
    saved = await desk.saved(blog.pk)
    assert titles(saved["publicPosts"]) == ["What salt does", "A starter from nothing"]
    assert titles(saved["oldest"]) == ["A starter from nothing"]
    connection = saved["publicPostsConnection"]
    assert connection["totalCount"] == 3
    assert connection["edges"] == [{"node": {"title": "The mill at the ford"}}]
    assert saved["postsByConnection"] == {"totalCount": 1}
    assert (await desk.open(pk=str(blog.pk)))["cluster"] == saved


async def test_times_are_written_by_the_model_and_shown_after_the_commit(
    client: Client, blog: Blog
) -> None:
    """`modified` of what was changed moves on, nobody can set either, and `created` stays."""
    desk = Desk(client=client, cluster="Blog", fields="posts { title created modified }")
    before = {each["title"]: each for each in (await desk.saved(blog.pk))["posts"]}
    draft = (await desk.open(pk=str(blog.pk)))["id"]
    change = {"key": await key_of("What salt does"), "set": {"body": "Much."}}
    await desk.edit(draft, {"posts": {"update": change}})
    committed = (await desk.commit(draft))["posts"]
    assert (await desk.saved(blog.pk))["posts"] == committed
    after = {each["title"]: each for each in committed}
    changed = "What salt does"
    assert after[changed]["created"] == before[changed]["created"]
    assert after[changed]["modified"] > before[changed]["modified"]
    assert after["Rye without fear"] == before["Rye without fear"]
    query = '{ __type(name: "PostFields") { inputFields { name } } }'
    fields = (await client.data(query))["__type"]["inputFields"]
    assert {"created", "modified"}.isdisjoint(each["name"] for each in fields)


@pytest.mark.parametrize("asked", EACH)
@pytest.mark.parametrize("more", [0, 4])
async def test_a_list_costs_one_query_for_all_blogs(
    client: Client, blog: Blog, asked: str, more: int
) -> None:
    """However many blogs there are."""
    assert blog.pk
    for number in range(more):
        other = await Blog.objects.acreate(title=str(number), slug=f"blog-{number}")
        post = await Post.objects.acreate(
            blog=other, title="A", slug=f"post-{number}", published=True
        )
        await Comment.objects.acreate(post=post, author="Ines", text="Yes.")
    fields = (
        "{ edges { node { title } } }" if asked.endswith("Connection") else "{ title url words }"
    )
    queries = await sync_to_async(counted)(client, f"{{ blogs {{ {asked} {fields} }} }}")
    assert len(queries) == 2, queries


async def test_the_lists_of_a_draft_need_no_query(desk: Desk, blog: Blog) -> None:
    """They are evaluated on the draft; a database is asked where its collation sorts texts."""
    draft = (await desk.open(pk=str(blog.pk)))["id"]
    lists = "publicPosts { title url words tags } "
    query = f'{{ draft(id: "{draft}") {{ ... on BlogDraft {{ cluster {{ {lists} }} }} }} }}'
    assert await sync_to_async(counted)(desk.client, query) == []
