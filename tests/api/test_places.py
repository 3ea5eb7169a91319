"""The sample places: one list of several kinds, each with a table, a type and drafts of its own."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from gql_cluster.api.ids import SavedId, parse
from schema.places.models import Bar, Hours, MusicBar, Place, Restaurant
from schema.places.samples import load
from tests.api.samples_kit import Desk, counted, schema_of
from tests.api.schema_kit import Client

FIELDS = "name address openDays hours { weekday weekdayDisplay opens closes }"
KINDS = (
    f"__typename {FIELDS} ... on Restaurant {{ cuisine seats dishes {{ name price }} }}"
    " ... on Bar { hasMusic drinks { name strength } }"
)


@pytest.fixture
async def places(client: Client) -> None:  # noqa: ARG001 - it has the database
    """The saved samples."""
    assert await sync_to_async(load)() == 6
    assert await sync_to_async(load)() == 0


def types_of(data: Any) -> list[tuple[str, str]]:
    """Return the type and the name of each place of a list."""
    return [(each["__typename"], each["name"]) for each in data]


ALL = [
    ("PlainPlace", "Harbour Library"),
    ("Bar", "Night Post"),
    ("Restaurant", "Saffron House"),
    ("Bar", "The Anchor"),
    ("Restaurant", "The Blue Kettle"),
    ("Restaurant", "Trattoria Lucia"),
]


async def test_a_list_of_places_has_each_as_what_it_is(client: Client, places: None) -> None:
    """As a list, as a connection, filtered and ordered by what all places have."""
    del places
    data = await client.data(
        "{ places { __typename name } placesConnection { totalCount edges { node {"
        " __typename name } } }"
        ' some: places(filters: {name: {startsWith: "T"}}, ordering: [{name: DESC}],'
        " pagination: {limit: 2}) { __typename name } }"
    )
    assert types_of(data["places"]) == ALL
    connection = data["placesConnection"]
    assert types_of(each["node"] for each in connection["edges"]) == ALL
    assert connection["totalCount"] == 6
    assert types_of(data["some"]) == [
        ("Restaurant", "Trattoria Lucia"),
        ("Restaurant", "The Blue Kettle"),
    ]


async def test_some_kinds_are_asked_for(client: Client, places: None) -> None:
    """One, several, all others, none."""
    del places
    data = await client.data(
        "{ bars: places(filters: {kind: [BAR]}) { __typename name }"
        ' both: places(filters: {kind: [BAR, RESTAURANT], name: {startsWith: "T"}}) {'
        " __typename name }"
        " neither: places(filters: {NOT: {kind: [BAR, RESTAURANT]}}) { __typename name }"
        " none: places(filters: {kind: []}) { __typename name } }"
    )
    assert types_of(data["bars"]) == [each for each in ALL if each[0] == "Bar"]
    assert types_of(data["both"]) == ALL[3:]
    assert types_of(data["neither"]) == ALL[:1]
    assert data["none"] == []


def add_places(count: int) -> None:
    """Save places of every kind in turn."""
    for number in range(count):
        name = f"Place {number:03}"
        if number % 3 == 0:
            Place.objects.create(name=name, address="A")
        elif number % 3 == 1:
            Restaurant.objects.create(name=name, address="B", cuisine="C", seats=number)
        else:
            Bar.objects.create(name=name, address="D", has_music=True)


@pytest.mark.parametrize("count", [20, 100])
async def test_a_page_of_mixed_places_is_one_query(client: Client, count: int) -> None:
    """With columns of each kind, however many places there are."""
    await sync_to_async(add_places)(count)
    fields = "__typename id pk name ... on Restaurant { cuisine seats } ... on Bar { hasMusic }"
    query = f"{{ places(pagination: {{limit: 100}}) {{ {fields} }} }}"
    queries = await sync_to_async(counted)(client, query)
    assert len(queries) == 1, queries
    data = await client.data(query)
    assert len(data["places"]) == count
    assert data["places"][1] == {
        "__typename": "Restaurant",
        "id": data["places"][1]["id"],
        "pk": str((await Place.objects.aget(name="Place 001")).pk),
        "name": "Place 001",
        "cuisine": "C",
        "seats": 1,
    }


@pytest.mark.parametrize("more", [0, 6])
async def test_what_each_kind_has_below_it_costs_a_query(
    client: Client, places: None, more: int
) -> None:
    """Places; hours of all kinds, twice, as a resolver reads them too; dishes; drinks."""
    del places
    await sync_to_async(add_places)(more)
    queries = await sync_to_async(counted)(client, f"{{ places {{ {KINDS} }} }}")
    assert len(queries) <= 5, queries


async def test_a_key_to_any_place_gives_it_as_what_it_is(client: Client, places: None) -> None:
    """From a saved child, by a primary key and by a global id; and as a draft has its parent."""
    del places
    hours = "hours { place { __typename name } }"
    data = await client.data(f"{{ places {{ id __typename name {hours} }} }}")
    for place in data["places"]:
        for each in place["hours"]:
            assert types_of([each["place"]]) == types_of([place])
        query = "query($id: ID!) { node(id: $id) { __typename ... on Place { name } } }"
        node = (await client.data(query, id=place["id"]))["node"]
        assert types_of([node]) == types_of([place])
        pk = (await Place.objects.aget(name=place["name"])).pk
        one = await client.data(
            "query($pk: ID!) { place(pk: $pk) { __typename name } }", pk=str(pk)
        )
        assert types_of([one["place"]]) == types_of([place])
    queries = await sync_to_async(counted)(client, f"{{ places {{ name {hours} }} }}")
    assert len(queries) <= 3, queries


async def test_a_restaurant_is_edited_as_one(client: Client, places: None) -> None:
    """What it is and what every place is, with the children of both, in one draft."""
    del places
    lucia = await Restaurant.objects.aget(name="Trattoria Lucia")
    desk = Desk(client=client, cluster="Restaurant", fields=f"{FIELDS} seats dishes {{ name }}")
    draft = await desk.open(pk=str(lucia.pk))
    assert draft["cluster"] == await desk.saved(lucia.pk)
    staged = await desk.edit(
        draft["id"],
        {"set": {"name": "Da Lucia", "seats": 40}},
        {"hours": {"add": [{"weekday": "SUNDAY", "opens": "12:00", "closes": "15:00"}]}},
        {"dishes": {"add": [{"name": "Gnocchi", "price": "13.00", "position": 1}]}},
    )
    assert staged["errors"] == staged["draft"]["errors"] == []
    cluster = staged["draft"]["cluster"]
    assert cluster["openDays"] == 4
    assert [each["name"] for each in cluster["dishes"]][:2] == ["Ribollita", "Gnocchi"]
    assert await desk.commit(draft["id"]) == cluster == await desk.saved(lucia.pk)
    assert [each async for each in lucia.dishes.values_list("position", flat=True)] == [1, 2, 3, 4]


async def test_any_place_is_edited_as_a_place_and_stays_what_it_is(
    client: Client, places: None
) -> None:
    """Its draft has what all places have; `saved` is the bar that it is."""
    del places
    anchor = await Bar.objects.aget(name="The Anchor")
    desk = Desk(client=client, cluster="Place", fields=f"__typename {FIELDS}")
    draft = await desk.open(pk=str(anchor.pk))
    assert draft["cluster"]["__typename"] == "PlainPlace"
    await desk.edit(draft["id"], {"set": {"address": "10 Quay Street"}})
    data = await client.data(
        "query($id: ID!) { draft(id: $id) { ... on PlaceDraft { saved { __typename address } } } }",
        id=draft["id"],
    )
    assert data["draft"]["saved"] == {"__typename": "Bar", "address": "9 Quay Street"}
    assert (await desk.commit(draft["id"]))["address"] == "10 Quay Street"
    await anchor.arefresh_from_db()
    assert (anchor.address, anchor.has_music) == ("10 Quay Street", True)
    assert await anchor.drinks.acount() == 3


NAMED = (
    "keys { key id } receipt { id clusterId clusterPk } cluster { id }"
    " draft { id } errors { code message }"
)


async def renamed(client: Client, cluster: str, draft: str, name: str) -> Any:
    """Give the place of a draft another name, commit and keep it open; return the payload."""
    data = await client.data(
        f"mutation($draft: ID!, $name: String!) {{"
        f" edit{cluster}Draft(draft: $draft, changes: [{{ set: {{ name: $name }} }}])"
        " { errors { code } }"
        f" it: commit{cluster}Draft(draft: $draft, keepOpen: true) {{ {NAMED} }} }}",
        draft=draft,
        name=name,
    )
    assert data["it"]["errors"] == []
    return data["it"]


async def commits_of(client: Client, cluster: str, **page: Any) -> list[Any]:
    """Return the receipts of what an id names."""
    data = await client.data(
        "query($id: ID!, $first: Int, $after: String) {"
        " commits(cluster: $id, first: $first, after: $after) {"
        " edges { cursor node { id clusterId } } } }",
        id=cluster,
        **page,
    )
    return [each["node"] | {"cursor": each["cursor"]} for each in data["commits"]["edges"]]


async def test_a_row_has_one_id_whatever_draft_saves_it(client: Client, places: None) -> None:
    """That of what it is: as it is listed, and in all that a commit and its event give."""
    del places
    lucia = await Restaurant.objects.aget(name="Trattoria Lucia")
    data = await client.data("query($pk: ID!) { place(pk: $pk) { id } }", pk=str(lucia.pk))
    id_ = data["place"]["id"]
    assert parse(id_, ()) == SavedId(type="Restaurant", pk=str(lucia.pk))
    receipts: list[dict[str, str]] = []
    for cluster in ("Place", "Restaurant", "Place"):
        desk = Desk(client=client, cluster=cluster, fields="name")
        draft = (await desk.open(pk=str(lucia.pk)))["id"]
        done = await renamed(client, cluster, draft, f"{cluster} {len(receipts)}")
        assert done["cluster"]["id"] == done["receipt"]["clusterId"] == id_
        assert done["keys"] == [{"key": "root", "id": id_}]
        history = await client.data(
            "query($id: ID!) { draft(id: $id) { history"
            " { ... on DraftCommitted { keys { id } } } } }",
            id=done["draft"]["id"],
        )
        assert history["draft"]["history"][-1] == {"keys": [{"id": id_}]}
        receipts.append({"id": done["receipt"]["id"], "clusterId": id_})
        await client.data(
            "mutation($id: ID!) { discardDraft(draft: $id) { __typename } }", id=draft
        )
    newest = [*reversed(receipts)]
    for named in (id_, str(SavedId(type="PlainPlace", pk=str(lucia.pk)))):
        found = await commits_of(client, named)
        assert [{"id": each["id"], "clusterId": each["clusterId"]} for each in found] == newest
        [second] = await commits_of(client, named, first=1, after=found[0]["cursor"])
        assert second["id"] == newest[1]["id"]
    other = await Bar.objects.aget(name="The Anchor")
    for type_name, pk in (("Bar", other.pk), ("Bar", lucia.pk), ("Place", lucia.pk)):
        assert await commits_of(client, str(SavedId(type=type_name, pk=str(pk)))) == []


@pytest.mark.parametrize(("cluster", "expected"), [("Place", 1), ("Bar", 0)])
async def test_to_tell_what_a_root_is_costs_a_query_where_it_has_kinds(
    client: Client, places: None, cluster: str, expected: int
) -> None:
    """And none where it can be but one."""
    del places
    anchor = await Bar.objects.aget(name="The Anchor")
    desk = Desk(client=client, cluster=cluster, fields="name")
    draft = (await desk.open(pk=str(anchor.pk)))["id"]
    await renamed(client, cluster, draft, "Anchor")
    history = "history { ... on DraftCommitted { keys { id } } }"
    query = f'{{ draft(id: "{draft}") {{ {history} }} }}'
    queries = await sync_to_async(counted)(client, query)
    assert len(queries) == expected, queries


async def test_a_row_that_became_more_is_called_what_it_is(client: Client) -> None:
    """Its commits go on by the new id; one that is gone is called as the cluster's own rows."""
    desk = Desk(client=client, cluster="Place", fields="name")
    place = await Place.objects.acreate(name="Corner", address="1")
    draft = (await desk.open(pk=str(place.pk)))["id"]
    first = await renamed(client, "Place", draft, "Plain")
    plain = str(SavedId(type="PlainPlace", pk=str(place.pk)))
    assert first["receipt"]["clusterId"] == first["keys"][0]["id"] == plain
    await sync_to_async(Bar(place_ptr=place).save_base)(raw=True)
    second = await renamed(client, "Place", draft, "Bar")
    bar = str(SavedId(type="Bar", pk=str(place.pk)))
    assert second["receipt"]["clusterId"] == second["keys"][0]["id"] == bar
    found = await commits_of(client, bar)
    assert [each["id"] for each in found] == [second["receipt"]["id"], first["receipt"]["id"]]
    await place.adelete()
    history = await client.data(
        "query($id: ID!) { draft(id: $id) { history { ... on DraftCommitted { keys { id } } } } }",
        id=draft,
    )
    assert history["draft"]["history"][-1] == {"keys": [{"id": plain}]}
    assert await commits_of(client, bar) == []


