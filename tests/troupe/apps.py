"""An app as another project has it."""

from django.apps import AppConfig


class TroupeConfig(AppConfig):
    """A troupe, and whatever else Django's `RelatedManager` is about."""

    name = "tests.troupe"
    default_auto_field = "django.db.models.BigAutoField"
