"""Committing clusters of every kind: unique values, constraints, references, keys, managers."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from gql_cluster.domain.change import AddNodes, Change, NewNode, RemoveNodes, SetFields, UpdateNode
from gql_cluster.domain.error import InvalidChangeError, ValidationFailedError
from gql_cluster.domain.node import Json
from gql_cluster.orm.describe import describe
from gql_cluster.service.commit import commit
from gql_cluster.service.dry_run import draft_errors
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_copy, open_new, open_saved
from gql_cluster.service.read import get_draft
from gql_cluster.service.view import View
from tests.clusters.models import Contact, CreditNote, Currency, Customer, Invoice, Line, Part
from tests.integration.orm.invoices import (
    ANN,
    INVOICE,
    inside,
    line_key,
    make_invoice,
    new,
    open_invoice,
    rows,
    save,
    signals,
    stage,
)


def update(relation: str, key: str, **values: Json) -> Change:
    """Give some fields of a child other values."""
    return UpdateNode(relation=relation, key=key, values=values)


async def begin(engine: Engine, **lines: dict[str, Any]) -> tuple[Invoice, View]:
    """Open a draft of a saved invoice, of which some lines have other values first."""
    invoice = await sync_to_async(make_invoice)()
    for name, values in lines.items():
        await Line.objects.filter(name=name).aupdate(**values)
    return invoice, await open_invoice(engine, invoice)


async def keys(*names: str) -> list[str]:
    """Return the keys of saved lines."""
    return [await sync_to_async(line_key)(name) for name in names]


async def refused(engine: Engine, view: View) -> set[tuple[str | None, str | None]]:
    """Commit in vain: nothing is saved, and the draft goes on; return key and field of each."""
    before = await sync_to_async(rows)()
    expected = {(each.key, each.field) for each in await draft_errors(engine, view)}
    with pytest.raises(ValidationFailedError) as info:
        await save(engine, view)
    assert await sync_to_async(rows)() == before
    assert (await get_draft(engine, ANN, view.draft.id)).draft.state.value == "OPEN"
    found = {(problem.key, problem.field) for problem in info.value.problems}
    if expected:
        assert found == expected
    return found


@pytest.mark.parametrize("first", ["a", "b"])
async def test_a_mark_that_one_child_may_have_goes_to_another(engine: Engine, first: str) -> None:
    """Unique on a condition; whichever of the two is saved first."""
    _, view = await begin(engine, **{first: {"is_main": True}})
    last = "b" if first == "a" else "a"
    was, will = await keys(first, last)
    await stage(engine, view, update("lines", was, is_main=False))
    await stage(engine, view, update("lines", will, is_main=True))
    await save(engine, view)
    assert [line.name async for line in Line.objects.filter(is_main=True)] == [last]


async def test_two_children_of_one_mark_are_refused(engine: Engine) -> None:
    """In Django's words, before the database sees them; of new children, too."""
    _, view = await begin(engine)
    [key] = await keys("a")
    await stage(engine, view, update("lines", key, is_main=True))
    twin = new("Line", "twin", name="t", is_main=True)
    await stage(engine, view, AddNodes(relation="lines", nodes=(twin,)))
    assert await refused(engine, view) == {("twin", None)}


async def test_short_unique_values_go_round(engine: Engine) -> None:
    """Three marks of one character each, each to the next line."""
    _, view = await begin(engine, a={"mark": "1"}, b={"mark": "2"}, c={"mark": "3"})
    for key, mark in zip(await keys("a", "b", "c"), "231", strict=True):
        await stage(engine, view, update("lines", key, mark=mark))
    await save(engine, view)
    marks = [line.mark async for line in Line.objects.order_by("name")]
    assert marks == ["2", "3", "1"]


