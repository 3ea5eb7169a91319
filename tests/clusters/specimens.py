"""A root and a child that have a column of every kind that Django has, with every option."""

# ruff: noqa: DJ001, DJ008 - no person looks at these; a nullable text is one of the cases
from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F
from django.db.models.functions import Now
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel

import gql_cluster
from tests.clusters.models import Currency


class Point:
    """A value of a type of one's own."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    def __hash__(self) -> int:
        return hash((self.x, self.y))


class PointField(models.Field):  # type: ignore[type-arg]  # not generic at run time
    """A field of a type that neither Django nor the engine knows."""

    def db_type(self, connection: Any) -> str:
        """Keep it as text."""
        del connection
        return "varchar(50)"

    def from_db_value(self, value: str | None, *_: Any) -> Point | None:
        """Read what the database has."""
        return self.to_python(value)

    def to_python(self, value: Any) -> Point | None:
        """Read `x,y`."""
        if value is None or isinstance(value, Point):
            return value
        x, y = str(value).split(",")
        return Point(int(x), int(y))

    def get_prep_value(self, value: Any) -> str | None:
        """Write `x,y`."""
        point = self.to_python(value)
        return None if point is None else f"{point.x},{point.y}"


class VectorField(models.TextField):  # type: ignore[type-arg]  # not generic at run time
    """A field of a known type, with values that are not of that type."""

    def from_db_value(self, value: str | None, *_: Any) -> tuple[int, ...] | None:
        """Read what the database has."""
        return None if value is None else tuple(int(each) for each in value.split())

    def to_python(self, value: Any) -> Any:
        """Take no text: values are never that."""
        return value

    def get_prep_value(self, value: tuple[int, ...] | None) -> str | None:
        """Write the numbers."""
        return None if value is None else " ".join(str(each) for each in value)


class TicketField(models.IntegerField):  # type: ignore[type-arg]  # not generic at run time
    """A field whose values are plain, but others for clients."""


def read_ticket(text: str) -> int:
    """Read `#7`."""
    if not text.startswith("#"):
        raise ValueError("a ticket begins with #")
    return int(text[1:])


gql_cluster.register_field(PointField, type=str)
gql_cluster.register_field(TicketField, type=str, encode="#{}".format, decode=read_ticket)
gql_cluster.register_field(VectorField, type=list[int], encode=list, decode=tuple)


class Size(models.TextChoices):
    """Choices of text."""

    SMALL = "s", "Small"
    LARGE = "l", "Large"


class Rank(models.IntegerChoices):
    """Choices of numbers, 0 among them."""

    NONE = 0, "Not ranked"
    FIRST = 1, "First"


class Era(dt.date, models.Choices):
    """Choices of dates."""

    OLD = 1969, 7, 20, "The moon"
    NEW = 2001, 1, 1, "The millennium"


def seasons() -> list[tuple[str, str]]:
    """Return choices when they are asked for."""
    return [("spring", "Spring"), ("autumn", "Autumn")]


class MomentDecoder(json.JSONDecoder):
    """Reads `{"moment": ...}` as a time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(object_hook=self.read, **options)

    @staticmethod
    def read(found: dict[str, Any]) -> dict[str, Any]:
        """Read one object."""
        if "moment" in found:
            return {**found, "moment": dt.datetime.fromisoformat(found["moment"])}
        return found


def new_year() -> dict[str, Any]:
    """Return a default that is no JSON until it is encoded."""
    return {"moment": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}


