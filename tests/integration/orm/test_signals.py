"""Which roots are told of what is saved: once a transaction, after it, whatever code it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.db import connection, transaction
from django.db.models.signals import post_delete
from django.test.utils import CaptureQueriesContext
from modelcluster.models import ClusterableModel

from gql_cluster.orm.signals import Roots, Saves
from gql_cluster.service.saves import UID, follow
from schema.bands.models import Album, Band, BandMember, Genre, Song
from tests.clusters.models import (
    Approval,
    Contact,
    CreditNote,
    Customer,
    Invoice,
    Line,
    Part,
    Reminder,
    Tag,
)
from tests.festival.models import Day, DayTag, Festival, Person, Talk, Topic
from tests.integration.orm.invoices import make_invoice


@contextmanager
def telling(tell: Callable[[Roots], None]) -> Iterator[None]:
    """Tell of saves here, in the place of the drafts that the app tells of them."""
    saves = Saves([m for m in apps.get_models() if issubclass(m, ClusterableModel)], tell)
    saves.disconnect(UID)
    saves.connect(UID)
    try:
        yield
    finally:
        saves.disconnect(UID)
        follow()


@pytest.fixture
def told(transactional_db: None) -> Iterator[list[set[str]]]:  # noqa: ARG001 - a database
    """The roots that were told, each time; proxies of a root are left out."""
    told: list[set[str]] = []

    def tell(roots: Roots) -> None:
        told.append({f"{m.__name__} {pk}" for m, pk in roots if not m._meta.proxy})

    with telling(tell):
        yield told


@pytest.fixture
def band(told: list[set[str]]) -> Band:
    """A saved band with members, and albums with songs."""
    band: Any = Band(name="Wings")
    band.members = [BandMember(name=name, position=n) for n, name in enumerate("ab", start=1)]
    band.albums = [Album(title=title, released="1973-12-05") for title in ("Run", "Venus")]
    for album in band.albums.all():
        album.songs = [Song(title=f"{album.title} {n}", position=n) for n in (1, 2)]
    band.genres = [Genre.objects.create(name="Rock")]
    band.save()
    told.clear()
    return Band.objects.get()


def run(*acts: Callable[[], object]) -> int:
    """Do this in one transaction; returns the queries that followed its commit."""
    after = CaptureQueriesContext(connection)
    with transaction.atomic():
        transaction.on_commit(lambda: after.__enter__() and None)
        for act in acts:
            act()
    after.__exit__(None, None, None)
    return len(after)


def originals(manager: Any) -> Any:
    """Return the database's own manager of a parental many-to-many."""
    return manager.get_original_manager()


# What tells of a root


def test_the_root_itself(told: list[set[str]], band: Band) -> None:
    """Made, changed, and deleted; what is known of it needs no query."""
    pk = band.pk
    albums = {f"Album {album.pk}" for album in Album.objects.all()}
    assert run(band.save) == 0
    assert run(lambda: Band.objects.create(name="Another")) == 0
    assert run(band.delete) == 1  # of the albums that the songs were of
    another = Band.objects.get()
    assert told == [{f"Band {pk}"}, {f"Band {another.pk}"}, {f"Band {pk}", *albums}]


def test_a_child(told: list[set[str]], band: Band) -> None:
    """Its parental key tells the root, without a query."""
    member = BandMember.objects.order_by("pk")[0]
    assert run(member.save) == 0
    assert run(member.delete) == 0
    assert run(lambda: BandMember.objects.create(band=band, name="c", position=9)) == 0
    assert run(lambda: BandMember.objects.create(band_id=band.pk, name="d", position=8)) == 0
    assert told == [{f"Band {band.pk}"}] * 4


def test_a_grandchild(told: list[set[str]], band: Band) -> None:
    """Where its parent is cached without a query, else with one; a nested root is told, too."""
    song = Song.objects.order_by("pk")[0]
    assert run(song.save) == 1
    assert run(Song.objects.select_related("album").order_by("pk")[0].save) == 0
    assert run(song.delete) == 1
    album = song.album_id
    assert told == [{f"Band {band.pk}", f"Album {album}"}] * 3


