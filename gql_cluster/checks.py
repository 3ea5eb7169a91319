"""System checks: a wrong setup is told at start, with a number and a hint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from channels.layers import get_channel_layer
from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name
from django.db import models
from modelcluster.models import ClusterableModel, get_all_child_relations

from gql_cluster import conf

_KNOWN = (
    models.BinaryField,
    models.BooleanField,
    models.CharField,
    models.DateField,
    models.DecimalField,
    models.DurationField,
    models.FileField,
    models.FilePathField,
    models.FloatField,
    models.ForeignKey,
    models.GeneratedField,
    models.GenericIPAddressField,
    models.IntegerField,
    models.JSONField,
    models.TextField,
    models.TimeField,
    models.UUIDField,
)


@register()
def check_settings(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """Tell what `GQL_CLUSTER` holds that the engine does not know, and what else is missing."""
    del app_configs, kwargs
    messages: list[CheckMessage] = [
        Error(
            f"GQL_CLUSTER has no setting {name!r}.",
            hint="gql_cluster.conf.Settings lists them all.",
            id="gql_cluster.E001",
        )
        for name in conf.unknown()
    ]
    if get_channel_layer() is None:
        messages.append(
            Warning(
                "There is no channel layer: events arrive late by POLL_INTERVAL.",
                hint="Set CHANNEL_LAYERS to channels_redis.pubsub.RedisPubSubChannelLayer.",
                id="gql_cluster.W001",
            )
        )
    return messages


@register()
def check_models(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """Tell which models of clusters can't be described."""
    del app_configs, kwargs
    roots = [model for model in apps.get_models() if issubclass(model, ClusterableModel)]
    children = {
        relation.related_model for root in roots for relation in get_all_child_relations(root)
    }
    messages: list[CheckMessage] = []
    for model in dict.fromkeys([*roots, *sorted(children, key=lambda each: each._meta.label)]):
        messages += _order_problems(model)
        messages += _field_problems(model)
    return messages


def _order_problems(model: Any) -> Iterator[CheckMessage]:
    name = getattr(model, "sort_order_field", None)
    if isinstance(name, str) and not any(
        field.name == name and isinstance(field, models.IntegerField)
        for field in model._meta.concrete_fields
    ):
        yield Error(
            f"sort_order_field names {name!r}, which is no integer field of the model.",
            hint="Name the field that numbers the children of one parent.",
            obj=model,
            id="gql_cluster.E002",
        )


def _field_problems(model: Any) -> Iterator[CheckMessage]:
    for field in model._meta.concrete_fields:
        if not isinstance(field, _KNOWN):
            yield Warning(
                f"A draft keeps {field.name!r} as the text that its get_prep_value() gives.",
                hint="See that to_python() reads that text, or the field can't be in a draft.",
                obj=field,
                id="gql_cluster.W002",
            )
