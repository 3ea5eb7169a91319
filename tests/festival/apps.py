"""An app as another project has it; with migrations, because it refers to apps that have some."""

from django.apps import AppConfig


class FestivalConfig(AppConfig):
    """A festival, with whatever a user of django-modelcluster may have in `models.py`."""

    name = "tests.festival"
    default_auto_field = "django.db.models.BigAutoField"
