"""The mirror of the blogs, with what the models' own managers, methods and properties tell."""

import strawberry_django
from strawberry import auto

import gql_cluster
from schema.posts import models


@gql_cluster.type(models.Comment)
class Comment:
    """What a reader answered."""

    post: "Post"
    author: auto
    text: auto
    created: auto
    modified: auto


@gql_cluster.type(models.Post)
class Post:
    """An article of a blog, perhaps not published yet."""

    blog: "Blog"
    title: auto
    slug: auto
    author: auto
    body: auto
    published: auto
    published_on: auto
    tags: auto
    comments: list[Comment]
    created: auto
    modified: auto
    words: int = strawberry_django.field(only=["body"], description="The length of the text.")
    url: str = strawberry_django.field(
        field_name="get_absolute_url", only=["slug"], description="Where it is read."
    )


@gql_cluster.type(models.Blog)
class Blog:
    """What somebody publishes, post by post."""

    title: auto
    slug: auto
    tagline: auto
    posts: list[Post]
    public_posts: list[Post] = gql_cluster.rows(
        "posts", "public", description="Those that everybody may read, the latest first."
    )
    posts_by: list[Post] = gql_cluster.rows(
        "posts", "by_author", description="What one author wrote, the latest first."
    )
    url: str = strawberry_django.field(
        field_name="get_absolute_url", only=["slug"], description="Where it is read."
    )

    @strawberry_django.field(only=["title"], description="What the model calls it.")
    def name(self: models.Blog) -> str:
        """Return what Python calls `str()` of it."""
        return str(self)
