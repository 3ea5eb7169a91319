"""The domain's enums in GraphQL: each value says what it means."""

from __future__ import annotations

from enum import Enum
from typing import Any

import strawberry


def serve_enum(
    cls: type[Enum], description: str, *, name: str | None = None, **values: str
) -> None:
    """Make an enum of the domain one of GraphQL; `values` describe its members, all of them."""
    made: Any = strawberry.enum(cls, name=name, description=description)
    for value in made.__strawberry_definition__.values:
        value.description = values[value.name]
