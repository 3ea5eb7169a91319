"""The sample blogs, read from `data/posts.json`, and how they come into the database.

Blogs, authors and readers are made up.
"""

from datetime import date
from pathlib import Path

import msgspec

from schema.posts.models import Blog, Comment, Post

DATA = Path(__file__).parent / "data" / "posts.json"


class CommentSample(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`["Author", "Text"]`."""

    author: str
    text: str


class PostSample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A post; one without a day is not published yet."""

    title: str
    slug: str
    author: str
    body: str
    published_on: date | None
    tags: list[str]
    comments: list[CommentSample]


class BlogSample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A blog with its posts."""

    title: str
    slug: str
    tagline: str
    posts: list[PostSample]


def read() -> list[BlogSample]:
    """The sample blogs."""
    return msgspec.json.decode(DATA.read_bytes(), type=list[BlogSample])


def load() -> int:
    """Save the sample blogs if there is no blog at all, and say how many were saved."""
    if Blog.objects.exists():
        return 0
    samples = read()
    for sample in samples:
        blog = Blog(title=sample.title, slug=sample.slug, tagline=sample.tagline)
        blog.posts.set([_post(each) for each in sample.posts])
        blog.save()
    return len(samples)


def _post(sample: PostSample) -> Post:
    post = Post(
        title=sample.title,
        slug=sample.slug,
        author=sample.author,
        body=sample.body,
        published=sample.published_on is not None,
        published_on=sample.published_on,
    )
    post.tags.add(*sample.tags)
    post.comments.set([Comment(author=each.author, text=each.text) for each in sample.comments])
    return post
