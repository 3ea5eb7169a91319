"""The promises of the product that two healthy workers keep, each in one test of its name.

Those about workers and stores that fail are in `tests/e2e/drafts/test_promises.py`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.e2e import operations
from tests.e2e.client import Client
from tests.e2e.database import everything
from tests.e2e.samples import in_album, long_album, member, move, named, nameless, wings

COMMIT = """
mutation($draft: ID!, $policy: ConflictPolicy) {
  payload: commitBandDraft(draft: $draft, onConflict: $policy) {
    cluster { name origin formed members { pk name } }
    conflicts { kind key field base theirs mine } errors { code key field }
  }
}
"""
KEEP_OPEN = """
mutation($draft: ID!) {
  payload: commitBandDraft(draft: $draft, keepOpen: true) { keys { key pk } errors { code } }
}
"""
SHARE = "mutation($draft: ID!) { payload: shareDraft(draft: $draft) { token } }"
JOIN = "mutation($token: String!) { payload: joinDraft(token: $token) { errors { code } } }"
UNDO = "mutation($draft: ID!) { payload: undoDraft(draft: $draft) { errors { code } } }"


async def saved_wings(client: Client) -> Any:
    """Return a band that has been saved."""
    return (await client.commit(await client.open(data=wings())))["cluster"]


def without_keys(value: Any) -> Any:
    """Return a cluster as it is whether saved or drafted."""
    if isinstance(value, list):
        return [without_keys(each) for each in value]
    if isinstance(value, dict):
        return {name: without_keys(each) for name, each in value.items() if name != "key"}
    return value


async def test_promise_1_all_or_nothing(client: Client, elsewhere: Client) -> None:
    """Four good changes and a wrong one: no change, no version, no event."""
    draft = await client.open(data=wings())
    before = await client.draft(draft)
    async with elsewhere.watch(draft, after=0) as events:
        good = [named("Good"), member("new"), move("denny", to="FIRST"), member("newer")]
        for place in range(5):
            changes = [*good[:place], move("nobody", to="FIRST"), *good[place:]]
            refused = await client.try_edit(draft, *changes)
            assert [(e["code"], e["change"]) for e in refused["errors"]] == [
                ("INVALID_CHANGE", place)
            ]
            assert refused["draft"] is refused["event"] is None
        assert await elsewhere.draft(draft) == before
        await client.edit(draft, *good)
        event = await events.next()
    assert (event["version"], len(event["changes"])) == (1, 4)
    after = await elsewhere.draft(draft)
    assert after == await client.draft(draft)
    keys = [each["key"] for each in after["cluster"]["members"]]
    assert (after["version"], after["cluster"]["name"]) == (1, "Good")
    assert keys == ["denny", "paul", "linda", "new", "newer"]


async def test_promise_3_retries_are_harmless(client: Client, elsewhere: Client) -> None:
    """The same edit and the same commit, ten times at once at two workers, are one."""
    draft = await client.open(data=wings())
    both = [client, elsewhere] * 5
    edits = await asyncio.gather(
        # The new key is taken when it comes again.
        *(each.edit(draft, nameless("Jimmy"), member("joe"), change_id="e") for each in both)
    )
    assert {each["event"]["version"] for each in edits} == {1}
    commits = await asyncio.gather(*(each.commit(draft, change_id="c") for each in both))
    assert len({each["receipt"]["id"] for each in commits}) == 1
    assert [each["name"] for each in commits[0]["cluster"]["members"]].count("Jimmy") == 1
    other_body = await client.try_edit(draft, named("Other"), change_id="e")
    assert [error["code"] for error in other_body["errors"]] == ["INVALID_CHANGE"]


async def test_promise_4_events_are_exactly_once_and_in_order(
    client: Client, elsewhere: Client
) -> None:
    """Over reconnects at either worker, while two writers are busy."""
    draft = await client.open(data=wings())

    async def write(writer: Client, name: str) -> None:
        for number in range(30):
            await writer.edit(draft, nameless(f"{name} {number}"))

    async def read(first: int) -> list[tuple[int, str]]:
        seen: list[tuple[int, str]] = []
        while len(seen) < 60:
            reader = (client, elsewhere)[(first + len(seen)) % 2]
            async with reader.watch(draft, after=seen[-1][0] if seen else 0) as events:
                for event in await events.take(min(7, 60 - len(seen))):
                    (change,) = event["changes"]
                    seen.append((event["version"], change["node"]["name"]))
                events.cut()
        return seen

    reading = [asyncio.ensure_future(read(number)) for number in range(4)]
    await asyncio.gather(write(client, "A"), write(elsewhere, "B"))
    added = (await client.draft(draft))["cluster"]["members"][3:]
    for told in await asyncio.gather(*reading):
        assert told == list(enumerate((each["name"] for each in added), start=1))


async def test_promise_5_nobody_is_overwritten(
    client: Client, elsewhere: Client, stranger: Client
) -> None:
    """Different fields both win; what others added stays, what they deleted does not come back."""
    band = await saved_wings(client)
    denny, linda = (f"BandMember:{band['members'][number]['pk']}" for number in (2, 1))
    mine, theirs = await client.open(pk=band["pk"]), await stranger.open(pk=band["pk"])
    await client.edit(mine, {"set": {"name": "Mine", "origin": "London"}}, member("mine"))
    await stranger.edit(
        theirs,
        {"set": {"name": "Theirs", "formed": 1999}},
        member("theirs"),
        {"members": {"remove": [denny]}},
    )
    await stranger.commit(theirs)
    refused = await elsewhere.payload(COMMIT, draft=mine)
    assert refused["conflicts"] == [
        {
            "kind": "FIELD",
            "key": "root",
            "field": "name",
            "base": "Wings",
            "theirs": "Theirs",
            "mine": "Mine",
        }
    ]
    assert [error["code"] for error in refused["errors"]] == ["CONFLICT"]
    saved = (await elsewhere.payload(COMMIT, draft=mine, policy="MINE"))["cluster"]
    assert (saved["name"], saved["origin"], saved["formed"]) == ("Mine", "London", 1999)
    names = [each["name"] for each in saved["members"]]
    assert names == ["Paul McCartney", "Linda McCartney", "Theirs", "Mine"]
    assert linda.endswith(saved["members"][1]["pk"])

    async def commit_both(policy: str, ours: dict[str, Any], others: dict[str, Any]) -> Any:
        mine, theirs = await client.open(pk=band["pk"]), await stranger.open(pk=band["pk"])
        await client.edit(mine, {"set": ours})
        await stranger.edit(theirs, {"set": others})
        await stranger.commit(theirs)
        saved = (await elsewhere.payload(COMMIT, draft=mine, policy=policy))["cluster"]
        return saved["name"], saved["origin"], saved["formed"]

    apart = await commit_both("FAIL", {"origin": "Paris"}, {"formed": 2000})
    assert apart == ("Mine", "Paris", 2000)
    given_up = await commit_both(
        "THEIRS", {"name": "Mine II", "origin": "Rome"}, {"name": "Theirs II", "formed": 2001}
    )
    assert given_up == ("Theirs II", "Rome", 2001)


async def test_promise_6_a_draft_equals_the_model(client: Client, elsewhere: Client) -> None:
    """What the draft serves is what is saved, field for field and in the same order."""
    band = await saved_wings(client)
    draft = await client.open(pk=band["pk"])
    await client.edit(
        draft,
        named("Wings II"),
        move(f"BandMember:{band['members'][2]['pk']}", to="FIRST"),
        member("new", joined=1975),
        in_album(
            f"Album:{band['albums'][0]['pk']}",
            {"songs": {"add": [{"title": "New", "position": 0}]}},
        ),
    )
    staged = without_keys((await elsewhere.draft(draft))["cluster"])
    saved = without_keys((await client.commit(draft))["cluster"])
    new = {each["pk"] for each in saved["members"]} - {each["pk"] for each in band["members"]}
    assert len(new) == 1
    for kind in ("members", "albums"):
        for was, now in zip(staged[kind], saved[kind], strict=True):
            for one, other in zip(was.get("songs", ()), now.get("songs", ()), strict=True):
                other["pk"] = other["pk"] if one["pk"] else None
            now["pk"] = now["pk"] if was["pk"] else None
    assert staged == saved


async def test_promise_7_a_child_keeps_its_identity(client: Client, elsewhere: Client) -> None:
    """One key for the draft's life, one primary key from draft to saved, whatever happens to it."""
    band = await saved_wings(client)
    pks = [each["pk"] for each in band["members"]]
    draft = await client.open(pk=band["pk"])
    keys = [f"BandMember:{pk}" for pk in pks]
    for number, key in enumerate(keys):
        await client.edit(
            draft, {"members": {"update": {"key": key, "set": {"name": f"{number}"}}}}
        )
    kept = [{"key": key, "name": name} for key, name in zip(reversed(keys), "cba", strict=True)]
    await elsewhere.edit(draft, {"members": {"replace": kept}})
    await client.edit(draft, member("new"))
    await client.edit(draft, {"members": {"remove": [keys[0]]}})
    assert not (await elsewhere.payload(UNDO, draft=draft))["errors"]
    staged = (await elsewhere.draft(draft))["cluster"]["members"]
    assert [(each["key"], each["pk"]) for each in staged] == [
        *zip(reversed(keys), reversed(pks), strict=True),
        ("new", None),
    ]
    found = {
        each["key"]: each["pk"] for each in (await client.payload(KEEP_OPEN, draft=draft))["keys"]
    }
    staged = (await elsewhere.draft(draft))["cluster"]["members"]
    assert [(each["key"], each["pk"]) for each in staged] == [
        *zip(reversed(keys), reversed(pks), strict=True),
        ("new", found["new"]),
    ]
    await client.edit(draft, {"members": {"update": {"key": "new", "set": {"name": "Newer"}}}})
    saved = await client.commit(draft)
    assert [each["pk"] for each in saved["cluster"]["members"]] == [*reversed(pks), found["new"]]


