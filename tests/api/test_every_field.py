"""Every kind of field: a draft, its events and its commit have it as plain Django does."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import strawberry
from django.db import models
from strawberry import auto

import gql_cluster
from gql_cluster.api.files import StoredImage
from gql_cluster.api.scalars import is_known, scalar_of
from tests.api.schema_kit import ERRORS, Client
from tests.clusters.models import Currency
from tests.clusters.specimens import Era, Point, Rank, Sample, Size, Specimen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

SERIAL = uuid.UUID("12345678-1234-5678-1234-567812345678")
NOON = dt.datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A value of a field: as a client sends it, as plain Django takes it, as a client reads it.

    `told` is what an event holds, `read` what a query answers; each as it was sent unless given.
    """

    field: str
    sent: Any
    python: Any
    told: Any = ...
    read: Any = ...
    selection: str = ""

    def __str__(self) -> str:
        return f"{self.field}={str(self.sent)[:20]}"

    @property
    def event(self) -> Any:
        """What an event holds."""
        return self.sent if self.told is ... else self.told

    @property
    def answer(self) -> Any:
        """What a query answers."""
        return self.event if self.read is ... else self.read

    @property
    def name(self) -> str:
        """The field as the schema spells it."""
        first, *others = self.field.split("_")
        return first + "".join(each.title() for each in others)

    @property
    def asked(self) -> str:
        """The selection of the field, whatever it is."""
        return f"{self.name} {self.selection}"


def same(field: str, value: object) -> Case:
    """Return the case of a value that is the same everywhere."""
    return Case(field=field, sent=value, python=value)


CASES = [
    same("name", "Ärger 🎈\n\t\"'"),
    same("nickname", "Bo"),
    same("nickname", ""),
    same("nickname", None),
    same("text", "long " * 1000),
    same("slug", "a-b_c"),
    same("email", "ann@example.org"),
    same("url", "https://example.org/?q=1"),
    same("path", "/etc/hosts"),
    same("small", -32768),
    same("whole", -5),
    same("whole", 2**31 - 1),
    same("big", 0),
    same("big", 2**31),
    same("big", 2**53 - 1),
    Case(field="big", sent=2**53, python=2**53, told=str(2**53)),
    Case(field="big", sent=str(-(2**63)), python=-(2**63)),
    Case(field="big", sent=str(2**31), python=2**31, told=2**31),
    same("positive", 0),
    same("positive_small", 32767),
    Case(field="positive_big", sent=str(2**63 - 1), python=2**63 - 1),
    same("ratio", 0.1),
    Case(field="ratio", sent=3, python=3.0, told=3.0),
    Case(field="price", sent="2.5", python=Decimal("2.5"), told="2.500"),
    Case(field="price", sent="-123456789.125", python=Decimal("-123456789.125")),
    *(same(field, value) for field in ("flag", "maybe") for value in (False, True)),
    same("maybe", None),
    Case(field="day", sent="2024-02-29", python=dt.date(2024, 2, 29)),
    Case(
        field="moment",
        sent="2024-02-29T14:00:00.000001+02:00",
        python=NOON,
        told="2024-02-29T12:00:00.000001+00:00",
    ),
    Case(
        field="clock", sent="23:59:59.5", python=dt.time(23, 59, 59, 500000), told="23:59:59.500000"
    ),
    Case(
        field="span",
        sent="PT1M",
        python=dt.timedelta(minutes=1),
        told="P0DT00H01M00S",
    ),
    Case(
        field="span",
        sent="-P2DT00H00M00.5S",
        python=-dt.timedelta(days=2, microseconds=500000),
        told="-P2DT00H00M00.500000S",
    ),
    Case(field="serial", sent=SERIAL.hex, python=SERIAL, told=str(SERIAL)),
    Case(field="address", sent="2001:DB8::1", python="2001:db8::1", told="2001:db8::1"),
    same("address", "10.0.0.1"),
    same("address4", "127.0.0.1"),
    Case(field="data", sent="AAH/", python=b"\x00\x01\xff"),
    Case(field="data", sent="", python=b""),
    same("json", {"a": [1, None, {"b": 0.5}], "ü": True}),
    same("json", [1, "two"]),
    same("json", "text"),
    same("json", 0),
    Case(
        field="coded",
        sent={"moment": "2024-02-29T12:00:00+00:00", "n": 1},
        python={"moment": NOON.replace(microsecond=0), "n": 1},
        told={"moment": "2024-02-29T12:00:00Z", "n": 1},
    ),
    Case(
        field="file",
        sent="files/a b.txt",
        python="files/a b.txt",
        read={"name": "files/a b.txt", "url": "/files/a%20b.txt", "size": None},
        selection="{ name url size }",
    ),
    Case(field="size", sent="L", python=Size.LARGE),
    Case(field="mark", sent="B", python="b"),
    Case(field="rank", sent="FIRST", python=Rank.FIRST),
    Case(field="era", sent="THE_MOON", python=Era.OLD.value),
    Case(field="kind", sent="DOG", python="dog"),
    Case(field="season", sent="AUTUMN", python="autumn"),
    Case(field="yes", sent="TRUE", python=True),
    Case(field="share", sent="WHOLE", python=Decimal("1.00")),
    Case(
        field="currency",
        sent="GBP",
        python="GBP",
        read={"code": "GBP"},
        selection="{ code }",
    ),
    Case(field="holder", sent="8", python=8, read={"pk": "8"}, selection="{ pk }"),
    Case(field="point", sent="3,-4", python=Point(3, -4)),
    Case(field="point", sent=" 3, 4", python=Point(3, 4), told="3,4"),
    Case(field="vector", sent=[3, 1, 2], python=(3, 1, 2)),
    Case(field="ticket", sent="#7", python=7),
    Case(field="ticket", sent="#0", python=0),
    same("unique", "one"),
    Case(field="stamped", sent="2024-02-29T12:00:00.000001+00:00", python=NOON),
    same("counted", 0),
]

