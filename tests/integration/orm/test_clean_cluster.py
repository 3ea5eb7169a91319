"""A hook for the whole cluster: `clean_cluster()` sees the draft at every depth."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.db.models import UniqueConstraint
from django.db.models.functions import Upper

from gql_cluster.domain.change import AddNodes, RemoveNodes, SetFields, UpdateNode
from gql_cluster.domain.error import ErrorCode, Problem, ValidationFailedError
from gql_cluster.orm.expressions import alike
from gql_cluster.service.dry_run import draft_errors
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_new
from tests.clusters.models import Line, Part
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

TOO_MANY = Problem(
    code=ErrorCode.VALIDATION_FAILED,
    message="Too many parts.",
    key="root",
    field="lines",
    path=("lines",),
    reason="parts",
)


async def test_the_root_sees_all_that_is_below(engine: Engine) -> None:
    """Six saved grandchildren and four drafted ones are more than nine, until one is taken out."""
    view = await open_invoice(engine, await sync_to_async(make_invoice)())
    key = await sync_to_async(line_key)("a")
    parts = tuple(new("Part", f"k{i}", name=f"k{i}") for i in range(4))
    view = (await stage(engine, view, inside(key, AddNodes(relation="parts", nodes=parts)))).view

    assert await draft_errors(engine, view) == [TOO_MANY]
    with pytest.raises(ValidationFailedError) as refused:
        await save(engine, view)
    assert list(refused.value.problems) == [TOO_MANY]


async def test_what_others_saved_is_seen(engine: Engine) -> None:
    """At commit the hook sees the cluster as it will be."""
    view = await open_invoice(engine, await sync_to_async(make_invoice)())
    key = await sync_to_async(line_key)("a")
    parts = tuple(new("Part", f"k{i}", name=f"k{i}") for i in range(3))
    view = (await stage(engine, view, inside(key, AddNodes(relation="parts", nodes=parts)))).view
    assert await draft_errors(engine, view) == []

    line = await Line.objects.aget(name="b")
    await line.parts.model.objects.acreate(line=line, name="theirs")
    view = engine.view_at(view)
    assert await draft_errors(engine, view) == [TOO_MANY]


async def test_a_child_may_have_the_hook_too_and_is_asked_first(engine: Engine) -> None:
    """Both are told, the one that is deeper first."""
    view = await open_invoice(engine, await sync_to_async(make_invoice)())
    key = await sync_to_async(line_key)("a")
    parts = tuple(new("Part", f"k{i}", name="a" if i else "k") for i in range(4))
    view = (await stage(engine, view, inside(key, AddNodes(relation="parts", nodes=parts)))).view
    problems = await draft_errors(engine, view)
    assert [(each.key, each.message) for each in problems] == [
        (key, "A part is called as the whole."),
        ("root", "Too many parts."),
    ]
    assert problems[0].path == ("lines", key)


async def test_it_is_asked_only_where_all_else_is_right(engine: Engine) -> None:
    """What is wrong with single nodes comes before."""
    view = await open_invoice(engine, await sync_to_async(make_invoice)())
    key = await sync_to_async(line_key)("a")
    parts = tuple(new("Part", f"k{i}", name=f"k{i}") for i in range(4))
    await stage(engine, view, inside(key, AddNodes(relation="parts", nodes=parts)))
    view = (await stage(engine, view, SetFields(values={"name": ""}))).view
    assert [each.reason for each in await draft_errors(engine, view)] == ["blank"]


async def test_problems_have_djangos_own_code(engine: Engine) -> None:
    """Of a field, a unique set, a check constraint and a constraint with a condition."""
    view = await open_invoice(engine, await sync_to_async(make_invoice)())
    one = await sync_to_async(line_key)("a")
    lines = (
        new("Line", "k", name="b", price="2.00", is_main=True),
        new("Line", "l", name="l", price="2.00", is_main=True, quantity=0),
    )
    await stage(engine, view, AddNodes(relation="lines", nodes=lines))
    values = {"name": "x" * 21}
    view = (await stage(engine, view, UpdateNode(relation="lines", key=one, values=values))).view
    problems = await draft_errors(engine, view)
    assert [(each.key, each.field, each.reason) for each in problems] == [
        (one, "name", "max_length"),
        ("k", "name", "unique_together"),
        ("l", None, None),  # constraints have a code where they are given one
        ("l", None, None),
    ]


@pytest.mark.parametrize("is_saved", [True, False])
async def test_expressions_are_unique_inside_the_cluster(engine: Engine, *, is_saved: bool) -> None:
    """Among drafted nodes and saved ones, below a parent that is saved or is not."""
    invoice = await sync_to_async(make_invoice)()
    await sync_to_async(make_invoice)("two")
    papers = tuple(new("Paper", name, name=name) for name in ("bill", "BILL", "Receipt", "b"))
    if is_saved:
        view = await open_invoice(engine, invoice)
    else:
        root = new("Invoice", name="n", customer="acme", papers=(new("Paper", name="receipt"),))
        view = await open_new(engine, ANN, INVOICE, root)
    view = (await stage(engine, view, AddNodes(relation="papers", nodes=papers))).view
    problems = await draft_errors(engine, view)
    assert [(each.key, each.reason) for each in problems] == [
        ("BILL" if is_saved is False else "Receipt", "twice"),
        ("Receipt" if is_saved is False else "BILL", "twice"),
    ]
    with pytest.raises(ValidationFailedError):
        await save(engine, view)
    await stage(engine, view, RemoveNodes(relation="papers", keys=("Receipt", "BILL")))
    await save(engine, view)


@pytest.mark.django_db
def test_expressions_tell_parents_apart_that_are_not_saved() -> None:
    """Two children are alike below the same parent only; null is like nothing."""
    one, two = Line(), Line()
    parts = {
        "a": Part(name="x", line=one, slot=1),
        "b": Part(name="X", line=two, slot=1),
        "c": Part(name="X", line=one, slot=1),
        "d": Part(name="X", line=one, slot=None),
        "e": Part(name="x", line=one, slot=None),
    }
    rule = UniqueConstraint(Upper("name"), "line", "slot", name="rule")
    assert list(alike(rule, parts, "default")) == ["c"]
    strict = UniqueConstraint(Upper("name"), "line", "slot", name="rule", nulls_distinct=False)
    assert list(alike(strict, parts, "default")) == ["c", "e"]
