"""A commit leaves the database as `save()` would: the same rows, and the same signals."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    Change,
    End,
    MoveNode,
    RemoveFromSet,
    RemoveNodes,
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.service.engine import Engine
from tests.clusters.models import Contact, Invoice, Line, Paper, Part, Tag
from tests.integration.orm.invoices import (
    forget_all,
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

Edit = tuple[Callable[[Any], None], Callable[[Any], list[Change]], set[str]]
"""The same twice, in memory and as changes, and which nodes it does not concern."""


def tag(number: int) -> Tag:
    """Return one of the tags."""
    return Tag.objects.get(name=f"tag {number}")


def line(invoice: Invoice, name: str) -> Any:
    """Return a line as the invoice holds it in memory."""
    for each in invoice.lines.get_object_list():  # type: ignore[attr-defined]
        if each.name == name:
            return each
    raise LookupError(name)


def part(of: Any, name: str) -> Any:
    """Return a part as the line holds it in memory."""
    return next(each for each in of.parts.get_object_list() if each.name == name)


def part_key(name: str) -> str:
    """Return the key that a saved part has in every draft."""
    return f"Part:{Part.objects.get(name=name).pk}"


def set_root(invoice: Any) -> None:
    """Change a field of the root."""
    invoice.name = "two"


def add_line(invoice: Any) -> None:
    """Add a line with parts and tags."""
    added: Any = Line(name="d", price=Decimal(7), sort_order=4)
    added.parts = [Part(name=" d1 ", slot=1), Part(name="d2")]
    added.tags = [tag(2)]
    invoice.lines.add(added)


def remove_line(invoice: Any) -> None:
    """Remove a line with its parts."""
    invoice.lines.remove(line(invoice, "b"))


def update_part(invoice: Any) -> None:
    """Change a grandchild."""
    part(line(invoice, "b"), "b1").name = "b1 new"


def retag(invoice: Any) -> None:
    """Change the sets of the root and of a line."""
    invoice.tags.add(tag(3))
    invoice.tags.remove(tag(0))
    line(invoice, "c").tags.set([tag(2), tag(3)])


def reorder(invoice: Any) -> None:
    """Put the last line first."""
    for number, name in enumerate("cab", start=1):
        line(invoice, name).sort_order = number
    invoice.lines.set(invoice.lines.get_object_list())


def rename_two(invoice: Any) -> None:
    """Change two children, the last one first, and add one between them."""
    line(invoice, "c").price = Decimal(5)
    line(invoice, "a").price = Decimal(6)
    line(invoice, "c").parts.add(Part(name="c0"))
    part(line(invoice, "c"), "c2").slot = 7


def others(invoice: Any) -> None:
    """Change children whose keys are not numbers, and add such."""
    invoice.contacts.get_object_list()[0].name = "Anna"
    invoice.contacts.add(Contact(code="bob", name="Bob"))
    invoice.papers.add(Paper(name="scan"))


CASES: dict[str, Edit] = {
    "root": (set_root, lambda _: [SetFields(values={"name": "two"})], {*"abc"}),
    "add": (
        add_line,
        lambda _: [
            AddNodes(
                relation="lines",
                nodes=(
                    new(
                        "Line",
                        "d",
                        name="d",
                        price="7.00",
                        parts=(
                            new("Part", name=" d1 ", slot=1),
                            new("Part", name="d2"),
                        ),
                    ),
                ),
            ),
            inside("d", AddToSet(name="tags", pks=(tag(2).pk,))),
        ],
        {*"abc"},
    ),
    "remove": (
        remove_line,
        lambda _: [RemoveNodes(relation="lines", keys=(line_key("b"),))],
        {*"ac"},
    ),
    "grandchild": (
        update_part,
        lambda _: [
            inside(
                line_key("b"),
                UpdateNode(relation="parts", key=part_key("b1"), values={"name": "b1 new"}),
            )
        ],
        {*"ac", "b2"},
    ),
    "sets": (
        retag,
        lambda _: [
            AddToSet(name="tags", pks=(tag(3).pk,)),
            RemoveFromSet(name="tags", pks=(tag(0).pk,)),
            inside(line_key("c"), ReplaceSet(name="tags", pks=(tag(2).pk, tag(3).pk))),
        ],
        {*"ab"},
    ),
    "order": (
        reorder,
        lambda _: [MoveNode(relation="lines", key=line_key("c"), place=End.FIRST)],
        {f"{line}{part}" for line in "abc" for part in (1, 2)},
    ),
    "two": (
        rename_two,
        lambda _: [
            inside(
                line_key("c"),
                UpdateNode(relation="parts", key=part_key("c2"), values={"slot": 7}),
                AddNodes(relation="parts", nodes=(new("Part", name="c0"),)),
            ),
            UpdateNode(relation="lines", key=line_key("c"), values={"price": "5.00"}),
            UpdateNode(relation="lines", key=line_key("a"), values={"price": "6.00"}),
        ],
        {"b", "a1", "a2", "b1", "b2", "c1"},
    ),
    "keys": (
        others,
        lambda _: [
            UpdateNode(relation="contacts", key="Contact:one-ann", values={"name": "Anna"}),
            AddNodes(relation="contacts", nodes=(new("Contact", code="bob", name="Bob"),)),
            AddNodes(relation="papers", nodes=(new("Paper", name="scan"),)),
        ],
        {*"abc", "receipt"},
    ),
}


def in_memory(change: Callable[[Any], None]) -> tuple[Any, Any]:
    """Make the edit on the model's own instance, and save it."""
    invoice = make_invoice()
    change(invoice)
    with signals() as told:
        invoice.save()
    found = rows()
    forget_all()
    return told, found


@pytest.mark.parametrize("name", CASES)
async def test_a_commit_leaves_rows_and_signals_as_save_does(engine: Engine, name: str) -> None:
    """Of those nodes that the edit concerns, in the same order and with the same arguments."""
    change, changes, unconcerned = CASES[name]
    plain, plain_rows = await sync_to_async(in_memory)(change)
    if len(unconcerned) < 4:
        unconcerned |= {f"{each}{i}" for each in unconcerned for i in (1, 2)}

    invoice = await sync_to_async(make_invoice)()
    view = await open_invoice(engine, invoice)
    await stage(engine, view, *await sync_to_async(changes)(invoice))
    with signals() as told:
        await save(engine, view)
    assert await sync_to_async(rows)() == plain_rows
    assert told == [row for row in plain if row[2] not in unconcerned]