schema = gql_cluster.Schema(clusters=[Specimen])

EDIT = (
    "mutation($draft: ID!, $changes: [SpecimenChange!]!)"
    " { it: editSpecimenDraft(draft: $draft, changes: $changes)"
    " { event { ... on DraftEdited { changes { fields { name before after } } } }"
    f" {ERRORS} }} }}"
)
OPEN = (
    "mutation($pk: ID, $data: SpecimenInput) { it: openSpecimenDraft(pk: $pk, data: $data)"
    f" {{ draft {{ id }} {ERRORS} }} }}"
)
COMMIT = (
    "mutation($draft: ID!)"
    f" {{ it: commitSpecimenDraft(draft: $draft) {{ cluster {{ pk }} {ERRORS} }} }}"
)
BOTH = (
    "query($id: ID!, $pk: ID!) { draft(id: $id) { cluster { ...it } } specimen(pk: $pk) { ...it } }"
)
UNIQUE = ("unique", "holder")
PLAIN = ("id", "pk", "name", "specimen", "made", "touched", "stamped", "unique", "serial", "_order")


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of the specimens' schema."""
    await Currency.objects.acreate(pk=8, code="GBP")
    yield Client(schema=schema)
    await schema.engine.aclose()


def test_there_is_a_case_of_every_kind_of_field() -> None:
    """Each class of `django.db.models` is known, and a column of the specimens or a special one."""
    special = {
        models.Field,  # no column
        models.ForeignObject,
        models.CompositePrimaryKey,
        models.ManyToManyField,
        models.AutoField,  # primary keys
        models.SmallAutoField,
        models.ImageField,  # needs Pillow
        models.IPAddressField,  # removed, but for old migrations
        models.CommaSeparatedIntegerField,
        models.NullBooleanField,
    }
    classes = {
        each
        for each in vars(models).values()
        if isinstance(each, type) and issubclass(each, models.Field)
    }
    fields = [*Sample._meta.concrete_fields, *Specimen._meta.concrete_fields]
    assert classes - {type(field) for field in fields} == special
    tried = {case.field for case in CASES}
    assert {
        field.name
        for field in Specimen._meta.concrete_fields
        if field.editable and not field.primary_key and not field.generated
    } == tried


