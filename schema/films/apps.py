"""The Django app of the domain."""

from django.apps import AppConfig


class FilmsConfig(AppConfig):
    """Films, and the actors that they share."""

    name = "schema.films"
    default_auto_field = "django.db.models.BigAutoField"
