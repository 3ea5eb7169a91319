"""What is measured, one module for each line of the table of the targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import TypeAlias

from benchmarks.measure import Plot, Result
from benchmarks.servers import Bench

Scenario: TypeAlias = Callable[[Bench], Iterator[Result | Plot]]

NAMES = (
    "edit_http",
    "edit_websocket",
    "edit_size",
    "edit_nested",
    "opening",
    "reading_page",
    "reading_whole",
    "commit_one",
    "commit_new",
    "fanout",
    "idle",
    "workers",
    "memory",
    "cost",
)


THOROUGH = ("cost",)
"""Left out of a quick run, unless it is named."""


def scenarios(only: Sequence[str], *, quick: bool) -> Mapping[str, Scenario]:
    """Return those that are named, or all, in their order; imported now: apps load first."""
    chosen = only or [name for name in NAMES if not (quick and name in THOROUGH)]
    names = [name for name in NAMES if name in chosen]
    return {name: import_module(f"{__name__}.{name}").measure for name in names}