def test_an_image_is_a_file_with_a_width_and_a_height() -> None:
    """Whether Pillow is installed or not."""
    assert scalar_of(models.ImageField()) is StoredImage
    assert is_known(models.AutoField())
    assert scalar_of(models.SmallAutoField()) is strawberry.ID


async def make() -> tuple[str, str]:
    """Save a specimen with a sample, and return the primary keys."""
    specimen = await Specimen.objects.acreate(name="root")
    sample = await Sample.objects.acreate(name="child", specimen=specimen)
    return str(specimen.pk), str(sample.pk)


async def opened(client: Client, **arguments: Any) -> str:
    """Open a draft."""
    data = await client.data(OPEN, **arguments)
    assert data["it"]["errors"] == []
    return str(data["it"]["draft"]["id"])


async def edited(client: Client, draft: str, change: object) -> Any:
    """Stage a change and return the fields that its event tells of."""
    data = await client.data(EDIT, draft=draft, changes=[change])
    assert data["it"]["errors"] == []
    changes = data["it"]["event"]["changes"]
    return changes[0]["fields"] if changes else []


async def committed(client: Client, draft: str) -> None:
    """Commit a draft."""
    data = await client.data(COMMIT, draft=draft)
    assert data["it"]["errors"] == []


def held(instance: models.Model, name: str) -> Any:
    """Return what a column of an instance holds, in a form that compares."""
    value = getattr(instance, instance._meta.get_field(name).attname)  # type: ignore[union-attr]
    if isinstance(value, memoryview):
        value = bytes(value)
    return str(value) if name == "file" else value


def columns(instance: models.Model) -> Mapping[str, Any]:
    """Return all columns that are not different of every object."""
    return {
        field.name: held(instance, field.name)
        for field in instance._meta.concrete_fields
        if field.name not in PLAIN
    }


def assigned(instance: models.Model, case: Case) -> None:
    """Do as plain Django code would."""
    setattr(instance, instance._meta.get_field(case.field).attname, case.python)  # type: ignore[union-attr]


@pytest.mark.parametrize("is_child", [False, True], ids=["root", "child"])
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_field_is_edited_told_committed_and_read(
    client: Client, case: Case, *, is_child: bool
) -> None:
    """And the row is the one that plain Django makes of the same value."""
    pk, child = await make()
    draft = await opened(client, pk=pk)
    values = {case.field if "_" not in case.field else case.name: case.sent}
    change = (
        {"samples": {"update": {"key": f"Sample:{child}", "set": values}}}
        if is_child
        else {"set": values}
    )
    told = await edited(client, draft, change)
    initial = held(await Specimen.objects.aget(pk=pk), case.field)
    if initial == case.python and type(initial) is type(case.python):
        assert told == []
    else:
        (field,) = told
        assert (field["name"], field["after"]) == (case.name, case.event)

    fragment = f"{{ {case.asked} samples {{ {case.asked} }} }}"
    query = f"query($id: ID!) {{ draft(id: $id) {{ cluster {{ ... on Specimen {fragment} }} }} }}"
    data = await client.data(query, id=draft)
    drafted = data["draft"]["cluster"]
    shown = drafted["samples"][0] if is_child else drafted
    assert shown[case.name] == case.answer

    await committed(client, draft)
    data = await client.data(f"query($pk: ID!) {{ specimen(pk: $pk) {fragment} }}", pk=pk)
    assert data["specimen"] == drafted

    model: Any = Sample if is_child else Specimen
    saved = await model.objects.aget(pk=child if is_child else pk)
    twin = Sample(name="twin", specimen_id=pk) if is_child else Specimen(name="twin")
    assigned(twin, case)
    if case.field in UNIQUE:
        await model.objects.filter(pk=saved.pk).adelete()
    await twin.asave()
    plain = await model.objects.aget(pk=twin.pk)
    assert columns(saved) == columns(plain)
    assert held(saved, case.field) == held(plain, case.field)
    assert type(held(saved, case.field)) is type(held(plain, case.field))


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_new_node_holds_what_is_given_and_the_defaults(client: Client, case: Case) -> None:
    """The root and a child of a new cluster, with every other field as a new object has it."""
    given = {"name": "new", case.name: case.sent}
    samples = [] if case.field in UNIQUE else [given]
    draft = await opened(client, data={**given, "samples": samples})
    await committed(client, draft)
    twin = Specimen(name="new")
    assigned(twin, case)
    saved = columns(await Specimen.objects.aget())
    async for sample in Sample.objects.all():
        assert columns(sample) == saved
    await Specimen.objects.all().adelete()
    await twin.asave()
    assert columns(await Specimen.objects.aget()) == saved


