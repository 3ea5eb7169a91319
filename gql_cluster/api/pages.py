"""How long the pages of lists are that have no more than a `first` and an `after`."""

from __future__ import annotations

PAGE = 20
LONGEST_PAGE = 100


def page_size(first: int | None) -> int:
    """Return how much a page holds, whatever a client asks for."""
    return PAGE if first is None else max(0, min(first, LONGEST_PAGE))
