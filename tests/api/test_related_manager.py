"""What Django's and modelcluster's related managers do, and a draft does the same: a table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import pytest
import strawberry_django
from asgiref.sync import sync_to_async
from django.db.models.signals import m2m_changed, post_delete
from strawberry import auto

import gql_cluster
from tests.api.samples_kit import Desk, schema_of
from tests.api.schema_kit import Client
from tests.troupe.models import Person, Play, Prop, Review, Troupe

Sent: TypeAlias = list[tuple[str, frozenset[str]]]

SETS = ("helpers", "circle")
CHILDREN = {"plays": (Play, "title"), "props": (Prop, "name")}
FIELDS = "helpers { name } circle { name } plays { key title } props { key name }"


@gql_cluster.type(Review)
class Opinion:
    """A review."""

    text: auto


@gql_cluster.type(Troupe, name="Troupe")
class Company:
    """A troupe and what is written of it."""

    name: auto
    reviews: list[Opinion]
    opinions: list[Opinion] = strawberry_django.field(field_name="reviews")


@pytest.fixture
async def desk(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """A desk of a schema that mirrors the untouched models."""
    schema = schema_of(Troupe)
    yield Desk(client=Client(schema=schema), cluster="Troupe", fields=FIELDS)
    await schema.engine.aclose()


@contextmanager
def told(sent: Sent) -> Iterator[None]:
    """Note what `m2m_changed` and `post_delete` tell, by the objects' names."""

    def changed(action: str, pk_set: set[int] | None, **_: object) -> None:
        names = Person.objects.filter(pk__in=pk_set or ()).values_list("name", flat=True)
        sent.append((action, frozenset(names)))

    def deleted(sender: type, instance: Any, **_: object) -> None:
        if sender in {Play, Prop}:
            sent.append(("delete", frozenset({name_of(instance)})))

    m2m_changed.connect(changed)
    post_delete.connect(deleted)
    try:
        yield
    finally:
        m2m_changed.disconnect(changed)
        post_delete.disconnect(deleted)


def name_of(child: Any) -> str:
    """Return the name of a child of either kind."""
    name: str = child.title if isinstance(child, Play) else child.name
    return name


def make() -> Troupe:
    """Save a troupe with a and b in each relation."""
    troupe = Troupe.objects.create(name="Players")
    for name in "ab":
        person, _ = Person.objects.get_or_create(name=name)
        troupe.helpers.add(person)
        troupe.circle.add(person)
        Play.objects.create(troupe=troupe, title=name)
        Prop.objects.create(troupe=troupe, name=name)
    troupe.save()
    Person.objects.get_or_create(name="c")
    return Troupe.objects.get(pk=troupe.pk)


def saved_in(troupe: Troupe) -> Mapping[str, Sequence[str]]:
    """Return the names in each relation of a troupe as it is saved."""
    fresh: Any = Troupe.objects.get(pk=troupe.pk)
    sets = {name: sorted(each.name for each in getattr(fresh, name).all()) for name in SETS}
    children = {
        name: [name_of(each) for each in getattr(fresh, name).order_by("pk")] for name in CHILDREN
    }
    return {**sets, **children}


# Sets: what a client sends, and the calls of a manager

