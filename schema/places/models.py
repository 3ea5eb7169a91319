"""A place is a cluster, and so is each kind of it: hours are a place's, dishes a restaurant's."""

from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from model_utils.managers import InheritanceManager
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel


class Place(ClusterableModel):
    """Somewhere to go. Whatever it is besides is in a table of its own."""

    name = models.CharField(max_length=100, unique=True)
    address = models.CharField(max_length=200, help_text="Street and number.")

    objects = InheritanceManager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Weekday(models.IntegerChoices):
    """The days of a week, from 1 as in ISO 8601."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7


class Hours(models.Model):
    """When a place is open on a day; it may be more than once."""

    place = ParentalKey(Place, on_delete=models.CASCADE, related_name="hours")
    weekday = models.PositiveSmallIntegerField(choices=Weekday)
    opens = models.TimeField()
    closes = models.TimeField(help_text="On the next day, if it is before it opens.")

    class Meta:
        ordering = ["weekday", "opens"]
        verbose_name_plural = "hours"
        constraints = [
            models.UniqueConstraint(fields=["place", "weekday", "opens"], name="opens_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()}, {self.opens:%H:%M} to {self.closes:%H:%M}"


class Restaurant(Place):
    """A place to eat."""

    cuisine = models.CharField(max_length=50)
    seats = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    takes_bookings = models.BooleanField(default=True)


class Dish(models.Model):
    """What is on the card of a restaurant, in its order."""

    restaurant = ParentalKey(Restaurant, on_delete=models.CASCADE, related_name="dishes")
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=6, decimal_places=2)
    position = models.PositiveIntegerField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["position"]
        verbose_name_plural = "dishes"

    def __str__(self) -> str:
        return self.name


class Bar(Place):
    """A place to drink."""

    has_music = models.BooleanField(default=False, help_text="Whether a band plays there.")


class Drink(models.Model):
    """What a bar has."""

    bar = ParentalKey(Bar, on_delete=models.CASCADE, related_name="drinks")
    name = models.CharField(max_length=100)
    strength = models.DecimalField(max_digits=3, decimal_places=1, help_text="Percent of alcohol.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class MusicManager(models.Manager["MusicBar"]):
    """Those with a band."""

    def get_queryset(self) -> models.QuerySet["MusicBar"]:
        """Leave out where no band plays."""
        return super().get_queryset().filter(has_music=True)


class MusicBar(Bar):
    """The same bars, as somebody sees them who comes for the band."""

    objects: ClassVar[MusicManager] = MusicManager()  # type: ignore[assignment]

    class Meta:
        proxy = True
        ordering = ["address"]
