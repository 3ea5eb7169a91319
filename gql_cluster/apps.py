"""The engine as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class GqlClusterConfig(AppConfig):
    """Registers the receipt model and the system checks."""

    name = "gql_cluster"
    verbose_name = "GraphQL clusters"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks."""
        from gql_cluster import checks  # noqa: F401, PLC0415 - apps must be ready first