LABELS = " ".join(
    f"{name} {name}Display"
    for name in ("size", "mark", "rank", "era", "kind", "season", "yes", "share")
)


async def test_a_choice_has_its_label_beside_it(client: Client) -> None:
    """As `get_FOO_display()` gives it: of what is saved, of a draft, of what is not chosen."""
    pk, _ = await make()
    draft = await opened(client, pk=pk)
    await edited(
        client,
        draft,
        {
            "set": {
                "size": "L",
                "mark": "B",
                "rank": "FIRST",
                "era": "THE_MILLENNIUM",
                "kind": "OAK",
            }
        },
    )
    query = BOTH + f" fragment it on Specimen {{ {LABELS} samples {{ {LABELS} }} }}"
    data = await client.data(query, id=draft, pk=pk)
    chosen = {key: value for key, value in data["draft"]["cluster"].items() if "Display" in key}
    assert chosen == {
        "sizeDisplay": "Large",
        "markDisplay": "Bad",
        "rankDisplay": "First",
        "eraDisplay": "The millennium",
        "kindDisplay": "Oak",
        "seasonDisplay": "Spring",
        "yesDisplay": "No",
        "shareDisplay": "Half",
    }
    blank = {
        "mark": None,
        "markDisplay": "",
        "kind": None,
        "kindDisplay": None,
        "rank": "NOT_RANKED",
    }
    for unchosen in (data["draft"]["cluster"]["samples"][0], data["specimen"]):
        assert unchosen.items() >= {**blank, "rankDisplay": "Not ranked"}.items()
    await committed(client, draft)
    after = await client.data(query, id=draft, pk=pk)
    assert after["specimen"] == data["draft"]["cluster"]


async def test_a_declared_type_gets_the_label_by_auto(transactional_db: None) -> None:  # noqa: ARG001
    """Of a saved one and of a draft."""

    @gql_cluster.type(Specimen, name="Specimen")
    class Declared:
        rank: auto
        rank_display: auto

    client = Client(schema=gql_cluster.Schema(clusters=[Declared]))
    pk, _ = await make()
    draft = await opened(client, pk=pk)
    query = BOTH + " fragment it on Specimen { rankDisplay }"
    data = await client.data(query, id=draft, pk=pk)
    assert data["specimen"] == data["draft"]["cluster"] == {"rankDisplay": "Not ranked"}
    await client.schema.engine.aclose()


async def test_a_node_that_is_added_has_its_defaults_at_once(client: Client) -> None:
    """Callable ones too; what only the database knows is null until the commit."""
    draft = await opened(client, data={"name": "new"})
    told = await edited(client, draft, {"samples": {"add": [{"key": "a", "name": "child"}]}})
    asked = (
        "small price flag serial coded size season yes counted stamped secret made touched double"
    )
    query = (
        "query($id: ID!)"
        " { draft(id: $id) { cluster { ...it ... on Specimen { samples { ...it2 } } } } }"
        f" fragment it on Specimen {{ {asked} }} fragment it2 on Sample {{ {asked} }}"
    )
    data = await client.data(query, id=draft)
    root = data["draft"]["cluster"]
    for shown in (root, *root.pop("samples")):
        serial = uuid.UUID(shown.pop("serial"))
        assert shown == {
            "small": 0,
            "price": "1.500",
            "flag": True,
            "coded": {"moment": "2020-01-01T00:00:00Z"},
            "size": "S",
            "season": "SPRING",
            "yes": "FALSE",
            "counted": None,
            "stamped": None,
            "secret": "x",
            "made": None,
            "touched": None,
            "double": None,
        }
    assert {each["name"]: each["after"] for each in told}["serial"] == str(serial)
    await committed(client, draft)
    sample = await Sample.objects.aget()
    assert (sample.counted, sample.double, sample.serial) == (7, 0, serial)
    assert sample.stamped is not None
    assert sample.made <= sample.touched