async def test_unique_together_with_a_nullable_member_is_swapped(engine: Engine) -> None:
    """Nulls are unlike one another; numbers are not."""
    _, view = await begin(engine)
    [line] = await keys("a")
    parts = {part.name: f"Part:{part.pk}" async for part in Part.objects.all()}
    changes = (update("parts", parts["a1"], slot=2), update("parts", parts["a2"], slot=1))
    without = tuple(new("Part", name=name) for name in "xy")
    await stage(engine, view, inside(line, *changes, AddNodes(relation="parts", nodes=without)))
    await save(engine, view)
    slots = {part.name: part.slot async for part in Part.objects.filter(line__name="a")}
    assert slots == {"a1": 2, "a2": 1, "x": None, "y": None}


async def test_a_taken_slot_is_refused(engine: Engine) -> None:
    """With the child's key, and the field that is not the parental one."""
    _, view = await begin(engine)
    [line] = await keys("a")
    add = AddNodes(relation="parts", nodes=(new("Part", "x", name="x", slot=1),))
    await stage(engine, view, inside(line, add))
    assert await refused(engine, view) == {("x", "slot")}


async def test_a_unique_text_is_swapped_and_a_primary_key_used_again(engine: Engine) -> None:
    """Two contacts exchange names; another takes the key of one that is removed."""
    invoice, _ = await begin(engine)
    await Contact.objects.acreate(code="zed", name="Zed", invoice=invoice)
    await Contact.objects.acreate(code="old", name="Old", invoice=invoice)
    view = await open_invoice(engine, invoice)
    await stage(
        engine,
        view,
        update("contacts", "Contact:zed", name="one Ann"),
        update("contacts", "Contact:one-ann", name="Zed"),
        RemoveNodes(relation="contacts", keys=("Contact:old",)),
        AddNodes(relation="contacts", nodes=(new("Contact", code="old", name="New"),)),
    )
    await save(engine, view)
    names = {contact.code: contact.name async for contact in Contact.objects.all()}
    assert names == {"zed": "one Ann", "one-ann": "Zed", "old": "New"}


async def test_a_primary_key_of_anothers_child_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it came in between: a new child never takes over a row."""
    _, view = await begin(engine)
    await sync_to_async(make_invoice)("two")
    taken = new("Contact", "n", code="two-ann", name="New")
    await stage(engine, view, AddNodes(relation="contacts", nodes=(taken,)))
    assert await refused(engine, view) == {("n", "code")}
    monkeypatch.setattr("gql_cluster.orm.unique.Uniqueness.clashes", lambda *_: iter(()))
    assert await refused(engine, view) == {("n", "code")}


async def test_a_database_constraint_is_told_with_its_field(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What validation does not see, because it came in between."""
    _, view = await begin(engine, a={"is_main": True})
    [line] = await keys("a")
    monkeypatch.setattr("gql_cluster.orm.validate._uniqueness", lambda *_: iter(()))
    monkeypatch.setattr("gql_cluster.orm.validate._constraints", lambda *_: iter(()))
    monkeypatch.setattr("gql_cluster.orm.unique.Uniqueness.park", lambda *_: None)
    for node, field in (
        (new("Line", "x", name="a"), "name"),
        (new("Line", "x", name="x", quantity=-1), "quantity"),
    ):
        view = await open_invoice(engine, await Invoice.objects.aget())
        await stage(engine, view, AddNodes(relation="lines", nodes=(node,)))
        assert await refused(engine, view) == {("x", field)}
    view = await open_invoice(engine, await Invoice.objects.aget())
    part = new("Part", "p", name="p", slot=1)
    await stage(engine, view, inside(line, AddNodes(relation="parts", nodes=(part,))))
    assert await refused(engine, view) == {("p", "slot")}


