"""Loaders: what a list of nodes reads of the database one by one, read with one query."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import strawberry
from asgiref.sync import sync_to_async
from django.db.models import Model, QuerySet
from graphql.pyutils import Path
from strawberry.dataloader import DataLoader
from strawberry_django import optimizer
from strawberry_django.queryset import run_type_get_queryset

_LOADERS = "_gql_cluster_loaders"


def objects(
    view: object, model: type[Model], attname: str, graphql_type: Any, info: strawberry.Info
) -> DataLoader[Any, Model | None]:
    """Return the loader of objects outside of the cluster, by the column that keys point to.

    The base manager looks them up, as Django follows a key. What the type's `get_queryset` hides,
    and what is not there, is None. What the query reads below the objects is loaded with them.
    """

    def load(keys: Sequence[Any]) -> list[Model | None]:
        queryset: QuerySet[Any] = model._base_manager.filter(**{f"{attname}__in": keys})
        queryset = run_type_get_queryset(queryset, graphql_type, info)
        extension = optimizer.optimizer.get()
        if extension is not None and graphql_type is not None:
            queryset = extension.optimize(queryset, info=info)
        found = {getattr(each, attname): each for each in queryset}
        return [found.get(key) for key in keys]

    return _loader(view, (model, attname, graphql_type, _place(info)), load)


def visible(
    view: object, model: type[Model], graphql_type: Any, info: strawberry.Info
) -> DataLoader[Any, bool]:
    """Return the loader that tells of primary keys whether `get_queryset` lets them be seen."""

    def load(keys: Sequence[Any]) -> list[bool]:
        queryset: QuerySet[Any] = model._default_manager.filter(pk__in=keys)
        queryset = run_type_get_queryset(queryset, graphql_type, info)
        found = set(queryset.order_by().values_list("pk", flat=True))
        return [key in found for key in keys]

    return _loader(view, (model, graphql_type), load)


def _loader(view: object, key: Hashable, load: Any) -> DataLoader[Any, Any]:
    # Kept by the view, so that they are gone with it: a loader refers to the whole request,
    # and with that to the view, which a weak mapping would then keep forever.
    loaders: dict[Hashable, DataLoader[Any, Any]] = vars(view).setdefault(_LOADERS, {})
    if key not in loaders:
        loaders[key] = DataLoader(load_fn=sync_to_async(load))
    return loaders[key]


def _place(info: strawberry.Info) -> tuple[str, ...]:
    """Return the path of a field in the response without indexes: the same for all siblings."""
    steps: list[str] = []
    path: Path | None = info.path
    while path is not None:
        if isinstance(path.key, str):
            steps.append(path.key)
        path = path.prev
    return tuple(steps)
