"""A draft as modelcluster's JSON, and back."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Field, IntegerField, JSONField, UUIDField

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    Change,
    End,
    MoveNode,
    RemoveNodes,
    SetFields,
)
from gql_cluster.domain.error import ErrorCode, InvalidChangeError, LimitExceededError
from gql_cluster.orm.describe import describe
from gql_cluster.orm.given import is_made_anew
from gql_cluster.service.commit import commit
from gql_cluster.service.engine import Engine
from gql_cluster.service.export import export
from gql_cluster.service.open import open_copy, open_saved
from gql_cluster.service.open_json import open_json
from gql_cluster.service.read import get_drafts
from gql_cluster.service.view import View
from tests.clusters.models import Approval, CreditNote, Currency, Customer, Invoice, Line, Part, Tag
from tests.integration.orm.invoices import (
    ANN,
    INVOICE,
    inside,
    line_key,
    make_invoice,
    new,
    open_invoice,
    save,
    stage,
)
from tests.integration.service.conftest import counted_queries


async def exported(engine: Engine, view: View) -> dict[str, Any]:
    """Return the JSON of a draft, but what changes with the time of day, or is never the same."""
    data: dict[str, Any] = dict(await export(engine, view))
    assert data.pop("updated_at")
    for line in data["lines"]:
        for part in line["parts"]:
            if part["pk"] is None:
                assert part.pop("token")
    return data


async def reopened(engine: Engine, view: View) -> View:
    """Return another draft, opened from the JSON of one."""
    return await open_json(engine, ANN, INVOICE, await export(engine, view))


def serialized(invoice: Invoice) -> dict[str, Any]:
    """Return what modelcluster itself makes of a saved invoice."""
    data: dict[str, Any] = json.loads(
        json.dumps(invoice.serializable_data(), cls=DjangoJSONEncoder)
    )
    del data["updated_at"]
    return data


async def test_a_draft_exports_as_the_saved_cluster_does(engine: Engine) -> None:
    """An untouched draft is what `to_json()` writes: every kind of field, at every depth."""
    invoice = await sync_to_async(make_invoice)()
    view = await open_invoice(engine, invoice)
    assert await exported(engine, view) == await sync_to_async(serialized)(invoice)


async def test_a_change_of_everything_comes_back(engine: Engine) -> None:
    """The JSON of a draft opens as a draft that is equal, on the same base."""
    invoice = await sync_to_async(make_invoice)()
    view = await open_invoice(engine, invoice)
    a, b, c = [await sync_to_async(line_key)(name) for name in "abc"]
    tag = await Tag.objects.aget(name="tag 3")
    changes: list[Change] = [
        SetFields(
            values={
                "name": "other",
                "rate": "1.250",
                "issued": "2020-05-04T03:02:01+00:00",
                "terms": "P3DT00H00M05S",
                "paid": True,
                "notes": {"a": [1, None]},
                "extra": [2],
                "paper": "papers/one.txt",
                "grade": "b",
                "seal": "AAEC",
            }
        ),
        AddNodes(
            relation="lines",
            nodes=(new("Line", "k", name="k", parts=(new("Part", "p", name="p", slot=9),)),),
        ),
        MoveNode(relation="lines", key=c, place=End.FIRST),
        RemoveNodes(relation="lines", keys=(b,)),
        inside(a, AddNodes(relation="parts", nodes=(new("Part", "q", name="q"),))),
        inside(a, AddToSet(name="tags", pks=(tag.pk,))),
        AddToSet(name="tags", pks=(tag.pk,)),
        AddNodes(relation="contacts", nodes=(new("Contact", "x", code="x", name="X"),)),
        AddNodes(relation="papers", nodes=(new("Paper", "y", name="Y"),)),
    ]
    view = (await stage(engine, view, *changes)).view
    first = await exported(engine, view)
    again = await reopened(engine, view)
    assert await exported(engine, again) == first
    assert again.draft.pk == view.draft.pk
    assert [line["name"] for line in first["lines"]] == ["c", "a", "k"]

    await save(engine, again)
    saved = await Invoice.objects.aget(pk=invoice.pk)
    assert (saved.name, str(saved.rate), saved.paper.name) == ("other", "1.250", "papers/one.txt")
    lines = [line.name async for line in Line.objects.filter(invoice=invoice)]
    assert lines == ["c", "a", "k"]


async def test_a_new_cluster_comes_back(engine: Engine) -> None:
    """Nodes that are new have no primary key but what the model makes itself, and none is lost."""
    invoice = await sync_to_async(make_invoice)()
    data = await sync_to_async(serialized)(invoice)
    for line in data["lines"]:
        line.update(pk=None, invoice=None)
        for part in line["parts"]:
            part.update(pk=None, line=None)
    data.update(pk=None, contacts=[], papers=[], total="0.00", lines_saved=0)
    del data["created_at"]
    for line in data["lines"]:
        line["parts_saved"] = 0
    view = await open_json(engine, ANN, INVOICE, data)
    assert (view.draft.is_new, view.draft.version) == (True, 0)
    first = await exported(engine, view)
    assert first["pk"] not in (None, str(invoice.pk))  # an invoice makes it itself
    assert [line["name"] for line in first["lines"]] == ["a", "b", "c"]
    assert {line["pk"] for line in first["lines"]} == {None}

    again = await reopened(engine, view)
    assert await exported(engine, again) == first
    await save(engine, again)
    assert await Invoice.objects.acount() == 2


async def test_no_client_chooses_what_a_model_makes(engine: Engine) -> None:
    """A token in the JSON of a new node is not taken, though it might be a token."""
    invoice = await sync_to_async(make_invoice)()
    data = await sync_to_async(serialized)(invoice)
    chosen = "5b9fdc4a-0c8c-4f0f-8c0e-2b1f6f1f9f11"
    data["lines"][0]["parts"].append({"pk": None, "name": "mine", "token": chosen})
    view = await open_json(engine, ANN, INVOICE, data)
    [part] = [node for node in await view.load_all() if node.fields.get("name") == "mine"]
    assert part.fields["token"] not in (None, chosen)


async def test_a_moved_child_that_was_moved_back_comes_back(engine: Engine) -> None:
    """The draft numbers anew what was moved, and so does the one that is opened."""
    invoice = await sync_to_async(make_invoice)()
    await Line.objects.filter(name="c").aupdate(sort_order=7)
    c, a = await sync_to_async(line_key)("c"), await sync_to_async(line_key)("a")
    view = await open_invoice(engine, invoice)
    await stage(engine, view, MoveNode(relation="lines", key=c, place=End.FIRST))
    view = (await stage(engine, view, MoveNode(relation="lines", key=c, place=End.LAST))).view
    first = await exported(engine, view)
    assert [line["sort_order"] for line in first["lines"]] == [1, 2, 3]
    assert await exported(engine, await reopened(engine, view)) == first

    view = await open_invoice(engine, invoice)
    view = (await stage(engine, view, RemoveNodes(relation="lines", keys=(a,)))).view
    first = await exported(engine, view)
    assert [line["sort_order"] for line in first["lines"]] == [2, 7]
    assert await exported(engine, await reopened(engine, view)) == first


async def test_times_lose_nothing_on_the_way(engine: Engine) -> None:
    """JSON of modelcluster cuts a time to milliseconds; what was not changed stays as it was."""
    invoice = await sync_to_async(make_invoice)()
    issued = dt.datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
    await Invoice.objects.filter(pk=invoice.pk).aupdate(issued=issued)
    view = await reopened(engine, await open_invoice(engine, invoice))
    assert view.draft.version == 0
    root = (await view.load_all())[0]
    assert root.fields["issued"] == issued.isoformat()


async def test_what_is_not_named_stays_and_what_is_missing_in_a_list_goes(engine: Engine) -> None:
    """A name that is absent is untouched; a child that is absent in its relation is removed."""
    invoice = await sync_to_async(make_invoice)()
    line = await Line.objects.aget(name="b")
    data = {"pk": str(invoice.pk), "name": "n", "lines": [{"pk": line.pk, "quantity": 3}]}
    view = await open_json(engine, ANN, INVOICE, data)
    found = await exported(engine, view)
    assert (found["name"], found["customer"]) == ("n", "acme")
    assert [(each["name"], each["quantity"]) for each in found["lines"]] == [("b", 3)]
    assert len(found["lines"][0]["parts"]) == 2
    assert len(found["contacts"]) == 1
    assert view.draft.version == 1


async def test_what_the_model_works_out_does_not_make_a_json_old(engine: Engine) -> None:
    """What no client can set stays as it is saved, whatever it was when the JSON was made."""
    invoice = await sync_to_async(make_invoice)()
    view = await open_invoice(engine, invoice)
    key = await sync_to_async(line_key)("a")
    extra = inside(key, AddNodes(relation="parts", nodes=(new("Part", "q", name="q"),)))
    view = (await stage(engine, view, SetFields(values={"name": "mine"}))).view
    data = await export(engine, view)
    other = await open_invoice(engine, invoice)
    await stage(engine, other, extra, AddNodes(relation="lines", nodes=(new("Line", name="d"),)))
    await save(engine, other)

    again = await open_json(engine, ANN, INVOICE, data)
    nodes = {node.key: node for node in await again.load_all()}
    saved = await Invoice.objects.aget(pk=invoice.pk)
    assert nodes["root"].fields["name"] == "mine"
    assert nodes["root"].fields["total"] == str(saved.total) != data["total"]
    assert nodes[key].fields["parts_saved"] == 3
    await save(engine, again)
    assert (await Invoice.objects.aget(pk=invoice.pk)).lines_saved == 3


async def test_children_are_put_in_the_order_of_their_numbers(engine: Engine) -> None:
    """As modelcluster sorts them; without numbers the list's order counts."""
    lines = [{"name": "z", "sort_order": 2}, {"name": "y", "sort_order": 1}]
    for given, names in ((lines, ["y", "z"]), ([{"name": "z"}, {"name": "y"}], ["z", "y"])):
        view = await open_json(engine, ANN, INVOICE, {"name": "n", "lines": given})
        found = await exported(engine, view)
        assert [(line["name"], line["sort_order"]) for line in found["lines"]] == [
            (name, number) for number, name in enumerate(names, start=1)
        ]


