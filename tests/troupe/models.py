"""A troupe: sets of which the rows hold something, and relations of every kind.

Nothing here knows of gql_cluster.
"""

# ruff: noqa: DJ008 - as people write models
from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from modelcluster.contrib.taggit import ClusterTaggableManager
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel
from taggit.managers import TaggableManager
from taggit.models import ItemBase


class Person(models.Model):
    """Somebody."""

    name = models.CharField(max_length=60)


class Troupe(ClusterableModel):
    """Some people who act."""

    name = models.CharField(max_length=60)
    actors = models.ManyToManyField(
        Person,
        through="Contract",
        through_fields=("troupe", "person"),
        blank=True,
        related_name="acts_in",
    )
    patrons = ParentalManyToManyField(
        Person, through="Gift", blank=True, related_name="supports", help_text="Who pays"
    )
    helpers = models.ManyToManyField(Person, blank=True, related_name="helps")
    favourites: models.ManyToManyField[Play, models.Model] = models.ManyToManyField(
        "Play", blank=True, related_name="+"
    )
    circle = ParentalManyToManyField(Person, blank=True, related_name="circles")
    photos = GenericRelation("Photo", related_query_name="troupe")
    labels = TaggableManager(blank=True)


class Contract(models.Model):
    """Between a troupe and an actor: a role has to be given."""

    troupe = models.ForeignKey(Troupe, models.CASCADE)
    person = models.ForeignKey(Person, models.CASCADE)
    role = models.CharField(max_length=10, choices=[("lead", "Lead"), ("extra", "Extra")])
    fee = models.DecimalField(max_digits=6, decimal_places=2, default=Decimal(100))
    stage_name = models.CharField(max_length=20, blank=True)
    stands_in_for = models.ForeignKey(
        Person, models.PROTECT, null=True, blank=True, related_name="+"
    )
    until = models.DateField(null=True, blank=True)
    signed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["troupe", "person"], name="one_contract"),
            models.CheckConstraint(condition=Q(fee__gte=0), name="fee_is_no_debt"),
            models.UniqueConstraint(
                fields=["troupe"], condition=Q(stage_name="Puck"), name="one_puck"
            ),
        ]

    def clean(self) -> None:
        """Refuse somebody who stands in for himself."""
        super().clean()
        if self.stands_in_for_id is not None and self.stands_in_for == self.person:
            raise ValidationError({"stands_in_for": "Nobody stands in for himself."})


class Gift(models.Model):
    """Between a troupe and a patron; Django can make one unasked."""

    troupe = models.ForeignKey(Troupe, models.CASCADE)
    person = models.ForeignKey(Person, models.CASCADE)
    amount = models.IntegerField(default=1)
    play = models.ForeignKey("Play", models.CASCADE, null=True, blank=True, related_name="+")


class Play(ClusterableModel):
    """A play of a troupe, with a cast of its own."""

    troupe = ParentalKey(Troupe, on_delete=models.CASCADE, related_name="plays")
    title = models.CharField(max_length=60)
    cast = ParentalManyToManyField(Person, through="Part", blank=True, related_name="plays")
    photos = GenericRelation("Photo")


class Part(models.Model):
    """Between a play and somebody in it: what he plays has to be given."""

    play = models.ForeignKey(Play, models.CASCADE)
    person = models.ForeignKey(Person, models.CASCADE)
    plays = models.CharField(max_length=40)


class Photo(models.Model):
    """A photo of anything."""

    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    of = GenericForeignKey()
    caption = models.CharField(max_length=60)


class Link(models.Model):
    """A child that points to anything."""

    play = ParentalKey(Play, on_delete=models.CASCADE, related_name="links")
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    to = GenericForeignKey()

    def clean(self) -> None:
        """Refuse what is not there."""
        super().clean()
        if self.to is None:
            raise ValidationError({"object_id": "There is no such thing."})


class Prop(models.Model):
    """A child that could do without its parent."""

    troupe = ParentalKey(
        Troupe, on_delete=models.CASCADE, null=True, blank=True, related_name="props"
    )
    name = models.CharField(max_length=40)


class SeasonTag(ItemBase):
    """Between a season and its tags."""

    tag = models.ForeignKey("taggit.Tag", models.CASCADE, related_name="seasons")
    content_object = ParentalKey("Season", on_delete=models.CASCADE, related_name="tagged_items")


