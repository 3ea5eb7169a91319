"""A band is a cluster: its members, its albums and their songs are saved with it.

`position` orders members and songs. It counts from 1 among the siblings, without two alike.
"""

from django.core.exceptions import ValidationError
from django.db import models
from modelcluster.fields import ParentalKey, ParentalManyToManyField
from modelcluster.models import ClusterableModel


class Genre(models.Model):
    """A kind of music. It exists by itself, and bands refer to it."""

    name = models.CharField(max_length=100, unique=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Band(ClusterableModel):
    """A group of musicians, with all who were ever in it and all that it recorded."""

    class Status(models.TextChoices):
        """Whether the band still plays."""

        ACTIVE = "active", "Active"
        DISBANDED = "disbanded", "Disbanded"
        ON_HIATUS = "on_hiatus", "On hiatus"

    name = models.CharField(
        max_length=200,
        help_text="As printed on the records. Two bands may share a name.",
    )
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.ACTIVE)
    formed = models.IntegerField(null=True, blank=True, help_text="The year, if it is known.")
    origin = models.CharField(
        max_length=200,
        blank=True,
        help_text="Where the band was formed, the town first.",
    )
    website = models.URLField(blank=True)
    biography = models.TextField(blank=True)
    genres = ParentalManyToManyField(Genre, blank=True, related_name="bands")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class BandMember(models.Model):
    """A musician's time in a band, from joining to leaving for good."""

    class Instrument(models.TextChoices):
        """The part in the band."""

        VOCALS = "vocals", "Vocals"
        GUITAR = "guitar", "Guitar"
        BASS = "bass", "Bass"
        DRUMS = "drums", "Drums"
        KEYBOARDS = "keyboards", "Keyboards"
        OTHER = "other", "Other"

    band = ParentalKey(Band, on_delete=models.CASCADE, related_name="members")
    name = models.CharField(max_length=200)
    instrument = models.CharField(
        max_length=20,
        choices=Instrument.choices,
        help_text="The main one; most play more than one.",
    )
    joined = models.IntegerField(null=True, blank=True, help_text="The year, if it is known.")
    left = models.IntegerField(
        null=True,
        blank=True,
        help_text="The year of leaving for good; none for whoever stayed.",
    )
    position = models.PositiveIntegerField(
        blank=True,
        default=0,
        help_text="The place among the members of the band, from 1.",
    )

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["band", "name"], name="unique_member_name"),
            models.UniqueConstraint(fields=["band", "position"], name="unique_member_position"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a member who left before joining."""
        super().clean()
        if self.joined is not None and self.left is not None and self.left < self.joined:
            raise ValidationError(
                {"left": ValidationError("Nobody leaves before joining.", code="left_early")},
            )


class Album(ClusterableModel):
    """A record that a band has released, with its songs in order."""

    class Kind(models.TextChoices):
        """Where the recordings come from."""

        STUDIO = "studio", "Studio"
        LIVE = "live", "Live"
        COMPILATION = "compilation", "Compilation"

    band = ParentalKey(Band, on_delete=models.CASCADE, related_name="albums")
    title = models.CharField(max_length=200)
    released = models.DateField(help_text="The day it was first on sale.")
    label = models.CharField(
        max_length=100,
        blank=True,
        help_text="The company that released it.",
    )
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.STUDIO)

    class Meta:
        ordering = ["released", "title"]
        constraints = [
            models.UniqueConstraint(fields=["band", "title"], name="unique_album_title"),
        ]

    def __str__(self) -> str:
        return self.title


class Song(models.Model):
    """A track of an album."""

    album = ParentalKey(Album, on_delete=models.CASCADE, related_name="songs")
    title = models.CharField(max_length=200)
    duration = models.DurationField(
        null=True,
        blank=True,
        help_text="How long it plays on this album, if that is known.",
    )
    position = models.PositiveIntegerField(
        blank=True,
        default=0,
        help_text="The place on the album, from 1; sides and discs do not count anew.",
    )

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["album", "position"], name="unique_song_position"),
        ]

    def __str__(self) -> str:
        return self.title
