"""Small clusters, one a peculiarity. Nothing here knows of gql_cluster."""

# ruff: noqa: DJ008 - no person looks at these
from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel


class Plain(ClusterableModel):
    """A root with nothing below it."""

    name = models.CharField(max_length=40)
    note = models.TextField(blank=True)


class Region(models.Model):
    """Outside of the leagues."""

    name = models.CharField(max_length=40)


class League(ClusterableModel):
    """A root with several kinds of children, in every kind of order."""

    name = models.CharField(max_length=40)


class Match(models.Model):
    """A child in the order of what it refers to."""

    league = ParentalKey(League, on_delete=models.CASCADE, related_name="matches")
    region = models.ForeignKey(Region, models.PROTECT, null=True, blank=True, related_name="+")
    title = models.CharField(max_length=40)

    class Meta:
        ordering: ClassVar[list[Any]] = ["region__name", "-title"]


class Fee(models.Model):
    """A child in the order of an expression."""

    league = ParentalKey(League, on_delete=models.CASCADE, related_name="fees")
    amount = models.DecimalField(max_digits=6, decimal_places=2, null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[Any]] = [F("amount").desc(nulls_last=True)]


class Rule(models.Model):
    """A child in no order, under the name that Django gives the relation."""

    league = ParentalKey(League, on_delete=models.CASCADE)
    text = models.TextField()


class Section(ClusterableModel):
    """A root whose children are of its own model, and theirs."""

    parent = ParentalKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="sections"
    )
    title = models.CharField(max_length=40)


class Logbook(ClusterableModel):
    """A root with tables and columns of other names."""

    title = models.CharField(max_length=40, db_column="heading")

    class Meta:
        db_table = "shapes_log"


class Page(models.Model):
    """A page of a logbook."""

    logbook = ParentalKey(
        Logbook, on_delete=models.CASCADE, related_name="pages", db_column="book_id"
    )
    text = models.TextField()

    class Meta:
        db_table = "shapes_sheet"


class Team(models.Model):
    """A child that is called as a model of another app, with a choice that is called alike."""

    logbook = ParentalKey(Logbook, on_delete=models.CASCADE, related_name="teams")
    status = models.CharField(max_length=1, choices=[("a", "Active"), ("o", "Out")], default="a")


class Ledger(ClusterableModel):
    """A root whose table is somebody else's: that of the logbooks."""

    title = models.CharField(max_length=40, db_column="heading")

    class Meta:
        managed = False
        db_table = "shapes_log"


class Leaf(models.Model):
    """A child whose table is somebody else's."""

    ledger = ParentalKey(
        Ledger, on_delete=models.CASCADE, related_name="leaves", db_column="book_id"
    )
    text = models.TextField()

    class Meta:
        managed = False
        db_table = "shapes_sheet"


class Gallery(ClusterableModel):
    """A root with a file."""

    plan = models.FileField(upload_to="plans", blank=True)
    cover = models.ImageField(upload_to="covers", null=True, blank=True)


class Picture(models.Model):
    """A child with an image."""

    gallery = ParentalKey(Gallery, on_delete=models.CASCADE, related_name="pictures")
    image = models.ImageField(upload_to="pictures")


class Citizen(ClusterableModel):
    """A root with one child at most, and one whose key is a column of its own."""

    name = models.CharField(max_length=40)


class Passport(models.Model):
    """The one of its citizen."""

    citizen = ParentalKey(Citizen, on_delete=models.CASCADE, related_name="passports")
    number = models.CharField(max_length=20, primary_key=True)
    issued = models.DateField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["citizen"], name="one_passport_of_a_citizen"),
        ]


class Country(ClusterableModel):
    """A root whose children name it by another column than its primary key."""

    code = models.CharField(max_length=9, unique=True)
    name = models.CharField(max_length=40)


class Town(ClusterableModel):
    """A child that refers to a column of its parent, with children that do so in turn."""

    country = ParentalKey(Country, on_delete=models.CASCADE, related_name="towns", to_field="code")
    number = models.IntegerField(unique=True)
    twins = models.ManyToManyField(Region, blank=True, related_name="+")


class Street(models.Model):
    """A grandchild."""

    town = ParentalKey(Town, on_delete=models.CASCADE, related_name="streets", to_field="number")
    name_1 = models.CharField(max_length=40)
    name_2nd = models.CharField(max_length=40, blank=True)
    code = models.IntegerField(unique=True, null=True, blank=True)


