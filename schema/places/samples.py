"""The sample places, read from `data/places.json`, and how they come into the database.

The town and all that is in it are made up.
"""

from datetime import time
from decimal import Decimal
from pathlib import Path

import msgspec

from schema.places.models import Bar, Dish, Drink, Hours, Place, Restaurant, Weekday

DATA = Path(__file__).parent / "data" / "places.json"


class PlaceSample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any place; its hours as `["TUESDAY", "11:00:00", "23:00:00"]`."""

    name: str
    address: str
    hours: list[tuple[str, time, time]]


class RestaurantSample(PlaceSample, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A restaurant with its card: `["Dish", "12.50"]`."""

    cuisine: str
    seats: int
    takes_bookings: bool
    dishes: list[tuple[str, Decimal]]


class BarSample(PlaceSample, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bar with what it has: `["Drink", "4.8"]`."""

    has_music: bool
    drinks: list[tuple[str, Decimal]]


class Samples(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    places: list[PlaceSample]
    restaurants: list[RestaurantSample]
    bars: list[BarSample]


def read() -> Samples:
    """The sample places."""
    return msgspec.json.decode(DATA.read_bytes(), type=Samples)


def load() -> int:
    """Save the sample places if there is no place at all, and say how many were saved."""
    if Place.objects.exists():
        return 0
    samples = read()
    for sample in samples.places:
        _save(Place(name=sample.name, address=sample.address), sample)
    for each in samples.restaurants:
        restaurant = Restaurant(
            name=each.name,
            address=each.address,
            cuisine=each.cuisine,
            seats=each.seats,
            takes_bookings=each.takes_bookings,
        )
        restaurant.dishes.set(
            [
                Dish(name=name, price=price, position=number)
                for number, (name, price) in enumerate(each.dishes, start=1)
            ]
        )
        _save(restaurant, each)
    for one in samples.bars:
        bar = Bar(name=one.name, address=one.address, has_music=one.has_music)
        bar.drinks.set([Drink(name=name, strength=strength) for name, strength in one.drinks])
        _save(bar, one)
    return len(samples.places) + len(samples.restaurants) + len(samples.bars)


def _save(place: Place, sample: PlaceSample) -> None:
    place.hours.set(
        [
            Hours(weekday=Weekday[weekday], opens=opens, closes=closes)
            for weekday, opens, closes in sample.hours
        ]
    )
    place.save()
