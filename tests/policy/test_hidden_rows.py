"""What a type's `get_queryset` hides from somebody, and fields that it does not show, in drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import strawberry
import strawberry_django
from asgiref.sync import sync_to_async
from strawberry import auto
from strawberry.permission import BasePermission

import gql_cluster
from gql_cluster.service.caller import Caller
from schema.bands import models
from tests.api.schema_kit import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django.db.models import QuerySet

pytestmark = pytest.mark.once

CHIEF = "chief"


def is_chief(info: strawberry.Info) -> bool:
    """Tell whether the session is the one that sees all."""
    caller: Caller = info.context["caller"]
    return caller.session == CHIEF


class ForTheChief(BasePermission):
    """Hides a field."""

    def has_permission(self, source: Any, info: strawberry.Info, **kwargs: Any) -> bool:
        """Look who asks."""
        del source, kwargs
        return is_chief(info)


@gql_cluster.type(models.BandMember)
class Member:
    """A member; singers are seen by the chief alone."""

    name: auto
    position: auto

    @classmethod
    def get_queryset(cls, queryset: QuerySet[Any], info: strawberry.Info) -> QuerySet[Any]:
        """Hide singers."""
        return queryset if is_chief(info) else queryset.exclude(instrument="vocals")


@gql_cluster.type(models.Song)
class Song:
    """A song."""

    title: auto


@gql_cluster.type(models.Album)
class Album:
    """An album; bootlegs are seen by the chief alone, and so are their songs."""

    title: auto
    songs: list[Song]

    @classmethod
    def get_queryset(cls, queryset: QuerySet[Any], info: strawberry.Info) -> QuerySet[Any]:
        """Hide bootlegs."""
        return queryset if is_chief(info) else queryset.exclude(title="Bootleg")


@gql_cluster.type(models.Band)
class Band:
    """A band; secret ones are seen by the chief alone."""

    name: auto
    members: list[Member]
    albums: list[Album]
    origin: str | None = strawberry_django.field(permission_classes=[ForTheChief])

    @classmethod
    def get_queryset(cls, queryset: QuerySet[Any], info: strawberry.Info) -> QuerySet[Any]:
        """Hide secret ones."""
        return queryset if is_chief(info) else queryset.exclude(name="Secret")


schema = gql_cluster.Schema(clusters=[Band])
CHANGES = "changes { kind key fields { name before after } }"


class Desk:
    """A band with John, a singer, Paul and George; a bootleg with a song, and an album."""

    def __init__(self) -> None:
        """Nothing is saved before `set_up`."""
        self.chief = Client(schema=schema, session=CHIEF)
        self.ann = Client(schema=schema, session="ann")
        self.pk = ""
        self.keys: dict[str, str] = {}

    async def set_up(self) -> None:
        """Save it."""

        def save() -> models.Band:
            band = models.Band(name="Quarrymen", origin="Liverpool")
            for position, (name, part) in enumerate(
                [("John", "vocals"), ("Paul", "bass"), ("George", "guitar")], 1
            ):
                band.members.add(models.BandMember(name=name, instrument=part, position=position))
            for title in ("Bootleg", "Demo"):
                album = models.Album(title=title, released="1958-07-12")
                album.songs.add(models.Song(title=f"Song of {title}", position=1))
                band.albums.add(album)
            band.save()
            for each in models.BandMember.objects.all():
                self.keys[each.name] = f"BandMember:{each.pk}"
            for album in models.Album.objects.all():
                self.keys[album.title] = f"Album:{album.pk}"
            for song in models.Song.objects.all():
                self.keys[song.title] = f"Song:{song.pk}"
            return band

        self.pk = str((await sync_to_async(save)()).pk)

    async def members(self) -> list[str]:
        """Return the saved members, in order."""
        found = models.BandMember.objects.filter(band__pk=self.pk).order_by("position")
        return [name async for name in found.values_list("name", flat=True)]

    async def commit(self, client: Client, draft: str) -> None:
        """Save a draft."""
        query = "mutation($draft: ID!) { commitBandDraft(draft: $draft) { errors { message } } }"
        told = await client.data(query, draft=draft)
        assert told["commitBandDraft"]["errors"] == []

    async def share(self, draft: str) -> None:
        """Let the chief into a draft of ann's."""
        query = "mutation($draft: ID!) { shareDraft(draft: $draft) { token } }"
        token = (await self.ann.data(query, draft=draft))["shareDraft"]["token"]
        query = "mutation($token: String!) { joinDraft(token: $token) { errors { code } } }"
        await self.chief.data(query, token=token)