class Listed(models.Model):
    """What is on a list, whatever list: its key to that is inherited."""

    catalogue = ParentalKey(
        "shapes.Catalogue", on_delete=models.CASCADE, related_name="%(class)s_entries"
    )
    sort_order = models.IntegerField(null=True, blank=True, editable=False)
    sort_order_field = "sort_order"

    class Meta:
        abstract = True
        ordering: ClassVar[list[Any]] = ["sort_order"]


class Kept(models.Manager["Catalogue"]):
    """Finds what is not hidden."""

    def get_queryset(self) -> models.QuerySet[Catalogue]:
        """Leave the hidden out."""
        return super().get_queryset().filter(hidden=False)


class Catalogue(ClusterableModel):
    """A root whose manager has a name of its own, and whose fields are called as others' are."""

    number = models.SmallAutoField(primary_key=True)
    type = models.CharField(max_length=40)
    info = models.CharField(max_length=40, blank=True)
    data = models.CharField(max_length=40, blank=True)
    errors = models.CharField(max_length=40, blank=True)
    filters = models.CharField(max_length=40, blank=True)
    ordering = models.CharField(max_length=40, blank=True)
    set = models.CharField(max_length=40, blank=True)
    changes = models.IntegerField(null=True, blank=True)
    version = models.IntegerField(default=1)
    cluster = models.BooleanField(default=False)
    root = models.FloatField(null=True, blank=True)
    hidden = models.BooleanField(default=False, editable=False)
    # Without constraints: tables of apps that are migrated are made after those of this one.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
    )
    kinds = ParentalManyToManyField(
        "contenttypes.ContentType", blank=True, related_name="+", db_constraint=False
    )
    payers = ParentalManyToManyField("clusters.Customer", blank=True, related_name="+")

    kept = Kept()


class Volume(Listed):
    """An entry about anything."""

    position = models.CharField(max_length=40, help_text="On which shelf it is.")
    move = models.CharField(max_length=40, blank=True)
    kind = models.ForeignKey(
        "contenttypes.ContentType", models.CASCADE, null=True, blank=True, db_constraint=False
    )
    object_id = models.PositiveIntegerField(null=True, blank=True)
    about = GenericForeignKey("kind")


class Film(Listed, ClusterableModel):
    """An entry with entries below."""

    title = models.CharField(max_length=40, unique=True)
    payers = models.ManyToManyField("clusters.Customer", blank=True, related_name="+")


class Scene(models.Model):
    """Below an entry."""

    film = ParentalKey(Film, on_delete=models.CASCADE, related_name="set")
    text = models.TextField()


class Atlas(Catalogue):
    """A table below whose link has a name of its own."""

    above = models.OneToOneField(Catalogue, models.CASCADE, parent_link=True, primary_key=True)
    scale = models.IntegerField(default=1)


class Zoo(ClusterableModel):
    """A root whose children are of many kinds."""

    name = models.CharField(max_length=40)


class Animal(ClusterableModel):
    """A child with a primary key that people choose, in an order that Django keeps."""

    zoo = ParentalKey(Zoo, on_delete=models.CASCADE, related_name="animals")
    code = models.CharField(max_length=20, primary_key=True)
    seen_in = ParentalManyToManyField(Region, blank=True, related_name="+")

    class Meta:
        order_with_respect_to = "zoo"


class Bird(Animal):
    """A kind to which children refer by a column of its own."""

    ring = models.IntegerField(unique=True)
    home = models.ForeignKey(Region, models.PROTECT, null=True, blank=True, related_name="+")
    call = models.CharField(max_length=1, choices=[("l", "Loud"), ("s", "Soft")], default="l")


class Parrot(Bird):
    """A kind of a kind, whose link has a name of its own."""

    above = models.OneToOneField(
        Bird, models.CASCADE, parent_link=True, primary_key=True, related_name="talker"
    )
    words = models.TextField(blank=True)
    teachers = models.ManyToManyField(Region, blank=True, related_name="+")


class Feather(models.Model):
    """A child of one kind, and of what is a kind of that."""

    bird = ParentalKey(Bird, on_delete=models.CASCADE, related_name="feathers", to_field="ring")
    colour = models.CharField(max_length=20)


class Plume(Feather):
    """A kind of what refers to another column."""

    length = models.IntegerField(default=1)


