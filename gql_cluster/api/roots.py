"""Root fields: what those of queries, mutations and subscriptions have in common."""

from __future__ import annotations

from typing import Any

import strawberry


def root_field(field: Any) -> Any:
    """Return a field whose optional arguments print without `= null`, which says nothing."""
    for argument in field.arguments:
        if argument.default is None:
            argument.default = strawberry.UNSET  # left out, the resolver's own default counts
    return field
