"""System checks: a wrong setup is told at start, with a number and a hint."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from channels.layers import get_channel_layer
from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - Django's name
from django.db.models import CompositePrimaryKey, IntegerField
from django.urls import get_resolver
from django.utils.module_loading import import_string
from modelcluster.models import ClusterableModel, get_all_child_relations

from gql_cluster import conf
from gql_cluster.api.registry import served_columns
from gql_cluster.api.scalars import is_known
from gql_cluster.orm.describe import AnyField
from gql_cluster.service.policy import Policy
from gql_cluster.store.urls import parse


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
    try:
        policy = import_string(conf.load().POLICY)
    except ImportError:
        policy = None
    if not (isinstance(policy, type) and issubclass(policy, Policy)):
        messages.append(
            Error(
                f"GQL_CLUSTER['POLICY'] names no policy: {conf.load().POLICY!r}.",
                hint="Give it the dotted name of a class derived from gql_cluster.Policy.",
                id="gql_cluster.E021",
            )
        )
    messages += _store_problems(conf.load())
    if get_channel_layer() is None:
        messages.append(
            Warning(
                "There is no channel layer: events arrive late by POLL_INTERVAL.",
                hint="Set CHANNEL_LAYERS['default'] to gql_cluster.channel_layer(REDIS_URL).",
                id="gql_cluster.W001",
            )
        )
    return messages


def _store_problems(settings: conf.Settings) -> Iterator[CheckMessage]:
    try:
        parse(settings.REDIS_URL)
    except ValueError as exc:
        yield Error(
            f"REDIS_URL of GQL_CLUSTER is no URL of a Redis: {exc}.",
            hint="docs/how-to/redis.md has the forms for one Redis, Sentinel and Redis Cluster.",
            id="gql_cluster.E019",
        )
    if "{" in settings.KEY_PREFIX:
        yield Error(
            "KEY_PREFIX of GQL_CLUSTER has a brace in it.",
            hint="Leave it out: braces name what has to lie together on a Redis Cluster.",
            id="gql_cluster.E020",
        )


@register()
def check_models(app_configs: object, **kwargs: object) -> list[CheckMessage]:
    """Tell which models of clusters can't be described."""
    del app_configs, kwargs
    roots = [model for model in apps.get_models() if issubclass(model, ClusterableModel)]
    children = {
        relation.related_model for root in roots for relation in get_all_child_relations(root)
    }
    served = _served()
    models = {*children, *(column.model for column in served)}.difference(roots)
    messages: list[CheckMessage] = []
    for model in [*roots, *sorted(models, key=lambda each: each._meta.label)]:
        messages += _order_problems(model)
        messages += _key_problems(model, served)
        messages += _field_problems(model, served)
    return messages


def _served() -> set[AnyField]:
    """Return the columns that the project's schemas serve; its URLs make the schemas."""
    if getattr(settings, "ROOT_URLCONF", None):
        get_resolver().url_patterns  # noqa: B018 - it imports them
    return served_columns()


def _order_problems(model: Any) -> Iterator[CheckMessage]:
    name = getattr(model, "sort_order_field", None)
    if isinstance(name, str) and not any(
        field.name == name and isinstance(field, IntegerField)
        for field in model._meta.concrete_fields
    ):
        yield Error(
            f"sort_order_field names {name!r}, which is no integer field of the model.",
            hint="Name the field that numbers the children of one parent.",
            obj=model,
            id="gql_cluster.E002",
        )


def _key_problems(model: Any, served: Container[AnyField]) -> Iterator[CheckMessage]:
    pk = model._meta.pk
    if isinstance(pk, CompositePrimaryKey) and any(
        field in served for field in model._meta.concrete_fields
    ):
        yield Error(
            "A composite primary key can't be in a cluster: a node is named by one value.",
            hint="Give the model a primary key of one field, and a UniqueConstraint on these.",
            obj=model,
            id="gql_cluster.E004",
        )


def _field_problems(model: Any, served: Container[AnyField]) -> Iterator[CheckMessage]:
    """Tell of fields of unknown types: an error where they are served, else it may become one."""
    for field in model._meta.concrete_fields:
        if is_known(field):
            continue
        level, number = (Error, "E003") if field in served else (Warning, "W002")
        name = type(field).__name__
        yield level(
            f"{field.name!r} is of a type that has none in GraphQL: {name}.",
            hint=(
                f"Call gql_cluster.register_field({name}, type=...) in AppConfig.ready(), or "
                "derive it from a field of Django's."
            ),
            obj=field,
            id=f"gql_cluster.{number}",
        )