class Season(ClusterableModel):  # type: ignore[django-manager-missing] # tagged_items
    """What has to have something of each kind, and evenings that are unique for a date."""

    name = models.CharField(max_length=40)
    stars = models.ManyToManyField(Person, related_name="+")
    hosts = ParentalManyToManyField(Person, related_name="+")
    staff = models.ManyToManyField(Person, through="Shift", related_name="+")
    hidden = models.ManyToManyField(Person, editable=False, related_name="+")
    tags = ClusterTaggableManager(through=SeasonTag)
    opening = models.DateField(null=True, blank=True)
    slug = models.SlugField(unique_for_year="opening", blank=True)


class Shift(models.Model):
    """Between a season and somebody who works then."""

    season = models.ForeignKey(Season, models.CASCADE)
    person = models.ForeignKey(Person, models.CASCADE)
    hours = models.IntegerField(default=8)


class Evening(models.Model):
    """A child with a value that is unique for a date, one for a month and one for a year."""

    season = ParentalKey(Season, on_delete=models.CASCADE, related_name="evenings")
    title = models.CharField(max_length=40, unique_for_date="starts")
    guest = models.ForeignKey(
        Person, models.CASCADE, null=True, blank=True, unique_for_month="on", related_name="+"
    )
    prize = models.IntegerField(null=True, blank=True, unique_for_year="on")
    starts = models.DateTimeField(null=True, blank=True)
    on = models.DateField(null=True, blank=True)


class Review(models.Model):
    """What somebody wrote of a troupe: no part of it."""

    troupe = models.ForeignKey(Troupe, models.CASCADE, related_name="reviews")
    text = models.CharField(max_length=100)


class KeeperManager(models.Manager["Keeper"]):
    """Hides who has retired."""

    def get_queryset(self) -> models.QuerySet[Keeper]:
        """Leave them out."""
        return super().get_queryset().filter(retired=False)


class Keeper(models.Model):
    """Somebody outside of the cluster, whom a manager may hide."""

    name = models.CharField(max_length=40)
    retired = models.BooleanField(default=False)

    everybody = models.Manager["Keeper"]()
    objects = KeeperManager()

    class Meta:
        default_manager_name = "objects"
        base_manager_name = "everybody"


class ArchiveManager(models.Manager["Archive"]):
    """Hides what is closed."""

    def get_queryset(self) -> models.QuerySet[Archive]:
        """Leave the closed ones out."""
        return super().get_queryset().filter(closed=False)


class Archive(ClusterableModel):
    """A root whose managers have names of their own, and children of odd kinds."""

    name = models.CharField(max_length=40)
    closed = models.BooleanField(default=False)
    keeper = models.ForeignKey(
        Keeper, models.SET_NULL, null=True, blank=True, related_name="archives"
    )
    friends = models.ManyToManyField(Keeper, blank=True, related_name="+")
    donors = ParentalManyToManyField(Keeper, blank=True, related_name="+")

    everything = models.Manager["Archive"]()
    opened = ArchiveManager()

    class Meta:
        default_manager_name = "opened"
        base_manager_name = "everything"


class ScrollManager(models.Manager["Scroll"]):
    """Hides what is sealed."""

    def get_queryset(self) -> models.QuerySet[Scroll]:
        """Leave the sealed ones out."""
        return super().get_queryset().filter(sealed=False)

    def scattered(self) -> models.QuerySet[Scroll]:
        """Put them in no order."""
        return self.order_by("?")


class Scroll(models.Model):
    """A child that the default manager may hide, with a field that tells the latest."""

    archive = ParentalKey(Archive, on_delete=models.CASCADE, related_name="scrolls")
    title = models.CharField(max_length=40)
    year = models.IntegerField(default=0)
    sealed = models.BooleanField(default=False)

    objects = models.Manager["Scroll"]()
    unsealed = ScrollManager()

    class Meta:
        default_manager_name = "unsealed"
        get_latest_by = "year"
        ordering: ClassVar[list[str]] = ["title"]


class Lot(models.Model):
    """A child in no order at all."""

    archive = ParentalKey(Archive, on_delete=models.CASCADE, related_name="lots")
    number = models.IntegerField()

    class Meta:
        ordering: ClassVar[list[str]] = ["?"]


class Ledger(models.Model):
    """A child in a table that Django does not manage."""

    archive = ParentalKey(Archive, on_delete=models.CASCADE, related_name="ledgers")
    entry = models.CharField(max_length=40)

    class Meta:
        managed = False
        db_table = "books_of_old"
