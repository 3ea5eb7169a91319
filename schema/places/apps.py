"""The Django app of the domain."""

from django.apps import AppConfig


class PlacesConfig(AppConfig):
    """Restaurants and bars, and what all places have."""

    name = "schema.places"
    default_auto_field = "django.db.models.BigAutoField"