class Everything(models.Model):
    """Every kind of column."""

    name = models.CharField(max_length=50, help_text="What it is called")
    nickname = models.CharField(max_length=50, null=True, blank=True)
    text = models.TextField(blank=True)
    slug = models.SlugField(blank=True)
    email = models.EmailField(blank=True)
    url = models.URLField(blank=True)
    path = models.FilePathField(path="/", blank=True)
    small = models.SmallIntegerField(default=0)
    whole = models.IntegerField(default=0, validators=[MinValueValidator(-5)])
    big = models.BigIntegerField(default=0)
    positive = models.PositiveIntegerField(null=True, blank=True)
    positive_small = models.PositiveSmallIntegerField(null=True, blank=True)
    positive_big = models.PositiveBigIntegerField(null=True, blank=True)
    ratio = models.FloatField(null=True, blank=True)
    price = models.DecimalField(max_digits=12, decimal_places=3, default=Decimal("1.500"))
    flag = models.BooleanField(default=True)
    maybe = models.BooleanField(null=True, blank=True)
    day = models.DateField(null=True, blank=True)
    moment = models.DateTimeField(null=True, blank=True)
    clock = models.TimeField(null=True, blank=True)
    span = models.DurationField(null=True, blank=True)
    serial = models.UUIDField(default=uuid.uuid4)
    address = models.GenericIPAddressField(null=True, blank=True)
    address4 = models.GenericIPAddressField(protocol="IPv4", null=True, blank=True)
    data = models.BinaryField(null=True, blank=True, editable=True)
    json = models.JSONField(default=dict, blank=True)
    coded = models.JSONField(
        encoder=DjangoJSONEncoder, decoder=MomentDecoder, default=new_year, blank=True
    )
    file = models.FileField(upload_to="files", blank=True)
    size = models.CharField(max_length=1, choices=Size, default=Size.SMALL)
    mark = models.CharField(max_length=1, choices=[("a", "Good"), ("b", "Bad")], blank=True)
    rank = models.IntegerField(choices=Rank, default=Rank.NONE, verbose_name="place")
    era = models.DateField(choices=Era, null=True, blank=True)
    kind = models.CharField(
        max_length=9,
        choices=[("Beasts", [("cat", "Cat"), ("dog", "Dog")]), ("oak", "Oak")],
        null=True,
        blank=True,
    )
    season = models.CharField(max_length=9, choices=seasons, default="spring")
    yes = models.BooleanField(choices=[(True, "Yes"), (False, "No")], default=False)
    share = models.DecimalField(
        max_digits=3,
        decimal_places=2,
        choices=[(Decimal("0.50"), "Half"), (Decimal("1.00"), "Whole")],
        default=Decimal("0.50"),
    )
    currency = models.ForeignKey(
        Currency, models.PROTECT, to_field="code", null=True, blank=True, related_name="+"
    )
    holder = models.OneToOneField(
        Currency, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    point = PointField(null=True, blank=True)
    vector = VectorField(null=True, blank=True)
    ticket = TicketField(default=1)
    unique = models.CharField(max_length=9, unique=True, null=True, blank=True)
    stamped = models.DateTimeField(db_default=Now())
    counted = models.IntegerField(db_default=7)
    secret = models.CharField(max_length=9, default="x", editable=False)
    made = models.DateTimeField(auto_now_add=True)
    touched = models.DateTimeField(auto_now=True)
    double = models.GeneratedField(
        expression=F("small") * 2, output_field=models.BigIntegerField(), db_persist=True
    )

    class Meta:
        abstract = True


class Specimen(Everything, ClusterableModel):
    """The root."""


class Sample(Everything):
    """The child."""

    specimen = ParentalKey(Specimen, on_delete=models.CASCADE, related_name="samples")

    class Meta:
        order_with_respect_to = "specimen"


class Shelf(ClusterableModel):
    """A root whose primary key is a text that a person chooses."""

    code = models.CharField(max_length=20, primary_key=True)
    title = models.CharField(max_length=20)


class Box(ClusterableModel):
    """A child with a primary key that it makes itself, and children of its own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    shelf = ParentalKey(Shelf, on_delete=models.CASCADE, related_name="boxes")
    title = models.CharField(max_length=20)

    class Meta:
        ordering: ClassVar[list[str]] = ["title"]


class Coin(models.Model):
    """A grandchild with a number as key, which may be 0."""

    number = models.IntegerField(primary_key=True)
    box = ParentalKey(Box, on_delete=models.CASCADE, related_name="coins")
    title = models.CharField(max_length=20)
    currency = models.ForeignKey(Currency, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
