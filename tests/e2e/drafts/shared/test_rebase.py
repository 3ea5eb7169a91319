"""Others save what a draft changes, too: rebase, commits that decide, and drafts kept open."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.samples import member, named, wings

CONFLICTS = "conflicts { kind key path field base theirs mine }"
REBASE = f"""
mutation($draft: ID!, $policy: ConflictPolicy) {{
  payload: rebaseDraft(draft: $draft, onConflict: $policy) {{
    draft {{ version isDirty ... on BandDraft {{ cluster {{ name origin formed }} }} }}
    event {{ ... on DraftEdited {{ cause changes {{ kind key }} }} }}
    {CONFLICTS} errors {{ code key field path }}
  }}
}}
"""
COMMIT = f"""
mutation($draft: ID!, $policy: ConflictPolicy, $open: Boolean, $id: ID) {{
  payload: commitBandDraft(
    draft: $draft, onConflict: $policy, keepOpen: $open, changeId: $id
  ) {{
    cluster {{ name origin formed members {{ pk name }} }}
    draft {{
      version state isDirty isNew ... on BandDraft {{ cluster {{ name members {{ pk key }} }} }}
    }}
    receipt {{ id version sessionId clusterId }}
    keys {{ key pk id }} {CONFLICTS} errors {{ code key field path }}
  }}
}}
"""
COMMITS = """
query($cluster: ID!, $first: Int, $after: String) {
  commits(cluster: $cluster, first: $first, after: $after) {
    edges { node { id version sessionId at clusterPk } cursor }
    pageInfo { hasNextPage endCursor }
  }
}
"""


async def both_renamed(client: Client, stranger: Client) -> tuple[str, str]:
    """Return a saved band's key, and a draft that renames it as another session just has."""
    saved = (await client.commit(await client.open(data=wings())))["cluster"]
    mine = await client.open(pk=saved["pk"])
    theirs = await stranger.open(pk=saved["pk"])
    await client.edit(mine, {"set": {"name": "Mine", "origin": "London"}})
    await stranger.edit(theirs, {"set": {"name": "Theirs", "formed": 1999}})
    await stranger.commit(theirs)
    return saved["pk"], mine


async def test_a_conflict_names_three_values_and_the_caller_chooses(
    client: Client, elsewhere: Client, stranger: Client
) -> None:
    """FAIL stages nothing; THEIRS gives way in that field alone; the rest of both is kept."""
    pk, draft = await both_renamed(client, stranger)
    refused = await client.payload(REBASE, draft=draft)
    [conflict] = refused["conflicts"]
    assert conflict == {
        "kind": "FIELD",
        "key": "root",
        "path": ["name"],
        "field": "name",
        "base": wings()["name"],
        "theirs": "Theirs",
        "mine": "Mine",
    }
    assert [(e["code"], e["key"], e["field"]) for e in refused["errors"]] == [
        ("CONFLICT", "root", "name")
    ]
    assert (await client.draft(draft))["version"] == 1
    rebased = await elsewhere.payload(REBASE, draft=draft, policy="THEIRS")
    assert rebased["errors"] == []
    assert rebased["draft"]["cluster"] == {"name": "Theirs", "origin": "London", "formed": 1999}
    assert rebased["event"]["cause"] == "REBASE"
    await client.commit(draft)
    band = await client.band(pk)
    assert (band["name"], band["origin"], band["formed"]) == ("Theirs", "London", 1999)


@pytest.mark.parametrize(("policy", "name"), [("MINE", "Mine"), ("THEIRS", "Theirs")])
async def test_a_commit_decides_conflicts(
    client: Client, stranger: Client, policy: str, name: str
) -> None:
    """One request; what is in no conflict is kept of both."""
    _, draft = await both_renamed(client, stranger)
    refused = await client.payload(COMMIT, draft=draft)
    assert [each["field"] for each in refused["conflicts"]] == ["name"]
    saved = await client.payload(COMMIT, draft=draft, policy=policy)
    assert saved["errors"] == []
    cluster = saved["cluster"]
    assert (cluster["name"], cluster["origin"], cluster["formed"]) == (name, "London", 1999)
    assert saved["draft"]["state"] == "COMMITTED"


async def test_a_draft_kept_open_goes_on(
    client: Client, elsewhere: Client, stranger: Client
) -> None:
    """Saved again and again; the event is told, the stream goes on, each commit has a receipt."""
    draft = await client.open(data=wings())
    async with elsewhere.watch(draft, after=0) as events:
        first = await client.payload(COMMIT, draft=draft, open=True, id="c1")
        assert first["errors"] == []
        assert first["draft"]["state"] == "OPEN"
        assert (first["draft"]["isNew"], first["draft"]["isDirty"]) == (False, False)
        keys = {each["key"]: each["pk"] for each in first["keys"]}
        shown = {each["key"]: each["pk"] for each in first["draft"]["cluster"]["members"]}
        assert shown.items() <= keys.items()
        event = await events.next()
        assert (event["__typename"], event["version"]) == ("DraftCommitted", 1)
        await elsewhere.edit(draft, named("Again"), member("late"))
        second = await client.payload(COMMIT, draft=draft, open=True, id="c2")
        assert second["cluster"]["name"] == "Again"
        assert {each["key"] for each in second["keys"]} >= {"root", "late"}
        assert [event["version"] for event in await events.take(2)] == [2, 3]
    again = await elsewhere.payload(COMMIT, draft=draft, open=True, id="c1")
    assert again["receipt"] == first["receipt"]
    other_body = await elsewhere.payload(COMMIT, draft=draft, open=False, id="c1")
    assert [error["code"] for error in other_body["errors"]] == ["INVALID_CHANGE"]

    cluster = first["receipt"]["clusterId"]
    page = (await stranger.data(COMMITS, cluster=cluster, first=1))["commits"]
    assert [edge["node"]["id"] for edge in page["edges"]] == [second["receipt"]["id"]]
    assert page["pageInfo"]["hasNextPage"] is True
    after = page["pageInfo"]["endCursor"]
    rest = (await stranger.data(COMMITS, cluster=cluster, after=after))["commits"]
    assert [edge["node"]["id"] for edge in rest["edges"]] == [first["receipt"]["id"]]
    assert rest["edges"][0]["node"]["sessionId"] == client.session


async def test_rebase_of_a_new_cluster_does_nothing(client: Client) -> None:
    """It has no base."""
    draft = await client.open(data=wings())
    payload: Any = await client.payload(REBASE, draft=draft)
    assert payload["errors"] == []
    assert (payload["draft"]["version"], payload["event"]) == (0, None)