async def test_the_id_of_a_place_of_any_kind_is_copied_from(client: Client, places: None) -> None:
    """By `openPlaceDraft`; of a kind alone by that of the kind, and of what is not there never."""
    del places
    lucia = await Restaurant.objects.aget(name="Trattoria Lucia")
    library = await Place.objects.aget(name="Harbour Library")

    async def copied(cluster: str, type_name: str, place: Place) -> Any:
        data = await client.data(
            f"mutation($id: ID!) {{ it: open{cluster}Draft(copyOf: $id) {{"
            f" draft {{ cluster {{ name pk }} }} errors {{ code }} }} }}",
            id=str(SavedId(type=type_name, pk=str(place.pk))),
        )
        return data["it"]

    for cluster, type_name, place in (
        ("Place", "Restaurant", lucia),
        ("Place", "PlainPlace", lucia),
        ("Place", "PlainPlace", library),
        ("Restaurant", "Restaurant", lucia),
    ):
        done = await copied(cluster, type_name, place)
        assert done == {"draft": {"cluster": {"name": place.name, "pk": None}}, "errors": []}
    for cluster, type_name, place in (
        ("Place", "Bar", lucia),
        ("Place", "Place", lucia),
        ("Place", "Hours", lucia),
        ("Place", "Restaurant", library),
        ("Restaurant", "PlainPlace", lucia),
        ("Bar", "Restaurant", lucia),
    ):
        done = await copied(cluster, type_name, place)
        assert (done["draft"], done["errors"]) == (None, [{"code": "NOT_FOUND"}])


