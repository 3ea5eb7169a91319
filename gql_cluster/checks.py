"""System checks: a wrong setup is told at start, with a number and a hint."""

from __future__ import annotations

from django.core.checks import CheckMessage, Error, register

from gql_cluster import conf


@register()
def check_settings(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """Tell what `GQL_CLUSTER` holds that the engine does not know."""
    del app_configs, kwargs
    return [
        Error(
            f"GQL_CLUSTER has no setting {name!r}.",
            hint="gql_cluster.conf.Settings lists them all.",
            id="gql_cluster.E001",
        )
        for name in conf.unknown()
    ]