READS = 9

BAD: list[tuple[dict[str, Any] | object, list[tuple[str | None, str | None, tuple[str, ...], str]]]]
BAD = [
    ([], [("root", None, (), "'[]' is no Invoice: it takes an object.")]),
    ("{}", [("root", None, (), "'{}' is no Invoice: it takes an object.")]),
    ({"pk": "x"}, [("root", "pk", ("pk",), "“x” is not a valid UUID.")]),
    ({"pk": True}, [("root", "pk", ("pk",), "“id” can't hold 'True'.")]),
    (
        {"colour": 1, "LINES": []},
        [
            (
                "root",
                "colour",
                ("colour",),
                "“colour” is neither a field nor a relation of Invoice.",
            ),
            ("root", "LINES", ("LINES",), "“LINES” is neither a field nor a relation of Invoice."),
        ],
    ),
    ({"name": 5}, [("root", "name", ("name",), "“name” can't hold '5'.")]),
    ({"name": ["a"]}, [("root", "name", ("name",), "“name” can't hold \"['a']\".")]),
    ({"name": None}, [("root", "name", ("name",), "“name” can't be null.")]),
    ({"name": "\0"}, [("root", "name", ("name",), "NUL")]),
    ({"rate": "many"}, [("root", "rate", ("rate",), "“many” value must be a decimal number.")]),
    ({"rate": True}, [("root", "rate", ("rate",), "“rate” can't hold 'True'.")]),
    ({"paid": "maybe"}, [("root", "paid", ("paid",), "must be either True or False")]),
    ({"issued": "noon"}, [("root", "issued", ("issued",), "“noon” value has an invalid format")]),
    ({"grade": "z"}, [("root", "grade", ("grade",), "Value 'z' is not a valid choice.")]),
    ({"seal": "?"}, [("root", "seal", ("seal",), "“seal” takes base64.")]),
    ({"id": 1}, [("root", "id", ("id",), "A primary key is given as “pk”.")]),
    ({"total": "dear"}, [("root", "total", ("total",), "“dear” value must be a decimal number.")]),
    (
        {"lines": [{"name": "x", "parts_saved": 5}]},
        [
            (
                None,
                "parts_saved",
                ("lines", "0", "parts_saved"),
                "“parts_saved” of Line is read-only",
            )
        ],
    ),
    ({"customer": "nobody"}, [("root", "customer", ("customer",), "There is no customer with")]),
    ({"currency": "XXX"}, [("root", "currency", ("currency",), "There is no currency with")]),
    ({"currency": "OLD"}, [("root", "currency", ("currency",), "There is no currency with")]),
    ({"tags": 5}, [("root", "tags", ("tags",), "“tags” takes a list of primary keys.")]),
    (
        {"tags": ["x", None, 99999]},
        [
            ("root", "tags", ("tags",), "'x' can't be a primary key of “tags”."),
            ("root", "tags", ("tags",), "'None' can't be a primary key of “tags”."),
            ("root", "tags", ("tags",), "There is no tag with the key 99999."),
        ],
    ),
    ({"lines": {}}, [("root", "lines", ("lines",), "“lines” takes a list of children.")]),
    ({"lines": [5]}, [(None, None, ("lines", "0"), "'5' is no Line: it takes an object.")]),
    (
        {"lines": [{"name": "x"}, {"name": "y", "quantity": 1.5, "parts": [{"slot": "a"}]}]},
        [
            (None, "quantity", ("lines", "1", "quantity"), "“quantity” can't hold '1.5'."),
            (None, "slot", ("lines", "1", "parts", "0", "slot"), "“a” value must be an integer."),
        ],
    ),
    ({"lines": [{"pk": 99999}]}, [(None, "pk", ("lines", "0", "pk"), "There is no line with")]),
    (
        {"contacts": [{"pk": "two-ann", "name": "n"}]},
        [
            (
                None,
                "pk",
                ("contacts", "0", "pk"),
                "There is no contact with the primary key 'two-ann'",
            )
        ],
    ),
    (
        {"lines": [{"name": "x", "invoice": "6a2b6a59-3c6e-4d8a-8b39-7f6c64a1b2c3"}]},
        [(None, "invoice", ("lines", "0", "invoice"), "and not the node above.")],
    ),
]