async def test_what_others_refer_to_is_not_deleted(engine: Engine) -> None:
    """The parts of a line are guarded while it is removed."""
    _, view = await begin(engine)
    [line] = await keys("a")
    await stage(engine, view, RemoveNodes(relation="lines", keys=(line,)))

    from django.db.models import ProtectedError  # noqa: PLC0415 - beside its one use
    from django.db.models.signals import pre_delete  # noqa: PLC0415 - the same

    def protect(instance: Any, **_: Any) -> None:
        raise ProtectedError("It is referred to.", {instance})

    pre_delete.connect(protect, sender=Line)
    try:
        assert await refused(engine, view) == {(line, None)}
    finally:
        pre_delete.disconnect(protect, sender=Line)


async def test_a_reference_is_by_its_own_field_and_within_its_limits(engine: Engine) -> None:
    """`to_field` and `limit_choices_to` hold when it is staged, and when it is saved."""
    _, view = await begin(engine)
    await Currency.objects.acreate(code="GBP")
    await Currency.objects.acreate(code="OLD", is_legal=False)
    for code in ("OLD", "XXX"):
        with pytest.raises(InvalidChangeError, match=code):
            await stage(engine, view, SetFields(values={"currency": code}))
    await stage(engine, view, SetFields(values={"currency": "GBP"}))
    await Currency.objects.filter(code="GBP").aupdate(is_legal=False)
    assert await refused(engine, view) == {("root", "currency")}
    await Currency.objects.filter(code="GBP").aupdate(is_legal=True)
    await save(engine, view)
    assert (await Invoice.objects.aget()).currency_id == "GBP"


async def test_a_row_that_its_manager_hides_is_saved_as_save_does(engine: Engine) -> None:
    """It was archived meanwhile: it is there all the same, and nothing of the draft conflicts."""
    _, view = await begin(engine)
    await Invoice._base_manager.aupdate(archived=True)
    await stage(engine, view, SetFields(values={"name": "x"}))
    await save(engine, view)
    saved = await Invoice._base_manager.aget()
    assert (saved.name, saved.archived) == ("x", True)


async def test_a_sibling_that_was_never_valid_does_not_block(engine: Engine) -> None:
    """Only what changed and what is above it is asked."""
    _, view = await begin(engine, b={"price": "99999.00"})
    [line] = await keys("a")
    await stage(engine, view, update("lines", line, quantity=2))
    with signals() as told:
        await save(engine, view)
    saved = {name for signal, _, name, *_ in told if signal == "pre_save"}
    assert saved == {"one", "a"}


async def test_clean_sees_the_draft_around_it(engine: Engine) -> None:
    """The root's sees the children, a child's its siblings, as the draft has them."""
    _, view = await begin(engine)
    [line] = await keys("a")
    await stage(engine, view, update("lines", line, quantity=200))
    assert await refused(engine, view) == {("root", None)}
    await stage(engine, view, update("lines", line, quantity=1, price="5001.00"))
    assert await refused(engine, view) == {(line, "price")}
    other = new("Line", "d", name="d", price="9.00")
    await stage(engine, view, AddNodes(relation="lines", nodes=(other,)))
    await save(engine, view)


@pytest.mark.usefixtures("transactional_db")
async def test_a_root_that_inherits_is_saved_with_all_it_inherits() -> None:
    """Fields of two tables, the children of both models, and a generated column."""
    cluster = describe(CreditNote)
    inheriting = Engine({"CreditNote": cluster})
    await Customer.objects.acreate(code="acme")
    root = NewNode(
        values={"name": "n", "customer": "acme", "reason": "why"},
        defaults=new("Invoice").defaults,
        children={
            "lines": (new("Line", "l", name="a", parts=(new("Part", name="p"),)),),
            "approvals": (NewNode(key="ap", values={"name": "boss"}),),
        },
    )

    async def keep(view: View) -> CreditNote:
        await commit(inheriting, ANN, cluster, view.draft.id, expected_version=None, change_id=None)
        return await CreditNote.objects.aget()

    try:
        note = await keep(await open_new(inheriting, ANN, cluster, root))
        assert (note.name, note.loud, note.lines_saved) == ("n", "WHY", 1)
        assert await note.approvals.acount() == 1
        view = await open_saved(inheriting, ANN, cluster, str(note.pk), resume=False)
        changes = [SetFields(values={"name": "m", "reason": "because"})]
        await edit(
            inheriting,
            ANN,
            cluster,
            view.draft.id,
            changes,
            expected_version=None,
            change_id=None,
        )
        note = await keep(view)
        assert (note.name, note.loud) == ("m", "BECAUSE")
        assert await Invoice.objects.acount() == 1
    finally:
        await inheriting.aclose()


