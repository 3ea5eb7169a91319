"""The mirror of a draft that was changed: what it shows is what a commit would save."""

import datetime as dt
from collections.abc import Callable

import pytest
import strawberry
from django.db.models import F
from django.db.models.expressions import Combinable

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    Before,
    Change,
    EditNode,
    End,
    MoveNode,
    NewNode,
    RemoveFromSet,
    RemoveNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.tree import Want
from schema.bands.models import Album, Band, BandMember, Genre, Song
from tests.api.mirror_kit import draft_of, execute, make_band, make_schema, queries, run

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def schema() -> strawberry.Schema:
    """The schema of bare models."""
    return make_schema(Band)


def key_of(band: Band, name: str) -> str:
    """Return the key of a member."""
    return f"BandMember:{band.members.get(name=name).pk}"


def album_key(title: str) -> str:
    """Return the key of an album."""
    return f"Album:{Album.objects.get(title=title).pk}"


def moved(band: Band) -> tuple[list[Change], Callable[[], None]]:
    """The last member before the second; on the database, all that are numbered anew."""
    changes: list[Change] = [
        MoveNode(
            relation="members",
            key=key_of(band, "the Ärzte-Gast"),
            place=Before(key=key_of(band, "bela B.")),
        )
    ]

    def on_database() -> None:
        order = ["Farin Urlaub", "the Ärzte-Gast", "bela B.", "Sahnie", "Rodrigo González"]
        BandMember.objects.update(position=out_of_the_way())
        for number, name in enumerate(order, start=1):
            BandMember.objects.filter(name=name).update(position=number)

    return changes, on_database


def out_of_the_way() -> Combinable:
    """Return an expression that moves positions out of the way."""
    return F("position") + 100


def added(band: Band) -> tuple[list[Change], Callable[[], None]]:
    """Two members at the end, the second without a year; one of the old ones renamed."""
    changes: list[Change] = [
        AddNodes(
            relation="members",
            nodes=(
                NewNode(key="x", values={"name": "Zed", "instrument": "bass", "joined": 2001}),
                NewNode(key="y", values={"name": "abel", "instrument": "other"}),
            ),
        ),
        UpdateNode(
            relation="members", key=key_of(band, "Sahnie"), values={"name": "SAHNE", "left": None}
        ),
    ]

    def on_database() -> None:
        BandMember.objects.filter(name="Sahnie").update(name="SAHNE", left=None)
        for position, (name, instrument, joined) in enumerate(
            [("Zed", "bass", 2001), ("abel", "other", None)], start=6
        ):
            BandMember.objects.create(
                band=band, name=name, instrument=instrument, joined=joined, position=position
            )

    return changes, on_database


def nested(band: Band) -> tuple[list[Change], Callable[[], None]]:
    """An album removed, one re-dated, one added with songs, a song moved to the front."""
    debil = album_key("Debil")
    last = Song.objects.get(title="Debil 3")
    song = NewNode(key="intro", values={"title": "Intro"})
    album = NewNode(
        key="aaa",
        values={"title": "Aaa", "released": "1990-01-01", "label": ""},
        defaults={"kind": "studio"},
        children={"songs": (song,)},
    )
    changes: list[Change] = [
        RemoveNodes(relation="albums", keys=(album_key("13"),)),
        UpdateNode(
            relation="albums", key=album_key("Le Frisur"), values={"released": "1980-01-01"}
        ),
        AddNodes(relation="albums", nodes=(album,)),
        EditNode(
            relation="albums",
            key=debil,
            changes=(MoveNode(relation="songs", key=f"Song:{last.pk}", place=End.FIRST),),
        ),
    ]

    def on_database() -> None:
        Album.objects.get(title="13").delete()
        Album.objects.filter(title="Le Frisur").update(released=dt.date(1980, 1, 1))
        new = Album.objects.create(band=band, title="Aaa", released=dt.date(1990, 1, 1))
        Song.objects.create(album=new, title="Intro", position=1)
        songs = Song.objects.filter(album__title="Debil")
        songs.update(position=out_of_the_way())
        for number, title in enumerate(["Debil 3", "Debil 1", "Debil 2"], start=1):
            songs.filter(title=title).update(position=number)

    return changes, on_database


def related(band: Band) -> tuple[list[Change], Callable[[], None]]:
    """One genre more, one less, and fields of the root."""
    pop = Genre.objects.get(name="Pop").pk
    punk = Genre.objects.get(name="Punk").pk
    changes: list[Change] = [
        AddToSet(name="genres", pks=(pop,)),
        RemoveFromSet(name="genres", pks=(punk,)),
        SetFields(values={"name": "Die Toten Hosen", "formed": None, "status": "on_hiatus"}),
    ]

    def on_database() -> None:
        band.genres.set(Genre.objects.filter(name__in=["Pop", "Schlager"]))
        band.name, band.formed, band.status = "Die Toten Hosen", None, "on_hiatus"
        band.save()

    return changes, on_database