SET_CASES: dict[str, tuple[list[tuple[str, str]], Callable[[Any, dict[str, Person]], object]]] = {
    "add": ([("add", "c")], lambda manager, all_: manager.add(all_["c"])),
    "add what is there": ([("add", "a")], lambda manager, all_: manager.add(all_["a"])),
    "add one that is there and one that is not": (
        [("add", "ac")],
        lambda manager, all_: manager.add(all_["a"], all_["c"]),
    ),
    "add one twice": ([("add", "cc"), ("add", "c")], lambda manager, all_: manager.add(all_["c"])),
    "remove": ([("remove", "a")], lambda manager, all_: manager.remove(all_["a"])),
    "remove what is not there": (
        [("remove", "c")],
        lambda manager, all_: manager.remove(all_["c"]),
    ),
    "clear": ([("clear", "")], lambda manager, _: manager.clear()),
    "set": ([("replace", "bc")], lambda manager, all_: manager.set([all_["b"], all_["c"]])),
    "set what is there": (
        [("replace", "ba")],
        lambda manager, all_: manager.set([all_["b"], all_["a"]]),
    ),
    "set nothing": ([("replace", "")], lambda manager, _: manager.set([])),
    "remove and add again": (
        [("remove", "a"), ("add", "a")],
        lambda manager, all_: (manager.remove(all_["a"]), manager.add(all_["a"])),
    ),
    "clear and add": (
        [("clear", ""), ("add", "bc")],
        lambda manager, all_: (manager.clear(), manager.add(all_["b"], all_["c"])),
    ),
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("case", SET_CASES)
async def test_a_set_is_edited_as_by_its_manager(desk: Desk, name: str, case: str) -> None:
    """And saved with the signals that Django sends for the difference, and no others."""
    steps, call = SET_CASES[case]
    troupe, twin, other = [await sync_to_async(make)() for _ in range(3)]
    people = {each.name: each async for each in Person.objects.all()}
    changes = [
        {name: {kind: True if kind == "clear" else [str(people[each].pk) for each in who]}}
        for kind, who in steps
    ]
    draft = (await desk.open(pk=str(troupe.pk)))["id"]
    payload = await desk.edit(draft, *changes)
    assert payload["errors"] == payload["draft"]["errors"] == []
    await sync_to_async(call)(getattr(other, name), people)
    final = await sync_to_async(members_of)(other, name)
    held = [each["name"] for each in payload["draft"]["cluster"][name]]
    assert sorted(held) == sorted(each.name for each in final)
    sent: Sent = []
    with told(sent):
        await desk.commit(draft)
    expected: Sent = []
    with told(expected):
        # Django's own saves at once; of modelcluster's this is what its commit does.
        await sync_to_async(twin_of(twin, name).set)(final)
    if name == "circle":
        again: Sent = []
        with told(again):
            await sync_to_async(other.save)()
        assert again == expected
    assert sent == expected
    assert await sync_to_async(saved_in)(troupe) == await sync_to_async(saved_in)(twin)


def members_of(troupe: Troupe, name: str) -> list[Any]:
    """Return what a manager holds."""
    return [*getattr(troupe, name).all()]


def twin_of(troupe: Troupe, name: str) -> Any:
    """Return Django's manager of a set, which saves at once."""
    manager: Any = getattr(troupe, name)
    return manager.get_original_manager() if name == "circle" else manager


# Children: changes with the key of each of a and b, and the calls of modelcluster's manager

Keys: TypeAlias = Mapping[str, str]
ChildCase: TypeAlias = tuple[
    Callable[[str, Keys], list[dict[str, Any]]], Callable[[Any, Callable[..., Any]], object]
]


def renamed(child: Any, name: str) -> Any:
    """Give a child another name."""
    setattr(child, FIELD[type(child)], name)
    return child


FIELD = dict(CHILDREN.values())
CHILD_CASES: dict[str, ChildCase] = {
    "add": (
        lambda field, _: [{"add": [{field: "c"}]}],
        lambda manager, new: manager.add(new("c")),
    ),
    "create": (
        lambda field, _: [{"add": [{field: "c", "key": "c"}]}],
        lambda manager, _: manager.create(**{FIELD[manager.model]: "c"}),
    ),
    "add what is there, changed": (
        lambda field, keys: [{"update": {"key": keys["a"], "set": {field: "A"}}}],
        lambda manager, _: manager.add(renamed(manager.all()[0], "A")),
    ),
    "remove": (
        lambda _, keys: [{"remove": [keys["a"]]}],
        lambda manager, _: manager.remove(manager.all()[0]),
    ),
    "remove all": (
        lambda _, keys: [{"remove": [*keys.values()]}],
        lambda manager, _: manager.remove(*manager.all()),
    ),
    "remove a new one": (
        lambda field, _: [{"add": [{field: "c", "key": "c"}]}, {"remove": ["c"]}],
        lambda manager, new: (manager.add(it := new("c")), manager.remove(it)),
    ),
    "clear": (lambda *_: [{"clear": True}], lambda manager, _: manager.clear()),
    "set": (
        lambda field, keys: [{"replace": [{"key": keys["b"]}, {field: "c"}]}],
        lambda manager, new: manager.set([manager.all()[1], new("c")]),
    ),
    "set, changed": (
        lambda field, keys: [{"replace": [{"key": keys["b"], field: "B"}]}],
        lambda manager, _: manager.set([renamed(manager.all()[1], "B")]),
    ),
    "set what is there": (
        lambda _, keys: [{"replace": [{"key": keys["b"]}, {"key": keys["a"]}]}],
        lambda manager, _: manager.set(list(manager.all())),
    ),
    "set nothing": (lambda *_: [{"replace": []}], lambda manager, _: manager.set([])),
    "clear and add": (
        lambda field, _: [{"clear": True}, {"add": [{field: "a"}]}],
        lambda manager, new: (manager.clear(), manager.add(new("a"))),
    ),
}


@pytest.mark.parametrize("name", CHILDREN)
@pytest.mark.parametrize("case", CHILD_CASES)
async def test_children_are_edited_as_by_their_manager(desk: Desk, name: str, case: str) -> None:
    """What leaves is deleted, though the key may be null: so it is with modelcluster."""
    changes, call = CHILD_CASES[case]
    model, field = CHILDREN[name]
    troupe, twin = [await sync_to_async(make)() for _ in range(2)]
    opened = await desk.open(pk=str(troupe.pk))
    keys = {each[field]: each["key"] for each in opened["cluster"][name]}
    before = [await sync_to_async(rows_of)(each, name) for each in (troupe, twin)]
    given = [{name: each} for each in changes(field, keys)]
    payload = await desk.edit(opened["id"], *given)
    assert payload["errors"] == payload["draft"]["errors"] == []
    manager = getattr(twin, name)
    await sync_to_async(call)(manager, lambda text: model(**{field: text}))
    held = [each[field] for each in payload["draft"]["cluster"][name]]
    assert sorted(held) == sorted(map(name_of, await sync_to_async(members_of)(twin, name)))
    sent: Sent = []
    with told(sent):
        await desk.commit(opened["id"])
    expected: Sent = []
    with told(expected):
        await sync_to_async(twin.save)()
    assert sorted(sent, key=str) == sorted(expected, key=str)
    assert await sync_to_async(saved_in)(troupe) == await sync_to_async(saved_in)(twin)
    after = [await sync_to_async(rows_of)(each, name) for each in (troupe, twin)]
    assert kept(before[0], after[0]) == kept(before[1], after[1])
    assert await model._default_manager.filter(troupe__isnull=True).acount() == 0


def rows_of(troupe: Troupe, name: str) -> dict[int, str]:
    """Return the saved children by primary key."""
    rows = CHILDREN[name][0]._default_manager.filter(troupe=troupe)
    return {each.pk: name_of(each) for each in rows}


def kept(before: dict[int, str], after: dict[int, str]) -> list[tuple[str, str]]:
    """Return the names before and after of the rows that stayed."""
    return sorted((name, after[pk]) for pk, name in before.items() if pk in after)


@pytest.mark.parametrize("name", CHILDREN)
async def test_what_is_not_there_is_refused_where_a_manager_would_not_tell(
    desk: Desk, name: str
) -> None:
    """A key that is in use names one node, and one that is not names none."""
    model, field = CHILDREN[name]
    troupe, other = [await sync_to_async(make)() for _ in range(2)]
    opened = await desk.open(pk=str(troupe.pk))
    there = opened["cluster"][name][0]["key"]
    elsewhere = await model._default_manager.filter(troupe=other).afirst()
    assert elsewhere is not None
    for change in (
        {"add": [{"key": there, field: "again"}]},
        {"add": [{"key": "twice", field: "c"}, {"key": "twice", field: "c"}]},
        {"remove": ["nobody"]},
        {"remove": [f"{model.__name__}:{elsewhere.pk}"]},
        {"remove": [there, there]},
        {"replace": [{"key": there}, {"key": there}]},
    ):
        payload = await desk.edit(opened["id"], {name: change})
        assert [error["code"] for error in payload["errors"]] == ["INVALID_CHANGE"], change
    data = await desk.client.data("query($id: ID!) { draft(id: $id) { version } }", id=opened["id"])
    assert data["draft"]["version"] == 0


async def test_rows_that_refer_to_the_root_are_no_part_of_it(desk: Desk) -> None:
    """A plain foreign key makes no children: no change, no input, no field of a bare mirror."""
    types = (
        await desk.client.data(
            "{ __schema { types { name fields { name } inputFields { name } } } }"
        )
    )["__schema"]["types"]
    members = {
        each["name"]: {field["name"] for field in each["fields"] or each["inputFields"] or ()}
        for each in types
    }
    for name in ("Troupe", "TroupeChange", "TroupeInput", "TroupeFilter"):
        assert members[name]
        assert "reviews" not in members[name]


@pytest.fixture
async def company(transactional_db: None) -> AsyncIterator[Desk]:  # noqa: ARG001
    """A desk of a schema that shows reviews."""
    schema = schema_of(Company)
    fields = "name reviews { text } opinions(ordering: [{ text: DESC }]) { text }"
    yield Desk(client=Client(schema=schema), cluster="Troupe", fields=fields)
    await schema.engine.aclose()


async def test_what_refers_to_the_root_can_be_read_as_it_is_saved(company: Desk) -> None:
    """By a declared list, of a saved troupe and of a draft of it; a new one has none."""
    troupe = await sync_to_async(make)()
    for text in ("Bad", "Good"):
        await Review.objects.acreate(troupe=troupe, text=text)
    reviews = [{"text": "Bad"}, {"text": "Good"}]
    expected = {"name": "Players", "reviews": reviews, "opinions": reviews[::-1]}
    assert await company.saved(troupe.pk) == expected
    opened = await company.open(pk=str(troupe.pk))
    assert opened["cluster"] == expected
    payload = await company.edit(opened["id"], {"set": {"name": "Other"}})
    assert payload["draft"]["cluster"] == expected | {"name": "Other"}
    assert await company.commit(opened["id"]) == expected | {"name": "Other"}
    new = await company.open(data={"name": "New"})
    assert new["cluster"] == {"name": "New", "reviews": [], "opinions": []}
    assert await company.commit(new["id"]) == {"name": "New", "reviews": [], "opinions": []}
