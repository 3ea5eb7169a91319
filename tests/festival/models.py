"""A festival: days with talks, and sets of every kind. Nothing here knows of gql_cluster."""

# ruff: noqa: DJ008 - as people write models
from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel
from taggit.models import ItemBase, TagBase


class Person(models.Model):
    """Somebody."""

    name = models.CharField(max_length=60)


class Sponsor(models.Model):
    """A firm that pays."""

    name = models.CharField(max_length=60)


class Topic(TagBase):  # type: ignore[django-manager-missing] # of both items
    """A tag of this project's own."""


class FestivalTag(ItemBase):
    """Between a festival and its tags."""

    tag = models.ForeignKey(Topic, models.CASCADE, related_name="festival_items")
    content_object = ParentalKey("Festival", on_delete=models.CASCADE, related_name="tagged_items")


class DayTag(ItemBase):
    """Between a day and its tags."""

    tag = models.ForeignKey(Topic, models.CASCADE, related_name="day_items")
    content_object = ParentalKey("Day", on_delete=models.CASCADE, related_name="tagged_items")


class Festival(ClusterableModel):  # type: ignore[django-manager-missing] # tagged_items
    """Some days of talks."""

    name = models.CharField(max_length=60)
    tagline = models.CharField(max_length=200, blank=True, editable=False)
    tags = ClusterTaggableManager(through=FestivalTag, blank=True)
    sponsors = ParentalManyToManyField(Sponsor, blank=True, related_name="festivals")
    partners = models.ManyToManyField(Sponsor, blank=True, related_name="partner_of")
    sisters = models.ManyToManyField("self", blank=True)
    guests = models.ManyToManyField(
        Person, through="Invitation", blank=True, related_name="invited_to"
    )
    crew = models.ManyToManyField(Person, through="Duty", related_name="works_at")

    def clean(self) -> None:
        """Refuse a partner, as only the relation can tell."""
        super().clean()
        if self.pk and self.partners.filter(name="Rival").exists():
            raise ValidationError("A rival is no partner.")

    def save(self, **kwargs: Any) -> None:
        """Write the tags down, as a model might that is searched by them."""
        self.tagline = ", ".join(sorted(tag.name for tag in self.tags.all()))
        super().save(**kwargs)


class Invitation(models.Model):
    """Between a festival and a guest; Django can make one unasked."""

    festival = models.ForeignKey(Festival, models.CASCADE)
    person = models.ForeignKey(Person, models.CASCADE)
    note = models.CharField(max_length=100, blank=True)
    sent_at = models.DateTimeField(auto_now_add=True)


class Duty(models.Model):
    """Between a festival and one of its crew: a child, because a task has to be given."""

    festival = ParentalKey(Festival, on_delete=models.CASCADE, related_name="duties")
    person = models.ForeignKey(Person, models.CASCADE)
    task = models.CharField(max_length=40)


class Day(ClusterableModel):  # type: ignore[django-manager-missing] # tagged_items
    """A day of a festival."""

    festival = ParentalKey(Festival, on_delete=models.CASCADE, related_name="days")
    date = models.DateField()
    tags = ClusterTaggableManager(through=DayTag, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["date"]


class Talk(models.Model):
    """A talk of a day; a plain model, with a plain many-to-many."""

    day = ParentalKey(Day, on_delete=models.CASCADE, related_name="talks")
    title = models.CharField(max_length=60)
    speakers = models.ManyToManyField(Person, blank=True, related_name="talks")

    class Meta:
        ordering: ClassVar[list[str]] = ["title"]


class Act(models.Model):
    """Somebody on stage; Django keeps the order."""

    day = ParentalKey(Day, on_delete=models.CASCADE, related_name="acts")
    name = models.CharField(max_length=60)

    class Meta:
        order_with_respect_to = "day"


class Stall(ClusterableModel):
    """A stall of a festival, with what it sells or without."""

    festival = ParentalKey(Festival, on_delete=models.CASCADE, related_name="stalls")
    name = models.CharField(max_length=40)
    keepers = ParentalManyToManyField(Person, blank=True, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]


class FoodStall(Stall):
    """A stall with food."""

    is_vegan = models.BooleanField(default=False)


class Snack(models.Model):
    """What a stall with food sells."""

    stall = ParentalKey(FoodStall, on_delete=models.CASCADE, related_name="snacks")
    name = models.CharField(max_length=40)
    price = models.DecimalField(max_digits=5, decimal_places=2, default=5)


class MerchStall(Stall):
    """A stall with what is worn."""

    sizes = models.CharField(max_length=40, default="S, M, L")


from tests.festival.places import *  # noqa: E402, F403 - Django looks for models here
