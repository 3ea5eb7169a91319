"""Children with several parental keys into one cluster: each row is one node, saved once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from tests.api.references_kit import Bench
from tests.api.samples_kit import schema_of
from tests.api.schema_kit import Client
from tests.clusters.leagues import Ban, League, Match, Notice, Team

MATCH = "key score home { key name } away { key name }"
FIELDS = (
    f"name notices {{ key text team {{ name }} }} teams {{ key name homeMatches {{ {MATCH} }}"
    f" awayMatches {{ {MATCH} }} bans {{ key reason issuer {{ name }} }}"
    " issuedBans { key reason team { name } }"
    " notices { key text league { name } } }"
)
NEW = {
    "name": "New",
    "teams": [
        {"key": "a", "name": "A", "homeMatches": [{"key": "ab", "awayKey": "b", "score": "1:2"}]},
        {"key": "b", "name": "B", "homeMatches": [{"key": "ba", "awayKey": "a", "score": "3:4"}]},
    ],
}


@pytest.fixture
async def bench(transactional_db: None) -> AsyncIterator[Bench]:  # noqa: ARG001
    """Drafts of leagues."""
    schema = schema_of(League)
    yield Bench(client=Client(schema=schema), cluster="League", fields=FIELDS)
    await schema.engine.aclose()


def save_league() -> League:
    """Save a league of three teams, with one row of each kind that two lists hold."""
    league = League.objects.create(name="Saved")
    a, b, c = (Team.objects.create(league=league, name=name) for name in "ABC")
    far = Team.objects.create(league=League.objects.create(name="Far"), name="F")
    Match.objects.create(home=a, away=b, score="a:b")
    Match.objects.create(home=far, away=b, score="f:b")
    Match.objects.create(home=a, away=far, score="a:f")
    Ban.objects.create(team=a, issuer=b, reason="both")
    Ban.objects.create(issuer=c, reason="issued")
    Notice.objects.create(league=league, text="to all", sort_order=1)
    Notice.objects.create(league=league, team=c, text="to C", sort_order=2)
    return league


@pytest.fixture
async def saved(bench: Bench) -> dict[str, str]:
    """A draft of a saved league: the keys of its nodes, its id as `draft`."""
    league = await sync_to_async(save_league)()
    draft = await bench.open(pk=str(league.pk))
    keys = {"draft": draft["id"], "pk": str(league.pk)}
    for team in draft["cluster"]["teams"]:
        keys[team["name"]] = team["key"]
        for name, called in (
            ("homeMatches", "score"), ("awayMatches", "score"), ("bans", "reason"),
            ("issuedBans", "reason"), ("notices", "text"),
        ):  # fmt: skip
            keys.update({each[called]: each["key"] for each in team[name]})
    return keys


def lists(cluster: Any) -> dict[str, Any]:
    """Return what each list of each team holds, and each of the league."""
    found: dict[str, Any] = {"all": sorted(each["text"] for each in cluster["notices"])}
    for team in cluster["teams"]:
        found[team["name"]] = {
            "home": [f"{m['score']} {_name(m['away'])}" for m in team["homeMatches"]],
            "away": [f"{m['score']} {_name(m['home'])}" for m in team["awayMatches"]],
            "bans": [f"{b['reason']} {_name(b['issuer'])}" for b in team["bans"]],
            "issued": [f"{b['reason']} {_name(b['team'])}" for b in team["issuedBans"]],
            "notices": [each["text"] for each in team["notices"]],
        }
    return found


def _name(team: Any) -> str:
    return "" if team is None else str(team["name"])


SAVED: dict[str, Any] = {
    "all": ["to C", "to all"],
    "A": {"home": ["a:b B", "a:f F"], "away": [], "bans": ["both B"], "issued": [], "notices": []},
    "B": {"home": [], "away": ["a:b A", "f:b F"], "bans": [], "issued": ["both A"], "notices": []},
    "C": {"home": [], "away": [], "bans": [], "issued": ["issued "], "notices": ["to C"]},
}


def team(key: str, *changes: object) -> dict[str, Any]:
    """Return a change within a team."""
    return {"teams": {"edit": {"key": key, "changes": list(changes)}}}


async def test_each_list_holds_what_the_database_has(bench: Bench, saved: dict[str, str]) -> None:
    """A row that two lists hold is one node, with one key."""
    data = await bench.client.data(
        f"query($pk: ID!) {{ it: league(pk: $pk) {{ {FIELDS} }} }}", pk=saved["pk"]
    )
    assert lists(data["it"]) == SAVED
    draft = await bench.draft(saved["draft"])
    assert lists(draft["cluster"]) == SAVED
    teams = {each["name"]: each for each in draft["cluster"]["teams"]}
    assert teams["A"]["homeMatches"][0] == teams["B"]["awayMatches"][0]
    assert draft["changes"] == draft["errors"] == []


async def test_new_ones_are_saved_once(bench: Bench) -> None:
    """Each team is saved before the matches that have to have it."""
    draft = (await bench.open(data=NEW))["id"]
    found = await bench.draft(draft)
    assert found["errors"] == []
    expected = {
        "A": {"home": ["1:2 B"], "away": ["3:4 B"]},
        "B": {"home": ["3:4 A"], "away": ["1:2 A"]},
    }
    kept = {
        name: {each: found[each] for each in ("home", "away")}
        for name, found in lists(found["cluster"]).items()
        if name != "all"
    }
    assert kept == expected
    it = await bench.commit(draft, keep_open=True)
    assert {each["key"] for each in it["keys"]} == {"root", "a", "b", "ab", "ba"}
    assert lists(it["cluster"])["A"]["home"] == ["1:2 B"]
    assert [(m.home_id, m.away_id) async for m in Match.objects.order_by("score")] == [
        (a.pk, b.pk)
        for a, b in [
            (await Team.objects.aget(name="A"), await Team.objects.aget(name="B")),
            (await Team.objects.aget(name="B"), await Team.objects.aget(name="A")),
        ]
    ]
    again = await bench.draft(draft)
    assert lists(again["cluster"]) == lists(found["cluster"])
    assert not again["isDirty"]


async def test_the_other_key_is_a_field(bench: Bench, saved: dict[str, str]) -> None:
    """By key or by primary key; the lists follow it at once, and what is saved is the same."""
    cluster = await bench.edited(
        saved["draft"],
        team(saved["A"], {"homeMatches": {"update": {
            "key": saved["a:b"], "set": {"awayKey": saved["C"]}}}}),
        team(saved["A"], {"bans": {"update": {
            "key": saved["both"], "set": {"issuer": saved["C"][5:]}}}}),
        {"teams": {"add": [{"key": "d", "name": "D"}]}},
        team(saved["A"], {"homeMatches": {"update": {
            "key": saved["a:f"], "set": {"awayKey": "d", "score": "a:d"}}}}),
    )  # fmt: skip
    expected: dict[str, Any] = {
        **SAVED,
        "A": {**SAVED["A"], "home": ["a:b C", "a:d D"], "bans": ["both C"]},
        "B": {**SAVED["B"], "away": ["f:b F"], "issued": []},
        "C": {**SAVED["C"], "away": ["a:b A"], "issued": ["both A", "issued "]},
        "D": {"home": [], "away": ["a:d A"], "bans": [], "issued": [], "notices": []},
    }
    assert lists(cluster) == expected
    assert (await bench.draft(saved["draft"]))["errors"] == []
    assert lists((await bench.commit(saved["draft"]))["cluster"]) == expected
    assert (await Match.objects.acount(), await Ban.objects.acount()) == (3, 2)


async def test_the_key_of_a_nodes_own_place_is_not_set(bench: Bench, saved: dict[str, str]) -> None:
    """Its place says it; nor is a node edited in a list that it is not a child of."""
    own: dict[str, Any]
    own = {"homeMatches": {"update": {"key": saved["a:b"], "set": {"homeKey": saved["C"]}}}}
    error = await bench.refused(saved["draft"], team(saved["A"], own))
    assert (error["code"], error["field"]) == ("INVALID_CHANGE", "home")
    own = {"homeMatches": {"add": [{"homeKey": saved["A"], "awayKey": saved["C"]}]}}
    error = await bench.refused(saved["draft"], team(saved["A"], own))
    assert (error["code"], error["field"]) == ("INVALID_CHANGE", "home")
    error = await bench.refused(
        saved["draft"], team(saved["B"], {"awayMatches": {"remove": [saved["a:b"]]}})
    )
    assert (error["code"], error["key"]) == ("INVALID_CHANGE", saved["a:b"])
    cluster = await bench.edited(saved["draft"], team(saved["B"], {"awayMatches": {"clear": True}}))
    assert lists(cluster)["B"]["away"] == ["a:b A"]


async def test_a_row_of_the_second_key_alone_is_in_that_relation(
    bench: Bench, saved: dict[str, str]
) -> None:
    """Given the first, it is still there until it is saved, and then in the other."""
    draft = saved["draft"]
    cluster = await bench.edited(
        draft,
        team(saved["C"], {"issuedBans": {"update": {
            "key": saved["issued"], "set": {"teamKey": saved["B"]}}}}),
        team(saved["C"], {"issuedBans": {"add": [{"key": "new", "reason": "new"}]}}),
    )  # fmt: skip
    assert lists(cluster)["C"]["issued"] == ["issued B", "new "]
    assert lists(cluster)["B"]["bans"] == ["issued C"]
    assert (await bench.draft(draft))["errors"] == []
    it = await bench.commit(draft, keep_open=True)
    assert lists(it["cluster"]) == lists(cluster)
    kept = await bench.draft(draft)
    assert lists(kept["cluster"]) == lists(cluster)
    assert (kept["isDirty"], kept["changes"]) == (False, [])
    cluster = await bench.edited(draft, team(saved["B"], {"bans": {"remove": [saved["issued"]]}}))
    assert lists(cluster)["C"]["issued"] == ["new "]
    await bench.commit(draft)
    assert [ban.reason async for ban in Ban.objects.order_by("reason")] == ["both", "new"]


async def test_keys_to_two_levels(bench: Bench, saved: dict[str, str]) -> None:
    """A notice of a team is the team's child; the league's list has it, too."""
    draft = saved["draft"]
    assert saved["to C"] == f"Notice:{(await Notice.objects.aget(text='to C')).pk}"
    cluster = await bench.edited(
        draft,
        team(saved["A"], {"notices": {"add": [{"key": "n", "text": "to A", "leagueKey": "root"}]}}),
        {"notices": {"add": [{"text": "last"}]}},
    )
    assert sorted(lists(cluster)["all"]) == ["last", "to A", "to C", "to all"]
    assert (await bench.draft(draft))["errors"] == []
    it = await bench.commit(draft, keep_open=True)
    assert lists(it["cluster"]) == lists(cluster)
    assert lists((await bench.draft(draft))["cluster"]) == lists(cluster)
    notice = await Notice.objects.aget(text="to all")
    move = {"notices": {"move": {"key": f"Notice:{notice.pk}", "to": "LAST"}}}
    await bench.edited(draft, move)
    await bench.commit(draft)
    found = [n.text async for n in Notice.objects.filter(team=None).order_by("sort_order")]
    assert found == ["last", "to all"]


async def test_removing_one_parent_leaves_the_rows_of_the_other(
    bench: Bench, saved: dict[str, str]
) -> None:
    """Removing the parent of its place takes it; the other one's, as the database has it."""
    draft = saved["draft"]
    cluster = await bench.edited(draft, {"teams": {"remove": [saved["C"]]}})
    assert (await bench.draft(draft))["errors"] == []
    cluster = await bench.edited(draft, {"teams": {"remove": [saved["A"]]}})
    assert lists(cluster)["B"] == {**SAVED["B"], "away": ["f:b F"], "issued": []}
    await bench.commit(draft)
    assert [match.score async for match in Match.objects.all()] == ["f:b"]
    assert await Ban.objects.acount() == 0


