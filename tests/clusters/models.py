"""An invoice is a cluster three levels deep; its models do all that models may do.

They count and add up in `save()`, before and after the row is written, refuse in `clean()`,
work on in `delete()`, and have keys, constraints and columns of every kind.
"""

# ruff: noqa: DJ001, DJ008, DJ012 - no person looks at these; a nullable text is one of the cases
from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel


class Customer(models.Model):
    """Outside of the cluster, named by its own key."""

    code = models.CharField(max_length=20, primary_key=True)


class Tag(models.Model):
    """Outside of the cluster, in many-to-many sets."""

    name = models.CharField(max_length=50)

    class Meta:
        ordering = ("name",)


class Currency(models.Model):
    """Outside of the cluster, referred to by a field that is not its primary key."""

    code = models.CharField(max_length=3, unique=True)
    is_legal = models.BooleanField(default=True)


class Deleted(models.Model):
    """What an overridden `delete()` noted."""

    what = models.CharField(max_length=100)


class LiveManager(models.Manager["Invoice"]):
    """Hides what is archived."""

    def get_queryset(self) -> models.QuerySet[Invoice]:
        """Leave the archived out."""
        return super().get_queryset().filter(archived=False)


class Orderable(models.Model):
    """As Wagtail's."""

    sort_order = models.IntegerField(null=True, blank=True, editable=False)
    sort_order_field = "sort_order"

    class Meta:
        abstract = True
        ordering: ClassVar[list[str]] = ["sort_order"]


class Invoice(ClusterableModel):
    """The root: a primary key that it makes itself, and columns of many kinds."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=50)
    total = models.DecimalField(max_digits=10, decimal_places=2, default=Decimal(0), editable=False)
    lines_saved = models.IntegerField(default=0, editable=False)
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="+")
    payer = models.ForeignKey(Customer, models.SET_NULL, null=True, blank=True, related_name="+")
    currency = models.ForeignKey(
        Currency,
        models.PROTECT,
        to_field="code",
        null=True,
        blank=True,
        related_name="+",
        limit_choices_to={"is_legal": True},
    )
    rate = models.DecimalField(max_digits=6, decimal_places=3, null=True, blank=True)
    issued = models.DateTimeField(null=True, blank=True)
    terms = models.DurationField(null=True, blank=True)
    paid = models.BooleanField(default=False)
    archived = models.BooleanField(default=False)
    notes = models.JSONField(default=dict, blank=True)
    extra = models.JSONField(null=True, blank=True)
    paper = models.FileField(blank=True, upload_to="papers")
    grade = models.CharField(max_length=1, choices=[("a", "A"), ("b", "B")], blank=True, default="")
    seal = models.BinaryField(null=True, blank=True, editable=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    tags = ParentalManyToManyField(Tag, blank=True, related_name="+")

    objects = LiveManager()

    def clean(self) -> None:
        """Refuse more than a hundred things in all."""
        super().clean()
        if sum(line.quantity for line in self.lines.all()) > 100:
            raise ValidationError("More than a hundred things.")

    def clean_cluster(self) -> None:
        """Refuse more than nine parts in all."""
        parts = sum(len(line.parts.all()) for line in self.lines.all())
        if parts > 9:
            raise ValidationError({"lines": ValidationError("Too many parts.", code="parts")})

    def save(self, **kwargs: Any) -> None:
        """Add up what it has in memory, save, and count what is saved."""
        lines = list(self.lines.all())
        self.total = sum((line.price * line.quantity for line in lines), Decimal(0))
        super().save(**kwargs)
        self.lines_saved = self.lines.count()
        super().save(update_fields=["lines_saved"])


class Line(Orderable, ClusterableModel):
    """A child that is ordered, clusterable, and unique in more than one way."""

    invoice = ParentalKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    name = models.CharField(max_length=20)
    mark = models.CharField(max_length=1, null=True, blank=True)
    quantity = models.IntegerField(default=1)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=Decimal("1.00"))
    is_main = models.BooleanField(default=False)
    parts_saved = models.IntegerField(default=0, editable=False)
    tags = ParentalManyToManyField(Tag, blank=True, related_name="+")

    class Meta(Orderable.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["invoice", "name"], name="one_line_of_a_name"),
            models.UniqueConstraint(
                fields=["invoice"], condition=Q(is_main=True), name="one_main_line"
            ),
            models.UniqueConstraint(
                fields=["invoice", "mark"], condition=~Q(mark="-"), name="one_line_of_a_mark"
            ),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="some_quantity"),
        ]

    def clean(self) -> None:
        """Refuse to be dearer than all siblings together, if there are any."""
        super().clean()
        siblings = [line for line in self.invoice.lines.all() if line is not self]
        if siblings and self.price > 1000 * sum(line.price for line in siblings):
            raise ValidationError({"price": "Dearer than a thousand times the others."})

    def clean_cluster(self) -> None:
        """Refuse parts that are called after the line."""
        if any(part.name == self.name for part in self.parts.all()):
            raise ValidationError("A part is called as the whole.")

    def save(self, **kwargs: Any) -> None:
        """Count the parts that it has in memory."""
        self.parts_saved = len(self.parts.all())
        super().save(**kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Note what goes, and how many parts with it."""
        Deleted.objects.create(what=f"{self.name} with {self.parts.count()}")
        return super().delete(*args, **kwargs)


class Part(models.Model):
    """A grandchild; where it has a slot, that is its own."""

    line = ParentalKey(Line, on_delete=models.CASCADE, related_name="parts")
    name = models.CharField(max_length=20)
    slot = models.IntegerField(null=True, blank=True)
    token = models.UUIDField(default=uuid.uuid4, editable=False)

    class Meta:
        ordering = ("name",)
        unique_together = (("line", "slot"),)

    def save(self, **kwargs: Any) -> None:
        """Tidy up before it is written."""
        self.name = self.name.strip()
        super().save(**kwargs)


class Contact(models.Model):
    """A child whose primary key a person chooses."""

    code = models.CharField(max_length=20, primary_key=True)
    invoice = ParentalKey(Invoice, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=20, unique=True)

    class Meta:
        ordering = ("code",)


class Paper(models.Model):
    """A child whose primary key it makes itself."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    invoice = ParentalKey(Invoice, on_delete=models.CASCADE, related_name="papers")
    name = models.CharField(max_length=20)

    class Meta:
        ordering = ("name",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                Upper("name"), "invoice", name="one_paper_of_a_name", violation_error_code="twice"
            ),
        ]


class CreditNote(Invoice):
    """A root that inherits all of another, its children too."""

    reason = models.CharField(max_length=50)
    loud = models.GeneratedField(
        expression=Upper("reason"), output_field=models.CharField(max_length=50), db_persist=True
    )
    objects = models.Manager()  # type: ignore[assignment, misc]


class Reminder(Invoice):
    """The same table as an invoice's, with other methods."""

    class Meta:
        proxy = True


class Approval(models.Model):
    """A child of the inheriting model."""

    note = ParentalKey(CreditNote, on_delete=models.CASCADE, related_name="approvals")
    name = models.CharField(max_length=20)
