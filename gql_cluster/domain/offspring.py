"""Offspring: the children of a relation at one version, with what was made of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from gql_cluster.domain.node import Node

T = TypeVar("T")


class Offspring:
    """Children that never change, so that what is made of them all is made once.

    `before` are those of an earlier version: after one change nearly all are the same.
    """

    def __init__(self, nodes: Sequence[Node], before: Offspring | None = None) -> None:
        """Take the children in order."""
        self.nodes = nodes
        self._made: dict[str, Any] = {}
        self._before = before

    def made(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` gives, made once."""
        if name not in self._made:
            self._made[name] = make()
        found: T = self._made[name]
        return found

    def made_from(self, name: str, make: Callable[[T | None], T]) -> T:
        """Return the same of a `make` that takes what it gave of an earlier version, if it did."""
        if name not in self._made:
            before, self._before = self._before, None
            self._made[name] = make(None if before is None else before.get(name))
        found: T = self._made[name]
        return found

    def get(self, name: str) -> Any:
        """Return what was made by a name, None where nothing was."""
        return self._made.get(name)

    def earlier(self) -> Offspring:
        """Return what is `before` those of the next version."""
        return self._before or self