async def test_removing_the_other_parent_deletes_as_the_database_does(
    bench: Bench, saved: dict[str, str]
) -> None:
    """The row goes with it, by its on_delete; nothing else does."""
    draft = saved["draft"]
    await bench.edited(draft, {"teams": {"remove": [saved["B"]]}})
    it = await bench.commit(draft, keep_open=True)
    assert lists(it["cluster"])["A"]["home"] == ["a:f F"]
    assert lists((await bench.draft(draft))["cluster"])["A"]["home"] == ["a:f F"]
    assert [match.score async for match in Match.objects.all()] == ["a:f"]


async def test_the_models_own_code_counts_each_list(bench: Bench, saved: dict[str, str]) -> None:
    """A clean() of a new team and of a saved one finds what the lists hold."""
    matches = [{"key": f"d{at}", "awayKey": saved[at], "score": at} for at in ("A", "B", "C")]
    cluster = await bench.edited(
        saved["draft"], {"teams": {"add": [{"key": "d", "name": "D", "homeMatches": matches}]}}
    )
    assert [m["score"] for m in cluster["teams"][3]["homeMatches"]] == ["A", "B", "C"]
    assert (await bench.draft(saved["draft"]))["errors"] == []
    await bench.edited(
        saved["draft"],
        team(saved["C"], {"homeMatches": {"add": [{"key": "cd", "awayKey": "d"}]}}),
        {"teams": {"update": {"key": saved["B"], "set": {"name": "BB"}}}},
        team(saved["C"], {"homeMatches": {"add": [{"key": "cb", "awayKey": saved["B"]}]}}),
    )
    wrong = (await bench.draft(saved["draft"]))["errors"]
    assert sorted((each["key"], each["field"]) for each in wrong) == sorted(
        [("d", None), (saved["B"], None)]
    )


