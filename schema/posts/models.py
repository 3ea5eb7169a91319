"""A blog is a cluster: its posts, and their tags and comments, are saved with it."""

from django.db import models
from model_utils.managers import QueryManager
from model_utils.models import TimeStampedModel
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from taggit.models import TaggedItemBase


class Blog(ClusterableModel):
    """What somebody publishes, post by post."""

    title = models.CharField(max_length=200)
    slug = models.SlugField(unique=True, help_text="Its part of the address.")
    tagline = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return where the blog is read."""
        return f"/blogs/{self.slug}/"


class PostQuerySet(models.QuerySet["Post"]):
    """What posts are asked for by."""

    def published(self) -> "PostQuerySet":
        """Keep what everybody may read."""
        return self.filter(published=True)

    def by_author(self, author: str) -> "PostQuerySet":
        """Keep what one wrote, the latest first."""
        return self.filter(author__iexact=author).order_by("-published_on", "title")


class Post(TimeStampedModel, ClusterableModel):  # type: ignore[django-manager-missing] # tagged_items
    """An article of a blog, perhaps not published yet."""

    blog = ParentalKey(Blog, on_delete=models.CASCADE, related_name="posts")
    title = models.CharField(max_length=200)
    slug = models.SlugField(unique=True, help_text="Its part of the address.")
    author = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    published = models.BooleanField(default=False, help_text="Whether everybody may read it.")
    published_on = models.DateField(null=True, blank=True, help_text="The day it was published.")
    tags = ClusterTaggableManager(through="TaggedPost", blank=True)

    objects = PostQuerySet.as_manager()
    public = QueryManager["Post"](published=True).order_by("-published_on")

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title

    @property
    def words(self) -> int:
        """Return the length of the text."""
        return len(self.body.split())

    def get_absolute_url(self) -> str:
        """Return where the post is read."""
        return f"/posts/{self.slug}/"


class TaggedPost(TaggedItemBase):
    """A tag on a post."""

    content_object = ParentalKey(Post, on_delete=models.CASCADE, related_name="tagged_items")


class Comment(TimeStampedModel):
    """What a reader answered."""

    post = ParentalKey(Post, on_delete=models.CASCADE, related_name="comments")
    author = models.CharField(max_length=200)
    text = models.TextField()

    class Meta:
        ordering = ["created", "pk"]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:50]}"
