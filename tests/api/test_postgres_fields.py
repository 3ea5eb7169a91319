"""Fields that PostgreSQL alone has: arrays work, others once they are registered."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.postgres.fields import ArrayField, HStoreField, IntegerRangeField
from django.db import connection, models
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.test.utils import isolate_apps
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from strawberry.scalars import JSON

import gql_cluster
from gql_cluster import checks
from gql_cluster.orm import custom
from tests.api.schema_kit import ERRORS, Client
from tests.plugin import POSTGRES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.skipif(not POSTGRES, reason="these are columns of PostgreSQL")

with isolate_apps("tests.clusters"):

    class Series(ClusterableModel):
        """The root."""

        name = models.CharField(max_length=20)

        class Meta:
            app_label = "clusters"

        def __str__(self) -> str:
            return self.name

    class Point(models.Model):
        """The child."""

        series = ParentalKey(Series, on_delete=models.CASCADE, related_name="points")
        words = ArrayField(models.CharField(max_length=9), default=list)
        days = ArrayField(models.DateField(), null=True)
        prices = ArrayField(models.DecimalField(max_digits=6, decimal_places=2), null=True)
        large = ArrayField(models.BigIntegerField(), null=True)
        grid = ArrayField(ArrayField(models.IntegerField()), null=True)
        between = IntegerRangeField(null=True)

        class Meta:
            app_label = "clusters"

        def __str__(self) -> str:
            return str(self.pk)


def encode_range(value: NumericRange) -> Any:
    """Return a range as JSON."""
    return {"lower": value.lower, "upper": value.upper}


def decode_range(value: Any) -> NumericRange:
    """Return a range of that JSON."""
    return NumericRange(value["lower"], value["upper"])


def _make_tables() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Series)
        editor.create_model(Point)


def _drop_tables() -> None:
    with connection.schema_editor() as editor:
        editor.delete_model(Point)
        editor.delete_model(Series)


@pytest.fixture
async def client(
    transactional_db: None,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Client]:
    """A client of a schema that serves them, ranges registered as the guide says."""
    monkeypatch.setattr(custom, "_REGISTERED", dict(vars(custom)["_REGISTERED"]))
    gql_cluster.register_field(
        IntegerRangeField, type=JSON, encode=encode_range, decode=decode_range
    )
    await sync_to_async(_make_tables)()
    schema = gql_cluster.Schema(clusters=[Series])
    yield Client(schema=schema)
    await schema.engine.aclose()
    await sync_to_async(_drop_tables)()


SENT = {
    "words": ["a", "b c"],
    "days": ["2024-02-29"],
    "prices": ["1.5", "2.25"],
    "large": [1, str(2**60)],
    "grid": [[1, 2], [3, 4]],
    "between": {"lower": 1, "upper": 5},
}
READ = {**SENT, "prices": ["1.50", "2.25"]}


async def test_arrays_and_a_registered_range_are_edited_told_and_saved(client: Client) -> None:
    """Item by item as their fields are."""
    data = await client.data(
        "mutation($data: SeriesInput) { it: openSeriesDraft(data: $data)"
        f" {{ draft {{ id }} {ERRORS} }} }}",
        data={"name": "one"},
    )
    draft = data["it"]["draft"]["id"]
    data = await client.data(
        "mutation($draft: ID!, $changes: [SeriesChange!]!)"
        " { it: editSeriesDraft(draft: $draft, changes: $changes)"
        " { event { ... on DraftEdited { changes { fields { name after } } } }"
        f" {ERRORS} }} }}",
        draft=draft,
        changes=[{"points": {"add": [SENT]}}],
    )
    assert data["it"]["errors"] == []
    (told,) = data["it"]["event"]["changes"]
    assert {each["name"]: each["after"] for each in told["fields"]} == READ
    shown = f"points {{ {' '.join(SENT)} }}"
    data = await client.data(
        f"query($id: ID!) {{ draft(id: $id) {{ cluster {{ ... on Series {{ {shown} }} }} }} }}",
        id=draft,
    )
    assert data["draft"]["cluster"]["points"] == [READ]
    data = await client.data(
        f"mutation($draft: ID!) {{ it: commitSeriesDraft(draft: $draft)"
        f" {{ cluster {{ {shown} }} {ERRORS} }} }}",
        draft=draft,
    )
    assert data["it"] == {"errors": [], "cluster": {"points": [READ]}}
    point = await sync_to_async(Point._default_manager.get)()
    assert point.days == [dt.date(2024, 2, 29)]
    assert point.prices == [Decimal("1.50"), Decimal("2.25")]
    assert point.large == [1, 2**60]
    assert point.grid == [[1, 2], [3, 4]]
    assert point.between == NumericRange(1, 5)


@pytest.mark.django_db
def test_what_is_not_registered_is_told_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A range is of no type that GraphQL knows, nor is an array of stores; an array of texts is."""
    with isolate_apps("tests.clusters"):

        class Odd(ClusterableModel):
            texts = ArrayField(models.TextField())
            stores = ArrayField(HStoreField())
            between = IntegerRangeField()

            class Meta:
                app_label = "clusters"

            def __str__(self) -> str:
                return json.dumps(self.texts)

    monkeypatch.setattr(apps, "get_models", lambda: [Odd])
    schema = gql_cluster.Schema(clusters=[Odd])
    own = {field: field.name for field in Odd._meta.fields}
    told = [(each.id, own[each.obj]) for each in checks.check_models(None) if each.obj in own]
    assert told == [("gql_cluster.E003", "stores"), ("gql_cluster.E003", "between")]
    del schema