@pytest.fixture
async def desk(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """What is saved."""
    made = Desk()
    await made.set_up()
    yield made
    await schema.engine.aclose()


@pytest.mark.parametrize(
    "change",
    [
        lambda keys: {"members": {"update": {"key": keys["John"], "set": {"name": "X"}}}},
        lambda keys: {"members": {"remove": [keys["John"]]}},
        lambda keys: {"members": {"move": {"key": keys["John"], "to": "LAST"}}},
        lambda keys: {"members": {"move": {"key": keys["Paul"], "before": keys["John"]}}},
        lambda keys: {"members": {"replace": [{"key": keys["John"], "name": "X"}]}},
        lambda keys: {"members": {"add": [{"key": keys["John"], "name": "X"}]}},
        lambda keys: {"albums": {"remove": [keys["Bootleg"]]}},
        lambda keys: {
            "albums": {
                "edit": {
                    "key": keys["Bootleg"],
                    "changes": [{"songs": {"remove": [keys["Song of Bootleg"]]}}],
                }
            }
        },
    ],
    ids=["update", "remove", "move", "before", "replace", "add", "album", "below"],
)
async def test_a_hidden_node_is_not_there_for_any_change(desk: Desk, change: Any) -> None:
    """Its key can be guessed, and gives nothing; who sees it may name it."""
    draft = await desk.ann.open(pk=desk.pk)
    told = await desk.ann.edit(draft, change(desk.keys), fields="draft { version }")
    assert [error["code"] for error in told["errors"]] == ["INVALID_CHANGE"]
    await desk.ann.edit(draft, {"set": {"name": "Y"}})
    await desk.commit(desk.ann, draft)
    assert await desk.members() == ["John", "Paul", "George"]


@pytest.mark.parametrize("verb", ["clear", "replace"])
async def test_replacing_what_is_seen_leaves_what_is_hidden(desk: Desk, verb: str) -> None:
    """A client can't mean what it does not know of."""
    draft = await desk.ann.open(pk=desk.pk)
    value: Any = True if verb == "clear" else [{"key": desk.keys["George"], "name": "Harrison"}]
    told = await desk.ann.edit(draft, {"members": {verb: value}})
    assert told["errors"] == []
    await desk.commit(desk.ann, draft)
    assert await desk.members() == ["John"] + (["Harrison"] if verb == "replace" else [])


async def test_json_leaves_what_is_hidden(desk: Desk) -> None:
    """A list without the hidden ones is no wish to delete them, and naming one is refused."""
    query = """mutation($json: JSON!) { openBandDraft(json: $json) {
      draft { id } errors { code } } }"""
    pk_of = {name: int(key.partition(":")[2]) for name, key in desk.keys.items()}
    band = await models.Band.objects.aget(pk=desk.pk)
    data = {
        "pk": band.pk,
        "name": "Silver Beetles",
        "members": [{"pk": pk_of["Paul"], "name": "Paul", "instrument": "bass", "position": 1}],
    }
    told = (await desk.ann.data(query, json=data))["openBandDraft"]
    assert told["errors"] == []
    await desk.commit(desk.ann, told["draft"]["id"])
    assert sorted(await desk.members()) == ["John", "Paul"]

    data["members"] = [{"pk": pk_of["John"], "name": "X", "instrument": "bass", "position": 1}]
    told = (await desk.ann.data(query, json=data))["openBandDraft"]
    assert [error["code"] for error in told["errors"]] == ["INVALID_CHANGE"]


@pytest.mark.parametrize("of_draft", [False, True], ids=["saved", "draft"])
async def test_a_copy_has_what_its_maker_sees(desk: Desk, *, of_draft: bool) -> None:
    """What is hidden is left out with all that is below it."""
    query = """mutation($of: ID) { openBandDraft(copyOf: $of) { draft { ... on BandDraft {
      cluster { members { name } albums { title songs { title } } } } } } }"""
    for client, expected in ((desk.ann, False), (desk.chief, True)):
        of = await client.open(pk=desk.pk) if of_draft else desk.pk
        told = (await client.data(query, of=of))["openBandDraft"]["draft"]["cluster"]
        members = [each["name"] for each in told["members"]]
        albums = {
            each["title"]: [song["title"] for song in each["songs"]] for each in told["albums"]
        }
        assert ("John" in members, "Bootleg" in albums) == (expected, expected)
        assert albums["Demo"] == ["Song of Demo"]
        assert {"Paul", "George"} <= set(members)


async def test_changes_and_events_tell_nothing_of_hidden_nodes_and_fields(desk: Desk) -> None:
    """Who sees them hears of them; a field under a permission is in no `changes`."""
    draft = await desk.ann.open(pk=desk.pk)
    await desk.share(draft)
    told = await desk.chief.edit(
        draft,
        {"members": {"update": {"key": desk.keys["John"], "set": {"name": "Winston"}}}},
        {"members": {"update": {"key": desk.keys["Paul"], "set": {"name": "Macca"}}}},
        {
            "albums": {
                "edit": {
                    "key": desk.keys["Bootleg"],
                    "changes": [{"songs": {"remove": [desk.keys["Song of Bootleg"]]}}],
                }
            }
        },
        fields=f"event {{ ... on DraftEdited {{ {CHANGES} }} }}",
    )
    assert told["errors"] == []
    hidden = {desk.keys["John"], desk.keys["Song of Bootleg"]}
    assert hidden < {each["key"] for each in told["event"]["changes"]}
    query = f"""query($draft: ID!) {{ draft(id: $draft) {{ {CHANGES}
      history {{ ... on DraftEdited {{ {CHANGES} }} }} }} }}"""
    for client, keys in (
        (desk.chief, hidden | {desk.keys["Paul"]}),
        (desk.ann, {desk.keys["Paul"]}),
    ):
        seen = (await client.data(query, draft=draft))["draft"]
        assert {each["key"] for each in seen["changes"]} == keys
        (event,) = seen["history"]
        assert {each["key"] for each in event["changes"]} == keys


async def test_fields_under_a_permission_are_in_no_changes_and_conflicts_tell_no_value(
    desk: Desk,
) -> None:
    """They are read by their own field, which asks for the permission."""
    draft = await desk.chief.open(pk=desk.pk)
    change = {"set": {"name": "A", "origin": "Hamburg"}}
    told = await desk.chief.edit(
        draft, change, fields=f"event {{ ... on DraftEdited {{ {CHANGES} }} }}"
    )
    (only,) = told["event"]["changes"]
    assert [field["name"] for field in only["fields"]] == ["name"]
    await models.Band.objects.filter(pk=desk.pk).aupdate(origin="London", name="B")
    query = """query($draft: ID!) { draft(id: $draft) { conflicts { field base theirs mine } } }"""
    conflicts = (await desk.chief.data(query, draft=draft))["draft"]["conflicts"]
    assert {"field": "origin", "base": None, "theirs": None, "mine": None} in conflicts
    assert {"field": "name", "base": "Quarrymen", "theirs": "B", "mine": "A"} in conflicts


async def test_a_hidden_root_can_be_opened_copied_and_seen_by_nobody_it_is_hidden_from(
    desk: Desk,
) -> None:
    """Also a draft of it that was opened while it could be seen, and what watches that."""
    watched = await desk.ann.open(pk=desk.pk)
    stream = desk.ann.stream(
        "subscription($d: ID!) { draftEvents(draft: $d) { __typename } }", d=watched
    )
    first = await anext(stream)
    assert first.data["draftEvents"]["__typename"] == "DraftSnapshot"
    await models.Band.objects.filter(pk=desk.pk).aupdate(name="Secret")
    for argument in ("pk", "copyOf"):
        query = f"mutation($pk: ID) {{ openBandDraft({argument}: $pk) {{ errors {{ code }} }} }}"
        told = (await desk.ann.data(query, pk=desk.pk))["openBandDraft"]
        assert [error["code"] for error in told["errors"]] == ["NOT_FOUND"]
    query = "mutation($json: JSON!) { openBandDraft(json: $json) { errors { code } } }"
    told = (await desk.ann.data(query, json={"pk": int(desk.pk), "name": "X"}))["openBandDraft"]
    assert [error["code"] for error in told["errors"]] == ["NOT_FOUND"]
    query = "query($draft: ID!) { draft(id: $draft) { version } }"
    assert await desk.ann.data(query, draft=watched) == {"draft": None}
    told = await desk.ann.edit(watched, {"set": {"name": "Y"}})
    assert [error["code"] for error in told["errors"]] == ["NOT_FOUND"]
    parsed: Any = strawberry.relay.GlobalID.from_id(watched)
    schema.engine.parts.hub.wake(parsed.node_id)
    last = [result async for result in stream][-1]
    assert [error.extensions["code"] for error in last.errors] == ["NOT_FOUND"]


async def test_focus_and_reset_know_nothing_of_hidden_nodes(desk: Desk) -> None:
    """Neither tells whether they are there."""
    draft = await desk.ann.open(pk=desk.pk)
    for key in (desk.keys["John"], desk.keys["Song of Bootleg"], "no such key"):
        query = "mutation($d: ID!, $key: ID) { setFocus(draft: $d, key: $key) }"
        assert await desk.ann.codes(query, d=draft, key=key) == ["INVALID_CHANGE"]
    for key in (desk.keys["John"], "no such key"):
        query = """mutation($d: ID!, $key: ID!) { resetNodes(draft: $d, keys: [$key]) {
          errors { code } } }"""
        told = await desk.ann.data(query, d=draft, key=key)
        assert told["resetNodes"]["errors"] == [{"code": "INVALID_CHANGE"}]


async def test_reverting_leaves_what_is_hidden(desk: Desk) -> None:
    """What others have changed of it stays, and what they have changed of all else goes."""
    draft = await desk.ann.open(pk=desk.pk)
    await desk.share(draft)
    for name in ("John", "Paul"):
        change = {"key": desk.keys[name], "set": {"name": f"Sir {name}"}}
        await desk.chief.edit(draft, {"members": {"update": change}})
    query = "mutation($d: ID!) { revertDraft(draft: $d, version: 0) { errors { code } } }"
    assert (await desk.ann.data(query, d=draft))["revertDraft"]["errors"] == []
    await desk.commit(desk.ann, draft)
    assert await desk.members() == ["Sir John", "Paul", "George"]


@gql_cluster.type(models.Genre)
class Genre:
    """A genre; the one that is not told yet is seen by the chief alone."""

    name: auto

    @classmethod
    def get_queryset(cls, queryset: QuerySet[Any], info: strawberry.Info) -> QuerySet[Any]:
        """Hide it."""
        return queryset if is_chief(info) else queryset.exclude(name="Skiffle")


@gql_cluster.type(models.Band)
class OfGenres:
    """A band."""

    name: auto
    genres: list[Genre]


of_genres = gql_cluster.Schema(clusters=[OfGenres])


async def test_a_hidden_object_can_not_be_referred_to(desk: Desk) -> None:
    """It is refused as one that is not there, in a change, a new cluster and JSON."""
    hidden = await models.Genre.objects.acreate(name="Skiffle")
    opened = """mutation($given: %s) { it: openOfGenresDraft(%s: $given) {
      draft { id } errors { code } } }"""
    edit = """mutation($draft: ID!, $pk: ID!) { it: editOfGenresDraft(draft: $draft,
      changes: [{ genres: { add: [$pk] } }]) { errors { code } } }"""
    saved = {"pk": int(desk.pk), "name": "Quarrymen"}
    for session in ("ann", CHIEF):
        client = Client(schema=of_genres, session=session)
        draft = (await client.data(opened % ("ID", "pk"), given=desk.pk))["it"]["draft"]["id"]
        told = {}
        for pk in (str(hidden.pk), "4711"):
            told[pk] = [await client.data(edit, draft=draft, pk=pk)]
            for kind, given in (
                (("OfGenresInput", "data"), {"name": "X", "genres": [pk]}),
                (("JSON", "json"), {"name": "X", "genres": [int(pk)]}),
                (("JSON", "json"), {**saved, "genres": [int(pk)]}),
            ):
                told[pk].append(await client.data(opened % kind, given=given))
        codes = {
            pk: [[error["code"] for error in each["it"]["errors"]] for each in answers]
            for pk, answers in told.items()
        }
        assert codes["4711"] == [["INVALID_CHANGE"]] * 4
        assert codes[str(hidden.pk)] == ([["INVALID_CHANGE"]] * 4 if session == "ann" else [[]] * 4)
    await of_genres.engine.aclose()


@pytest.mark.usefixtures("transactional_db")
@pytest.mark.parametrize("verb", ["clear", "replace", "remove", "json"])
async def test_members_that_are_hidden_stay_in_a_set(verb: str) -> None:
    """Whatever is said of the others; who sees them takes them out."""
    hidden = await models.Genre.objects.acreate(name="Skiffle")
    others = [await models.Genre.objects.acreate(name=name) for name in ("Beat", "Pop")]

    def save() -> models.Band:
        band = models.Band(name="Quarrymen")
        band.genres = [hidden, *others]
        band.save()
        return band

    band = await sync_to_async(save)()
    change: Any = {
        "clear": {"clear": True},
        "replace": {"replace": [str(others[0].pk)]},
        "remove": {"remove": [str(hidden.pk), str(others[1].pk)]},
    }.get(verb)
    opened = """mutation($pk: ID, $json: JSON) { it: openOfGenresDraft(pk: $pk, json: $json) {
      draft { id } errors { code } } }"""
    edit = """mutation($draft: ID!, $change: GenresChange!) { it: editOfGenresDraft(
      draft: $draft, changes: [{ genres: $change }]) { errors { code } } }"""
    commit = "mutation($draft: ID!) { it: commitOfGenresDraft(draft: $draft) { errors { code } } }"
    for session, kept in (("ann", {"Skiffle"}), (CHIEF, set[str]())):
        client = Client(schema=of_genres, session=session)
        given: Any = {"pk": str(band.pk)}
        if verb == "json":
            given = {"json": {"pk": band.pk, "name": "Quarrymen", "genres": []}}
        told = (await client.data(opened, **given))["it"]
        assert told["errors"] == []
        if change is not None:
            edited = await client.data(edit, draft=told["draft"]["id"], change=change)
            assert edited["it"]["errors"] == []
        assert (await client.data(commit, draft=told["draft"]["id"]))["it"]["errors"] == []
        left = {
            name async for name in band.genres.through.objects.values_list("genre__name", flat=True)
        }
        assert left & {"Skiffle"} == kept
    await of_genres.engine.aclose()
