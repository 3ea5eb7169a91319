"""The mirror of the places: an interface of what all have, and a type for each kind."""

from typing import cast

import strawberry
import strawberry_django
from django.db.models import QuerySet
from strawberry import auto

import gql_cluster
from schema.places import models


@gql_cluster.type(models.Hours)
class Hours:
    """When a place is open on a day."""

    place: "Place"
    weekday: auto
    weekday_display: auto
    opens: auto
    closes: auto


@gql_cluster.interface(models.Place)
class Place:
    """Somewhere to go."""

    name: auto
    address: auto
    hours: list[Hours]

    @strawberry_django.field(
        prefetch_related=["hours"], description="On how many days of a week it is open."
    )
    def open_days(self) -> int:
        """Count the days, of a draft those of the draft."""
        place = cast("models.Place", self)
        return len({each.weekday for each in place.hours.all()})


@gql_cluster.type(models.Dish)
class Dish:
    """What is on the card of a restaurant."""

    restaurant: "Restaurant"
    name: auto
    price: auto


@gql_cluster.type(models.Restaurant)
class Restaurant(Place):
    """A place to eat."""

    cuisine: auto
    seats: auto
    takes_bookings: auto
    dishes: list[Dish]


@gql_cluster.type(models.Drink)
class Drink:
    """What a bar has."""

    bar: "Bar"
    name: auto
    strength: auto


@gql_cluster.type(models.Bar)
class Bar(Place):
    """A place to drink."""

    has_music: auto
    drinks: list[Drink]


@gql_cluster.type(models.MusicBar)
class MusicBar:
    """A bar where a band plays."""

    name: auto
    address: auto


@strawberry.type
class Query:
    """What can be asked about places besides."""

    @strawberry_django.field(
        graphql_type=list[MusicBar], description="The bars where a band plays, street by street."
    )
    def music_bars(self) -> QuerySet[models.MusicBar]:
        """Return those whom the proxy's own manager finds, in the proxy's own order."""
        return models.MusicBar.objects.all()
