"""What this service serves: each domain is a small Django app, its models and its samples.

`schema.schema` is the GraphQL schema of all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schema.graphql import schema

__all__ = ["schema"]


def __getattr__(name: str) -> object:
    """Make the schema when it is first asked for: the apps are in this package, and load first."""
    if name != "schema":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from schema.graphql import schema as made  # noqa: PLC0415

    return made
