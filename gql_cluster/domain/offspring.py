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
        self._earlier: dict[str, Any] = {} if before is None else before.latest()

    def made(self, name: str, make: Callable[[T | None], T]) -> T:
        """Return what `make` gives, made once; it takes what it gave before, None for nothing."""
        if name not in self._made:
            self._made[name] = make(self._earlier.pop(name, None))
        found: T = self._made[name]
        return found

    def latest(self) -> dict[str, Any]:
        """Return by name what was made last, of these or of earlier ones."""
        return {**self._earlier, **self._made}
