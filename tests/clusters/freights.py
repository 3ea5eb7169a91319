"""A freight is a cluster whose children are saved by Django's own methods, but for some."""

# ruff: noqa: DJ008 - no person looks at these
from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from django.db import models
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel


class Freight(ClusterableModel):
    """The root."""

    name = models.CharField(max_length=40)


class HiddenManager(models.Manager["Parcel"]):
    """Hides rows, and refuses to make many."""

    def get_queryset(self) -> models.QuerySet[Parcel]:
        """Leave out what is hidden."""
        return super().get_queryset().filter(is_hidden=False)

    def bulk_create(self, objs: Iterable[Parcel], *args: Any, **kwargs: Any) -> list[Parcel]:
        """Refuse."""
        del objs, args, kwargs
        raise NotImplementedError


class Stowed(models.Model):
    """What all children have."""

    name = models.CharField(max_length=20)
    sort_order = models.IntegerField(null=True, blank=True, editable=False)
    is_hidden = models.BooleanField(default=False)
    made_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    sort_order_field = "sort_order"

    class Meta:
        abstract = True
        ordering: ClassVar[list[str]] = ["sort_order"]


class Parcel(Stowed):
    """The database counts its primary keys."""

    freight = ParentalKey(Freight, on_delete=models.CASCADE, related_name="parcels")
    weight = models.DecimalField(max_digits=6, decimal_places=2, default=1)

    objects = HiddenManager()


class Barrel(Stowed):
    """It makes its primary key itself."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    freight = ParentalKey(Freight, on_delete=models.CASCADE, related_name="barrels")


class Crate(Stowed, ClusterableModel):
    """A person chooses its primary key; it may have something in it."""

    code = models.CharField(max_length=20, primary_key=True)
    freight = ParentalKey(Freight, on_delete=models.CASCADE, related_name="crates")


class Bottle(Stowed):
    """Something in a crate."""

    crate = ParentalKey(Crate, on_delete=models.CASCADE, related_name="bottles")


class Pallet(Stowed):
    """Its `save()` looks at what is saved before it."""

    freight = ParentalKey(Freight, on_delete=models.CASCADE, related_name="pallets")
    ahead = models.IntegerField(default=0, editable=False)

    def save(self, **kwargs: Any) -> None:
        """Count the pallets that there are."""
        self.ahead = Pallet.objects.filter(freight=self.freight).count()
        super().save(**kwargs)


class SerialField(models.IntegerField):  # type: ignore[type-arg]  # not generic at run time
    """A field that gives itself a value when it is saved, by what is saved before."""

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001 - Django's
        """Count the rows that there are."""
        if add:
            setattr(model_instance, self.attname, type(model_instance)._base_manager.count())
        return super().pre_save(model_instance, add)


class Tank(Stowed):
    """A field of it looks at what is saved before it."""

    freight = ParentalKey(Freight, on_delete=models.CASCADE, related_name="tanks")
    ahead = SerialField(default=0, editable=False)


class Drum(Stowed):
    """The database gives it a value."""

    freight = ParentalKey(Freight, on_delete=models.CASCADE, related_name="drums")
    state = models.CharField(max_length=10, db_default="whole", editable=False)
