"""What is measured, one module for each line of the table of the targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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


def scenarios(only: list[str]) -> Mapping[str, Scenario]:
    """Return those that are named, or all, in their order; imported now: apps load first."""
    names = [name for name in NAMES if not only or name in only]
    return {name: import_module(f"{__name__}.{name}").measure for name in names}
