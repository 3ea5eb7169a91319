"""An app as another project has it; its tables are made without migrations."""

from django.apps import AppConfig


class FestivalConfig(AppConfig):
    """A festival, with whatever a user of django-modelcluster may have in `models.py`."""

    name = "tests.festival"
    default_auto_field = "django.db.models.BigAutoField"
