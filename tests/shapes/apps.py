"""The app of the shapes that no other app of the tests has; its tables are made unmigrated."""

from django.apps import AppConfig


class ShapesConfig(AppConfig):
    """Small clusters, one a peculiarity."""

    name = "tests.shapes"
    default_auto_field = "django.db.models.BigAutoField"