async def test_a_copy_gets_keys_of_its_own(engine: Engine) -> None:
    """Primary keys that are made are made anew; those that a person chooses are asked for."""
    invoice, view = await begin(engine)
    await stage(engine, view, update("contacts", "Contact:one-ann", name="Ann"))
    copy = await open_copy(engine, ANN, INVOICE, draft_id=view.draft.id)
    nodes = await copy.load_all()
    assert all(node.pk is None for node in nodes)
    [contact] = [node for node in nodes if node.type == "Contact"]
    assert not contact.fields["code"]
    assert await refused(engine, copy) == {(contact.key, "code")}
    await stage(engine, copy, update("contacts", contact.key, code="new"))
    await save(engine, copy)
    made = await Invoice.objects.exclude(pk=invoice.pk).aget()
    lines = [
        (line.name, line.sort_order, [part.name async for part in line.parts.all()])
        async for line in made.lines.all()
    ]
    assert lines == [("a", 1, ["a1", "a2"]), ("b", 2, ["b1", "b2"]), ("c", 3, ["c1", "c2"])]
    assert [contact.name async for contact in made.contacts.all()] == ["Ann"]


async def test_a_saved_key_is_fixed_and_may_be_said_again(engine: Engine) -> None:
    """The same value is no change."""
    _, view = await begin(engine)
    await stage(engine, view, update("contacts", "Contact:one-ann", code="one-ann", name="A"))
    with pytest.raises(InvalidChangeError, match="read-only"):
        await stage(engine, view, update("contacts", "Contact:one-ann", code="other"))


async def test_naive_times_are_in_the_current_time_zone(engine: Engine) -> None:
    """And every other column holds what was staged."""
    _, view = await begin(engine)
    staged: dict[str, Json] = {
        "issued": "2020-01-01T10:00:00+00:00",
        "terms": "P30DT00H00M00.000001S",
        "rate": "1.125",
        "paid": True,
        "notes": {"a": [1, None, "x"]},
        "extra": None,
        "paper": "papers/x.pdf",
        "grade": "b",
        "seal": "AAH/",
    }
    await stage(engine, view, SetFields(values=staged))
    await save(engine, view)
    saved = await Invoice.objects.aget()
    reopened = await open_invoice(engine, saved)
    root = reopened.snapshot.node("root")
    assert root is not None
    assert {name: root.fields[name] for name in staged} == staged
    assert bytes(saved.seal or b"") == b"\x00\x01\xff"
    assert saved.paper.name == "papers/x.pdf"


async def test_an_overridden_save_counts_what_others_saved_meanwhile(engine: Engine) -> None:
    """Changed, added and deleted by others: the total is that of the rows that are left."""
    invoice, view = await begin(engine)
    [a] = await keys("a")
    await stage(engine, view, update("lines", a, price="10.00"))
    added = new("Line", "d", name="d", price="1000.00")
    await stage(engine, view, AddNodes(relation="lines", nodes=(added,)))
    await Line.objects.filter(name="b").aupdate(price="100.00")
    await Line.objects.filter(name="c").adelete()
    await Line.objects.acreate(invoice=invoice, name="e", price="5000.00", sort_order=9)
    await save(engine, view)
    saved = await Invoice.objects.aget()
    assert (str(saved.total), saved.lines_saved) == ("6110.00", 4)
