"""What a model's own code asks of a draft, and what modelcluster answers to the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import strawberry_django
from asgiref.sync import sync_to_async
from django.core.exceptions import MultipleObjectsReturned, ObjectDoesNotExist
from django.db.models import Count, Q
from strawberry import auto

import gql_cluster
from gql_cluster.domain.change import AddNodes, AddToSet, NewNode, RemoveNodes, UpdateNode
from gql_cluster.domain.spec import ROOT_KEY
from tests.api.mirror_kit import draft_of
from tests.api.samples_kit import Desk, schema_of
from tests.api.schema_kit import Client
from tests.troupe.models import Archive, Keeper, Ledger, Lot, Scroll

FIELDS = (
    "name keeper { name } scrolls { key title } lots { number } ledgers { key entry }"
    " friends { name } donors { name }"
)


@gql_cluster.type(Scroll)
class Roll:
    """A scroll."""

    title: auto


@gql_cluster.type(Archive, name="Archive")
class Vault:
    """An archive, and what its own code says of it."""

    name: auto

    @strawberry_django.field
    def newest(self: Archive) -> str:
        """Ask for the latest."""
        return str(self.scrolls.latest().title)

    @strawberry_django.field
    def first(self: Archive) -> str:
        """Ask for the first."""
        first = self.scrolls.filter(year__gt=0).first()
        return "" if first is None else first.title

    scattered: list[Roll] = gql_cluster.rows("scrolls", "scattered")


@pytest.fixture
async def desk(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """A desk of a schema that mirrors the untouched models."""
    schema = schema_of(Archive)
    yield Desk(client=Client(schema=schema), cluster="Archive", fields=FIELDS)
    await schema.engine.aclose()
    await Ledger.objects.all().adelete()  # Django empties no table that it does not manage


def make() -> Archive:
    """Save an archive with scrolls."""
    archive = Archive.everything.create(name="Old")
    for title, year in (("a", 3), ("b", 1), ("b", 1), ("c", 2)):
        Scroll.objects.create(archive=archive, title=title, year=year)
    for name in ("Ann", "Bob"):
        keeper = Keeper.objects.create(name=name)
        archive.friends.add(keeper)
        archive.donors.add(keeper)
    archive.save()
    return Archive.everything.get(pk=archive.pk)


CHILDREN: dict[str, Callable[[Any], object]] = {
    "all": lambda rows: titles(rows.all()),
    "iteration": lambda rows: [each.title for each in rows.all()],
    "filter": lambda rows: titles(rows.filter(year=1)),
    "filter, first": lambda rows: rows.filter(year__gt=1).first().title,
    "filter by Q": lambda rows: titles(rows.filter(Q(year=1) | ~Q(title="b"))),
    "exclude": lambda rows: titles(rows.exclude(title="b")),
    "first": lambda rows: rows.first().title,
    "first of none": lambda rows: rows.none().first(),
    "last": lambda rows: rows.last().title,
    "last of none": lambda rows: rows.none().last(),
    "get": lambda rows: rows.get(title="new").year,
    "get none": lambda rows: rows.get(title="nobody"),
    "get several": lambda rows: rows.get(title="b"),
    "count": lambda rows: (rows.count(), rows.filter(title="b").count()),
    "len": lambda rows: len(rows.all()),
    "exists": lambda rows: (rows.exists(), rows.filter(title="nobody").exists()),
    "values": lambda rows: list(rows.values("title", "year")),
    "values_list": lambda rows: list(rows.values_list("title", "year")),
    "values_list, flat": lambda rows: list(rows.values_list("title", flat=True)),
    "order_by": lambda rows: titles(rows.order_by("-year", "title")),
    "order_by at random": lambda rows: sorted(titles(rows.order_by("?"))),
    "distinct": lambda rows: titles(rows.distinct()),
    "distinct by a field": lambda rows: titles(rows.all().distinct("title")),
    "slice": lambda rows: titles(rows.all()[1:3]),
    "only, defer": lambda rows: titles(rows.only("title").defer("year")),
    "select_related": lambda rows: titles(rows.select_related("archive")),
    "the parent": lambda rows: {each.archive.name for each in rows.all()},
    # What modelcluster has not
    "latest": lambda rows: rows.latest(),
    "earliest": lambda rows: rows.earliest("title"),
    "aggregate": lambda rows: rows.aggregate(Count("pk")),
    "annotate": lambda rows: rows.annotate(more=Count("pk")),
    "iterator": lambda rows: rows.filter(year=1).iterator(),
    "reverse": lambda rows: rows.filter(year=1).reverse(),
    "in_bulk": lambda rows: rows.filter(year=1).in_bulk(),
    "union": lambda rows: rows.filter(year=1) | rows.filter(year=2),
    "contains": lambda rows: rows.filter(year=1).contains(rows.first()),
    "a custom method": lambda rows: rows.filter(year=1).scattered(),
}


def titles(rows: Any) -> list[str]:
    """Return titles in their order."""
    return [each.title for each in rows]


def outcome(ask: Callable[[Any], object], rows: Any) -> object:
    """Return what is answered, or the kind of error that is raised, with its text."""
    try:
        return ask(rows)
    except (
        AttributeError,
        MultipleObjectsReturned,
        NotImplementedError,
        ObjectDoesNotExist,
        TypeError,
    ) as exc:
        return type(exc), str(exc)


@pytest.mark.django_db
@pytest.mark.parametrize("case", CHILDREN)
def test_children_answer_as_modelclusters_do(case: str) -> None:
    """Of a draft with staged changes and of an instance with the same in memory."""
    archive = make()
    keys = {each.title: f"Scroll:{each.pk}" for each in archive.scrolls.all()}
    draft = draft_of(
        archive,
        AddNodes(relation="scrolls", nodes=(NewNode(values={"title": "new", "year": 9}),)),
        UpdateNode(relation="scrolls", key=keys["a"], values={"year": 8}),
        RemoveNodes(relation="scrolls", keys=(keys["c"],)),
    )
    view = draft.view()
    node = view.snapshot.node(ROOT_KEY)
    assert node is not None
    drafted: Any = view.instance(node)
    real: Any = Archive.everything.get(pk=archive.pk)
    a, _, _, c = real.scrolls.all()
    real.scrolls.remove(c)
    a.year = 8
    real.scrolls.add(a)
    real.scrolls.add(Scroll(title="new", year=9, sealed=False))
    assert outcome(CHILDREN[case], drafted.scrolls) == outcome(CHILDREN[case], real.scrolls)


SETS: dict[str, Callable[[Any], object]] = {
    "all": lambda rows: sorted(each.name for each in rows.all()),
    "filter, first": lambda rows: rows.filter(name="Cid").first().name,
    "get": lambda rows: rows.get(name="Ann").name,
    "count": lambda rows: rows.count(),
    "exists": lambda rows: rows.filter(name="Bob").exists(),
    "values_list": lambda rows: sorted(rows.values_list("name", flat=True)),
    "order_by": lambda rows: [each.name for each in rows.order_by("-name")],
    "distinct": lambda rows: sorted(each.name for each in rows.distinct()),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["friends", "donors"])
@pytest.mark.parametrize("case", SETS)
def test_sets_answer_as_managers_do(name: str, case: str) -> None:
    """A plain many-to-many like Django's, a parental one like modelcluster's."""
    archive = make()
    cid = Keeper.objects.create(name="Cid")
    draft = draft_of(archive, AddToSet(name=name, pks=(cid.pk,)))
    view = draft.view()
    node = view.snapshot.node(ROOT_KEY)
    assert node is not None
    drafted = outcome(SETS[case], getattr(view.instance(node), name))
    getattr(archive, name).add(cid)
    assert drafted == outcome(SETS[case], getattr(archive, name))


@pytest.fixture
async def vault(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """A desk of a schema that shows what an archive's own code says."""
    schema = schema_of(Vault)
    yield Desk(client=Client(schema=schema), cluster="Archive", fields="name first")
    await schema.engine.aclose()