async def test_a_pair_is_unique_by_key_too(bench: Bench) -> None:
    """Two matches of the same teams, none of which is saved."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, team("a", {"homeMatches": {"add": [{"key": "x", "awayKey": "b"}]}}))
    assert await bench.wrong(draft) in ([("x", "away")], [("ab", "away")])


async def test_a_required_key_that_is_not_given_is_told(bench: Bench) -> None:
    """As of any other field."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, team("a", {"homeMatches": {"add": [{"key": "x"}]}}))
    assert await bench.wrong(draft) == [("x", "away")]


async def test_a_copy_plays_its_own_matches(bench: Bench, saved: dict[str, str]) -> None:
    """Parental keys lead to the copies; to what is outside of the cluster as they did."""
    data = await bench.client.data("query($pk: ID!) { it: league(pk: $pk) { id } }", pk=saved["pk"])
    copy = await bench.open(copyOf=data["it"]["id"])
    assert lists(copy["cluster"]) == SAVED
    await bench.commit(copy["id"])
    assert await Match.objects.acount() == 6
    old = await Team.objects.aget(name="B", league_id=int(saved["pk"]))
    assert await Match.objects.filter(away=old).acount() == 2


async def test_json_has_each_node_once(bench: Bench, saved: dict[str, str]) -> None:
    """So it opens as an equal draft; and so does what modelcluster itself writes."""
    given = (await bench.draft(saved["draft"]))["json"]
    rows = [
        m
        for each in given["teams"]
        for name in ("home_matches", "away_matches")
        for m in each[name]
    ]
    assert len(rows) == len({row["pk"] for row in rows}) == 3
    league = await League.objects.aget(pk=int(saved["pk"]))
    plain = await sync_to_async(league.serializable_data)()
    for data in (given, plain):
        opened = await bench.client.data(
            "mutation($json: JSON) { it: openLeagueDraft(json: $json)"
            " { draft { id isDirty } errors { message path } } }",
            json=data,
        )
        assert opened["it"]["errors"] == []
        assert not opened["it"]["draft"]["isDirty"]
        found = await bench.draft(opened["it"]["draft"]["id"])
        assert lists(found["cluster"]) == SAVED
    plain["teams"][0]["home_matches"] = []
    refused = await bench.client.data(
        "mutation($json: JSON) { it: openLeagueDraft(json: $json)"
        " { draft { id } errors { code path } } }",
        json=plain,
    )
    assert [each["code"] for each in refused["it"]["errors"]] == ["INVALID_CHANGE"]