async def test_no_id_names_an_interface(client: Client, places: None) -> None:
    """It names nothing, as any unknown type does."""
    del places
    lucia = await Place.objects.aget(name="Trattoria Lucia")
    for type_name in ("Place", "Nothing"):
        id_ = str(SavedId(type=type_name, pk=str(lucia.pk)))
        data = await client.data("query($id: ID!) { node(id: $id) { __typename } }", id=id_)
        assert data == {"node": None}


async def test_a_proxy_and_its_model_share_their_commits(client: Client, places: None) -> None:
    """They are of one row, each by the id that was asked for."""
    del client, places
    schema = schema_of(Place, Bar, MusicBar)
    client = Client(schema=schema)
    anchor = await Bar.objects.aget(name="The Anchor")
    receipts = []
    for cluster in ("Bar", "MusicBar"):
        desk = Desk(client=client, cluster=cluster, fields="name")
        draft = (await desk.open(pk=str(anchor.pk)))["id"]
        done = await renamed(client, cluster, draft, f"Anchor, {cluster}")
        id_ = str(SavedId(type=cluster, pk=str(anchor.pk)))
        assert done["cluster"]["id"] == done["receipt"]["clusterId"] == done["keys"][0]["id"] == id_
        receipts.append(done["receipt"]["id"])
    for cluster in ("Bar", "MusicBar"):
        id_ = str(SavedId(type=cluster, pk=str(anchor.pk)))
        found = await commits_of(client, id_)
        assert [each["id"] for each in reversed(found)] == receipts
        assert {each["clusterId"] for each in found} == {id_}
    await schema.engine.aclose()


