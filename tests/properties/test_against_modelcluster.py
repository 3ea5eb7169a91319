"""A draft equals the model: random changes on a draft, and the same on the in-memory cluster."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    After,
    Change,
    ClearNodes,
    EditNode,
    End,
    MoveNode,
    NewNode,
    RemoveFromSet,
    RemoveNodes,
    ReplaceNodes,
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.orm.codec import defaults
from gql_cluster.orm.describe import describe
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_saved
from gql_cluster.service.view import View
from schema.bands.models import Album, Band, BandMember, Genre, Song

BAND = describe(Band)
ANN = Caller(session="ann")
DAY = dt.date(2000, 1, 1)

Shape = tuple[Any, ...]

op = st.tuples(
    st.sampled_from(
        [
            "rename",
            "add member",
            "update member",
            "remove member",
            "move member",
            "replace members",
            "clear members",
            "add album",
            "add song",
            "update song",
            "remove song",
            "move song",
            "remove album",
            "genres add",
            "genres remove",
            "genres replace",
        ]
    ),
    st.integers(0, 9),
    st.integers(0, 9),
)


def make_band(name: str) -> Band:
    """Save a small cluster."""
    band = Band.objects.create(name=name)
    for number in range(1, 5):
        BandMember.objects.create(
            band=band, name=f"member {number}", instrument="drums", position=number
        )
    for number in range(1, 3):
        album = Album.objects.create(
            band=band, title=f"album {number}", released=DAY.replace(day=number)
        )
        for track in range(1, 4):
            Song.objects.create(album=album, title=f"song {number}.{track}", position=track)
    band.genres.set(Genre.objects.order_by("pk")[:2])
    band.save()
    return band


def shape(band: Any) -> Shape:
    """Return all that a person would see of a cluster, in order."""
    return (
        band.origin,
        [(m.name, m.instrument, m.joined) for m in band.members.all()],
        [(a.title, a.released, [s.title for s in a.songs.all()]) for a in band.albums.all()],
        sorted(genre.pk for genre in band.genres.all()),
    )


@dataclass
class Both:
    """The same cluster twice: a draft, and the model's own instance in memory."""

    engine: Engine
    view: View
    band: Any
    genres: list[int]
    members: list[str] = field(default_factory=list)
    albums: list[str] = field(default_factory=list)
    songs: dict[str, list[str]] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)
    count: int = 0

    async def stage(self, *changes: Change) -> None:
        """Change the draft."""
        await edit(
            self.engine,
            ANN,
            BAND,
            self.view.draft.id,
            changes,
            expected_version=None,
            change_id=None,
        )

    def fresh(self) -> str:
        """Return a key that was not used."""
        self.count += 1
        return f"k{self.count}"

    def member(self, key: str) -> NewNode:
        """Make a member for the draft, and its like in memory."""
        self.objects[key] = BandMember(name=key, instrument="bass")
        return NewNode(
            key=key,
            values={"name": key, "instrument": "bass"},
            defaults=defaults(BandMember),
        )

    def song(self, key: str) -> NewNode:
        """Make a song for the draft, and its like in memory."""
        self.objects[key] = Song(title=key)
        return NewNode(key=key, values={"title": key}, defaults=defaults(Song))

    def order(self, relation: Any, keys: list[str]) -> None:
        """Put the in-memory children in this order, as a formset with an order would."""
        for number, key in enumerate(keys, start=1):
            self.objects[key].position = number
        relation.set([self.objects[key] for key in keys])

    async def apply(self, name: str, one: int, two: int) -> None:
        """Do the same to both."""
        change = await sync_to_async(self.in_memory)(name, one, two)
        if change is not None:
            await self.stage(change)

    def in_memory(self, name: str, one: int, two: int) -> Change | None:  # noqa: C901, PLR0911, PLR0912, PLR0915 - one case a kind of change
        """Change the model's instance, and return the same change for the draft."""
        members, albums = self.members, self.albums
        member = members[one % len(members)] if members else None
        album = albums[one % len(albums)] if albums else None
        songs = self.songs[album] if album else []
        song = songs[two % len(songs)] if songs else None
        genre = self.genres[one % len(self.genres)]
        match name:
            case "rename":
                self.band.origin = f"origin {one}"
                return SetFields(values={"origin": f"origin {one}"})
            case "add member":
                key = self.fresh()
                node = self.member(key)
                place = min(two, len(members))
                members.insert(place, key)
                self.order(self.band.members, members)
                at = None if place == len(members) - 1 else place
                return AddNodes(relation="members", nodes=(_at(node, at),))
            case "update member" if member:
                self.objects[member].joined = 1900 + two
                self.band.members.add(self.objects[member])
                return UpdateNode(relation="members", key=member, values={"joined": 1900 + two})
            case "remove member" if member:
                members.remove(member)
                self.band.members.remove(self.objects[member])
                return RemoveNodes(relation="members", keys=(member,))
            case "move member" if member:
                members.remove(member)
                place = two % (len(members) + 1)
                members.insert(place, member)
                self.order(self.band.members, members)
                where = After(key=members[place - 1]) if place else End.FIRST
                return MoveNode(relation="members", key=member, place=where)
            case "replace members":
                kept = members[::-1][: 1 + one % 3]
                key = self.fresh()
                node = self.member(key)
                members[:] = [*kept[:1], key, *kept[1:]]
                self.order(self.band.members, members)
                nodes = tuple(node if k == key else NewNode(key=k) for k in members)
                return ReplaceNodes(relation="members", nodes=nodes)
            case "clear members":
                members.clear()
                self.band.members.clear()
                return ClearNodes(relation="members")
            case "add album":
                key, track = self.fresh(), self.fresh()
                released = dt.date(2010 + two, 1, 1)
                node = NewNode(
                    key=key,
                    values={"title": key, "released": released.isoformat()},
                    defaults=defaults(Album),
                    children={"songs": (self.song(track),)},
                )
                self.objects[key] = Album(title=key, released=released)
                self.objects[track].position = 1
                self.objects[key].songs.add(self.objects[track])
                self.band.albums.add(self.objects[key])
                albums.append(key)
                self.songs[key] = [track]
                return AddNodes(relation="albums", nodes=(node,))
            case "add song" if album:
                key = self.fresh()
                node = self.song(key)
                songs.append(key)
                self.order(self.objects[album].songs, songs)
                self.band.albums.add(self.objects[album])
                return _inside(album, AddNodes(relation="songs", nodes=(node,)))
            case "update song" if album and song:
                self.objects[song].title = f"{song} {one}"
                self.objects[album].songs.add(self.objects[song])
                values = {"title": f"{song} {one}"}
                return _inside(album, UpdateNode(relation="songs", key=song, values=values))
            case "remove song" if album and song:
                songs.remove(song)
                self.objects[album].songs.remove(self.objects[song])
                return _inside(album, RemoveNodes(relation="songs", keys=(song,)))
            case "move song" if album and song:
                songs.remove(song)
                songs.append(song)
                self.order(self.objects[album].songs, songs)
                move = MoveNode(relation="songs", key=song, place=End.LAST)
                return _inside(album, move)
            case "remove album" if album:
                albums.remove(album)
                self.band.albums.remove(self.objects[album])
                return RemoveNodes(relation="albums", keys=(album,))
            case "genres add":
                self.band.genres.add(Genre.objects.get(pk=genre))
                return AddToSet(name="genres", pks=(genre,))
            case "genres remove":
                self.band.genres.remove(Genre.objects.get(pk=genre))
                return RemoveFromSet(name="genres", pks=(genre,))
            case "genres replace":
                pks = self.genres[: 1 + two % 4]
                self.band.genres.set(list(Genre.objects.filter(pk__in=pks)))
                return ReplaceSet(name="genres", pks=tuple(pks))
            case _:
                return None