async def test_what_modelcluster_has_not_fails_in_a_draft_alone(vault: Desk) -> None:
    """`latest()` of a saved archive is the database's; of a draft's relation there is none."""
    archive = await sync_to_async(make)()
    fields = "{ newest scattered { title } }"
    query = f"query($pk: ID!) {{ it: archive(pk: $pk) {fields} }}"
    saved = (await vault.client.data(query, pk=str(archive.pk)))["it"]
    assert saved["newest"] == "a"
    assert sorted(each["title"] for each in saved["scattered"]) == ["a", "b", "b", "c"]
    opened = await vault.open(pk=str(archive.pk))
    assert opened["cluster"]["first"] == "a"
    for field, code in (("newest", "INTERNAL"), ("scattered { title }", "BAD_USER_INPUT")):
        query = (
            f"query($id: ID!) {{ draft(id: $id) {{ cluster {{ ... on Archive {{ {field} }} }} }} }}"
        )
        assert await vault.client.codes(query, id=opened["id"]) == [code]


async def test_children_in_random_order_stay_as_they_were_loaded(desk: Desk) -> None:
    """A draft is read twice alike, new ones last; a commit saves them all once."""
    archive = await sync_to_async(make)()
    await Lot.objects.abulk_create(Lot(archive=archive, number=number) for number in range(8))
    opened = await desk.open(pk=str(archive.pk))
    payload = await desk.edit(
        opened["id"], {"lots": {"add": [{"number": 8}, {"number": 9}]}}, {"set": {"name": "New"}}
    )
    [*loaded, eight, nine] = [each["number"] for each in payload["draft"]["cluster"]["lots"]]
    assert loaded == [each["number"] for each in opened["cluster"]["lots"]]
    assert (sorted(loaded), eight, nine) == ([*range(8)], 8, 9)
    committed = await desk.commit(opened["id"])
    assert sorted(each["number"] for each in committed["lots"]) == [*range(10)]
    assert await Lot.objects.filter(archive=archive).acount() == 10


