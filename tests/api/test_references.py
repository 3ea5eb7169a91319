"""Foreign keys between nodes of one draft, by key, from staging to what is saved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

import gql_cluster
from tests.api.references_kit import (
    FIELDS,
    Bench,
    add_track,
    covers,
    remove_track,
    set_track,
    side,
    tracks,
)
from tests.api.samples_kit import schema_of
from tests.api.schema_kit import Client
from tests.clusters.records import Credit, Link, Record, Side, Sleeve, Take, Track

NEW = {
    "title": "New",
    "sides": [
        {
            "key": "a",
            "name": "A",
            "tracks": [{"key": "one", "title": "One"}, {"key": "two", "title": "Two"}],
        },
        {"key": "b", "name": "B", "tracks": [{"key": "three", "title": "Three"}]},
    ],
}


@pytest.fixture
async def bench(transactional_db: None) -> AsyncIterator[Bench]:  # noqa: ARG001
    """Drafts of records."""
    schema = schema_of(Record)
    yield Bench(client=Client(schema=schema))
    await schema.engine.aclose()


@pytest.fixture
async def other(bench: Bench) -> AsyncIterator[Bench]:
    """The same session at another worker, which knows nothing yet."""
    schema = gql_cluster.Schema(clusters=[Record])
    yield Bench(client=Client(schema=schema, session=bench.client.session))
    await schema.engine.aclose()


def save_record() -> Record:
    """Save a record of two sides."""
    record = Record.objects.create(title="Saved")
    a, b = (Side.objects.create(record=record, name=name) for name in "AB")
    for side_, title, position in ((a, "One", 1), (a, "Two", 2), (b, "Three", 1)):
        Track.objects.create(side=side_, title=title, position=position)
    return Record.objects.get(pk=record.pk)


@pytest.fixture
async def saved(bench: Bench) -> dict[str, str]:
    """A draft of a saved record: the keys of its sides and tracks by title, its id as `draft`."""
    record = await sync_to_async(save_record)()
    draft = await bench.open(pk=str(record.pk))
    keys = {"draft": draft["id"], "pk": str(record.pk)}
    for one in draft["cluster"]["sides"]:
        keys[one["name"]] = one["key"]
        keys.update({each["title"]: each["key"] for each in one["tracks"]})
    return keys


def key(**named: str) -> dict[str, Any]:
    """Return how events tell of a reference by a key."""
    return {"key": named["to"]}


# Staging


async def test_a_new_node_is_referred_to_by_its_key(bench: Bench) -> None:
    """The reference leads to the draft's node, and events tell of the key."""
    draft = (await bench.open(data=NEW))["id"]
    it = await bench.edit(draft, set_track("two", coverOfKey="one"))
    assert it["errors"] == []
    assert it["event"]["changes"] == [
        {
            "kind": "UPDATED",
            "key": "two",
            "fields": [{"name": "coverOf", "before": None, "after": {"key": "one"}}],
        }
    ]
    two = tracks(it["draft"]["cluster"])["two"]
    assert two["coverOf"] == {"key": "one", "pk": None, "title": "One"}


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ({"set": {"singleKey": "three"}}, lambda it: it["single"]["title"]),
        ({"set": {"twinKey": "root"}}, lambda it: it["twin"]["title"]),
        (set_track("two", themeOfKey="root"), lambda it: tracks(it)["two"]["themeOf"]["title"]),
        (set_track("two", coverOfKey="three"), lambda it: tracks(it)["two"]["coverOf"]["title"]),
        (
            {"sides": {"update": {"key": "a", "set": {"openerKey": "two"}}}},
            lambda it: it["sides"][0]["opener"]["title"],
        ),
    ],
    ids=["down", "one to one, to itself", "to the root", "a cousin", "its child"],
)
async def test_references_lead_everywhere_and_are_saved(
    bench: Bench, change: Any, read: Any
) -> None:
    """In the draft, and in what a commit saves of it."""
    draft = (await bench.open(data=NEW))["id"]
    expected = read(await bench.edited(draft, change))
    assert expected in {"New", "Two", "Three"}
    assert (await bench.draft(draft))["errors"] == []
    assert read((await bench.commit(draft))["cluster"]) == expected