async def test_what_others_save_is_brought_in(bench: Bench, saved: dict[str, str]) -> None:
    """Another away team, and a row that others give its first key."""
    draft = saved["draft"]
    await bench.edited(draft, {"set": {"name": "Renamed"}})
    b, c = await Team.objects.aget(name="B"), await Team.objects.aget(name="C")
    await Match.objects.filter(score="a:b").aupdate(away=c)
    await Ban.objects.filter(reason="issued").aupdate(team=b)
    cluster = await bench.rebase(draft)
    assert lists(cluster)["C"]["away"] == ["a:b A"]
    assert lists(cluster)["B"]["bans"] == ["issued C"]
    assert lists(cluster)["C"]["issued"] == ["issued B"]
    await bench.commit(draft)
    assert (await Match.objects.acount(), await Ban.objects.acount()) == (3, 2)


def test_what_is_saved_is_what_modelcluster_saves(db: None) -> None:  # noqa: ARG001
    """A match that is in the list of its home team has the other team that it was given."""
    league: Any = League(name="Plain")
    b, c = Team(name="B"), Team(name="C")
    league.teams = [b, c]
    league.save()
    team_of: Any = Team
    a = team_of(name="A", home_matches=[Match(away=b), Match(away=c)])
    league.teams.add(a)
    league.save()
    found = Match.objects.order_by("away__name").values_list("home__name", "away__name")
    assert list(found) == [("A", "B"), ("A", "C")]