def _at(node: NewNode, position: int | None) -> NewNode:
    return NewNode(key=node.key, values=node.values, defaults=node.defaults, position=position)


def _inside(album: str, change: Change) -> Change:
    return EditNode(relation="albums", key=album, changes=(change,))


def begin(engine: Engine, view: View, twin: Band, original: Band) -> Both:
    """Pair each node of the draft with the twin's object in the same place."""
    both = Both(engine, view, twin, [g.pk for g in Genre.objects.order_by("pk")])
    for mine, theirs in zip(original.members.all(), twin.members.all(), strict=True):
        both.members.append(f"BandMember:{mine.pk}")
        both.objects[f"BandMember:{mine.pk}"] = theirs
    twin.members.set([both.objects[key] for key in both.members])
    for album, same in zip(original.albums.all(), twin.albums.all(), strict=True):
        key = f"Album:{album.pk}"
        both.albums.append(key)
        both.objects[key] = same
        both.songs[key] = []
        for track, like in zip(album.songs.all(), same.songs.all(), strict=True):
            both.songs[key].append(f"Song:{track.pk}")
            both.objects[f"Song:{track.pk}"] = like
        same.songs.set([both.objects[song] for song in both.songs[key]])
    twin.albums.set([both.objects[key] for key in both.albums])
    return both


def save_in_memory(band: Band) -> None:
    """Save the instance by modelcluster's own commit, which can't swap unique numbers."""
    BandMember.objects.filter(band=band).update(position=F("position") + 1000)
    Song.objects.filter(album__band=band).update(position=F("position") + 1000)
    band.save()


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ops=st.lists(op, max_size=12))
@pytest.mark.usefixtures("transactional_db")
async def test_a_draft_equals_the_model_and_so_does_its_commit(
    ops: list[tuple[str, int, int]],
) -> None:
    """The same cluster in memory after each change, and the same rows after the commit."""
    engine = Engine({"Band": BAND})
    try:
        await sync_to_async(Genre.objects.get_or_create)(name="rock")
        for name in ("blues", "folk", "soul"):
            await sync_to_async(Genre.objects.get_or_create)(name=name)
        original = await sync_to_async(make_band)("original")
        twin = await sync_to_async(make_band)("twin")
        view = await open_saved(engine, ANN, BAND, str(original.pk), resume=False)
        both = await sync_to_async(begin)(engine, view, twin, original)
        for name, one, two in ops:
            await both.apply(name, one, two)
        view = await open_saved(engine, ANN, BAND, str(original.pk), resume=True)
        nodes = await view.load_all()
        draft = view.instance(nodes[0])
        as_draft = await sync_to_async(shape)(draft)
        assert as_draft == await sync_to_async(shape)(twin)

        await commit(engine, ANN, BAND, view.draft.id, expected_version=None, change_id=None)
        await sync_to_async(save_in_memory)(twin)
        saved = await Band.objects.aget(pk=original.pk)
        like = await Band.objects.aget(pk=twin.pk)
        rows = await sync_to_async(shape)(saved)
        assert rows == await sync_to_async(shape)(like)
    finally:
        await engine.aclose()
