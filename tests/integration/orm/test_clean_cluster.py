"""A hook for the whole cluster: `clean_cluster()` sees the draft at every depth."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from gql_cluster.domain.change import AddNodes, SetFields, UpdateNode
from gql_cluster.domain.error import ErrorCode, Problem, ValidationFailedError
from gql_cluster.service.dry_run import draft_errors
from gql_cluster.service.engine import Engine
from tests.clusters.models import Line
from tests.integration.orm.invoices import (
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