async def test_what_is_not_editable_is_in_no_input(client: Client) -> None:
    """Nor what Django or the database fills in; it can be read all the same."""
    data = await client.data(
        '{ new: __type(name: "SampleInput") { inputFields { name } }'
        ' old: __type(name: "SpecimenFields") { inputFields { name } } }'
    )
    for names in data.values():
        found = {each["name"] for each in names["inputFields"]}
        assert found.isdisjoint({"secret", "made", "touched", "double"})
        assert found >= {case.name for case in CASES}


async def test_a_text_that_is_required_is_never_null(client: Client) -> None:
    """It is empty where a draft lacks it, as Django has it."""
    data = await client.data(
        '{ __type(name: "Sample") { fields { name type { kind ofType { name } } } } }'
    )
    types = {each["name"]: each["type"] for each in data["__type"]["fields"]}
    required = {"kind": "NON_NULL", "ofType": {"name": "String"}}
    for name in ("name", "text", "slug", "email", "url", "path", "season_display"):
        first, *others = name.split("_")
        assert types[first + "".join(each.title() for each in others)] == required
    assert types["nickname"]["kind"] == "SCALAR"


async def test_the_value_before_is_told_as_the_one_after(client: Client) -> None:
    """Of fields that are other for clients than for Django, too."""
    pk, _ = await make()
    draft = await opened(client, pk=pk)
    told = await edited(
        client, draft, {"set": {"ticket": "#2", "rank": "FIRST", "price": "2", "big": str(2**60)}}
    )
    assert {each["name"]: (each["before"], each["after"]) for each in told} == {
        "ticket": ("#1", "#2"),
        "rank": ("NOT_RANKED", "FIRST"),
        "price": ("1.500", "2.000"),
        "big": (0, str(2**60)),
    }


async def test_what_the_database_works_out_comes_with_the_commit(client: Client) -> None:
    """A draft that stays open shows it, and its event tells it."""
    pk, _ = await make()
    draft = await opened(client, pk=pk)
    await edited(client, draft, {"set": {"small": 21}})
    data = await client.data(
        "mutation($draft: ID!) { it: commitSpecimenDraft(draft: $draft, keepOpen: true)"
        f" {{ draft {{ cluster {{ double }} }} cluster {{ double }} {ERRORS} }} }}",
        draft=draft,
    )
    assert data["it"] == {
        "errors": [],
        "draft": {"cluster": {"double": 42}},
        "cluster": {"double": 42},
    }