@pytest.mark.parametrize(("data", "expected"), BAD, ids=str)
@pytest.mark.parametrize("is_new", [True, False])
async def test_what_does_not_resolve_is_told_and_nothing_is_opened(
    engine: Engine, data: Any, expected: list[Any], *, is_new: bool
) -> None:
    """Everything that is wrong is told at once, with its place."""
    await Currency.objects.aget_or_create(code="OLD", is_legal=False)
    invoice = await sync_to_async(make_invoice)()
    await sync_to_async(make_invoice)("two")
    if not is_new and isinstance(data, dict):
        data = {"pk": str(invoice.pk), **data}
    before = await get_drafts(engine, ANN, first=1)
    with pytest.raises(InvalidChangeError) as refused:
        await open_json(engine, ANN, INVOICE, data)
    found = [(each.key, each.field, each.path) for each in refused.value.problems]
    assert found == [each[:3] for each in expected]
    for problem, (*_, words) in zip(refused.value.problems, expected, strict=True):
        assert words in problem.message
        assert problem.code is ErrorCode.INVALID_CHANGE
    after = await get_drafts(engine, ANN, first=1)
    assert [view.draft.id for view in after.views] == [view.draft.id for view in before.views]


async def test_a_saved_childs_problem_names_its_key(engine: Engine) -> None:
    """By key where the child is saved, also what is read-only, or of another parent."""
    invoice = await sync_to_async(make_invoice)()
    one, two = await Line.objects.aget(name="a"), await Line.objects.aget(name="b")
    part = await Part.objects.aget(name="b1")
    data = {
        "pk": str(invoice.pk),
        "lines": [
            {"pk": one.pk, "quantity": "x", "parts": [{"pk": part.pk}]},
            {"pk": two.pk, "invoice": str(invoice.pk), "colour": "red"},
            {"pk": two.pk},
        ],
    }
    with pytest.raises(InvalidChangeError) as refused:
        await open_json(engine, ANN, INVOICE, data)
    a, b = f"Line:{one.pk}", f"Line:{two.pk}"
    assert [(each.key, each.path) for each in refused.value.problems] == [
        (a, ("lines", a, "quantity")),
        (None, ("lines", a, "parts", "0", "pk")),
        (b, ("lines", b, "colour")),
        (None, ("lines", "2", "pk")),
    ]


