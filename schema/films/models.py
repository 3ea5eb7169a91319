"""A film is a cluster: its reviews are saved with it, and its cast is a set of shared actors."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel


class Actor(models.Model):
    """Somebody who acts. An actor exists without films, and films refer to the actor."""

    name = models.CharField(
        max_length=200,
        unique=True,
        help_text="As credited; no two actors share it.",
    )
    born = models.DateField(null=True, blank=True, help_text="The day of birth, if it is known.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Movie(ClusterableModel):
    """A film, with its cast and what people wrote about it."""

    class Rating(models.TextChoices):
        """For which ages the Motion Picture Association holds a film to be suitable."""

        G = "g", "G: general audiences"
        PG = "pg", "PG: parental guidance suggested"
        PG_13 = "pg_13", "PG-13: parents strongly cautioned"
        R = "r", "R: restricted"
        NC_17 = "nc_17", "NC-17: adults only"
        UNRATED = "unrated", "Not rated"

    title = models.CharField(max_length=200)
    released = models.DateField(help_text="The day of general release.")
    runtime = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="In minutes, of the cut first released.",
    )
    rating = models.CharField(max_length=10, choices=Rating.choices, default=Rating.UNRATED)
    cast = ParentalManyToManyField(Actor, blank=True, related_name="movies")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["released", "title"]
        constraints = [
            models.UniqueConstraint(fields=["title", "released"], name="unique_movie"),
        ]

    def __str__(self) -> str:
        return self.title


class Review(models.Model):
    """One viewer's opinion of a film."""

    movie = ParentalKey(Movie, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.CharField(max_length=200, help_text="Who wrote it; each writes one a film.")
    stars = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(5)],
        help_text="From 1, the worst, to 5.",
    )
    text = models.TextField(blank=True)

    class Meta:
        ordering = ["reviewer"]
        constraints = [
            models.UniqueConstraint(fields=["movie", "reviewer"], name="unique_reviewer"),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer}: {self.stars} of 5"
