"""What is told of drafts: each event and its changes, a commit, and why it is refused."""

from __future__ import annotations

import asyncio

from gql_cluster.api.ids import SavedId
from schema.bands.models import Band
from tests.api.schema_kit import DRAFT, ERRORS, Client, add_member, make_band

CHANGES = "changes { kind key typename relation parentKey fields { name before after } }"
CLUSTER = "name status formed members { key name position } albums { title songs { title } }"
HELP = {
    "key": "help",
    "title": "Help!",
    "released": "1965-08-06",
    "songs": [{"key": "h", "title": "Help!"}, {"key": "y", "title": "Yesterday"}],
}
MOVE_LAST = {"songs": {"move": {"key": "h", "to": "LAST"}}}


async def test_event_tells_each_change_node_by_node(client: Client) -> None:
    """An album added with songs is a change for each; a set tells what it lost and gained."""
    pk, genre = await make_band()
    draft = await client.open(pk=pk)
    payload = await client.edit(
        draft,
        {"set": {"status": "DISBANDED"}},
        {"albums": {"add": [HELP]}},
        {"genres": {"add": [genre]}},
        {"albums": {"edit": {"key": "help", "changes": [MOVE_LAST]}}},
        fields=f"event {{ __typename version draftId ... on DraftEdited {{ {CHANGES} }} }}",
    )
    event = payload["event"]
    changes = [
        (each["kind"], each["key"], each["typename"], each["relation"], each["parentKey"])
        for each in event["changes"]
    ]
    assert (event["__typename"], event["version"], event["draftId"]) == ("DraftEdited", 1, draft)
    assert changes == [
        ("UPDATED", "root", "Band", None, None),
        ("ADDED", "help", "Album", "albums", "root"),
        ("ADDED", "h", "Song", "songs", "help"),
        ("ADDED", "y", "Song", "songs", "help"),
        ("RELATED", "root", "Band", None, None),
        ("MOVED", "h", "Song", "songs", "help"),
    ]
    assert [each["fields"] for each in event["changes"]] == [
        [{"name": "status", "before": "ACTIVE", "after": "DISBANDED"}],
        [
            {"name": "title", "before": None, "after": "Help!"},
            {"name": "released", "before": None, "after": "1965-08-06"},
            {"name": "kind", "before": None, "after": "STUDIO"},
        ],
        [{"name": "title", "before": None, "after": "Help!"}],
        [{"name": "title", "before": None, "after": "Yesterday"}],
        [{"name": "genres", "before": [], "after": [genre]}],
        [],
    ]


async def test_change_carries_the_node_as_it_is_after_it(client: Client) -> None:
    """A removed node is null; its values are in the change."""
    pk, _ = await make_band()
    draft = await client.open(pk=pk)
    node = "changes { node { ... on BandMember { name position } } fields { name before after } }"
    fields = f"event {{ ... on DraftEdited {{ {node} }} }}"
    added = await client.edit(draft, add_member("john"), fields=fields)
    removed = await client.edit(draft, {"members": {"remove": ["john"]}}, fields=fields)
    assert added["event"]["changes"][0]["node"] == {"name": "John", "position": 1}
    assert removed["event"]["changes"] == [
        {
            "node": None,
            "fields": [
                {"name": "name", "before": "John", "after": None},
                {"name": "instrument", "before": "GUITAR", "after": None},
            ],
        }
    ]


async def test_commit_answers_with_the_saved_cluster_and_its_keys(client: Client) -> None:
    """What was named in the draft is found again, and the saved cluster is read afresh."""
    draft = await client.open(
        data={"name": "Wings", "albums": [HELP], "members": [{"key": "p", "name": "Paul"}]}
    )
    await client.edit(draft, {"members": {"update": {"key": "p", "set": {"instrument": "BASS"}}}})
    data = await client.data(
        f"mutation($id: ID!) {{ it: commitBandDraft(draft: $id) {{ cluster {{ pk {CLUSTER} }}"
        " draft { state isNew } receipt { sessionId version clusterId clusterPk }"
        f" keys {{ key pk id }} conflicts {{ kind }} {ERRORS} }} }}",
        id=draft,
    )
    it = data["it"]
    pk = it["cluster"].pop("pk")
    assert it["cluster"] == {
        "name": "Wings",
        "status": "ACTIVE",
        "formed": None,
        "members": [{"key": None, "name": "Paul", "position": 1}],
        "albums": [{"title": "Help!", "songs": [{"title": "Help!"}, {"title": "Yesterday"}]}],
    }
    assert (it["draft"]["state"], it["errors"], it["conflicts"]) == ("COMMITTED", [], [])
    band = str(SavedId(type="Band", pk=pk))
    assert it["receipt"] == {
        "sessionId": "ann",
        "version": 1,
        "clusterId": band,
        "clusterPk": pk,
    }
    assert {each["key"] for each in it["keys"]} == {"root", "help", "h", "y", "p"}
    assert {"key": "root", "pk": pk, "id": band} in it["keys"]


async def test_commit_that_is_refused_names_what_is_wrong(client: Client) -> None:
    """The draft stays open; `errors` of the draft has said the same before."""
    draft = await client.open(data={"name": "Wings", "albums": [{"key": "a", "title": "Wild"}]})
    errors = await client.data(
        "query($id: ID!) { draft(id: $id) { errors { code key field path } } }", id=draft
    )
    data = await client.data(
        "mutation($id: ID!) { it: commitBandDraft(draft: $id)"
        " { cluster { pk } draft { id } receipt { id } keys { pk }"
        " errors { code key field path } } }",
        id=draft,
    )
    wrong = {
        "code": "VALIDATION_FAILED",
        "key": "a",
        "field": "released",
        "path": ["albums", "a", "released"],
    }
    assert errors["draft"]["errors"] == [wrong]
    assert data["it"] == {
        "cluster": None,
        "draft": None,
        "receipt": None,
        "keys": [],
        "errors": [wrong],
    }
    assert await Band.objects.acount() == 0


async def test_subscriber_sees_snapshot_edits_and_end(client: Client) -> None:
    """In order; the stream ends behind the event that closes the draft."""
    draft = await client.open(data={"name": "Wings"})
    events = client.stream(
        "subscription($id: ID!) { it: draftEvents(draft: $id) { __typename version draftId"
        " changeId sessionId draft { version }"
        " ... on DraftEdited { cause changes { kind key } } } }",
        id=draft,
    )
    async with asyncio.timeout(10):
        snapshot = (await anext(events)).data["it"]
        await client.edit(draft, add_member("john"))
        edited = (await anext(events)).data["it"]
        await client.data(
            f"mutation($id: ID!) {{ discardDraft(draft: $id) {{ {DRAFT} {ERRORS} }} }}", id=draft
        )
        rest = [event.data["it"] async for event in events]
    assert snapshot == {
        "__typename": "DraftSnapshot",
        "version": 0,
        "draftId": draft,
        "changeId": None,
        "sessionId": None,
        "draft": {"version": 0},
    }
    assert (edited["version"], edited["cause"], edited["sessionId"]) == (1, "EDIT", "ann")
    assert edited["changes"] == [{"kind": "ADDED", "key": "john"}]
    assert [(event["__typename"], event["version"]) for event in rest] == [("DraftDiscarded", 2)]