async def test_a_cluster_that_is_gone_is_told(engine: Engine) -> None:
    """A key that the model makes itself is taken for a new one; what is below it has to be new."""
    invoice = await sync_to_async(make_invoice)()
    data = await export(engine, await open_invoice(engine, invoice))
    await sync_to_async(Invoice.objects.all().delete)()
    with pytest.raises(InvalidChangeError) as refused:
        await open_json(engine, ANN, INVOICE, data)
    told = {each.path for each in refused.value.problems}
    assert ("lines", "0", "pk") in told
    assert ("lines", "0", "parts", "1", "pk") in told
    assert ("contacts", "0", "pk") not in told
    assert ("total",) in told  # nobody but the model sets it


async def test_a_member_that_is_gone_is_exported_and_told(engine: Engine) -> None:
    """What a draft refers to and others have deleted is not dropped on the way out."""
    invoice = await sync_to_async(make_invoice)()
    tag = await Tag.objects.acreate(name="gone")
    view = await open_invoice(engine, invoice)
    view = (await stage(engine, view, AddToSet(name="tags", pks=(tag.pk,)))).view
    pk = tag.pk
    await tag.adelete()
    data = await export(engine, view)
    assert pk in data["tags"]  # type: ignore[operator]
    with pytest.raises(InvalidChangeError, match=f"There is no tag with the key {pk}"):
        await open_json(engine, ANN, INVOICE, data)


