"""A draft as modelcluster's JSON, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.serializers.json import DjangoJSONEncoder

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    Change,
    End,
    MoveNode,
    RemoveNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.error import ErrorCode, InvalidChangeError
from gql_cluster.service.engine import Engine
from gql_cluster.service.export import export
from gql_cluster.service.open import open_copy
from gql_cluster.service.open_json import open_json
from gql_cluster.service.view import View
from tests.clusters.models import Customer, Invoice, Line, Paper, Tag
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


async def exported(engine: Engine, view: View) -> dict[str, Any]:
    """Return the JSON of a draft, but what changes with the time of day."""
    data: dict[str, Any] = dict(await export(engine, view))
    assert data.pop("updated_at")
    return data


async def reopened(engine: Engine, view: View) -> View:
    """Return another draft, opened from the JSON of one."""
    return await open_json(engine, ANN, INVOICE, await export(engine, view))


def serialized(invoice: Invoice) -> dict[str, Any]:
    """Return what modelcluster itself makes of a saved invoice."""
    data: dict[str, Any] = json.loads(json.dumps(invoice.serializable_data(), cls=DjangoJSONEncoder))
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