def test_a_cached_parent_is_not_believed_where_it_is_another(
    told: list[set[str]], band: Band
) -> None:
    """The key was set to another, or the parent has another key by now, as a copy has."""
    one, two = Album.objects.order_by("pk")
    song, last = Song.objects.select_related("album").filter(album=one)
    song.album_id = two.pk
    song.position = 9
    run(song.save)
    last.album.pk = None
    run(last.delete)
    assert told == [{f"Band {band.pk}", f"Album {album.pk}"} for album in (two, one)]


def test_a_child_that_moves_tells_of_its_new_parent(told: list[set[str]], band: Band) -> None:
    """The parent that it had is not known when it is saved."""
    other = Band.objects.create(name="Another")
    told.clear()
    album = Album.objects.order_by("pk")[0]
    album.band = other
    run(album.save)
    assert told == [{f"Band {other.pk}", f"Album {album.pk}"}]
    assert band.pk != other.pk


def test_fields_that_were_not_loaded(told: list[set[str]], band: Band) -> None:
    """They are looked for at the end, and not while it is saved."""
    song = Song.objects.only("title").order_by("pk")[0]
    song.title = "New"
    with CaptureQueriesContext(connection) as queries:
        song.save()
    assert [each["sql"].split()[0] for each in queries] == ["UPDATE", "SELECT", "SELECT"]
    assert told == [{f"Band {band.pk}", f"Album {Album.objects.order_by('pk')[0].pk}"}]


@pytest.mark.parametrize("name", ["add", "remove", "set", "clear"])
def test_a_set(told: list[set[str]], band: Band, name: str) -> None:
    """Through the database's own manager, as a commit does it, whichever way it changes."""
    genre = Genre.objects.create(name="Pop")
    manager = originals(band.genres)
    has = list(manager.all())
    acts: dict[str, Callable[[], object]] = {
        "add": lambda: manager.add(genre),
        "remove": lambda: manager.remove(*has),
        "set": lambda: manager.set([genre]),
        "clear": manager.clear,
    }
    assert run(acts[name]) == 0
    assert told == [{f"Band {band.pk}"}]


def test_a_set_that_holds_it_already(told: list[set[str]], band: Band) -> None:
    """Nothing was saved."""
    manager = originals(band.genres)
    manager.add(*manager.all())
    manager.set(list(manager.all()))
    assert told == []


@pytest.mark.parametrize("name", ["add", "remove", "clear"])
def test_a_set_from_its_other_end(told: list[set[str]], band: Band, name: str) -> None:
    """The members of a genre are bands; before they are cleared they are looked for."""
    other = Band.objects.create(name="Another")
    rock = Genre.objects.get()
    told.clear()
    manager: Any = rock.bands
    acts: dict[str, Callable[[], object]] = {
        "add": lambda: manager.add(other),
        "remove": lambda: manager.remove(band),
        "clear": manager.clear,
    }
    run(acts[name])
    assert told == [{f"Band {(other if name == 'add' else band).pk}"}]


def test_a_set_below_the_root(told: list[set[str]]) -> None:
    """As any change of the node that holds it."""
    invoice = make_invoice()
    told.clear()
    line = Line.objects.order_by("pk")[0]
    originals(line.tags).clear()
    roots = {f"Invoice {invoice.pk}", f"CreditNote {invoice.pk}", f"Line {line.pk}"}
    assert told == [roots]


@pytest.mark.usefixtures("band")
def test_a_plain_many_to_many_and_tags(told: list[set[str]]) -> None:
    """Of a child that is not clusterable, too."""
    festival = Festival.objects.create(name="Spring")
    day = Day.objects.create(festival=festival, date="2026-05-01")
    talk = Talk.objects.create(day=day, title="One")
    ann = Person.objects.create(name="Ann")
    tag = Topic.objects.create(name="rock")
    told.clear()
    run(lambda: festival.guests.add(ann))
    run(lambda: talk.speakers.add(ann))
    run(lambda: DayTag.objects.create(content_object=day, tag=tag))
    mine, above = f"Festival {festival.pk}", f"Day {day.pk}"
    assert told == [{mine}, {mine, above}, {mine, above}]


