"""How long the pages of lists are that have no more than a `first` and an `after`."""

from __future__ import annotations

from typing import Annotated

import strawberry

PAGE = 20
LONGEST_PAGE = 100

First = Annotated[
    int | None,
    strawberry.argument(description=f"How many: {PAGE} if absent, {LONGEST_PAGE} at most."),
]


def page_size(first: int | None) -> int:
    """Return how much a page holds, whatever a client asks for."""
    return PAGE if first is None else max(0, min(first, LONGEST_PAGE))
