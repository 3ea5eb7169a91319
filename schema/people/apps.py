"""The Django app of the domain."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """People, and the groups that they are in."""

    name = "schema.people"
    default_auto_field = "django.db.models.BigAutoField"