@pytest.mark.parametrize(
    "fields",
    [
        "name formed status genres { name } genresConnection { totalCount }",
        "members { name position instrument joined left band { name } }",
        "members(ordering: [{name: ASC}]) { name }",
        "members(ordering: [{joined: DESC}, {name: ASC}]) { name }",
        "members(ordering: [{left: ASC}, {name: DESC}], pagination: {limit: 4}) { name }",
        "members(ordering: [{position: DESC}]) { name position }",
        "members(filters: {position: {gt: 2}}) { name position }",
        'members(filters: {name: {iContains: "sah"}}) { name }',
        "members(filters: {NOT: {joined: {exact: 1982}}}) { name }",
        "membersConnection(last: 3) { totalCount edges { cursor node { name } } }",
        "albums { title released songs { title position album { title band { name } } } }",
        "albums(ordering: [{title: DESC}]) { title songs(filters: {position: {lt: 3}}) { title } }",
        "albums(filters: {released: {year: {lt: 1991}}}) { title songsConnection { totalCount } }",
        'genres(filters: {name: {startsWith: "P"}}) { name }',
    ],
)
@pytest.mark.parametrize("case", [moved, added, nested, related])
def test_changed_draft_shows_what_would_be_saved(
    schema: strawberry.Schema,
    case: Callable[[Band], tuple[list[Change], Callable[[], None]]],
    fields: str,
) -> None:
    """The same query on the draft, and on the database with the same edits made to it."""
    band = make_band()
    changes, on_database = case(band)
    drafted = run(schema, f"{{ it: draftBand {{ {fields} }} }}", draft_of(band, *changes).view())
    on_database()
    saved = run(schema, f"{{ it: band(pk: {band.pk}) {{ {fields} }} }}")
    assert drafted == saved


def test_unsaved_nodes_have_ids_of_their_own(schema: strawberry.Schema) -> None:
    """A client's cache never takes one for another; `pk` is null until committed."""
    new = tuple(NewNode(key=key, values={"name": key}) for key in ("x", "y"))
    view = draft_of(make_band(), AddNodes(relation="members", nodes=new)).view()
    fields = "members(pagination: {offset: 5}) { id key pk name instrument band { key } }"
    data = run(schema, f"{{ draftBand {{ {fields} }} }}", view)
    one, other = data["draftBand"]["members"]
    assert (one["key"], one["pk"], one["instrument"]) == ("x", None, None)
    assert one["id"] != other["id"]
    assert one["band"]["key"] == "root"


def test_a_field_of_one_node_loads_its_line_alone(schema: strawberry.Schema) -> None:
    """Siblings are loaded for the number that they decide, not for anything else."""
    band = make_band()
    draft = draft_of(band, loaded=False)
    song = Song.objects.get(title="13 2")
    key = f"Song:{song.pk}"
    query = '{ draftNode(key: "%s") { ... on Song { %s } } }'
    data = run(schema, query % (key, "title album { title }"), draft.view())
    assert data["draftNode"] == {"title": "13 2", "album": {"title": "13"}}
    assert not any(want.families or want.relations for want in draft.loads)
    data = run(schema, query % (key, "position"), draft.view())
    assert data["draftNode"] == {"position": 2}
    assert draft.loads[-1] == Want(families=frozenset({(album_key("13"), "songs")}))


def test_a_number_is_right_though_the_node_was_read_before(schema: strawberry.Schema) -> None:
    """An instance made while its siblings were unknown is numbered when they are loaded."""
    band = make_band()
    gast, first = key_of(band, "the Ärzte-Gast"), key_of(band, "Farin Urlaub")
    draft = draft_of(band, loaded=False)
    draft.copy.learn({gast: draft.nodes[gast], first: draft.nodes[first]}, {}, size=0)
    draft.copy.learn({}, {("root", "members"): draft.relations["root", "members"]}, size=0)
    draft.stage(MoveNode(relation="members", key=gast, place=Before(key=first)))
    query = f"""{{ draftNode(key: "{first}") {{ ... on BandMember {{ name position }} }}
                   draftBand {{ members {{ name position }} }} }}"""
    data = run(schema, query, draft.view())
    assert data["draftNode"] == {"name": "Farin Urlaub", "position": 2}
    assert [each["position"] for each in data["draftBand"]["members"]] == [1, 2, 3, 4, 5]


def test_a_page_of_many_children_costs_no_query(schema: strawberry.Schema) -> None:
    """Children are made into instances as far as they are shown."""
    band = make_band()
    draft = draft_of(band, loaded=False)
    view = draft.view()
    with queries() as captured:
        run(schema, "{ draftBand { members(pagination: {limit: 2}) { name } } }", view)
    assert len(captured) == 0
    assert draft.loads == [Want(families=frozenset({("root", "members")}))]


def test_what_a_draft_cannot_answer_is_a_clear_error(schema: strawberry.Schema) -> None:
    """An error with a code, and not a wrong answer."""
    band = make_band()
    query = "{ draftBand { members(pagination: {offset: -1}) { name } } }"
    result = execute(schema, query, draft_of(band).view())
    assert result.errors[0].extensions["code"] == "BAD_USER_INPUT"