async def test_a_hidden_row_is_not_taken_for_a_new_one(engine: Engine) -> None:
    """A row that the model's manager hides has its key all the same."""
    invoice = await sync_to_async(make_invoice)()
    await Invoice.objects.filter(pk=invoice.pk).aupdate(archived=True)
    with pytest.raises(InvalidChangeError, match="There is no invoice with the primary key"):
        await open_json(engine, ANN, INVOICE, {"pk": str(invoice.pk)})


@pytest.mark.parametrize("count", [1, 12])
async def test_it_is_read_in_batches(engine: Engine, count: int) -> None:
    """So many queries however many children: modelcluster asks for each foreign key."""
    invoice = await sync_to_async(make_invoice)()
    line = await Line.objects.aget(name="a")
    tags = [tag.pk async for tag in Tag.objects.all()]
    data = {
        "pk": str(invoice.pk),
        "lines": [
            {"pk": line.pk, "parts": [{"name": f"p{i}"} for i in range(count)]},
            *({"name": f"l{i}", "tags": tags} for i in range(count)),
        ],
        "contacts": [{"pk": f"c{i}", "name": f"c{i}"} for i in range(count)],
    }
    async with counted_queries() as queries:
        view = await open_json(engine, ANN, INVOICE, data)
    # The root, four relations, two sets, and then the tags and the contacts that are named.
    assert len([sql for sql in queries if "SELECT" in sql]) == READS
    async with counted_queries() as queries:
        await export(engine, view)
    assert len(queries) == 2  # the members of each of two sets


