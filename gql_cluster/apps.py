"""The engine as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class GqlClusterConfig(AppConfig):
    """Registers the receipt model and the system checks, and follows what is saved."""

    name = "gql_cluster"
    verbose_name = "GraphQL clusters"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, and tell drafts of saves from now on."""
        # Apps must be ready first.
        from gql_cluster import checks  # noqa: F401, PLC0415
        from gql_cluster.service import saves  # noqa: PLC0415

        saves.follow()
