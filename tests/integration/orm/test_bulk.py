"""New rows are inserted together where that can't be told from saving one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.db.models import Model
from django.db.models.signals import ModelSignal, post_save, pre_save

from gql_cluster.domain.change import AddNodes, NewNode
from gql_cluster.domain.error import ValidationFailedError
from gql_cluster.orm.codec import defaults
from gql_cluster.orm.describe import describe
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_new, open_saved
from gql_cluster.service.outcome import Committed
from tests.clusters.freights import (
    Barrel,
    Bottle,
    Crate,
    Drum,
    Freight,
    Pallet,
    Parcel,
    Stowed,
    Tank,
)
from tests.integration.orm.test_signals import telling
from tests.integration.service.conftest import counted_queries

ANN = Caller(session="ann")
FREIGHT = describe(Freight)
ALIKE: list[tuple[type[Stowed], str]] = [
    (Parcel, "parcels"),
    (Barrel, "barrels"),
    (Crate, "crates"),
]
APART: list[tuple[type[Stowed], str]] = [(Pallet, "pallets"), (Tank, "tanks"), (Drum, "drums")]


@pytest.fixture
async def engine(transactional_db: None) -> AsyncIterator[Engine]:  # noqa: ARG001 - a database
    """An engine that serves freights."""
    engine = Engine({"Freight": FREIGHT})
    yield engine
    await engine.aclose()


def new(type_name: str, key: str | None, **values: Any) -> NewNode:
    """Make a node to add; what is given as a tuple is below it."""
    below = {name: value for name, value in values.items() if isinstance(value, tuple)}
    return NewNode(
        key=key,
        values={name: value for name, value in values.items() if name not in below},
        defaults=defaults(FREIGHT.models[type_name]),
        children=below,
    )


def many(model: type[Model], count: int) -> tuple[NewNode, ...]:
    """Make so many children, with the primary key that a person would choose."""
    own = {"code": "c{}"} if model is Crate else {}
    return tuple(
        new(
            model.__name__,
            f"k{number}",
            name=f"n{number}",
            **{name: value.format(number) for name, value in own.items()},
        )
        for number in range(count)
    )


async def made(engine: Engine, **children: tuple[NewNode, ...]) -> Committed:
    """Commit a new freight with these children."""
    view = await open_new(engine, ANN, FREIGHT, new("Freight", None, name="new", **children))
    return await commit(engine, ANN, FREIGHT, view.draft.id, expected_version=None, change_id=None)


def inserts(queries: list[str], model: type[Model]) -> int:
    """Return how many statements insert rows of a model."""
    return sum(each.startswith(f'INSERT INTO "{model._meta.db_table}"') for each in queries)


@contextmanager
def listening(
    signal: ModelSignal, sender: type[Model] | None, note: Callable[..., None]
) -> Iterator[None]:
    """Have a receiver connected."""
    signal.connect(note, sender=sender)
    try:
        yield
    finally:
        signal.disconnect(note, sender=sender)


def ignore(**_: Any) -> None:
    """Receive a signal, so that there is a receiver."""


async def rows(model: type[Stowed], committed: Committed) -> list[tuple[Any, ...]]:
    """Return what is saved of a model, in the order of the keys; times only as to their order."""
    by_key = {
        committed.receipt.keys[key]: key
        for key, name in committed.receipt.types.items()
        if name == model.__name__
    }
    saved = [each async for each in model._base_manager.all() if _json(each.pk) in by_key]
    saved.sort(key=lambda each: int(by_key[_json(each.pk)][1:]))
    times = [(each.made_at, each.changed_at) for each in saved]
    assert times == sorted(times)
    if model is not Barrel:
        assert [each.pk for each in saved] == sorted(each.pk for each in saved)
    return [
        (by_key[_json(each.pk)], each.name, each.sort_order, each.freight_id is not None)  # type: ignore[attr-defined]
        for each in saved
    ]


def _json(pk: Any) -> Any:
    return pk if isinstance(pk, int) else str(pk)


@pytest.mark.parametrize(("model", "relation"), ALIKE)
async def test_rows_inserted_together_are_what_one_by_one_they_are(
    engine: Engine, model: type[Stowed], relation: str
) -> None:
    """Whoever gives them their primary keys; a receiver has them saved one by one."""
    async with counted_queries() as together:
        one = await made(engine, **{relation: many(model, 8)})
    found = await rows(model, one)
    await model._base_manager.all().adelete()
    with listening(pre_save, model, ignore):
        async with counted_queries() as apart:
            other = await made(engine, **{relation: many(model, 8)})
    assert await rows(model, other) == found
    assert [(key, name) for key, name, *_ in found] == [(f"k{i}", f"n{i}") for i in range(8)]
    assert [number for _, _, number, _ in found] == list(range(1, 9))
    assert (inserts(together, model), inserts(apart, model)) == (1, 8)


@pytest.mark.parametrize(("model", "relation"), APART)
async def test_rows_that_depend_on_those_before_are_saved_one_by_one(
    engine: Engine, model: type[Stowed], relation: str
) -> None:
    """By their `save()` or a field's `pre_save()`; and those that the database adds to."""
    async with counted_queries() as queries:
        await made(engine, **{relation: many(model, 5)})
    assert inserts(queries, model) == 5
    if model is not Drum:
        saved: Any = model._base_manager.order_by("pk")
        assert [each.ahead async for each in saved] == list(range(5))