async def test_promise_9_a_session_sees_its_own_drafts_only(
    client: Client, stranger: Client, database_url: str
) -> None:
    """Each read, change and event of another's draft is refused, whoever knows its id."""
    draft = await client.open(data=wings())
    before, rows = await client.draft(draft), everything(database_url)
    assert await stranger.draft(draft) is None
    assert (await stranger.data("query($id: ID!) { node(id: $id) { id } }", id=draft))[
        "node"
    ] is None
    for payload in (
        await stranger.try_edit(draft, named("Stolen")),
        await stranger.try_commit(draft),
        await stranger.payload(
            "mutation($id: ID!) { payload: discardDraft(draft: $id) { errors { code } } }", id=draft
        ),
        await stranger.payload(UNDO, draft=draft),
        await stranger.payload(operations.OPEN, copyOf=draft),
    ):
        assert [error["code"] for error in payload["errors"]] == ["NOT_FOUND"]
    async with stranger.watch(draft) as events:
        assert await events.refused() == ["NOT_FOUND"]
    assert (await stranger.data("{ drafts { edges { node { id } } } }"))["drafts"]["edges"] == []
    assert await client.draft(draft) == before
    assert everything(database_url) == rows
    token = (await client.payload(SHARE, draft=draft))["token"]
    assert not (await stranger.payload(JOIN, token=token))["errors"]
    assert await stranger.draft(draft) == before


async def test_promise_10_bounded(client: Client) -> None:
    """Too many changes, too many bytes, too large a body: a clear error, and nothing staged."""
    draft = await client.open(data=wings())
    many = await client.try_edit(draft, *[named(str(number)) for number in range(1001)])
    large = await client.try_edit(draft, {"set": {"biography": "x" * (2 * 1024 * 1024 + 1)}})
    deep = await client.try_edit(draft, {"albums": {"add": [long_album(1000)]}})
    opened = await client.payload(operations.OPEN, data=wings(albums=[long_album(1000)]))
    for refused in (many, large, deep, opened):
        assert [error["code"] for error in refused["errors"]] == ["LIMIT_EXCEEDED"]
    body = await client.post("{ __typename }", padding="x" * (3 * 1024 * 1024))
    assert (body.status, body.codes) == (413, ["LIMIT_EXCEEDED"])
    assert (await client.draft(draft))["version"] == 0
