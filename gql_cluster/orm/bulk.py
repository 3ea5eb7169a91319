"""New rows inserted together, where nobody can tell that from the `save()` of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections, router, transaction
from django.db.models import DateField, DateTimeField, Field, Manager, Model, TimeField
from django.db.models.signals import pre_save
from modelcluster.models import ClusterableModel

from gql_cluster.orm.signals import followers

# What `save()` is made of, as Django has it: a model that has any of it otherwise has its own say.
_PARTS = (
    "save_base",
    "_save_parents",
    "_save_table",
    "_do_insert",
    "_prepare_related_fields_for_save",
    "_is_pk_set",
    "_get_pk_val",
    "_set_pk_val",
    "pk",
)
_DJANGOS = {name: getattr(Model, name) for name in _PARTS}
_SAVES = {Model.save, ClusterableModel.save}
_SAVING = frozenset({"save", *_PARTS})
# Others, such as that of a file, may do anything between one row and the next.
_PRE_SAVES = {each.pre_save for each in (Field, DateField, DateTimeField, TimeField)}


def insert(instances: Sequence[Any]) -> bool:
    """Insert new instances of one model, and leave each as its `save()` would; or do nothing.

    False is for where that could be told from saving one after the other, as things are now: where
    a method, a manager, a field or a signal has the project's code run between one row and the
    next. All of them have a primary key, or none has one and the database tells which it gives.
    Raises what the database raises, and then has inserted nothing.
    """
    model: type[Model] = type(instances[0])
    listening = followers(model)
    if listening is None or pre_save.has_listeners(model) or not _is_djangos(model):
        return False
    databases = {router.db_for_write(model, instance=each) for each in instances}
    if len(databases) > 1 or any(not _SAVING.isdisjoint(each.__dict__) for each in instances):
        return False
    using = databases.pop()
    with_key = {each._is_pk_set() for each in instances}  # noqa: SLF001 - as bulk_create does
    if len(with_key) > 1 or (False in with_key and not _tells_keys(model, using)):
        return False
    with transaction.atomic(using=using):
        model._base_manager.using(using).bulk_create(instances)
    for follower in listening:
        follower.note(model, instances, using)
    return True


def _is_djangos(model: type[Model]) -> bool:
    """Tell whether a model, of one table, is saved by Django's methods, managers and fields."""
    meta = model._meta
    return (
        not (meta.parents or meta.proxy or meta.order_with_respect_to)
        and model.save in _SAVES
        and all(getattr(model, name) is part for name, part in _DJANGOS.items())
        and type(model._base_manager) is Manager
        and all(_is_plain(field) for field in meta.concrete_fields)
    )


def _is_plain(field: Field[object, object]) -> bool:
    """Tell whether a field's column holds what the instance does, before it is saved and after."""
    return type(field).pre_save in _PRE_SAVES and not (field.generated or field.has_db_default())


def _tells_keys(model: type[Model], using: str) -> bool:
    """Tell whether the database tells the primary keys that it gives to rows inserted together."""
    features = connections[using].features
    return model._meta.auto_field is not None and features.can_return_rows_from_bulk_insert