async def test_a_node_is_referred_to_before_it_is_added(bench: Bench) -> None:
    """In the same request, and in one that opens a draft."""
    draft = (await bench.open(data=NEW))["id"]
    cluster = await bench.edited(
        draft,
        add_track("four", coverOfKey="five"),
        add_track("five"),
        {"set": {"singleKey": "five"}},
    )
    assert covers(cluster)["Four"] == "Five"
    assert cluster["single"] == {"key": "five", "title": "Five"}
    data = {**NEW, "singleKey": "three", "twinKey": "root"}
    opened = (await bench.open(data=data))["cluster"]
    assert (opened["single"]["title"], opened["twin"]["title"]) == ("Three", "New")


@pytest.mark.parametrize(
    ("changes", "index"),
    [
        ([set_track("two", coverOfKey="nine")], 0),
        ([add_track("four"), set_track("two", coverOfKey="a")], 1),
        ([set_track("two", coverOfKey="gone")], 0),
        ([set_track("two", coverOfKey="below")], 0),
        ([set_track("two", coverOfKey="one"), remove_track("one")], 0),
        ([set_track("two", coverOf="1", coverOfKey="one")], 0),
        ([set_track("two", coverOfKey="\0")], 0),
        ([set_track("two", coverOfKey="x" * 9000)], 0),
    ],
    ids=["unknown", "of another type", "removed", "below what is removed", "removed later",
         "a primary key too", "no text", "too long"],
)  # fmt: skip
async def test_what_leads_nowhere_is_refused(bench: Bench, changes: list[Any], index: int) -> None:
    """With the place of the field; nothing is staged."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, add_track("gone"), remove_track("gone"))
    below = {"key": "c", "name": "C", "tracks": [{"key": "below", "title": "Below"}]}
    await bench.edited(draft, {"sides": {"add": [below]}}, {"sides": {"remove": ["c"]}})
    error = await bench.refused(draft, *changes)
    assert (error["code"], error["key"], error["field"]) == ("INVALID_CHANGE", "two", "coverOf")
    assert error["path"] == ["sides", "a", "tracks", "two", "coverOf"]
    assert error["change"] == index
    assert len(error["message"]) < 200


async def test_a_draft_is_not_opened_with_a_reference_that_leads_nowhere(bench: Bench) -> None:
    """And none is there afterwards."""
    data = {**NEW, "singleKey": "nine"}
    it = await bench.ask("openXDraft(data: $data)", "$data: XInput", data=data)
    assert (it["draft"], it["errors"][0]["code"], it["errors"][0]["field"]) == (
        None,
        "INVALID_CHANGE",
        "single",
    )
    found = await bench.client.data("{ drafts { edges { node { id } } } }")
    assert found["drafts"]["edges"] == []


async def test_a_worker_that_knows_nothing_finds_what_is_referred_to(
    bench: Bench, other: Bench
) -> None:
    """With all that is above it, which may have been removed."""
    draft = (await bench.open(data=NEW))["id"]
    assert covers(await other.edited(draft, set_track("two", coverOfKey="three")))["Two"] == "Three"
    await bench.edited(draft, {"sides": {"remove": ["b"]}})
    schema = gql_cluster.Schema(clusters=[Record])
    third = Bench(client=Client(schema=schema, session=bench.client.session))
    it = await third.edit(draft, set_track("one", coverOfKey="three"))
    assert [each["code"] for each in it["errors"]] == ["INVALID_CHANGE"]
    await schema.engine.aclose()


async def test_null_takes_a_reference_back(bench: Bench) -> None:
    """By either name; a null beside a value says nothing."""
    draft = (await bench.open(data=NEW))["id"]
    clearings: list[dict[str, Any]] = [
        {"coverOf": None},
        {"coverOfKey": None},
        {"coverOf": None, "coverOfKey": None},
    ]
    for clearing in clearings:
        cluster = await bench.edited(draft, set_track("two", coverOf=None, coverOfKey="one"))
        assert covers(cluster)["Two"] == "One"
        assert covers(await bench.edited(draft, set_track("two", **clearing)))["Two"] is None


async def test_a_saved_node_is_referred_to_by_its_primary_key_whatever_is_given(
    bench: Bench, saved: dict[str, str]
) -> None:
    """So that it is the same difference from the base; and it is the draft's node."""
    await bench.edited(
        saved["draft"],
        set_track(saved["One"], saved["A"], title="Won"),
    )
    cluster = await bench.edited(
        saved["draft"], set_track(saved["Two"], saved["A"], coverOfKey=saved["One"])
    )
    assert covers(cluster)["Two"] == "Won"
    changes = (await bench.draft(saved["draft"]))["changes"]
    one = await Track.objects.aget(title="One")
    fields = [field for each in changes if each["key"] == saved["Two"] for field in each["fields"]]
    assert fields == [{"name": "coverOf", "before": None, "after": str(one.pk)}]
    committed = (await bench.commit(saved["draft"]))["cluster"]
    assert covers(committed)["Two"] == "Won"


