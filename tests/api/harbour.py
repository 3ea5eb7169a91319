"""Models of the tests' own: foreign keys that leave the cluster, and columns of many kinds.

They are in a registry of their own, so that no migration is missing for them, and refer to
other tables without a constraint, so that those can be emptied between tests.
"""

import uuid
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from django.test.utils import isolate_apps
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel

with isolate_apps("schema.films"):

    class Country(models.Model):
        """Where a ship may call."""

        name = models.CharField(max_length=50)
        code = models.CharField(max_length=2, unique=True)

        class Meta:
            app_label = "films"
            ordering = ("name",)

        def __str__(self) -> str:
            return self.name

    class Ship(ClusterableModel):
        """The root."""

        name = models.CharField(max_length=50)
        owner = models.ForeignKey(
            User, models.SET_NULL, null=True, db_constraint=False, related_name="+"
        )
        flag = models.ForeignKey(
            Country, models.CASCADE, to_field="code", db_constraint=False, related_name="+"
        )
        plan = models.FileField(blank=True)

        class Meta:
            app_label = "films"

        def __str__(self) -> str:
            return self.name

    class Voyage(models.Model):
        """A child with columns of many kinds."""

        ship = ParentalKey(Ship, on_delete=models.CASCADE, related_name="voyages")
        number = models.BigIntegerField()
        harbour = models.ForeignKey(
            Country, models.CASCADE, null=True, db_constraint=False, related_name="+"
        )
        started = models.DateTimeField(null=True)
        at = models.TimeField(null=True)
        price = models.DecimalField(max_digits=8, decimal_places=2, default=Decimal(0))
        insured = models.BooleanField(default=False)
        load = models.FloatField(null=True)
        ref = models.UUIDField(default=uuid.uuid4)
        notes = models.JSONField(default=dict)
        grade = models.CharField(
            max_length=5, choices=[("1st", "First"), ("2-nd", "Second")], blank=True, default=""
        )

        class Meta:
            app_label = "films"

        def __str__(self) -> str:
            return str(self.number)


TABLES: list[Any] = [Country, Ship, Voyage]