async def test_a_new_place_is_a_place_alone(client: Client) -> None:
    """Of no kind."""
    desk = Desk(client=client, cluster="Place", fields=f"__typename {FIELDS}")
    draft = await desk.open(data={"name": "Park", "address": "Mill Lane"})
    assert (await desk.commit(draft["id"]))["__typename"] == "PlainPlace"
    data = await client.data("{ places { __typename name } restaurants { name } bars { name } }")
    assert data == {
        "places": [{"__typename": "PlainPlace", "name": "Park"}],
        "restaurants": [],
        "bars": [],
    }


async def test_a_proxy_of_a_kind_is_a_list_of_its_own(client: Client, places: None) -> None:
    """With its own manager and order, and never among the places."""
    del places
    await Bar.objects.acreate(name="Zoo", address="1 A Street", has_music=True)
    data = await client.data("{ musicBars { __typename name } }")
    assert types_of(data["musicBars"]) == [("MusicBar", "Zoo"), ("MusicBar", "The Anchor")]


async def test_hours_are_validated_in_the_draft(client: Client, places: None) -> None:
    """Twice at once on a day is refused, of a place of any kind."""
    del places
    anchor = await Bar.objects.aget(name="The Anchor")
    first = await Hours.objects.aget(place=anchor, weekday=5)
    desk = Desk(client=client, cluster="Bar", fields=FIELDS)
    draft = await desk.open(pk=str(anchor.pk))
    staged = await desk.edit(
        draft["id"],
        {"hours": {"add": [{"weekday": "FRIDAY", "opens": str(first.opens), "closes": "17:00"}]}},
    )
    assert [each["code"] for each in staged["draft"]["errors"]] == ["VALIDATION_FAILED"]
