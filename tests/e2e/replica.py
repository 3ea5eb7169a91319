"""A draft as a client keeps it for itself: a snapshot, and every change since."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RELATIONS = {"Band": {"members": "BandMember", "albums": "Album"}, "Album": {"songs": "Song"}}
ORDERED = ("members", "songs")


@dataclass(slots=True, kw_only=True)
class Copy:
    """One node: what it holds, and the keys of its children in order."""

    typename: str
    fields: dict[str, Any] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    genres: set[str] = field(default_factory=set)


class Replica:
    """The nodes of one draft of a band, by key."""

    def __init__(self, cluster: dict[str, Any]) -> None:
        """Take the cluster that came with a snapshot."""
        self.nodes: dict[str, Copy] = {}
        self._take("Band", cluster)

    def _take(self, typename: str, given: dict[str, Any]) -> str:
        copy = self.nodes[given["key"]] = Copy(typename=typename)
        for name, value in given.items():
            if name in RELATIONS.get(typename, {}):
                child = RELATIONS[typename][name]
                copy.children[name] = [self._take(child, each) for each in value]
            elif name == "genres":
                copy.genres = {genre["pk"] for genre in value}
            elif name not in ("key", "pk", "position"):
                copy.fields[name] = value
        return str(given["key"])

    def apply(self, event: dict[str, Any]) -> None:
        """Do what one event tells, and fail where it does not fit what is there.

        A place that a change tells is the one behind the whole event.
        """
        placed: dict[tuple[str, str], dict[str, int]] = {}
        for change in event["changes"]:
            self._apply(change)
            if change["kind"] in ("ADDED", "MOVED") and change["relation"] in ORDERED:
                place = (change["parentKey"], change["relation"])
                if change["node"] is not None:  # removed again by the same event
                    placed.setdefault(place, {})[change["key"]] = change["node"]["position"]
        for (parent, relation), positions in placed.items():
            siblings = self.nodes[parent].children[relation]
            for key in positions:
                siblings.remove(key)
            for key, position in sorted(positions.items(), key=lambda item: item[1]):
                siblings.insert(position - 1, key)

    def _apply(self, change: dict[str, Any]) -> None:
        key, relation = change["key"], change["relation"]
        match change["kind"]:
            case "ADDED":
                assert key not in self.nodes
                self.nodes[key] = Copy(typename=change["typename"])
                self._siblings(change).append(key)
                self._set(key, change)
            case "REMOVED":
                self._siblings(change).remove(key)
                self._forget(key)
            case "UPDATED":
                self._set(key, change)
            case "MOVED":
                assert relation in ORDERED
                assert key in self._siblings(change)
            case "RELATED":
                [sets] = change["fields"]
                genres = self.nodes[key].genres
                assert genres >= set(sets["before"])
                assert genres.isdisjoint(sets["after"])
                self.nodes[key].genres = (genres - set(sets["before"])) | set(sets["after"])

    def _siblings(self, change: dict[str, Any]) -> list[str]:
        return self.nodes[change["parentKey"]].children.setdefault(change["relation"], [])

    def _set(self, key: str, change: dict[str, Any]) -> None:
        fields = self.nodes[key].fields
        for each in change["fields"]:
            assert (fields.get(each["name"]) or None) == (each["before"] or None), change
            fields[each["name"]] = each["after"]

    def _forget(self, key: str) -> None:
        # Nodes below may have been told of one by one before.
        for children in self.nodes.pop(key).children.values():
            for child in children:
                self._forget(child)

    def told(self, key: str = "root") -> dict[str, Any]:
        """Return the tree below a node: only what it holds, children in their order if any."""
        copy = self.nodes[key]
        tree: dict[str, Any] = {
            name: value for name, value in copy.fields.items() if value not in (None, "")
        }
        for name in RELATIONS.get(copy.typename, {}):
            keys = copy.children.get(name, [])
            ordered = keys if name in ORDERED else sorted(keys)
            tree[name] = {child: self.told(child) for child in ordered}
            if name in ORDERED:
                tree[f"{name} in order"] = keys
        return tree | {"genres": copy.genres}
