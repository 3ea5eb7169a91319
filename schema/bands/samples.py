"""The sample bands: one JSON file each in `data/`, and how they come into the database.

The Beatles are there with the twelve studio albums released in the United Kingdom. *Magical
Mystery Tour* was a pair of EPs there; it is given as what it became in 1976, an LP that adds
the singles of 1967, and so as a compilation. A musician who left and came back is given from
first joining to last leaving.
"""

from collections.abc import Iterator
from datetime import date
from operator import attrgetter
from pathlib import Path

import msgspec
from django.utils.dateparse import parse_duration

from schema.bands.models import Album, Band, BandMember, Genre, Song

DATA = Path(__file__).parent / "data"


class SongSample(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`["Title", "m:ss"]`."""

    title: str
    duration: str


class MemberSample(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`["Name", "instrument", joined, left]`."""

    name: str
    instrument: BandMember.Instrument
    joined: int
    left: int | None


class AlbumSample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An album with its songs in order."""

    title: str
    released: date
    label: str
    kind: Album.Kind = Album.Kind.STUDIO
    songs: list[SongSample]


class BandSample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of one file."""

    name: str
    status: Band.Status
    formed: int
    origin: str
    website: str
    biography: str
    genres: list[str]
    members: list[MemberSample]
    albums: list[AlbumSample]


def read() -> list[BandSample]:
    """The sample bands, the oldest first."""
    files = DATA.glob("*.json")
    samples = [msgspec.json.decode(file.read_bytes(), type=BandSample) for file in files]
    return sorted(samples, key=attrgetter("formed"))


def load() -> int:
    """Save the sample bands if there is no band at all, and say how many were saved.

    Asking for each by its name would bring back, as a second one, a band that was renamed.
    """
    if Band.objects.exists():
        return 0
    samples = read()
    bands = Band.objects.bulk_create(_band(sample) for sample in samples)
    _link_genres(samples, bands)
    BandMember.objects.bulk_create(_members(samples, bands))
    pairs = [
        (sample, _album(sample, band))
        for whole, band in zip(samples, bands, strict=True)
        for sample in whole.albums
    ]
    Album.objects.bulk_create(album for _, album in pairs)
    Song.objects.bulk_create(song for sample, album in pairs for song in _songs(sample, album))
    return len(bands)


def _band(sample: BandSample) -> Band:
    return Band(
        name=sample.name,
        status=sample.status,
        formed=sample.formed,
        origin=sample.origin,
        website=sample.website,
        biography=sample.biography,
    )


def _link_genres(samples: list[BandSample], bands: list[Band]) -> None:
    """Point each band at its genres; one that is there already is used as it is."""
    names = sorted({name for sample in samples for name in sample.genres})
    Genre.objects.bulk_create((Genre(name=name) for name in names), ignore_conflicts=True)
    genres = Genre.objects.in_bulk(names, field_name="name")
    link = Band.genres.through
    link.objects.bulk_create(
        link(band=band, genre=genres[name])
        for sample, band in zip(samples, bands, strict=True)
        for name in sample.genres
    )


def _members(samples: list[BandSample], bands: list[Band]) -> Iterator[BandMember]:
    for sample, band in zip(samples, bands, strict=True):
        for position, member in enumerate(sample.members, start=1):
            yield BandMember(
                band=band,
                name=member.name,
                instrument=member.instrument,
                joined=member.joined,
                left=member.left,
                position=position,
            )


def _album(sample: AlbumSample, band: Band) -> Album:
    return Album(
        band=band,
        title=sample.title,
        released=sample.released,
        label=sample.label,
        kind=sample.kind,
    )


def _songs(sample: AlbumSample, album: Album) -> Iterator[Song]:
    for position, song in enumerate(sample.songs, start=1):
        duration = parse_duration(song.duration)
        yield Song(album=album, title=song.title, duration=duration, position=position)
