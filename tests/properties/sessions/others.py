"""The cluster as it is saved, and others who change it with the models alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db.models import F, Max

from gql_cluster.domain.spec import ROOT_KEY
from schema.bands.models import Album, Band, BandMember, Genre, Song
from tests.properties.sessions.plain import FIELDS, UNIQUE, Row, State

DAY = dt.date(2000, 1, 1)
_EARLY = 8


def make_band() -> Band:
    """Save a small cluster; there is a gap in the numbers of its members."""
    band = Band.objects.create(name="n0")
    for number in range(1, 5):
        BandMember.objects.create(
            band=band, name=f"m{number}", instrument="drums", position=number + number // 3
        )
    for number in range(1, 3):
        album = Album.objects.create(band=band, title=f"m{number}", released=DAY)
        for track in range(1, 4):
            Song.objects.create(album=album, title=f"s{track}", position=track)
    band.genres.set(Genre.objects.order_by("pk")[:2])
    band.save()
    return band


def saved(pk: int) -> State:
    """Return what is saved now, under the keys that a new draft of it has."""
    state = State()
    for band in Band.objects.filter(pk=pk):
        held = {name: getattr(band, name) for name in FIELDS["Band"]}
        held["genres"] = frozenset(band.genres.values_list("pk", flat=True))
        state.put(ROOT_KEY, Row("Band", None, held, pk))
    for member in BandMember.objects.filter(band_id=pk):
        state.put(key_of_row(member), row_of(member, ROOT_KEY))
    for album in Album.objects.filter(band_id=pk):
        state.put(key_of_row(album), row_of(album, ROOT_KEY))
    for song in Song.objects.filter(album__band_id=pk):
        state.put(key_of_row(song), row_of(song, f"Album:{song.album_id}"))
    return state


def key_of_row(instance: Any) -> str:
    """Return the key that a saved row has in a new draft."""
    return f"{type(instance).__name__}:{instance.pk}"


def row_of(instance: Any, parent: str | None) -> Row:
    """Return a child as a row."""
    name = type(instance).__name__
    held = {each: getattr(instance, each) for each in FIELDS[name]}
    return Row(name, parent, held, instance.pk, getattr(instance, "position", None))


def text(number: int) -> str:
    """Return a text that perhaps somebody else chooses, too."""
    return f"m{number}" if number < _EARLY else f"{'xyz'[number % 3]}{number}"


def value_for(type_name: str, one: int, two: int) -> tuple[str, Any]:
    """Return a field and a value that it can have."""
    name = FIELDS[type_name][one % len(FIELDS[type_name])]
    if name in {"formed", "joined"}:
        return name, [None, 1960, 1961, 1962][two % 4]
    return name, text(two) if name == UNIQUE.get(type_name) else f"n{two % 4}"


def write(pk: int, kind: str, one: int, two: int) -> None:
    """Change what is saved, if it is still there."""
    for band in Band.objects.filter(pk=pk):
        _Others(band).write(kind, one, two)


class _Others:
    def __init__(self, band: Band) -> None:
        self._band: Any = band
        self._members: list[Any] = list(BandMember.objects.filter(band=band))
        self._albums: list[Any] = list(Album.objects.filter(band=band))
        self._songs: list[Any] = list(Song.objects.filter(album__band=band))

    def write(self, kind: str, one: int, two: int) -> None:  # noqa: C901 - one case a kind
        rows = [*self._members, *self._albums, *self._songs]
        row = rows[one % len(rows)] if rows else None
        match kind:
            case "they set":
                name, value = value_for("Band", one, two)
                setattr(self._band, name, value)
                self._band.save()
            case "they set genres":
                genres = Genre.objects.order_by("pk")
                wanted = [genre for at, genre in enumerate(genres) if one >> at & 1]
                self._band.genres.get_original_manager().set(wanted)
            case "they update" if row is not None:
                name, value = value_for(type(row).__name__, two, one + two)
                setattr(row, name, value)
                if not _is_double(row):
                    row.save()
            case "they delete" if row is not None:
                row.delete()
            case "they delete all" if one % 4 == 0:
                self._band.delete()
            case "they add":
                self._add(one, two)
            case "they move":
                self._move(one, two)
            case "they take" if self._songs and self._albums:
                song = self._songs[one % len(self._songs)]
                song.album = self._albums[two % len(self._albums)]
                song.position = _next(song.album.songs.all())
                song.save()
            case "they swap" if len(self._members) > 1:
                self._swap(one, two)
            case _:
                pass

    def _add(self, one: int, two: int) -> None:
        if one % 3 == 0:
            member = BandMember(band=self._band, name=text(two), instrument="bass")
            if not _is_double(member):
                _insert(member, self._members, two)
        elif one % 3 == 1:
            album = Album(band=self._band, title=text(two), released=DAY)
            if not _is_double(album):
                album.save()
        elif self._albums:
            above = self._albums[one % len(self._albums)]
            _insert(Song(album=above, title=text(two)), list(above.songs.all()), two)

    def _move(self, one: int, two: int) -> None:
        siblings = self._members
        if self._albums and one % 2:
            siblings = list(self._albums[two % len(self._albums)].songs.all())
        if siblings:
            row = siblings.pop(one % len(siblings))
            _insert(row, siblings, two)

    def _swap(self, one: int, two: int) -> None:
        first = self._members.pop(one % len(self._members))
        second = self._members[two % len(self._members)]
        first.name, second.name = second.name, first.name
        BandMember.objects.filter(pk=first.pk).update(name="swapping")
        second.save()
        first.save()


def _is_double(row: Any) -> bool:
    """Tell whether a row can't be saved because another one has its name."""
    name = UNIQUE.get(type(row).__name__)
    if name is None:
        return False
    others = type(row).objects.filter(band_id=row.band_id).exclude(pk=row.pk)
    return bool(others.filter(**{name: getattr(row, name)}).exists())


def _insert(row: Any, siblings: Sequence[Any], at: int) -> None:
    """Save a row among its siblings; as the last one it leaves their numbers alone."""
    place = at % (len(siblings) + 1)
    if place == len(siblings):
        row.position = _next(siblings)
        row.save()
        return
    order = [*siblings[:place], row, *siblings[place:]]
    top = type(row).objects.aggregate(top=Max("position"))["top"]
    here = type(row).objects.filter(pk__in=[each.pk for each in order if each.pk])
    here.update(position=F("position") + top)
    for number, each in enumerate(order, start=1):
        each.position = number
        each.save()


def _next(siblings: Sequence[Any]) -> int:
    return max((each.position for each in siblings), default=0) + 1
