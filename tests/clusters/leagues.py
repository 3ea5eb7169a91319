"""A league is a cluster of which children have more than one parental key."""

# ruff: noqa: DJ008 - no person looks at these
from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel


class League(ClusterableModel):
    """The root."""

    name = models.CharField(max_length=40)


class Team(ClusterableModel):
    """A team, which has matches at home and away."""

    league = ParentalKey(League, on_delete=models.CASCADE, related_name="teams")
    name = models.CharField(max_length=40)

    class Meta:
        ordering: ClassVar[list[str]] = ["name"]

    def clean(self) -> None:
        """Refuse a fourth match, at home or away."""
        super().clean()
        if self.home_matches.count() + self.away_matches.count() > 3:
            raise ValidationError("Too many matches.")


class Match(models.Model):
    """A match between two teams, both of which it has to have."""

    home = ParentalKey(Team, on_delete=models.CASCADE, related_name="home_matches")
    away = ParentalKey(Team, on_delete=models.CASCADE, related_name="away_matches")
    score = models.CharField(max_length=10, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["score"]
        unique_together: ClassVar[list[list[str]]] = [["home", "away"]]


class Ban(models.Model):
    """What a team has to bear, or imposes, or both."""

    team = ParentalKey(Team, on_delete=models.CASCADE, related_name="bans", null=True, blank=True)
    issuer = ParentalKey(
        Team, on_delete=models.CASCADE, related_name="issued_bans", null=True, blank=True
    )
    reason = models.CharField(max_length=40)

    class Meta:
        ordering: ClassVar[list[str]] = ["reason"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=models.Q(team__isnull=False) | models.Q(issuer__isnull=False),
                name="a_ban_of_somebody",
            )
        ]


class Notice(models.Model):
    """A notice of a league, perhaps about one of its teams: keys to two levels, in an order."""

    league = ParentalKey(League, on_delete=models.CASCADE, related_name="notices")
    team = ParentalKey(
        Team, on_delete=models.CASCADE, related_name="notices", null=True, blank=True
    )
    text = models.CharField(max_length=40)
    sort_order = models.IntegerField(null=True, blank=True, editable=False)
    sort_order_field = "sort_order"

    class Meta:
        ordering: ClassVar[list[str]] = ["sort_order"]
