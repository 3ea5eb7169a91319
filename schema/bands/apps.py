"""The Django app of the domain."""

from django.apps import AppConfig


class BandsConfig(AppConfig):
    """Bands, and the genres that they share."""

    name = "schema.bands"
    default_auto_field = "django.db.models.BigAutoField"
