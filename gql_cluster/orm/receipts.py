"""Receipts: what tells a commit that was carried out from one that was not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, router, transaction
from django.db.models import Model

from gql_cluster.models import Receipt
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.inheritance import kinds


def committed(draft_id: str, version: int, cluster_model: type[Model]) -> Receipt | None:
    """Return a version's receipt, None where it was not committed and never will be unasked.

    A commit of it that is still running is waited for.
    """
    using = router.db_for_write(cluster_model)
    fence = Receipt(draft_id=draft_id, version=version)
    try:
        with transaction.atomic(using=using):
            fence.save(using=using, force_insert=True)
            transaction.set_rollback(True, using=using)
    except IntegrityError:
        return receipt_of(draft_id, version, cluster_model)
    return None


def receipt_of(draft_id: str, version: int, cluster_model: type[Model]) -> Receipt | None:
    """Return a version's receipt, None where it is not committed yet; waits for nothing."""
    using = router.db_for_write(cluster_model)
    return Receipt.objects.using(using).filter(draft_id=draft_id, version=version).first()


def receipt_named(
    draft_id: str, change_id: str, session: str, cluster_model: type[Model]
) -> Receipt | None:
    """Return the receipt of a session's commit with this change id, if it was carried out."""
    using = router.db_for_write(cluster_model)
    found = Receipt.objects.using(using).filter(
        draft_id=draft_id, change_id=change_id, session=session
    )
    return found.first()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptPage:
    """Some receipts of a cluster, newest first; the cursor of each is its primary key."""

    receipts: Sequence[Receipt]
    has_next: bool


def receipts(
    clusters: Iterable[Cluster], root: Model, *, first: int, after: str | None
) -> ReceiptPage:
    """Return a page of a saved row's receipts; an `after` that is no cursor ends it.

    They are those of each of some clusters by whose drafts the row is saved: those that have its
    model for their root, or one that it is a kind of.
    """
    stored = type(root)._meta.concrete_model
    labels = [each.label for each in clusters if stored in _rows_of(each.model)]
    using = router.db_for_read(type(root))
    queryset = Receipt.objects.using(using).filter(cluster__in=labels, root_pk=str(root.pk))
    if after is not None:
        if not (after.isascii() and after.isdigit()):
            return ReceiptPage(receipts=(), has_next=False)
        queryset = queryset.filter(pk__lt=int(after))
    found = list(queryset.order_by("-pk")[: first + 1])
    return ReceiptPage(receipts=found[:first], has_next=len(found) > first)


def _rows_of(model: type[Model]) -> tuple[type[Model] | None, ...]:
    """Return the models whose rows are rows of a model, each with the same primary key."""
    stored = model._meta.concrete_model or model
    return (stored, *kinds(stored))
