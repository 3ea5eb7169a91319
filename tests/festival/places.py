"""Where it is, and who works there: inheritance of every kind, and keys within a cluster."""

# ruff: noqa: DJ008 - as people write models
from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import F
from model_utils import Choices
from model_utils.fields import MonitorField, StatusField
from model_utils.managers import InheritanceManager, QueryManager
from model_utils.models import SoftDeletableModel, StatusModel, TimeStampedModel, UUIDModel
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel


class Described(models.Model):
    """What has a title."""

    title = models.CharField(max_length=60)
    summary = models.TextField(blank=True)

    class Meta:
        abstract = True
        ordering: ClassVar[list[str]] = ["title"]


class Note(models.Model):
    """A note on anything."""

    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveIntegerField()
    about = GenericForeignKey()
    text = models.TextField()


class Venue(Described, ClusterableModel):
    """A place; it has no summary, though the others have."""

    summary = None  # type: ignore[assignment]
    title = models.CharField(max_length=80, unique=True)
    notes = GenericRelation(Note)

    objects = InheritanceManager()


class Room(models.Model):
    """A room of a venue."""

    venue = ParentalKey(Venue, on_delete=models.CASCADE, related_name="rooms")
    name = models.CharField(max_length=40)

    class Meta:
        ordering: ClassVar[list[Any]] = [F("name").desc()]


class Hall(Venue):
    """A venue with a roof, in a table of its own."""

    seats = models.PositiveIntegerField(default=0)


class Arena(Hall):
    """A hall with a field in it, another table down."""

    pitch = models.CharField(max_length=20, blank=True)


class Door(models.Model):
    """A door of a hall."""

    hall = ParentalKey(Hall, on_delete=models.CASCADE, related_name="doors")
    number = models.IntegerField()

    class Meta:
        unique_together: ClassVar[list[list[str]]] = [["hall", "number"]]


class BigHalls(models.Manager["Hall"]):
    """Finds halls of more than a thousand seats."""

    def get_queryset(self) -> models.QuerySet[Hall]:
        """Return them."""
        return super().get_queryset().filter(seats__gt=1000)


class BigHall(Hall):
    """A hall, by another name and in another order."""

    objects = BigHalls()  # type: ignore[misc, assignment]

    class Meta:
        proxy = True
        ordering: ClassVar[list[str]] = ["-seats"]


class Lit(models.Model):
    """What has lamps."""

    lit_id = models.AutoField(primary_key=True)
    lamps = models.IntegerField(default=1)


class Heard(models.Model):
    """What has speakers."""

    heard_id = models.AutoField(primary_key=True)
    watts = models.IntegerField(default=100)


class Stage(Lit, Heard, ClusterableModel):
    """A stage is both."""

    name = models.CharField(max_length=40)


class Riser(models.Model):
    """A part of a stage."""

    stage = ParentalKey(Stage, on_delete=models.CASCADE, related_name="risers")
    height = models.DecimalField(max_digits=4, decimal_places=2)


class Team(TimeStampedModel, StatusModel, ClusterableModel):
    """Those who work; django-model-utils says when and how."""

    STATUS = Choices("draft", ("on_air", "On air"))

    name = models.CharField(max_length=40)
    lead = models.OneToOneField(
        "festival.Person", models.SET_NULL, null=True, blank=True, related_name="leads"
    )
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="parts")

    objects = models.Manager["Team"]()
    busy = QueryManager(status="on_air")


class Shift(UUIDModel, TimeStampedModel):
    """A shift of a team."""

    STATUS = Choices("open", "taken")

    team = ParentalKey(Team, on_delete=models.CASCADE, related_name="shifts")
    after = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    status = StatusField()
    taken_at = MonitorField(  # type: ignore[misc]
        monitor="status", when=["taken"], null=True, blank=True, default=None
    )


class Asset(SoftDeletableModel, ClusterableModel):
    """What is not deleted, but marked."""

    name = models.CharField(max_length=40)


class Part(SoftDeletableModel):
    """A part of an asset, which is not deleted either."""

    asset = ParentalKey(Asset, on_delete=models.CASCADE, related_name="parts")
    name = models.CharField(max_length=40)


class Page(ClusterableModel):
    """A page of blocks of many kinds."""

    title = models.CharField(max_length=60)


class Block(ClusterableModel):
    """A block of a page; each kind of block has a table of its own."""

    page = ParentalKey(Page, on_delete=models.CASCADE, related_name="blocks")
    heading = models.CharField(max_length=60, blank=True)
    position = models.PositiveIntegerField(null=True, blank=True)
    mentions = ParentalManyToManyField("festival.Person", blank=True, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["position"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["page", "heading"],
                condition=~models.Q(heading=""),
                name="heading_once_a_page",
            )
        ]


class TextBlock(Block):
    """A text."""

    body = models.TextField()


class ImageBlock(Block):
    """A picture."""

    alt = models.CharField(max_length=60)
    painters = models.ManyToManyField("festival.Person", blank=True, related_name="+")


class Gallery(ImageBlock):
    """Several pictures, of which the block's own is the first."""

    columns = models.PositiveIntegerField(default=3)


class Picture(models.Model):
    """A further picture of a gallery."""

    gallery = ParentalKey(Gallery, on_delete=models.CASCADE, related_name="pictures")
    alt = models.CharField(max_length=60)


class Link(models.Model):
    """A link of a block of any kind."""

    block = ParentalKey(Block, on_delete=models.CASCADE, related_name="links")
    url = models.URLField()
