"""Invoices for tests: a saved one, drafts of it, and what its models tell by signals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.db.models import Model
from django.db.models.signals import (
    m2m_changed,
    post_delete,
    post_save,
    pre_delete,
    pre_save,
)

from gql_cluster.domain.change import Change, EditNode, NewNode
from gql_cluster.domain.node import Json
from gql_cluster.orm.codec import defaults
from gql_cluster.orm.describe import describe
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_saved
from gql_cluster.service.outcome import Committed, Outcome
from gql_cluster.service.view import View
from tests.clusters.models import Contact, Customer, Deleted, Invoice, Line, Paper, Part, Tag

INVOICE = describe(Invoice)
ANN = Caller(session="ann")
SIGNALS = {
    "pre_save": pre_save,
    "post_save": post_save,
    "pre_delete": pre_delete,
    "post_delete": post_delete,
    "m2m_changed": m2m_changed,
}
MODELS = (Invoice, Line, Part, Contact, Paper)


def make_invoice(name: str = "one") -> Invoice:
    """Save an invoice with three lines of two parts each, a contact, a paper and some tags."""
    customer, _ = Customer.objects.get_or_create(code="acme")
    tags = [Tag.objects.get_or_create(name=f"tag {i}")[0] for i in range(4)]
    invoice: Any = Invoice(name=name, customer=customer)
    invoice.lines = [
        Line(name=each, price=Decimal(number), sort_order=number)
        for number, each in enumerate("abc", start=1)
    ]
    for line in invoice.lines.all():
        line.parts = [Part(name=f"{line.name}{i}", slot=i) for i in (1, 2)]
        line.tags = tags[:1]
    invoice.contacts = [Contact(code=f"{name}-ann", name=f"{name} Ann")]
    invoice.papers = [Paper(name="receipt")]
    invoice.tags = tags[:2]
    invoice.save()
    return Invoice.objects.get(pk=invoice.pk)


def forget_all() -> None:
    """Empty every table of these models."""
    for model in (Invoice, Deleted, Customer, Tag):
        model._base_manager.all().delete()


def new(type_name: str, /, key: str | None = None, **values: Json | tuple[NewNode, ...]) -> NewNode:
    """Make a node to add, with its model's defaults; a tuple of nodes is below it."""
    return NewNode(
        key=key,
        values={name: value for name, value in values.items() if not isinstance(value, tuple)},
        defaults=defaults(INVOICE.models[type_name]),
        children={name: value for name, value in values.items() if isinstance(value, tuple)},
    )


def inside(key: str, *changes: Change) -> Change:
    """Change a line."""
    return EditNode(relation="lines", key=key, changes=changes)


def line_key(name: str) -> str:
    """Return the key that a saved line has in every draft."""
    return f"Line:{Line.objects.get(name=name).pk}"


async def open_invoice(engine: Engine, invoice: Invoice) -> View:
    """Open a draft."""
    return await open_saved(engine, ANN, INVOICE, str(invoice.pk), resume=False)


async def stage(engine: Engine, view: View, *changes: Change, **more: Any) -> Outcome:
    """Stage changes."""
    more = {"expected_version": None, "change_id": None, **more}
    return await edit(engine, ANN, INVOICE, view.draft.id, changes, **more)


async def save(engine: Engine, view: View, change_id: str | None = None) -> Committed:
    """Commit a draft."""
    return await commit(
        engine, ANN, INVOICE, view.draft.id, expected_version=None, change_id=change_id
    )


@contextmanager
def signals() -> Iterator[list[tuple[Any, ...]]]:
    """Collect what the models' signals tell, in order; objects by name."""
    told: list[tuple[Any, ...]] = []

    def note(name: str, sender: Any, kwargs: dict[str, Any]) -> None:
        instance = kwargs["instance"]
        row: tuple[Any, ...] = (name, sender.__name__, instance.name)
        if name == "post_save":
            row += (kwargs["created"], _names(kwargs["update_fields"]), kwargs["raw"])
        if name == "m2m_changed":
            tags = Tag.objects.filter(pk__in=kwargs["pk_set"] or ())
            row += (kwargs["action"], kwargs["reverse"], sorted(tag.name for tag in tags))
        told.append(row)

    receivers = []
    for name, signal in SIGNALS.items():

        def receive(sender: Any, name: str = name, **kwargs: Any) -> None:
            if sender._meta.app_label == "clusters" and sender is not Deleted:
                note(name, sender, kwargs)

        receivers.append((signal, receive))
        signal.connect(receive, weak=False)
    try:
        yield told
    finally:
        for signal, receive in receivers:
            signal.disconnect(receive)


def _names(fields: Any) -> tuple[str, ...] | None:
    return None if fields is None else tuple(sorted(fields))


def rows() -> dict[str, list[dict[str, Any]]]:
    """Return every row of the cluster's tables, references by name, without primary keys."""
    found: dict[str, list[dict[str, Any]]] = {}
    for model in MODELS:
        instances = model._base_manager.order_by("name")
        found[model.__name__] = [_row(instance) for instance in instances]
    found["Deleted"] = [{"what": each} for each in Deleted.objects.values_list("what", flat=True)]
    return found


def _row(instance: Model) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for field in instance._meta.concrete_fields:
        if field.name in {"id", "created_at", "updated_at", "token"}:
            continue
        value = getattr(instance, field.name)
        if isinstance(value, Model):
            value = getattr(value, "name", value.pk)
        row[field.name] = str(value) if field.name == "paper" else value
    for each in instance._meta.many_to_many:
        row[each.name] = sorted(tag.name for tag in getattr(instance, each.name).all())
    return row
