"""The tests' own app; its tables are made without migrations."""

from importlib import import_module

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    """Invoices, with models that do all that a model may do when it is saved."""

    name = "tests.clusters"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Import the models that are in files of their own."""
        super().import_models()
        import_module("tests.clusters.specimens")
        import_module("tests.clusters.records")
        import_module("tests.clusters.leagues")
        import_module("tests.clusters.freights")
