"""The README's story, from the first look at the schema to the saved cluster."""

from __future__ import annotations

from typing import Any

from tests.e2e import operations
from tests.e2e.drafts.conftest import StartSession
from tests.e2e.workers import Worker

ALBUM = {
    "key": "live",
    "title": "Live at the BBC",
    "released": "1994-11-30",
    "label": "Apple",
    "kind": "LIVE",
    "songs": [
        {"key": "live-1", "title": "From Us to You", "duration": "PT27S"},
        {"key": "live-2", "title": "I Got a Woman", "duration": "PT2M48S"},
        {"key": "live-3", "title": "Too Much Monkey Business", "duration": "PT2M5S"},
        {"key": "live-4", "title": "Keep Your Hands off My Baby", "duration": "PT2M30S"},
    ],
}


def without(names: set[str], tree: Any) -> Any:
    """Return a tree without what differs between a draft and the saved cluster anyway."""
    if isinstance(tree, list):
        return [without(names, each) for each in tree]
    if isinstance(tree, dict):
        return {name: without(names, value) for name, value in tree.items() if name not in names}
    return tree


def pks(tree: Any) -> dict[tuple[str, str], str]:
    """Return the primary key of each child in a saved cluster, by relation and title or name."""
    found = {}
    for relation in ("members", "albums", "songs"):
        for child in tree.get(relation, ()):
            found[relation, child.get("name") or child["title"]] = child["pk"]
            found |= pks(child)
    return found


async def test_the_beatles_are_opened_edited_and_committed(
    workers: list[Worker], start_session: StartSession
) -> None:
    """One request stages all kinds of changes; commit saves just these, and tells the new pks."""
    client = await start_session(workers[0])
    schema = await client.data("{ __schema { mutationType { fields { name } } } }")
    names = {field["name"] for field in schema["__schema"]["mutationType"]["fields"]}
    assert {"openBandDraft", "editBandDraft", "commitBandDraft"} <= names

    [before] = (await client.data(operations.NAMED, name="The Beatles"))["bands"]
    genres = (await client.data("{ bands { genres { pk name } } }"))["bands"]
    grunge = next(g["pk"] for band in genres for g in band["genres"] if g["name"] == "Grunge")
    draft = await client.open(pk=before["pk"])
    album = next(album for album in before["albums"] if album["title"] == "Abbey Road")
    last = album["songs"][-1]
    to_first = {"songs": {"move": {"key": f"Song:{last['pk']}", "to": "FIRST"}}}
    edited = await client.edit(
        draft,
        {"set": {"name": "The Fab Five"}},
        {"members": {"add": [{"key": "billy", "name": "Billy P", "instrument": "KEYBOARDS"}]}},
        {"albums": {"add": [ALBUM]}},
        {"albums": {"edit": {"key": f"Album:{album['pk']}", "changes": [to_first]}}},
        {"genres": {"add": [grunge]}},
    )
    assert (edited["event"]["version"], edited["draft"]["isDirty"]) == (1, True)

    both = await client.draft(draft)
    drafted, saved = both["cluster"], both["saved"]
    assert saved == before
    assert drafted["name"] == "The Fab Five"
    assert [m["name"] for m in drafted["members"]] == [
        *(m["name"] for m in saved["members"]),
        "Billy P",
    ]
    assert "Grunge" in {genre["name"] for genre in drafted["genres"]}
    assert [album["title"] for album in drafted["albums"]] == [
        *(album["title"] for album in saved["albums"]),
        ALBUM["title"],
    ]
    songs = next(a for a in drafted["albums"] if a["title"] == "Abbey Road")["songs"]
    assert [song["title"] for song in songs] == [
        last["title"],
        *(song["title"] for song in album["songs"][:-1]),
    ]
    assert await client.at(workers[1]).draft(draft) == both

    committed = await client.commit(draft)
    after = await client.at(workers[1]).band(before["pk"])
    assert committed["cluster"] == after
    assert without({"key", "pk"}, after) == without({"key", "pk"}, drafted)
    assert set(pks(before).items()) <= set(pks(after).items())  # nobody was made anew
    saved_keys = {each["key"]: each["pk"] for each in committed["keys"]}
    now = pks(after)
    assert saved_keys["root"] == before["pk"]
    assert saved_keys["billy"] == now["members", "Billy P"]
    assert saved_keys["live"] == now["albums", "Live at the BBC"]
    for song in ALBUM["songs"]:
        assert isinstance(song, dict)
        assert saved_keys[song["key"]] == now["songs", song["title"]]
    for each in committed["keys"]:
        found = await client.data("query($id: ID!) { node(id: $id) { id } }", id=each["id"])
        assert found["node"] == {"id": each["id"]}
