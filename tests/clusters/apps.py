"""The tests' own app; its tables are made without migrations."""

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    """Invoices, with models that do all that a model may do when it is saved."""

    name = "tests.clusters"
    default_auto_field = "django.db.models.BigAutoField"
