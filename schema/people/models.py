"""A group is a cluster: who is in it since when is saved with it; people exist without groups."""

from datetime import date
from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel


class CommonInfo(models.Model):
    """What people and groups have in common."""

    name = models.CharField(max_length=200, unique=True, help_text="No two share it.")
    about = models.TextField(blank=True, help_text="A line or two.")

    class Meta:
        abstract = True
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Person(CommonInfo):
    """Somebody, in any number of groups."""

    born = models.DateField(null=True, blank=True, help_text="The day of birth, if it is known.")

    class Meta(CommonInfo.Meta):
        verbose_name_plural = "people"


class BirthdayManager(models.Manager["PersonByAge"]):
    """Those of whom the age is known."""

    def get_queryset(self) -> models.QuerySet["PersonByAge"]:
        """Leave out who has no day of birth."""
        return super().get_queryset().filter(born__isnull=False)


class PersonByAge(Person):
    """The same people, the oldest first; who may be of any age is not among them."""

    objects: ClassVar[BirthdayManager] = BirthdayManager()

    class Meta:
        proxy = True
        ordering = ["born", "name"]
        verbose_name_plural = "people by age"


class Group(ClusterableModel, CommonInfo):
    """A circle of people, with since when and why each is in it."""

    founded = models.DateField(null=True, blank=True, help_text="The day, if it is known.")
    members = models.ManyToManyField(Person, through="Membership", related_name="groups")

    class Meta(CommonInfo.Meta):
        pass


class Membership(models.Model):
    """A person's place in a group."""

    group = ParentalKey(Group, on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="memberships")
    date_joined = models.DateField()
    invite_reason = models.CharField(
        max_length=200,
        blank=True,
        help_text="Why the person was asked to join.",
    )

    class Meta:
        ordering = ["date_joined", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["group", "person"], name="unique_membership"),
        ]

    def __str__(self) -> str:
        return f"since {self.date_joined}"

    def clean(self) -> None:
        """Refuse who joined before there was a group to join."""
        super().clean()
        joined: date | None = self.date_joined  # none yet in a draft
        founded = self.group.founded
        if joined is not None and founded is not None and joined < founded:
            raise ValidationError(
                {"date_joined": ValidationError("The group is not that old.", code="too_early")},
            )