async def test_an_edit_by_key_asks_no_database(bench: Bench, saved: dict[str, str]) -> None:
    """Whatever it leads to; only what may not lead anywhere is looked up."""
    count = sync_to_async(bench.counted)
    draft, at = saved["draft"], saved["A"]
    assert (
        await count(draft, add_track("four", at), set_track(saved["Two"], at, coverOfKey="four"))
        == []
    )
    assert await count(draft, set_track(saved["Two"], at, coverOfKey=saved["Three"])) == []
    assert await count(draft, set_track(saved["Two"], at, sampleKey="four")) == []
    assert len(await count(draft, set_track(saved["Two"], at, coverOf=saved["One"][6:]))) == 1


async def test_choices_are_limited_of_what_is_saved(bench: Bench, saved: dict[str, str]) -> None:
    """As of a primary key."""
    error = await bench.refused(
        saved["draft"], set_track(saved["Two"], saved["A"], sampleKey=saved["One"])
    )
    assert (error["code"], error["field"]) == ("INVALID_CHANGE", "sample")


# Reading


async def test_a_primary_key_of_the_draft_leads_to_its_node(
    bench: Bench, other: Bench, saved: dict[str, str]
) -> None:
    """As the draft has it, and to what is saved where the draft has it no more."""
    one = await Track.objects.aget(title="One")
    await Track.objects.filter(title="Two").aupdate(cover_of=one)
    draft = (await bench.client.data(
        "mutation($pk: ID) { it: openRecordDraft(pk: $pk, resume: false) { draft { id } } }",
        pk=saved["pk"],
    ))["it"]["draft"]["id"]  # fmt: skip
    await bench.edited(draft, set_track(saved["One"], saved["A"], title="Won"))
    for each in (bench, other):
        found = tracks((await each.draft(draft))["cluster"])[saved["Two"]]["coverOf"]
        assert found == {"key": saved["One"], "pk": str(one.pk), "title": "Won"}
    cluster = await bench.edited(draft, remove_track(saved["One"], saved["A"]))
    assert tracks(cluster)[saved["Two"]]["coverOf"] == {
        "key": None,
        "pk": str(one.pk),
        "title": "One",
    }


async def test_what_is_saved_elsewhere_is_as_it_is(bench: Bench, saved: dict[str, str]) -> None:
    """A track of another record is served by the database."""
    record = await sync_to_async(save_record)()
    far = await Track.objects.aget(title="Three", side__record=record)
    cluster = await bench.edited(
        saved["draft"], set_track(saved["Two"], saved["A"], coverOf=str(far.pk))
    )
    assert tracks(cluster)[saved["Two"]]["coverOf"] == {
        "key": None,
        "pk": str(far.pk),
        "title": "Three",
    }