@pytest.mark.parametrize(
    ("field", "sent", "code"),
    [
        ("whole", 2**31, "BAD_USER_INPUT"),
        ("big", 2**63, "INVALID_CHANGE"),
        ("big", "1.5", "BAD_USER_INPUT"),
        ("big", True, "BAD_USER_INPUT"),
        ("big", "9" * 5000, "BAD_USER_INPUT"),
        ("price", "NaN", "INVALID_CHANGE"),
        ("price", "x", "BAD_USER_INPUT"),
        ("ratio", "x", "BAD_USER_INPUT"),
        ("flag", "yes", "BAD_USER_INPUT"),
        ("day", "2023-02-29", "BAD_USER_INPUT"),
        ("span", "long", "BAD_USER_INPUT"),
        ("serial", "no", "BAD_USER_INPUT"),
        ("data", "%", "BAD_USER_INPUT"),
        ("size", "XL", "BAD_USER_INPUT"),
        ("coded", {"moment": "later"}, "INVALID_CHANGE"),
        ("point", "here", "INVALID_CHANGE"),
        ("point", 7, "BAD_USER_INPUT"),
        ("vector", ["x"], "BAD_USER_INPUT"),
        ("ticket", "7", "INVALID_CHANGE"),
        ("nickname", "\0", "INVALID_CHANGE"),
        ("currency", "XXX", "INVALID_CHANGE"),
    ],
    ids=lambda each: str(each)[:12],
)
async def test_a_value_of_no_such_kind_is_refused_at_once(
    client: Client, field: str, sent: object, code: str
) -> None:
    """Naming the field; nothing is staged."""
    draft = await opened(client, data={"name": "new"})
    result = await client.send(
        EDIT,
        draft=draft,
        changes=[{"set": {"name": "other"}}, {"set": {field: sent}}],
    )
    if result.errors:
        assert [error.extensions["code"] for error in result.errors] == [code]
        assert field in result.errors[0].message
    else:
        (error,) = result.data["it"]["errors"]
        assert (error["code"], error["field"], error["key"]) == (code, field, "root")
    data = await client.data(
        "query($id: ID!) { draft(id: $id) { version cluster { ... on Specimen { name } } } }",
        id=draft,
    )
    assert data["draft"] == {"version": 0, "cluster": {"name": "new"}}


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        ("name", "x" * 51),
        ("name", ""),
        ("slug", "no slug"),
        ("email", "ann"),
        ("url", "example"),
        ("whole", -6),
        ("positive", -1),
        ("price", "0.1234"),
        ("address", "1.2.3"),
        ("address4", "::1"),
        ("unique", "taken"),
    ],
    ids=lambda each: str(each)[:12],
)
async def test_a_draft_may_hold_what_validators_refuse_and_a_commit_may_not(
    client: Client, field: str, sent: object
) -> None:
    """The error names the child and its field; nothing is saved."""
    pk, child = await make()
    await Sample.objects.acreate(name="other", unique="taken", specimen_id=pk)
    draft = await opened(client, pk=pk)
    key = f"Sample:{child}"
    await edited(client, draft, {"samples": {"update": {"key": key, "set": {field: sent}}}})
    data = await client.data(COMMIT, draft=draft)
    assert data["it"]["cluster"] is None
    (error,) = data["it"]["errors"]
    assert (error["code"], error["key"], error["field"], error["path"]) == (
        "VALIDATION_FAILED",
        key,
        field,
        ["samples", key, field],
    )


async def test_large_numbers_are_filtered_and_ordered_by(client: Client) -> None:
    """Of a draft as of what is saved; both ways of writing them will do."""
    pk, _ = await make()
    for number in (2**40, 2**62):
        await Sample.objects.acreate(name=str(number), big=number, specimen_id=pk)
    draft = await opened(client, pk=pk)
    query = (
        BOTH + " fragment it on Specimen {"
        f" a: samples(filters: {{big: {{gt: {2**40}}}}}) {{ big }}"
        f' b: samples(filters: {{big: {{inList: ["{2**62}", {2**40}]}}}}'
        ", ordering: [{big: DESC}]) { big } }"
    )
    data = await client.data(query, id=draft, pk=pk)
    assert data["specimen"] == data["draft"]["cluster"]
    assert data["specimen"] == {
        "a": [{"big": str(2**62)}],
        "b": [{"big": str(2**62)}, {"big": 2**40}],
    }


async def test_a_stored_file_says_what_its_storage_knows(
    client: Client, settings: Any, tmp_path: Any
) -> None:
    """Of a saved one and of a draft; of one that is not there no more than its name and address."""
    settings.MEDIA_ROOT = str(tmp_path)
    (tmp_path / "here.txt").write_text("twelve bytes")
    draft = await opened(client, data={"name": "new", "file": "here.txt"})
    add = {"samples": {"add": [{"name": "a", "file": "../out.txt"}, {"name": "b", "file": ""}]}}
    await edited(client, draft, add)
    data = await client.data(
        "query($id: ID!) { draft(id: $id) { cluster { ... on Specimen {"
        " file { name url size } samples { file { name url size } } } } } }",
        id=draft,
    )
    assert data["draft"]["cluster"] == {
        "file": {
            "name": "here.txt",
            "url": "/here.txt",
            "size": 12,
        },
        "samples": [
            {"file": {"name": "../out.txt", "url": "out.txt", "size": None}},
            {"file": None},
        ],
    }