async def test_a_child_of_an_unmanaged_model_is_one_like_any_other(desk: Desk) -> None:
    """Its table is somebody else's; its rows are added, changed and deleted."""
    archive = await sync_to_async(make)()
    for entry in ("a", "b"):
        await Ledger.objects.acreate(archive=archive, entry=entry)
    opened = await desk.open(pk=str(archive.pk))
    a, b = (each["key"] for each in opened["cluster"]["ledgers"])
    payload = await desk.edit(
        opened["id"],
        {"ledgers": {"update": {"key": a, "set": {"entry": "A"}}}},
        {"ledgers": {"remove": [b]}},
        {"ledgers": {"add": [{"entry": "c"}]}},
    )
    assert payload["draft"]["errors"] == []
    committed = await desk.commit(opened["id"])
    assert [each["entry"] for each in committed["ledgers"]] == ["A", "c"]
    assert [each.entry async for each in Ledger.objects.order_by("pk")] == ["A", "c"]


async def test_what_a_default_manager_hides_is_not_there(desk: Desk) -> None:
    """Roots can't be opened, children are neither shown nor deleted, members are not taken."""
    archive = await sync_to_async(make)()
    await Scroll.objects.filter(title="b").aupdate(sealed=True)
    gone = await Keeper.everybody.acreate(name="Gone", retired=True)
    shut = await Archive.everything.acreate(name="Shut", closed=True)
    data = await desk.client.data(
        "mutation($pk: ID) { it: openArchiveDraft(pk: $pk) { draft { id } errors { code } } }",
        pk=str(shut.pk),
    )
    assert data["it"] == {"draft": None, "errors": [{"code": "NOT_FOUND"}]}
    opened = await desk.open(pk=str(archive.pk))
    assert [each["title"] for each in opened["cluster"]["scrolls"]] == ["a", "c"]
    for name in ("friends", "donors"):
        payload = await desk.edit(opened["id"], {name: {"add": [str(gone.pk)]}})
        assert [each["code"] for each in payload["errors"]] == ["INVALID_CHANGE"]
    payload = await desk.edit(opened["id"], {"scrolls": {"clear": True}})
    assert payload["draft"]["cluster"]["scrolls"] == []
    await desk.commit(opened["id"])
    assert [each.title async for each in Scroll.objects.all()] == ["b", "b"]


async def test_a_key_is_looked_up_by_the_base_manager(desk: Desk) -> None:
    """Django's own rule: what only the default manager hides can be referred to, and is read."""
    archive = await sync_to_async(make)()
    gone = await Keeper.everybody.acreate(name="Gone", retired=True)
    opened = await desk.open(pk=str(archive.pk))
    payload = await desk.edit(opened["id"], {"set": {"keeper": str(gone.pk)}})
    assert payload["errors"] == payload["draft"]["errors"] == []
    drafted = payload["draft"]["cluster"]["keeper"]
    committed = await desk.commit(opened["id"])
    assert committed["keeper"] == drafted == {"name": "Gone"}


async def test_a_commit_writes_what_was_hidden_meanwhile(desk: Desk) -> None:
    """Rows are locked and saved by the base manager, as a model's own `save()` has it."""
    archive = await sync_to_async(make)()
    opened = await desk.open(pk=str(archive.pk))
    key = opened["cluster"]["scrolls"][0]["key"]
    await desk.edit(
        opened["id"],
        {"set": {"name": "New"}},
        {"scrolls": {"update": {"key": key, "set": {"year": 7}}}},
    )
    await Archive.everything.filter(pk=archive.pk).aupdate(closed=True)
    await Scroll.objects.filter(title="a").aupdate(sealed=True)
    commit = "mutation($id: ID!) { it: commitArchiveDraft(draft: $id) { errors { code message } } }"
    data = await desk.client.data(commit, id=opened["id"])
    assert data["it"]["errors"] == []
    assert (await Archive.everything.aget()).name == "New"
    assert (await Scroll.objects.aget(title="a")).year == 7