async def test_rings_are_read(bench: Bench) -> None:
    """As deep as they are asked for."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(
        draft, set_track("one", coverOfKey="two"), set_track("two", coverOfKey="one")
    )
    deep = Bench(
        client=bench.client,
        fields="sides { tracks { title coverOf { title coverOf { title coverOf { title } } } } }",
    )
    [one, *_] = (await deep.draft(draft))["cluster"]["sides"][0]["tracks"]
    assert one["coverOf"]["coverOf"]["coverOf"]["title"] == "Two"


async def test_lists_are_filtered_and_ordered_by_what_the_draft_has_there(bench: Bench) -> None:
    """By columns behind a reference, and by whether there is one."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, set_track("two", coverOfKey="three"))
    asked = Bench(
        client=bench.client,
        fields="sides { tracks(filters: { coverOf: { isNull: false } }) { title } }",
    )
    [a, _] = (await asked.draft(draft))["cluster"]["sides"]
    assert a["tracks"] == [{"title": "Two"}]
    asked = Bench(
        client=bench.client,
        fields="sides { tracks(filters: { coverOf: { isNull: true } }) { title } }",
    )
    [a, _] = (await asked.draft(draft))["cluster"]["sides"]
    assert a["tracks"] == [{"title": "One"}]


async def test_a_reference_to_what_was_removed_since_leads_nowhere(bench: Bench) -> None:
    """The draft shows null, and tells what a commit refuses; so does the commit."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, set_track("two", coverOfKey="three"), {"set": {"singleKey": "three"}})
    cluster = await bench.edited(draft, {"sides": {"remove": ["b"]}})
    assert covers(cluster)["Two"] is None
    assert sorted(await bench.wrong(draft)) == [("root", "single"), ("two", "coverOf")]
    await bench.edited(draft, set_track("two", coverOf=None), {"set": {"single": None}})
    await bench.commit(draft)


# Models' own code


async def test_the_models_own_code_sees_the_node(bench: Bench) -> None:
    """A clean() reads what is not saved, and a save() what is saved by then."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, set_track("two", coverOfKey="three", title="Three"))
    assert await bench.wrong(draft) == [("two", "coverOf")]
    await bench.edited(draft, set_track("two", title="Two"), set_track("one", coverOfKey="two"))
    await bench.commit(draft)
    # Of another side, so that it is not saved yet; of the same, it is saved first.
    assert (await Track.objects.aget(title="Two")).saves == [None, "Three"]
    assert (await Track.objects.aget(title="One")).saves == ["Two"]


# Committing


async def test_siblings_are_saved_behind_those_that_they_refer_to(bench: Bench) -> None:
    """Once each; their order stays what it was."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(
        draft,
        add_track("four"),
        set_track("one", coverOfKey="two"),
        set_track("two", coverOfKey="four"),
    )
    cluster = (await bench.commit(draft))["cluster"]
    assert [each["title"] for each in cluster["sides"][0]["tracks"]] == ["One", "Two", "Four"]
    assert covers(cluster) == {"One": "Two", "Two": "Four", "Four": None, "Three": None}
    found = [each async for each in Track.objects.filter(side__name="A").order_by("pk")]
    assert [(each.title, len(each.saves)) for each in found] == [
        ("Four", 1),
        ("Two", 1),
        ("One", 1),
    ]


async def test_rings_are_saved(bench: Bench) -> None:
    """One of the ring is null at first, and saved again."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(
        draft, set_track("one", coverOfKey="two"), set_track("two", coverOfKey="one")
    )
    cluster = (await bench.commit(draft))["cluster"]
    assert covers(cluster) == {"One": "Two", "Two": "One", "Three": None}
    assert sorted([len(each.saves) async for each in Track.objects.all()]) == [1, 1, 2]