@pytest.mark.usefixtures("band")
def test_what_is_outside_of_clusters_tells_nothing(told: list[set[str]]) -> None:
    """Though clusters refer to it."""
    genre = Genre.objects.get()
    run(genre.save, lambda: Customer.objects.create(code="x"), lambda: Tag(name="t").save())
    run(Genre.objects.create(name="Unused").delete)
    assert told == []


def test_a_fixture_that_is_loaded(told: list[set[str]], band: Band) -> None:
    """As `loaddata` saves it: raw, and with nothing cached."""
    rows = serializers.serialize(
        "json", [*Song.objects.order_by("pk")[:1], *BandMember.objects.all()]
    )
    album = Song.objects.order_by("pk")[0].album_id
    told.clear()

    def load() -> None:
        for row in serializers.deserialize("json", rows):
            row.save()

    assert run(load) == 1
    assert told == [{f"Band {band.pk}", f"Album {album}"}]


# Inheritance


def test_a_model_that_inherits(told: list[set[str]]) -> None:
    """A row of the child is a row of the parent; and one of the parent may be one of the child."""
    customer = Customer.objects.create(code="x")
    note = CreditNote.objects.create(name="n", customer=customer, reason="r")
    both = {f"Invoice {note.pk}", f"CreditNote {note.pk}"}
    assert told[-1] == both
    told.clear()
    assert run(Invoice.objects.get().save) == 0
    assert run(lambda: Line.objects.create(invoice_id=note.pk, name="l")) == 0
    line = Line.objects.get()
    assert run(lambda: Part.objects.create(line_id=line.pk, name="p")) == 1
    assert run(lambda: Approval.objects.create(note=note, name="a")) == 0
    assert run(Approval.objects.all()[0].save) == 0
    line_too = {*both, f"Line {line.pk}"}
    assert told == [both, line_too, line_too, {f"CreditNote {note.pk}"}, {f"CreditNote {note.pk}"}]
    told.clear()
    pk = note.pk
    run(note.delete)
    assert told == [{f"Invoice {pk}", f"CreditNote {pk}", f"Line {line.pk}"}]


def test_a_proxy(told: list[set[str]]) -> None:
    """It is the same row, saved and deleted; a child may have it for its parent."""
    pk = make_invoice().pk
    both = {f"Invoice {pk}", f"CreditNote {pk}"}
    told.clear()
    proxy = Reminder.objects.get()
    run(proxy.save)
    run(lambda: Contact.objects.create(code="c", invoice=proxy, name="c"))
    assert told == [both] * 2
    run(proxy.delete)
    assert told[-1] >= both


# Transactions


def test_a_transaction_is_told_once(told: list[set[str]], band: Band) -> None:
    """However much it saves, and also within savepoints; a query a level and 500 rows."""
    album = Album.objects.order_by("pk")[0]

    def save_many() -> None:
        for number in range(10, 20):
            with transaction.atomic():
                Song.objects.create(album_id=album.pk, title="x", position=number)
                BandMember.objects.create(band_id=band.pk, name=str(number), position=number)
                with transaction.atomic():
                    band.save()

    assert run(save_many, album.save) == 1
    assert told == [{f"Band {band.pk}", f"Album {album.pk}"}]


def test_many_are_looked_for_in_parts(told: list[set[str]], band: Band) -> None:
    """So that no database is asked for too many at once."""
    albums = Album.objects.bulk_create(
        [Album(band=band, title=str(n), released="2000-01-01") for n in range(1100)]
    )
    songs = [Song(album_id=album.pk, title="x", position=1) for album in albums]
    assert run(*(song.save for song in songs)) == 3
    assert [len(each) for each in told] == [1101]