@pytest.mark.usefixtures("transactional_db")
async def test_limits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what differs counts, and new nodes do."""
    invoice = await sync_to_async(make_invoice)()
    given = {**settings.GQL_CLUSTER, "MAX_CHANGES": 3}
    monkeypatch.setattr(settings, "GQL_CLUSTER", given)
    other = Engine({"Invoice": INVOICE})
    try:
        view = await open_invoice(other, invoice)
        data = await export(other, view)
        assert (await open_json(other, ANN, INVOICE, data)).draft.version == 0
        more: Any = {"pk": data["pk"], "lines": [{"name": f"x{i}"} for i in range(4)]}
        for each in (more, {**more, "pk": None}):
            with pytest.raises(LimitExceededError):
                await open_json(other, ANN, INVOICE, each)
    finally:
        await other.aclose()


@pytest.mark.parametrize("from_draft", [True, False])
async def test_a_copy_leaves_out_what_is_asked(engine: Engine, *, from_draft: bool) -> None:
    """A field gets its default, a relation and a set stay empty, at every depth."""
    invoice = await sync_to_async(make_invoice)()
    view = await open_invoice(engine, invoice)
    exclude = [("notes",), ("tags",), ("contacts",), ("lines", "parts"), ("lines", "price")]
    await Invoice.objects.filter(pk=invoice.pk).aupdate(notes={"a": 1}, terms=dt.timedelta(1))
    view = await open_invoice(engine, invoice)
    if from_draft:
        copy = await open_copy(engine, ANN, INVOICE, draft_id=view.draft.id, exclude=exclude)
    else:
        copy = await open_copy(engine, ANN, INVOICE, pk=str(invoice.pk), exclude=exclude)
    found = await exported(engine, copy)
    assert (found["notes"], found["tags"], found["contacts"]) == ({}, [], [])
    assert (found["name"], found["terms"]) == ("one", "1 00:00:00")
    assert found["pk"] != str(invoice.pk)
    assert len(found["papers"]) == 1
    assert [(line["parts"], line["price"], len(line["tags"])) for line in found["lines"]] == [
        ([], "1.00", 1)
    ] * 3


@pytest.mark.usefixtures("transactional_db")
async def test_a_cluster_that_inherits_comes_back_and_is_copied() -> None:
    """What it inherits is in its JSON, and a copy gets a primary key of its own."""
    cluster = describe(CreditNote)
    engine = Engine({"CreditNote": cluster})
    try:
        customer = await Customer.objects.acreate(code="acme")
        note: Any = CreditNote(name="note", customer=customer, reason="broken")
        note.approvals = [Approval(name="boss")]
        note.lines = [Line(name="a", sort_order=1)]
        await sync_to_async(note.save)()
        note = await CreditNote.objects.aget(pk=note.pk)

        view = await open_saved(engine, ANN, cluster, str(note.pk), resume=False)
        data = await exported(engine, view)
        assert data == await sync_to_async(serialized)(note)
        again = await open_json(engine, ANN, cluster, data)
        assert (again.draft.pk, again.draft.version) == (view.draft.pk, 0)

        copy = await open_copy(engine, ANN, cluster, pk=str(note.pk), exclude=[("lines",)])
        found = await exported(engine, copy)
        assert found["pk"] not in (None, str(note.pk))
        assert ([each["name"] for each in found["approvals"]], found["lines"]) == (["boss"], [])
        await commit(engine, ANN, cluster, copy.draft.id, expected_version=None, change_id=None)
        assert await CreditNote.objects.acount() == 2
    finally:
        await engine.aclose()


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (UUIDField(default=uuid4), True),
        (JSONField(default=dict), False),
        (IntegerField(default=1), False),
        (IntegerField(), False),
    ],
)
def test_what_each_object_gets_anew_is_told_from_what_all_get(
    column: Field[Any, Any], *, expected: bool
) -> None:
    """A client may name the former of a new node, though it can't set it."""
    assert is_made_anew(column) is expected