async def test_what_may_not_be_null_is_saved_later(bench: Bench) -> None:
    """A credit comes before the sides, and has to refer to a track: it waits for that."""
    draft = (await bench.open(data=NEW))["id"]
    cluster = await bench.edited(
        draft,
        {
            "credits": {
                "add": [
                    {"key": "x", "name": "X", "trackKey": "three", "heirKey": "y"},
                    {"key": "y", "name": "Y", "trackKey": "one"},
                ]
            }
        },
    )
    assert [each["track"]["title"] for each in cluster["credits"]] == ["Three", "One"]
    assert (await bench.draft(draft))["errors"] == []
    it = await bench.commit(draft)
    assert [(c["name"], c["track"]["title"]) for c in it["cluster"]["credits"]] == [
        ("X", "Three"),
        ("Y", "One"),
    ]
    assert it["cluster"]["credits"][0]["heir"]["name"] == "Y"
    assert {each["key"] for each in it["keys"]} >= {"x", "y"}
    assert await Credit.objects.acount() == 2


async def test_what_can_never_be_saved_is_told(bench: Bench) -> None:
    """A ring in which nothing may be null: before the commit, and by it."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(
        draft,
        {"links": {"add": [{"key": "m", "nextKey": "n"}, {"key": "n", "nextKey": "m"}]}},
    )
    assert sorted(await bench.wrong(draft)) == [("m", "next"), ("n", "next")]
    await bench.edited(draft, {"links": {"clear": True}})
    await bench.edited(draft, {"links": {"add": [{"key": "o", "nextKey": "o"}]}})
    assert await bench.wrong(draft) == [("o", "next")]
    assert await Link.objects.acount() == 0
    assert await Record.objects.acount() == 0


async def test_what_has_its_key_before_it_is_saved_may_be_a_ring(bench: Bench) -> None:
    """The database looks at the end of the transaction."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(
        draft,
        {"sleeves": {"add": [{"key": "f", "backKey": "g"}, {"key": "g", "backKey": "f"}]}},
    )
    assert (await bench.draft(draft))["errors"] == []
    await bench.commit(draft)
    one, two = [each async for each in Sleeve.objects.all()]
    assert (one.back_id, two.back_id) == (two.pk, one.pk)


async def test_a_key_that_is_not_the_primary_key_is_saved(
    bench: Bench, saved: dict[str, str]
) -> None:
    """With the value that it has then, of a saved node and of a new one."""
    await bench.edited(
        saved["draft"],
        add_track("four", saved["A"], code="N4"),
        set_track(saved["Two"], saved["A"], sameAsKey="four"),
        set_track(saved["One"], saved["A"], sameAsKey=saved["Three"]),
        set_track(saved["Three"], saved["B"], code="N3"),
    )
    cluster = (await bench.draft(saved["draft"]))["cluster"]
    assert tracks(cluster)[saved["One"]]["sameAs"] == {"key": saved["Three"]}
    assert (await bench.draft(saved["draft"]))["errors"] == []
    await bench.commit(saved["draft"])
    assert (await Track.objects.aget(title="Two")).same_as_id == "N4"
    assert (await Track.objects.aget(title="One")).same_as_id == "N3"


async def test_an_order_of_djangos_own_is_kept(bench: Bench) -> None:
    """Though the takes are saved in another, because they wait."""
    draft = (await bench.open(data=NEW))["id"]
    takes = [
        {"key": "t1", "name": "1", "afterKey": "t3", "creditKey": "x"},
        {"key": "t2", "name": "2", "creditKey": "x"},
        {"key": "t3", "name": "3", "creditKey": "y"},
    ]
    credit = {"key": "x", "name": "X", "trackKey": "three"}
    await bench.edited(
        draft,
        {"credits": {"add": [credit, {"key": "y", "name": "Y", "trackKey": "one"}]}},
        side("a", {"tracks": {"edit": {"key": "one", "changes": [{"takes": {"add": takes}}]}}}),
    )
    await bench.commit(draft)
    found = [each async for each in Take.objects.order_by("_order")]
    assert [each.name for each in found] == ["1", "2", "3"]
    assert [each.pk - found[2].pk for each in found] == [1, 2, 0]
    assert found[0].after_id == found[2].pk


