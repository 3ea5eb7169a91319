"""Two clusters of one shape, which differ in one thing: `InvoiceLine` has a `save()` of its own.

Nothing here knows of gql_cluster.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel


class Status(models.TextChoices):
    """How far an order has come."""

    OPEN = "open", "Open"
    PAID = "paid", "Paid"
    SENT = "sent", "Sent"


class Root(ClusterableModel):
    """What orders and invoices have."""

    number = models.CharField(max_length=40)
    customer = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    placed = models.DateField()
    notes = models.TextField(blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.number


class Line(models.Model):
    """What their lines have; they keep an order, as Wagtail's `Orderable` does."""

    sort_order = models.IntegerField(null=True, blank=True, editable=False)
    product = models.CharField(max_length=100)
    quantity = models.PositiveIntegerField(default=1)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=Decimal(0))
    note = models.CharField(max_length=200, blank=True)

    sort_order_field = "sort_order"

    class Meta:
        abstract = True
        ordering = ["sort_order"]

    def __str__(self) -> str:
        return self.product


class Order(Root):
    """A cluster whose lines `bulk_create` may save."""


class OrderLine(Line):
    """A line of an order."""

    order = ParentalKey(Order, on_delete=models.CASCADE, related_name="lines")


class Invoice(Root):
    """A cluster whose lines have to be saved one by one."""


class InvoiceLine(Line):
    """A line of an invoice, with a `save()` of its own."""

    invoice = ParentalKey(Invoice, on_delete=models.CASCADE, related_name="lines")

    def save(self, **kwargs: Any) -> None:
        """Tidy the name of the product, as a model might."""
        self.product = " ".join(self.product.split())
        super().save(**kwargs)


class PlainOrder(models.Model):
    """The same row as `Order`, for those who have no clusters."""

    number = models.CharField(max_length=40)
    customer = models.CharField(max_length=100)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    placed = models.DateField()
    notes = models.TextField(blank=True)

    class Meta:
        managed = False
        db_table = "orders_order"

    def __str__(self) -> str:
        return self.number


class PlainOrderLine(Line):
    """The same row as `OrderLine`; strawberry-django can't update a `ParentalKey`'s relation."""

    order = models.ForeignKey(PlainOrder, on_delete=models.CASCADE, related_name="lines")

    class Meta(Line.Meta):
        abstract = False
        managed = False
        db_table = "orders_orderline"
