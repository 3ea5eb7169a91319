"""The mirror of the films: all of their models, and what critics make of a film."""

from statistics import fmean

import strawberry_django
from strawberry import auto

import gql_cluster
from schema.films import models


@gql_cluster.type(models.Actor)
class Actor:
    """Somebody who acts."""

    name: auto
    born: auto


@gql_cluster.type(models.Review)
class Review:
    """One viewer's opinion of a film."""

    movie: "Movie"
    reviewer: auto
    stars: auto
    text: auto


@gql_cluster.type(models.Movie)
class Movie:
    """A film, with its cast and what people wrote about it."""

    title: auto
    released: auto
    runtime: auto
    rating: auto
    created_at: auto
    updated_at: auto
    cast: list[Actor]
    reviews: list[Review]

    @strawberry_django.field(
        prefetch_related=["reviews"],
        description="The average of the stars, from 1 to 5; of a draft, with the drafted reviews.",
    )
    def average_stars(self: models.Movie) -> float | None:
        """Return the mean of what the reviews give; there is none without reviews."""
        given: list[int | None] = [review.stars for review in self.reviews.all()]
        stars = [each for each in given if each is not None]  # a drafted review may lack them
        return round(fmean(stars), 2) if stars else None