async def test_two_of_one_to_one_may_not_refer_to_one(bench: Bench) -> None:
    """Also where that is not saved yet."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(
        draft,
        {
            "credits": {
                "add": [
                    {"key": "x", "name": "X", "trackKey": "one", "heirKey": "z"},
                    {"key": "y", "name": "Y", "trackKey": "one", "heirKey": "z"},
                    {"key": "z", "name": "Z", "trackKey": "one"},
                ]
            }
        },
    )
    assert await bench.wrong(draft) == [("y", "heir")]


async def test_a_commit_without_references_by_key_asks_what_it_did(bench: Bench) -> None:
    """Each row is written once, and nothing is looked up for references."""
    draft = (await bench.open(data=NEW))["id"]

    made = await sync_to_async(bench.counted)(draft)
    assert len([sql for sql in made if sql.startswith(("INSERT", "UPDATE"))]) == 8  # 2 of a receipt


# Behind a commit


async def test_a_draft_kept_open_goes_on_with_primary_keys(bench: Bench, other: Bench) -> None:
    """The node keeps its key, and any worker finds it by its primary key."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, set_track("two", coverOfKey="one"), {"set": {"singleKey": "two"}})
    it = await bench.commit(draft, keep_open=True)
    pks = {each["key"]: each["pk"] for each in it["keys"]}
    [*_, told] = await bench.history(draft)
    assert {
        "name": "coverOf",
        "before": {"key": "one"},
        "after": pks["one"],
    } in [field for change in told["changes"] for field in change["fields"]]
    for each in (bench, other):
        kept = await each.draft(draft)
        assert not kept["isDirty"]
        assert kept["changes"] == []
        assert tracks(kept["cluster"])["two"]["coverOf"] == {
            "key": "one",
            "pk": pks["one"],
            "title": "One",
        }
    assert await bench.history(draft) == await other.history(draft)
    assert (await bench.undo(draft))["single"] is None
    assert {each["key"] for each in (await bench.draft(draft))["changes"]} == {"two", "root"}
    cluster = await bench.undo(draft, "redo")
    assert covers(cluster)["Two"] == "One"
    assert not (await bench.draft(draft))["isDirty"]
    await bench.undo(draft)
    saved = (await bench.commit(draft))["cluster"]
    assert (saved["single"], covers(saved)["Two"]) == (None, None)


async def test_a_reference_comes_back_over_a_commit_as_a_primary_key(bench: Bench) -> None:
    """Undone and reverted: nothing differs from the base but what does."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, set_track("two", coverOfKey="one"))
    await bench.edited(draft, set_track("two", coverOf=None))
    it = await bench.commit(draft, keep_open=True)
    pks = {each["key"]: each["pk"] for each in it["keys"]}
    assert covers(await bench.undo(draft))["Two"] == "One"
    changes = (await bench.draft(draft))["changes"]
    expected = [{"name": "coverOf", "before": None, "after": pks["one"]}]
    assert [each["fields"] for each in changes] == [expected]
    await bench.undo(draft, "redo")
    assert covers(await bench.revert(draft, 1))["Two"] == "One"
    changes = (await bench.draft(draft))["changes"]
    assert [each["fields"] for each in changes] == [expected]


async def test_a_closed_draft_shows_its_references(bench: Bench, other: Bench) -> None:
    """With the primary keys that were given, at any worker."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, set_track("two", coverOfKey="three"))
    it = await bench.commit(draft)
    pks = {each["key"]: each["pk"] for each in it["keys"]}
    for each in (bench, other):
        two = tracks((await each.draft(draft))["cluster"])["two"]
        assert two["coverOf"] == {"key": "three", "pk": pks["three"], "title": "Three"}
    assert await bench.history(draft) == await other.history(draft)


# Undo, revert, reset, rebase


