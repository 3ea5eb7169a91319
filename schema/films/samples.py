"""The sample films, read from `data/films.json`, and how they come into the database.

Films, casts and dates are real; the reviews, and those who wrote them, are made up.
"""

from datetime import date
from pathlib import Path

import msgspec

from schema.films.models import Actor, Movie, Review

DATA = Path(__file__).parent / "data" / "films.json"


class ReviewSample(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`["Reviewer", stars, "Text"]`."""

    reviewer: str
    stars: int
    text: str


class MovieSample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A film; its cast by their names, which `actors` has with their days of birth."""

    title: str
    released: date
    runtime: int
    rating: Movie.Rating
    cast: list[str]
    reviews: list[ReviewSample] = []


class Samples(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    movies: list[MovieSample]
    actors: dict[str, date | None]


def read() -> Samples:
    """The sample films and their actors."""
    return msgspec.json.decode(DATA.read_bytes(), type=Samples)


def load() -> int:
    """Save the sample films if there is no film at all, and say how many were saved.

    Asking for each by its title would bring back, as a second one, a film that was renamed.
    """
    if Movie.objects.exists():
        return 0
    samples = read()
    movies = Movie.objects.bulk_create(_movie(sample) for sample in samples.movies)
    _link_cast(samples, movies)
    Review.objects.bulk_create(
        Review(movie=movie, reviewer=review.reviewer, stars=review.stars, text=review.text)
        for sample, movie in zip(samples.movies, movies, strict=True)
        for review in sample.reviews
    )
    return len(movies)


def _movie(sample: MovieSample) -> Movie:
    return Movie(
        title=sample.title,
        released=sample.released,
        runtime=sample.runtime,
        rating=sample.rating,
    )


def _link_cast(samples: Samples, movies: list[Movie]) -> None:
    """Point each film at its actors; one who is there already is used as is."""
    actors = (Actor(name=name, born=born) for name, born in samples.actors.items())
    Actor.objects.bulk_create(actors, ignore_conflicts=True)
    saved = Actor.objects.in_bulk(list(samples.actors), field_name="name")
    link = Movie.cast.through
    link.objects.bulk_create(
        link(movie=movie, actor=saved[name])
        for sample, movie in zip(samples.movies, movies, strict=True)
        for name in sample.cast
    )
