"""A record is a cluster whose nodes refer to one another: up, down and across."""

# ruff: noqa: DJ008 - no person looks at these
from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel


class Record(ClusterableModel):
    """The root; it may refer to what is far below it."""

    title = models.CharField(max_length=40)
    single = models.ForeignKey(
        "clusters.Track", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    twin = models.OneToOneField(
        "self", models.SET_NULL, null=True, blank=True, related_name="twin_of"
    )


class Credit(models.Model):
    """Refers to what is in a relation that is saved later, and has to."""

    record = ParentalKey(Record, on_delete=models.CASCADE, related_name="credits")
    name = models.CharField(max_length=40)
    track = models.ForeignKey("clusters.Track", models.CASCADE, related_name="+")
    heir = models.OneToOneField("self", models.SET_NULL, null=True, blank=True, related_name="of")

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]


class Sleeve(models.Model):
    """Has a key before it is saved, and has to refer to another."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    record = ParentalKey(Record, on_delete=models.CASCADE, related_name="sleeves")
    back = models.ForeignKey("self", models.CASCADE, related_name="+")


class Link(models.Model):
    """Has to refer to another, and has no key before it is saved."""

    record = ParentalKey(Record, on_delete=models.CASCADE, related_name="links")
    next = models.ForeignKey("self", models.CASCADE, related_name="+")


class Side(ClusterableModel):
    """A side of a record."""

    record = ParentalKey(Record, on_delete=models.CASCADE, related_name="sides")
    name = models.CharField(max_length=20)
    opener = models.ForeignKey(
        "clusters.Track", models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]


class Track(ClusterableModel):
    """A track of a side."""

    side = ParentalKey(Side, on_delete=models.CASCADE, related_name="tracks")
    position = models.IntegerField(default=0)
    title = models.CharField(max_length=40)
    code = models.CharField(max_length=10, unique=True, null=True, blank=True)
    cover_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="covers"
    )
    sample = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        limit_choices_to={"title__startswith": "S"},
    )
    same_as = models.ForeignKey(
        "self", models.SET_NULL, to_field="code", null=True, blank=True, related_name="+"
    )
    theme_of = models.ForeignKey(Record, models.CASCADE, null=True, blank=True, related_name="+")
    saves = models.JSONField(default=list, editable=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["position"]

    def clean(self) -> None:
        """Refuse to cover what is called alike, as only the other one can tell."""
        super().clean()
        if self.cover_of is not None and self.cover_of.title == self.title:
            raise ValidationError({"cover_of": "It is called alike."})

    def save(self, **kwargs: Any) -> None:
        """Note what it referred to each time."""
        fields = kwargs.get("update_fields")
        self.saves = [*self.saves, self.cover_of.title if self.cover_of else None]
        super().save(**{**kwargs, **({"update_fields": [*fields, "saves"]} if fields else {})})


class Take(models.Model):
    """A take of a track; Django keeps the order."""

    track = ParentalKey(Track, on_delete=models.CASCADE, related_name="takes")
    name = models.CharField(max_length=20)
    after = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    credit = models.ForeignKey(Credit, models.CASCADE, related_name="+")

    class Meta:
        order_with_respect_to = "track"