def test_a_cluster_that_is_deleted_is_told_once(told: list[set[str]], band: Band) -> None:
    """With all below it, whose rows are gone by then; and all of a queryset's."""
    pk = band.pk
    albums = {f"Album {album.pk}" for album in Album.objects.all()}
    run(band.delete)
    assert told == [{f"Band {pk}", *albums}]
    told.clear()
    more = [Band.objects.create(name=str(n)) for n in range(3)]
    told.clear()
    Band.objects.all().delete()
    assert told == [{f"Band {each.pk}" for each in more}]


def test_what_is_deleted_with_its_parent_tells_of_the_root(
    told: list[set[str]], band: Band
) -> None:
    """An album takes its songs along, and its band is what was changed."""
    album = Album.objects.order_by("pk")[0]
    name = f"Album {album.pk}"
    run(album.delete)
    assert told == [{f"Band {band.pk}", name}]


def test_without_a_transaction_each_save_is_told(told: list[set[str]], band: Band) -> None:
    """At once."""
    band.save()
    band.save()
    assert told == [{f"Band {band.pk}"}] * 2


def test_what_is_rolled_back_is_not_told(told: list[set[str]], band: Band) -> None:
    """Neither then nor with the next transaction."""

    def fail() -> None:
        band.save()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(fail)
    run(lambda: Band.objects.create(name="Another"))
    assert told == [{f"Band {Band.objects.get(name='Another').pk}"}]


def test_a_savepoint_that_is_rolled_back_takes_its_own_along(
    told: list[set[str]], band: Band
) -> None:
    """What was saved before and after it is told, also of the same savepoint's neighbours."""
    others = [Band.objects.create(name=str(n)) for n in range(4)]
    told.clear()

    def try_(saved: Band, divisor: int) -> None:
        with suppress(ZeroDivisionError), transaction.atomic():
            saved.save()
            1 / divisor

    run(
        lambda: try_(others[0], 0),
        lambda: try_(others[1], 1),
        lambda: try_(others[2], 0),
        lambda: try_(others[3], 1),
        band.save,
    )
    assert told == [{f"Band {band.pk}", f"Band {others[1].pk}", f"Band {others[3].pk}"}]


def test_what_a_hook_of_the_commit_saves_is_told_by_itself(
    told: list[set[str]], band: Band
) -> None:
    """Or with what was committed before; nothing is lost and nothing is told twice."""
    other, last = (Band.objects.create(name=name) for name in ("Other", "Last"))
    told.clear()

    def hook() -> None:
        with transaction.atomic():
            other.save()

    with transaction.atomic():
        transaction.on_commit(hook)
        band.save()
        transaction.on_commit(last.save)
    assert told == [{f"Band {band.pk}", f"Band {other.pk}"}, {f"Band {last.pk}"}]


def test_connecting_twice_tells_once(told: list[set[str]], band: Band) -> None:
    """Who was first is told."""
    Saves([Band], lambda _: told.append({"again"})).connect(UID)
    band.save()
    assert told == [{f"Band {band.pk}"}]


# Failures


def test_who_is_told_can_not_break_a_save(
    transactional_db: None,  # noqa: ARG001 - a database
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its failure is logged."""

    def fail(roots: Roots) -> None:
        raise ZeroDivisionError(roots)

    with telling(fail):
        with transaction.atomic():
            Band.objects.create(name="One")
        Band.objects.create(name="Two")
    assert Band.objects.count() == 2
    failures = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(failures) == 2


def test_a_connection_that_can_tell_no_commit_saves_all_the_same(
    told: list[set[str]], band: Band, caplog: pytest.LogCaptureFixture
) -> None:
    """As with transactions that somebody manages by hand; it is logged, and nothing is told."""
    connection.set_autocommit(False)
    try:
        band.save()
        connection.commit()
    finally:
        connection.set_autocommit(True)
    assert told == []
    assert "It can't be told which cluster was saved." in caplog.text


def test_only_models_of_clusters_are_listened_to() -> None:
    """Others keep Django's fast deletes, which a listener ends."""
    for model in (Band, Album, Song, BandMember, CreditNote, Reminder, Approval, Part):
        assert post_delete.has_listeners(model)
    for outside in (Genre, Customer, Tag, Band.genres.through):
        assert not post_delete.has_listeners(outside)