class Egg(models.Model):
    """A child of one kind, in many kinds and an order."""

    parrot = ParentalKey(Parrot, on_delete=models.CASCADE, related_name="eggs")
    weight = models.FloatField(null=True, blank=True)
    sort_order = models.IntegerField(null=True, blank=True, editable=False)
    sort_order_field = "sort_order"

    class Meta:
        ordering: ClassVar[list[Any]] = ["sort_order"]


class PaintedEgg(Egg):
    """A kind of a model that is no cluster."""

    paint = models.CharField(max_length=20)


class Thing(ClusterableModel):
    """What is below nothing, with a child."""

    name = models.CharField(max_length=40)


class Scratch(models.Model):
    """A child of what is below nothing."""

    thing = ParentalKey(Thing, on_delete=models.CASCADE, related_name="scratches")
    depth = models.IntegerField(default=1)
    code = models.IntegerField(unique=True, null=True, blank=True)


class Museum(ClusterableModel):
    """A root with children whose tables are below that of a model outside."""

    name = models.CharField(max_length=40)


class Exhibit(Thing):
    """A child by a key of its own, not its parent's."""

    museum = ParentalKey(Museum, on_delete=models.CASCADE, related_name="exhibits")
    year = models.IntegerField()


class Painting(Exhibit):
    """A kind of that."""

    width = models.FloatField(default=1)


class Stain(models.Model):
    """A child of the kind."""

    painting = ParentalKey(Painting, on_delete=models.CASCADE, related_name="stains")
    text = models.CharField(max_length=40)


class Chapter(ClusterableModel):
    """A root whose children are of its own model and of kinds of that, as are theirs."""

    parent = ParentalKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="chapters"
    )
    title = models.CharField(max_length=40)


class Appendix(Chapter):
    """A kind of that, with children of its own."""

    letter = models.CharField(max_length=1)


class Footnote(models.Model):
    """A child of the kind."""

    appendix = ParentalKey(Appendix, on_delete=models.CASCADE, related_name="footnotes")
    text = models.CharField(max_length=40)


class Recipe(ClusterableModel):
    """A root whose children refer to one another."""

    name = models.CharField(max_length=40)


class Task(models.Model):
    """A child behind another one."""

    recipe = ParentalKey(Recipe, on_delete=models.CASCADE, related_name="tasks")
    after = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="+")
    text = models.CharField(max_length=40)

    class Meta:
        order_with_respect_to = "recipe"


class Goods(models.Model):
    """What has a number and a name that nothing else has, of whatever kind; no cluster's."""

    number = models.IntegerField(unique=True)
    name = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(Lower("name"), condition=~Q(name=""), name="goods_by_name"),
            models.CheckConstraint(condition=Q(number__lt=100), name="goods_below_100"),
        ]


class Shop(ClusterableModel):
    """A root with children of which each inherits that."""

    name = models.CharField(max_length=40)


class Toy(Goods):
    """A child in an order."""

    shop = ParentalKey(Shop, on_delete=models.CASCADE, related_name="toys")
    position = models.IntegerField(null=True, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["position"]


class Kit(Toy):
    """A kind of that with an order of its own, which is nobody's place."""

    order = models.IntegerField(default=0)

    class Meta:
        ordering: ClassVar[list[str]] = ["order"]


class Tool(Goods):
    """Another child."""

    shop = ParentalKey(Shop, on_delete=models.CASCADE, related_name="tools")


class Clock(ClusterableModel):
    """One parent of two, with children."""

    clock_id = models.AutoField(primary_key=True)


class Radio(ClusterableModel):
    """The other parent."""

    radio_id = models.AutoField(primary_key=True)


class Hand(models.Model):
    """A child of the one."""

    clock = ParentalKey(Clock, on_delete=models.CASCADE, related_name="hands")
    length = models.IntegerField(default=1)


class Station(models.Model):
    """A child of the other."""

    radio = ParentalKey(Radio, on_delete=models.CASCADE, related_name="stations")
    name = models.CharField(max_length=40)


class ClockRadio(Clock, Radio):
    """Both, with the primary key of the one: that of the other is another."""

    name = models.CharField(max_length=40)

    def save(self, **kwargs: Any) -> None:
        """Let there be fewer clocks than radios."""
        if self._state.adding:
            Radio.objects.create()
        super().save(**kwargs)
