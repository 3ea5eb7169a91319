"""Live, collaborative drafts of django-modelcluster models over GraphQL.

`Schema` makes the GraphQL schema of some clusters; `type` declares the mirror type of a model, and
`rows` a list in it that a manager of the model makes, and `Children` how many children a relation
of it takes; `register_field` says how a model field of a project's own travels. `Policy` decides
who may do what: its methods are asked about a `Subject`, and of a commit about each `Saving`.
`channel_layer` makes the setting for the wake-ups.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gql_cluster.api.children import Children
    from gql_cluster.api.fields import rows
    from gql_cluster.api.mirror import interface
    from gql_cluster.api.mirror import mirror as type  # noqa: A004 - as strawberry.type
    from gql_cluster.api.schema import Schema
    from gql_cluster.orm.custom import register_field
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.policy import Policy, Saving, Subject
    from gql_cluster.store.layer import channel_layer

__all__ = [
    "Caller",
    "Children",
    "Policy",
    "Saving",
    "Schema",
    "Subject",
    "channel_layer",
    "interface",
    "register_field",
    "rows",
    "type",
]

_PLACES = {
    "Caller": ("gql_cluster.service.caller", "Caller"),
    "Children": ("gql_cluster.api.children", "Children"),
    "Policy": ("gql_cluster.service.policy", "Policy"),
    "Saving": ("gql_cluster.service.policy", "Saving"),
    "Subject": ("gql_cluster.service.policy", "Subject"),
    "channel_layer": ("gql_cluster.store.layer", "channel_layer"),
    "interface": ("gql_cluster.api.mirror", "interface"),
    "rows": ("gql_cluster.api.fields", "rows"),
    "Schema": ("gql_cluster.api.schema", "Schema"),
    "register_field": ("gql_cluster.orm.custom", "register_field"),
    "type": ("gql_cluster.api.mirror", "mirror"),
}


def __getattr__(name: str) -> object:
    """Import what is asked for then: this is an app, and apps load before their models can."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)