@pytest.mark.parametrize("sender", [Parcel, None])
@pytest.mark.parametrize("signal", [pre_save, post_save])
async def test_a_receiver_is_told_of_each_row_before_the_next(
    engine: Engine, signal: ModelSignal, sender: type[Model] | None
) -> None:
    """Of that sender or of any, and though rows were inserted together before it connected."""
    await made(engine, parcels=many(Parcel, 5))
    told: list[tuple[Any, ...]] = []

    def note(sender: type[Model], instance: Any, using: str, **more: Any) -> None:
        if sender is Parcel:
            there = Parcel._base_manager.using(using).filter(freight=instance.freight).count()
            told.append((instance.name, there, more.get("created")))

    with listening(signal, sender, note):
        await made(engine, parcels=many(Parcel, 5))
    is_after = signal is post_save
    created = True if is_after else None
    assert told == [(f"n{i}", i + is_after, created) for i in range(5)]
    told.clear()
    async with counted_queries() as queries:
        await made(engine, parcels=many(Parcel, 5))
    assert (told, inserts(queries, Parcel)) == ([], 1)


async def test_a_save_that_is_put_in_place_later_is_called(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by what traces methods, or tracks what changes."""
    saved: list[str] = []

    def save_base(self: Any, **kwargs: Any) -> None:
        saved.append(self.name)
        Model.save_base(self, **kwargs)

    monkeypatch.setattr(Parcel, "save_base", save_base)
    await made(engine, parcels=many(Parcel, 5))
    assert saved == [f"n{i}" for i in range(5)]


async def test_what_has_something_below_it_is_saved_in_its_turn(engine: Engine) -> None:
    """A crate with bottles among crates without: all in the order of the draft."""
    bottles = tuple(new("Bottle", f"b{i}", name=f"b{i}") for i in range(6))
    crates = [new("Crate", f"k{i}", name=f"n{i}", code=f"c{i}") for i in range(12)]
    crates[6] = new("Crate", "k6", name="n6", code="c6", bottles=bottles)
    async with counted_queries() as queries:
        await made(engine, crates=tuple(crates))
    tables = [each.split('"')[1] for each in queries if each.startswith("INSERT")]
    assert [each.partition("_")[2] for each in tables if each.startswith("clusters")] == [
        *("freight", "crate", "crate", "bottle", "crate")
    ]
    assert await Bottle.objects.filter(crate="c6").acount() == 6
    saved = Crate.objects.order_by("sort_order").values_list("code", "sort_order")
    assert [each async for each in saved] == [(f"c{i}", i + 1) for i in range(12)]


async def test_children_join_those_that_are_saved(engine: Engine) -> None:
    """They count on from the last; the saved ones are neither read nor written."""
    first = await made(engine, parcels=many(Parcel, 5))
    pk = first.receipt.root_pk
    view = await open_saved(engine, ANN, FREIGHT, pk, resume=False)
    added = tuple(new("Parcel", f"m{i}", name=f"m{i}") for i in range(5))
    changes = [AddNodes(relation="parcels", nodes=added)]
    await edit(engine, ANN, FREIGHT, view.draft.id, changes, expected_version=None, change_id=None)
    async with counted_queries() as queries:
        await commit(engine, ANN, FREIGHT, view.draft.id, expected_version=None, change_id=None)
    assert inserts(queries, Parcel) == 1
    assert not [each for each in queries if each.startswith('UPDATE "clusters_parcel"')]
    parcels = Parcel.objects.order_by("pk").values_list("name", "sort_order")
    found = [each async for each in parcels]
    assert found[:5] == [(f"n{i}", 1 + i) for i in range(5)]
    assert found[5:] == [(f"m{i}", 6 + i) for i in range(5)]


async def test_the_roots_of_rows_inserted_together_are_told(engine: Engine) -> None:
    """The root that they are below, and they themselves where they can be roots."""
    told: list[set[str]] = []
    with telling(lambda roots: told.append({f"{m.__name__} {pk}" for m, pk in roots})):
        committed = await made(engine, crates=many(Crate, 5), barrels=())
    assert told == [{f"Freight {committed.receipt.root_pk}", *(f"Crate c{i}" for i in range(5))}]


async def test_the_row_that_the_database_refuses_is_named(engine: Engine) -> None:
    """By an index of which the models do not tell; nothing is saved then."""
    make = 'CREATE UNIQUE INDEX "own" ON "clusters_parcel" ("name")'
    await sync_to_async(_execute)(make)
    try:
        nodes = (*many(Parcel, 5), new("Parcel", "twice", name="n3"), *many(Parcel, 9)[6:])
        with pytest.raises(ValidationFailedError) as caught:
            await made(engine, parcels=nodes)
    finally:
        await sync_to_async(_execute)('DROP INDEX "own"')
    assert [each.key for each in caught.value.problems] == ["twice"]
    assert not await Freight.objects.aexists()
    assert not await Parcel._base_manager.aexists()


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


async def test_a_new_cluster_costs_the_same_queries_of_ten_and_a_thousand(engine: Engine) -> None:
    """But for what the database takes in one statement: SQLite takes fewer values."""
    counts = []
    for count in (10, 1000):
        async with counted_queries() as queries:
            await made(engine, parcels=many(Parcel, count - 1))
        fields = [each for each in Parcel._meta.concrete_fields if not each.primary_key]
        taken = connection.ops.bulk_batch_size(fields, range(count))
        assert inserts(queries, Parcel) <= -(-count // taken)
        counts.append(len(queries) - inserts(queries, Parcel))
    assert counts[0] == counts[1] < 20