async def test_references_are_undone_reverted_and_reset(
    bench: Bench, other: Bench, saved: dict[str, str]
) -> None:
    """And told alike by a worker that sees the draft for the first time."""
    draft, at = saved["draft"], saved["A"]
    await bench.edited(draft, add_track("four", at), set_track(saved["Two"], at, coverOfKey="four"))
    await bench.edited(draft, set_track(saved["Two"], at, coverOfKey=saved["One"]))
    assert covers(await bench.undo(draft))["Two"] == "Four"
    assert covers(await bench.undo(draft, "redo"))["Two"] == "One"
    assert covers(await bench.revert(draft, 1))["Two"] == "Four"
    assert covers(await bench.reset(draft, saved["Two"], fields=["coverOf"]))["Two"] is None
    assert covers(await bench.undo(draft))["Two"] == "Four"
    assert await bench.history(draft) == await other.history(draft)
    assert await bench.draft(draft) == await other.draft(draft)


async def test_a_reference_comes_back_with_what_it_leads_to(bench: Bench) -> None:
    """Taking back the removal mends it."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, set_track("two", coverOfKey="one"))
    assert covers(await bench.edited(draft, remove_track("one")))["Two"] is None
    assert covers(await bench.undo(draft))["Two"] == "One"
    assert (await bench.draft(draft))["errors"] == []


async def test_references_are_kept_over_what_others_save(
    bench: Bench, saved: dict[str, str]
) -> None:
    """A rebase keeps them, and a conflict names the key."""
    draft, at = saved["draft"], saved["A"]
    await bench.edited(draft, add_track("four", at), set_track(saved["Two"], at, coverOfKey="four"))
    await Track.objects.filter(title="Two").aupdate(title="Too")
    cluster = await bench.rebase(draft)
    assert covers(cluster)["Too"] == "Four"
    three = await Track.objects.aget(title="Three")
    await Track.objects.filter(title="Too").aupdate(cover_of=three)
    data = await bench.client.data(
        "query($id: ID!) { draft(id: $id) { conflicts { kind field base theirs mine } } }", id=draft
    )
    assert data["draft"]["conflicts"] == [
        {
            "kind": "FIELD",
            "field": "coverOf",
            "base": None,
            "theirs": str(three.pk),
            "mine": {"key": "four"},
        }
    ]
    it = await bench.commit(draft, onConflict="MINE")
    assert covers(it["cluster"])["Too"] == "Four"


async def test_what_a_commit_deletes_is_referred_to_no_more(
    bench: Bench, saved: dict[str, str]
) -> None:
    """Not by a node that is written for another reason; what the draft lets refer to it is told."""
    draft, at = saved["draft"], saved["A"]
    one = await Track.objects.aget(title="One")
    await Track.objects.filter(title="Two").aupdate(cover_of=one)
    await bench.rebase(draft)
    await bench.edited(
        draft,
        set_track(saved["Two"], at, title="Too"),
        set_track(saved["Three"], saved["B"], coverOfKey=saved["One"]),
    )
    await bench.edited(draft, remove_track(saved["One"], at))
    assert await bench.wrong(draft) == [(saved["Three"], "coverOf")]
    await bench.edited(draft, set_track(saved["Three"], saved["B"], coverOf=None))
    await bench.commit(draft)
    assert (await Track.objects.aget(title="Too")).cover_of_id is None
    assert await Track.objects.acount() == 2


async def test_what_lacks_the_value_that_would_refer_to_it_is_told(
    bench: Bench, saved: dict[str, str]
) -> None:
    """Of a key that is not the primary key: before the commit, where that can be known."""
    draft, at = saved["draft"], saved["A"]
    await bench.edited(draft, set_track(saved["Two"], at, sameAsKey=saved["One"]))
    assert await bench.wrong(draft) == [(saved["Two"], "sameAs")]
    await bench.edited(draft, add_track("four", at), set_track(saved["Two"], at, sameAsKey="four"))
    it = await bench.commit(draft, is_refused=True)
    assert [(each["key"], each["field"]) for each in it["errors"]] == [(saved["Two"], "sameAs")]
    # One that is saved behind it.
    await bench.edited(
        draft,
        remove_track("four", at),
        add_track("five", saved["B"]),
        set_track(saved["Two"], at, sameAsKey="five"),
    )
    it = await bench.commit(draft, is_refused=True)
    assert [(each["key"], each["field"]) for each in it["errors"]] == [(saved["Two"], "sameAs")]
    assert await Track.objects.acount() == 3


async def test_a_reference_and_a_removal_at_once_are_one_after_the_other(
    bench: Bench, other: Bench
) -> None:
    """Whichever comes first: the reference is refused, or the draft tells that it is lost."""
    outcomes = set()
    for _ in range(8):
        draft = (await bench.open(data=NEW))["id"]
        await other.draft(draft)
        told, removed = await asyncio.gather(
            bench.edit(draft, set_track("two", coverOfKey="one")),
            other.edit(draft, remove_track("one")),
        )
        assert removed["errors"] == []
        is_first = not told["errors"]
        outcomes.add(is_first)
        errors = [(each["key"], each["field"]) for each in (await bench.draft(draft))["errors"]]
        assert errors == ([("two", "coverOf")] if is_first else [])
        assert is_first or told["errors"][0]["code"] == "INVALID_CHANGE"
    assert outcomes


async def test_a_retry_of_an_edit_by_key_changes_nothing(bench: Bench) -> None:
    """Though the node that it refers to is gone by then."""
    draft = (await bench.open(data=NEW))["id"]
    query = (
        "mutation($draft: ID!, $changes: [RecordChange!]!) { it: editRecordDraft("
        'draft: $draft, changes: $changes, changeId: "c") { event { version } errors { code } } }'
    )
    changes = [set_track("two", coverOfKey="one")]
    first = await bench.client.data(query, draft=draft, changes=changes)
    await bench.edited(draft, remove_track("one"))
    assert await bench.client.data(query, draft=draft, changes=changes) == first
    assert first["it"] == {"event": {"version": 1}, "errors": []}


# Copies and JSON


async def test_a_copy_refers_to_its_own_nodes(bench: Bench) -> None:
    """Where the original refers by a key; a primary key stays, as with `copy_cluster`."""
    draft = (await bench.open(data=NEW))["id"]
    await bench.edited(draft, set_track("two", coverOfKey="three"), {"set": {"twinKey": "root"}})
    copy = await bench.open(copyOf=draft)
    found = {each["title"]: each for each in tracks(copy["cluster"]).values()}
    assert found["Two"]["coverOf"]["key"] == found["Three"]["key"] != "three"
    cluster = (await bench.commit(copy["id"]))["cluster"]
    assert covers(cluster)["Two"] == "Three"
    assert cluster["twin"]["title"] == "New"


async def test_json_has_null_for_what_is_not_saved(bench: Bench, saved: dict[str, str]) -> None:
    """As modelcluster has it, and the primary key for what is."""
    draft, at = saved["draft"], saved["A"]
    await bench.edited(
        draft,
        add_track("four", at),
        set_track(saved["Two"], at, coverOfKey="four"),
        set_track(saved["One"], at, coverOfKey=saved["Three"], sameAsKey=saved["Three"]),
        set_track(saved["Three"], saved["B"], code="N3"),
    )
    [a, _] = (await bench.draft(draft))["json"]["sides"]
    three = await Track.objects.aget(title="Three")
    found = {each["title"]: (each["cover_of"], each["same_as"]) for each in a["tracks"]}
    assert found == {"One": (three.pk, "N3"), "Two": (None, None), "Four": (None, None)}


def test_the_fields_that_are_asked_for_are_all_of_them() -> None:
    """Each foreign key of the models is read by these tests."""
    for name in ("single", "twin", "heir", "track", "opener", "coverOf", "themeOf", "sameAs"):
        assert f" {name} {{" in FIELDS
