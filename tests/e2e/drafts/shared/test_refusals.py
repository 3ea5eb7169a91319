"""Changes, ids and keys that can't be: each is refused with its code, and nothing is staged."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e import operations
from tests.e2e.client import Client
from tests.e2e.samples import in_album, member, move, named, wings

pytestmark = pytest.mark.once


async def untouched(client: Client, draft: str) -> bool:
    """Tell whether nothing was ever staged in a draft that was opened of `wings()`."""
    now = await client.draft(draft)
    return bool(now["version"] == 0 and now["cluster"]["name"] == "Wings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """Changes with a wrong one among them, and what its error has to tell."""

    changes: list[Any]
    change: int | None = 0
    key: str | None = "root"
    field: str | None = None
    path: str = ""


WRONG = {
    "update of an unknown key": Wrong(
        changes=[named("X"), {"members": {"update": {"key": "nobody", "set": {"name": "Y"}}}}],
        change=1,
        key="nobody",
        path="members nobody",
    ),
    "removal of an unknown key": Wrong(
        changes=[named("X"), {"members": {"remove": ["paul", "nobody"]}}],
        change=1,
        key="nobody",
        path="members nobody",
    ),
    "edit of an unknown key": Wrong(
        changes=[in_album("nobody", {"set": {"title": "X"}})], key="nobody", path="albums nobody"
    ),
    "the key of a node of another relation": Wrong(
        changes=[{"members": {"remove": ["run"]}}], key="run", path="members run"
    ),
    "the key of a node below another node": Wrong(
        changes=[in_album("run", {"songs": {"remove": ["venus-1"]}})],
        key="venus-1",
        path="albums run songs venus-1",
    ),
    "a key in use already": Wrong(changes=[member("paul")], key="paul", path="members paul"),
    "a key used twice in one request": Wrong(
        changes=[member("twice"), named("X"), member("twice")],
        change=2,
        key="twice",
        path="members twice",
    ),
    "the key of a removed node": Wrong(
        changes=[{"members": {"remove": ["denny"]}}, member("denny")],
        change=1,
        key="denny",
        path="members denny",
    ),
    "a key with a space in it": Wrong(changes=[member("no key")], key="no key", path="members"),
    "the key of the root": Wrong(changes=[member("root")], path="members root"),
    "a move before one and after another": Wrong(
        changes=[move("paul", before="linda", after="denny")], field="members", path="members"
    ),
    "a move to nowhere": Wrong(changes=[move("paul")], field="members", path="members"),
    "a move next to itself": Wrong(
        changes=[move("paul", after="paul")], key="paul", path="members paul"
    ),
    "a move next to a node of another relation": Wrong(
        changes=[move("paul", before="run-1")], key="run-1", path="members run-1"
    ),
    "a place far behind": Wrong(changes=[member("far", position=99)], key="far", path="members"),
    "clear: false": Wrong(changes=[{"members": {"clear": False}}], field="members", path="members"),
    "clear: false of a set": Wrong(
        changes=[{"genres": {"clear": False}}], field="genres", path="genres"
    ),
    "null where nothing is null": Wrong(
        changes=[{"set": {"name": None}}], field="name", path="name"
    ),
    "a NUL character": Wrong(changes=[{"set": {"name": "nul\0"}}], field="name", path="name"),
    "a pk that can not be": Wrong(
        changes=[{"genres": {"add": ["garbage"]}}], field="genres", path="genres"
    ),
    "a pk that is not there": Wrong(
        changes=[named("X"), {"genres": {"add": ["987654"]}}],
        change=1,
        field="genres",
        path="genres",
    ),
    "no changes": Wrong(changes=[], change=None, key=None),
    "no changes of an album": Wrong(changes=[in_album("run")], key="run", path="albums run"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_a_change_that_can_not_be_staged(client: Client, wrong: Wrong) -> None:
    """The error tells which change it is, and where."""
    draft = await client.open(data=wings())
    payload = await client.try_edit(draft, *wrong.changes)
    [error] = payload["errors"]
    assert error.pop("message")
    assert error == {
        "code": "INVALID_CHANGE",
        "change": wrong.change,
        "key": wrong.key,
        "field": wrong.field,
        "path": wrong.path.split(),
    }
    assert (payload["draft"], payload["event"]) == (None, None)
    assert await untouched(client, draft)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"tours": {"clear": True}}, id="a relation that is not there"),
        pytest.param({"members": {"edit": {"key": "paul"}}}, id="an edit where nothing is below"),
        pytest.param(
            {"albums": {"move": {"key": "run", "to": "FIRST"}}},
            id="a move where nothing is ordered",
        ),
        pytest.param(move("paul", to="MIDDLE"), id="a move to an unknown end"),
        pytest.param({"set": {"status": "SLEEPING"}}, id="an unknown enum value"),
        pytest.param({"set": {"formed": "long ago"}}, id="text for a number"),
        pytest.param({"set": {"formed": 2**31}}, id="a number out of range"),
        pytest.param({"set": {"name": 5}}, id="a number for text"),
        pytest.param({"set": {"createdAt": "2000-01-01T00:00:00Z"}}, id="a read-only field"),
        pytest.param({"set": {"nickname": "X"}}, id="a field that is not there"),
        pytest.param(
            {"albums": {"update": {"key": "run", "set": {"released": "1973-02-30"}}}},
            id="a day that is not there",
        ),
        pytest.param(
            in_album("run", {"songs": {"add": [{"title": "X", "duration": "long"}]}}),
            id="a duration in words",
        ),
        pytest.param({"set": {"name": "X"}, "genres": {"clear": True}}, id="two changes in one"),
        pytest.param({}, id="an empty change"),
        pytest.param(None, id="null"),
        pytest.param("members", id="text for a change"),
    ],
)
async def test_a_change_that_is_none_by_the_schema(client: Client, change: Any) -> None:
    """Refused as a whole by GraphQL itself, with the changes beside it."""
    draft = await client.open(data=wings())
    answer = await client.post(operations.EDIT, draft=draft, changes=[named("X"), change])
    assert answer.codes == ["BAD_USER_INPUT"]
    assert answer.data is None
    assert await untouched(client, draft)


async def test_too_many_changes_are_refused(client: Client) -> None:
    """With a code of its own; the draft can still be edited."""
    draft = await client.open(data=wings())
    payload = await client.try_edit(draft, *(member(f"member-{n}") for n in range(1001)))
    assert [error["code"] for error in payload["errors"]] == ["LIMIT_EXCEEDED"]
    assert await untouched(client, draft)
    assert (await client.edit(draft, named("Y")))["draft"]["version"] == 1


@pytest.mark.parametrize(
    ("given", "code"),
    [
        pytest.param({"pk": "98765"}, "NOT_FOUND", id="a pk that is not there"),
        pytest.param({"pk": "garbage"}, "NOT_FOUND", id="a pk that can not be"),
        pytest.param({"pk": "9" * 30}, "NOT_FOUND", id="a pk out of range"),
        pytest.param({"copyOf": "98765"}, "NOT_FOUND", id="a copy of nothing"),
        pytest.param({"pk": "1", "data": {}}, "INVALID_CHANGE", id="saved and new at once"),
        pytest.param(
            {"data": wings(genres=["987654"])}, "INVALID_CHANGE", id="a genre that is not there"
        ),
        pytest.param(
            {"data": wings(members=[{"key": "x"}, {"key": "x"}])},
            "INVALID_CHANGE",
            id="a key used twice",
        ),
    ],
)
async def test_a_draft_that_can_not_be_opened(
    client: Client, given: dict[str, Any], code: str
) -> None:
    """No draft is left behind."""
    payload = await client.payload(operations.OPEN, **given)
    assert [error["code"] for error in payload["errors"]] == [code]
    assert payload["draft"] is None
    assert (await client.data("{ drafts { edges { cursor } } }"))["drafts"]["edges"] == []


def global_id(text: str) -> str:
    """Return a global id with that in it."""
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "draft",
    [
        "garbage",
        "",
        "💥",
        "x" * 10_000,
        global_id("BandDraft:nobody-has-this"),
        global_id("BandDraft:"),
        global_id("BandDraft:a/b/c"),
        global_id("BandDraft:*"),
        global_id("Band:1"),
        global_id("MovieDraft:x"),
        global_id("\0:\0"),
    ],
)
async def test_an_id_that_names_no_draft(client: Client, draft: str) -> None:
    """To edit, commit, watch or read: there is no such draft."""
    for payload in (await client.try_edit(draft, named("X")), await client.try_commit(draft)):
        assert [error["code"] for error in payload["errors"]] == ["NOT_FOUND"]
    assert await client.draft(draft) is None
    async with client.watch(draft) as events:
        assert await events.refused() == ["NOT_FOUND"]


async def test_a_draft_of_another_session_is_not_there(client: Client, stranger: Client) -> None:
    """In no way can a stranger tell it from one that never was, nor do anything to it."""
    draft = await client.open(data=wings())
    refused = [
        await stranger.try_edit(draft, named("Theirs")),
        await stranger.try_commit(draft),
        await stranger.payload(operations.OPEN, copyOf=draft),
        await stranger.payload(
            "mutation($id: ID!) { payload: discardDraft(draft: $id) { errors { code message } } }",
            id=draft,
        ),
    ]
    never = await stranger.try_edit(global_id("BandDraft:nobody-has-this"), named("X"))
    for payload in refused:
        [error] = payload["errors"]
        assert error["code"] == "NOT_FOUND"
        assert error["message"] == never["errors"][0]["message"]
    assert await stranger.draft(draft) is None
    node = await stranger.data("query($id: ID!) { node(id: $id) { id } }", id=draft)
    assert node == {"node": None}
    async with stranger.watch(draft) as events:
        assert await events.refused() == ["NOT_FOUND"]
    assert await untouched(client, draft)


async def test_without_a_session_there_are_no_drafts(client: Client) -> None:
    """Saved bands can be read; whatever is of drafts is refused, with a code."""
    draft = await client.open(data=wings())
    nobody = Client(http=client.http, worker=client.worker)
    assert (await nobody.data("{ bands { name } }"))["bands"]
    for query, variables in (
        (operations.OPEN, {"data": wings()}),
        (operations.EDIT, {"draft": draft, "changes": [named("X")]}),
        (operations.COMMIT, {"draft": draft}),
        (operations.DRAFT, {"draft": draft}),
        ("{ drafts { edges { cursor } } }", {}),
    ):
        assert (await nobody.post(query, **variables)).codes == ["UNAUTHENTICATED"]
    async with nobody.watch(draft) as events:
        assert await events.refused() == ["UNAUTHENTICATED"]
    assert await untouched(client, draft)
