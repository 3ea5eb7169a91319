"""System checks: a wrong setup is told at start."""

from __future__ import annotations

import pytest
from channels.layers import channel_layers
from django.apps import apps
from django.core.checks import CheckMessage, Error, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.test import override_settings
from django.test.utils import isolate_apps
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel

import gql_cluster
from gql_cluster import checks
from gql_cluster.orm import custom


def ids() -> list[str | None]:
    """Return the numbers of all that is told."""
    return [message.id for message in run_checks() if str(message.id).startswith("gql_cluster")]


def test_the_service_is_set_up_right() -> None:
    """Nothing is told."""
    assert ids() == []


def test_an_unknown_setting_is_an_error() -> None:
    """A slip of the pen is not passed over."""
    with override_settings(GQL_CLUSTER={"DRAFT_TLL": 1}):
        assert ids() == ["gql_cluster.E001"]


def test_a_wrong_url_of_the_store_is_an_error() -> None:
    """Told at start, and not by the first edit."""
    with override_settings(GQL_CLUSTER={"REDIS_URL": "redis+sentinel://host"}):
        assert ids() == ["gql_cluster.E019"]


def test_a_prefix_that_would_part_the_keys_of_a_draft_is_an_error() -> None:
    """On a cluster its braces would be the ones that count."""
    with override_settings(GQL_CLUSTER={"KEY_PREFIX": "{}"}):
        assert ids() == ["gql_cluster.E020"]


@pytest.mark.parametrize("policy", ["nowhere.Policy", "gql_cluster.conf.Settings", "no dots"])
def test_a_policy_that_is_none_is_an_error(policy: str) -> None:
    """It is told at start, and not by the first request."""
    with override_settings(GQL_CLUSTER={"POLICY": policy}):
        assert ids() == ["gql_cluster.E021"]


def test_a_missing_channel_layer_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events come, but late."""
    monkeypatch.setitem(channel_layers.backends, "default", None)
    assert ids() == ["gql_cluster.W001"]


def told_of(*objects: object) -> list[CheckMessage]:
    """Return what is told of models or fields; schemas of other tests may be there still."""
    return [message for message in checks.check_models(None) if message.obj in objects]


@isolate_apps("schema.bands")
def test_a_wrong_model_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order field that is not there, and a field of a type of one's own."""

    class Point(models.Field):  # type: ignore[type-arg]  # not generic at run time
        """A type that Django does not know."""

    class Parent(ClusterableModel):
        class Meta:
            app_label = "bands"

    class Child(models.Model):
        parent = ParentalKey(Parent, related_name="children")
        point = Point()
        sort_order_field = "nowhere"

        class Meta:
            app_label = "bands"

        def __str__(self) -> str:
            return str(self.point)

    monkeypatch.setattr(apps, "get_models", lambda: [Parent, Child])
    point = Child._meta.get_field("point")
    told = [(message.id, message.obj) for message in told_of(Child, point)]
    assert told == [("gql_cluster.E002", Child), ("gql_cluster.W002", point)]

    schema = gql_cluster.Schema(clusters=[Parent])
    _, error = told_of(Child, point)
    assert (error.id, error.obj) == ("gql_cluster.E003", point)
    assert isinstance(error, Error)
    assert "register_field(Point" in str(error.hint)

    monkeypatch.setattr(custom, "_REGISTERED", dict(vars(custom)["_REGISTERED"]))
    gql_cluster.register_field(Point, type=str)
    assert [message.id for message in told_of(Child, point)] == ["gql_cluster.E002"]
    del schema


@isolate_apps("schema.bands")
def test_a_composite_primary_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No node could be named by it."""

    class Parent(ClusterableModel):
        class Meta:
            app_label = "bands"

    class Child(models.Model):
        pk = models.CompositePrimaryKey("parent_id", "number")
        parent = ParentalKey(Parent, related_name="children")
        number = models.IntegerField()

        class Meta:
            app_label = "bands"

        def __str__(self) -> str:
            return str(self.number)

    monkeypatch.setattr(apps, "get_models", lambda: [Parent, Child])
    schema = gql_cluster.Schema(clusters=[Parent])
    (error,) = told_of(Child)
    assert error.id == "gql_cluster.E004"
    del schema


def test_only_a_field_class_is_registered() -> None:
    """A slip is told where it is made."""
    for wrong in (str, models.Model, models.TextField()):
        with pytest.raises(ImproperlyConfigured, match="not a class of model fields"):
            gql_cluster.register_field(wrong, type=str)  # type: ignore[arg-type]
