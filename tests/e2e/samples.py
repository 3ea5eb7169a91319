"""Clusters and changes, as clients send them."""

from __future__ import annotations

from typing import Any


def wings(**more: Any) -> dict[str, Any]:
    """Return a band with members, and albums with songs, all of them with keys."""
    return {
        "name": "Wings",
        "formed": 1971,
        "origin": "London, England",
        "members": [
            {"key": "paul", "name": "Paul McCartney", "instrument": "BASS", "joined": 1971},
            {"key": "linda", "name": "Linda McCartney", "instrument": "KEYBOARDS"},
            {"key": "denny", "name": "Denny Laine", "instrument": "GUITAR", "joined": 1971},
        ],
        "albums": [
            {
                "key": "run",
                "title": "Band on the Run",
                "released": "1973-12-05",
                "label": "Apple",
                "songs": [
                    {"key": "run-1", "title": "Band on the Run", "duration": "PT5M12S"},
                    {"key": "run-2", "title": "Jet", "duration": "PT4M9S"},
                    {"key": "run-3", "title": "Bluebird", "duration": "PT3M23S"},
                ],
            },
            {
                "key": "venus",
                "title": "Venus and Mars",
                "released": "1975-05-27",
                "songs": [{"key": "venus-1", "title": "Venus and Mars"}],
            },
        ],
        **more,
    }


def member(key: str, **fields: Any) -> dict[str, Any]:
    """Return the change that adds a member who is named after the key."""
    new = {"key": key, "name": key.title(), "instrument": "OTHER", **fields}
    return {"members": {"add": [new]}}


def nameless(name: str) -> dict[str, Any]:
    """Return the change that adds a member under a key of the service's; done twice it adds two."""
    return {"members": {"add": [{"name": name, "instrument": "OTHER"}]}}


def move(key: str, **place: str) -> dict[str, Any]:
    """Return the change that gives a member another place."""
    return {"members": {"move": {"key": key, **place}}}


def named(name: str) -> dict[str, Any]:
    """Return the change that names the band."""
    return {"set": {"name": name}}


def in_album(key: str, *changes: dict[str, Any]) -> dict[str, Any]:
    """Return the change that changes an album, or what is below it."""
    return {"albums": {"edit": {"key": key, "changes": list(changes)}}}


def long_album(songs: int) -> dict[str, Any]:
    """Return an album with so many songs."""
    titles = [{"title": f"Take {number}"} for number in range(1, songs + 1)]
    return {"key": "takes", "title": "Takes", "released": "1996-03-18", "songs": titles}
