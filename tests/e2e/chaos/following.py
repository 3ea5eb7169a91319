"""A draft as it follows from what was told of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from tests.e2e.replica import ORDERED, Replica

Nodes: TypeAlias = dict[str, dict[str, Any]]
Place: TypeAlias = tuple[str, str]

UNASKED = frozenset({"createdAt", "updatedAt", "position"})
"""What a save sets by itself; a replica has its own orders."""
MISFIT = (AssertionError, KeyError, ValueError)
"""What a follower raises when it is told what does not fit."""
SAVED = re.compile(r"[A-Z]\w+:\d+")
"""The key of a node that was saved before its draft was opened."""


class Follower:
    """A replica of a draft that takes events of every kind.

    A position that was told leads to a place among the siblings where they count from 1. Where
    a saved one was removed there is a gap, and the order is not known any more.
    """

    def __init__(self, cluster: dict[str, Any]) -> None:
        """Begin with a cluster as it was served."""
        self._replica = Replica(cluster)
        self._saved: set[str] = set()
        self._gaps: set[Place] = set()
        self._begin(cluster)

    def _begin(self, node: dict[str, Any]) -> None:
        if node["pk"] is not None:
            self._saved.add(node["key"])
        for relation in ("members", "albums", "songs"):
            for number, child in enumerate(node.get(relation, ()), start=1):
                self._begin(child)
                if child.get("position", number) != number:
                    self._gaps.add((node["key"], relation))

    def follow(self, log: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Apply events, and yield each when it is done; raises as in `MISFIT`."""
        for event in log:
            changes = list(_followed(event.get("changes", ())))
            self._replica.apply({**event, "changes": changes})
            for change in changes:
                self._look_for_gap(change)
            self._saved.update(each["key"] for each in event.get("keys", ()))
            yield event

    def _look_for_gap(self, change: dict[str, Any]) -> None:
        key, place = change["key"], (change["parentKey"], change["relation"])
        position = (change["node"] or {}).get("position", 0)
        if change["kind"] == "REMOVED":
            if key in self._saved or SAVED.fullmatch(key):
                self._gaps.add(place)
        elif position > len(self.orders(gaps=True).get(place, ())):
            self._gaps.add(place)

    def orders(self, *, gaps: bool = False) -> dict[Place, list[str]]:
        """Return the children of each node, where their order is known and matters."""
        return {
            (key, relation): list(children)
            for key, copy in self._replica.nodes.items()
            for relation, children in copy.children.items()
            if relation in ORDERED and (gaps or (key, relation) not in self._gaps)
        }

    def nodes(self) -> Nodes:
        """Return what each node holds, the key of its parent among it."""
        replica = self._replica.nodes
        parents = {
            child: key
            for key, copy in replica.items()
            for children in copy.children.values()
            for child in children
        }
        return {
            key: {name: value for name, value in copy.fields.items() if value not in {None, ""}}
            | {"typename": copy.typename, "parent": parents.get(key), "genres": set(copy.genres)}
            for key, copy in replica.items()
        }


def differences(follower: Follower, cluster: dict[str, Any]) -> Iterator[str]:
    """Tell in what a draft as it was followed is not as it is served."""
    there = Follower(cluster)
    told, served = follower.nodes(), there.nodes()
    for key in sorted(told.keys() | served.keys()):
        if told.get(key) != served.get(key):
            yield f"{key} is served as {served.get(key)}, and was told as {told.get(key)}"
    orders = there.orders(gaps=True)
    for place, keys in follower.orders().items():
        if orders.get(place, []) != keys:
            yield f"{place} is served in the order {orders.get(place)}, and was told as {keys}"


def _followed(changes: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for change in changes:
        # Behind a commit the service tells how it found what is saved, even where no order is kept.
        if change["kind"] != "MOVED" or change["relation"] in ORDERED:
            fields = [each for each in change["fields"] if each["name"] not in UNASKED]
            yield {**change, "fields": fields}
