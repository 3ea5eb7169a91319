"""The Django app of the domain."""

from django.apps import AppConfig


class PostsConfig(AppConfig):
    """Blogs, and what is written and answered there."""

    name = "schema.posts"
    default_auto_field = "django.db.models.BigAutoField"
