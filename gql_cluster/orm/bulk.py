"""New rows inserted together, where nobody can tell that from the `save()` of each."""

from __future__ import annotations

from collections.abc import Sequence

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
# Others, such as that of a file, may do anything between one row and the next.
_PRE_SAVES = {each.pre_save for each in (Field, DateField, DateTimeField, TimeField)}


def can_insert(instances: Sequence[Model]) -> bool:
    """Tell whether new instances of one model may be inserted together, as things are now.

    So it is where nothing of the project runs between one row and the next: no method or manager
    of its own, no field's, no signal's. All of them have a primary key, or none has one and the
    database tells which it gives.
    """
    model = type(instances[0])
    meta = model._meta
    using = _database(instances)
    if using is None or meta.parents or meta.proxy or meta.order_with_respect_to:
        return False
    if not _is_djangos(model) or pre_save.has_listeners(model) or followers(model) is None:
        return False
    if any("save" in each.__dict__ or "save_base" in each.__dict__ for each in instances):
        return False
    with_key = sum(each._is_pk_set() for each in instances)
    if with_key:
        return with_key == len(instances)
    features = connections[using].features
    return meta.auto_field is not None and features.can_return_rows_from_bulk_insert


def insert(instances: Sequence[Model]) -> None:
    """Insert new instances of one model, for which `can_insert`, or nothing at all.

    Each is left as its `save()` would leave it. Raises what the database raises.
    """
    model = type(instances[0])
    using = _database(instances)
    with transaction.atomic(using=using):
        model._base_manager.using(using).bulk_create(instances)
    for follower in followers(model) or ():
        follower.note(model, instances, using or "")


def _is_djangos(model: type[Model]) -> bool:
    """Tell whether a model is saved by Django's own methods, managers and fields alone."""
    return (
        model.save in _SAVES
        and all(getattr(model, name) is part for name, part in _DJANGOS.items())
        and type(model._base_manager) is Manager
        and all(_is_plain(field) for field in model._meta.concrete_fields)
    )


def _is_plain(field: Field[object, object]) -> bool:
    """Tell whether a field's column holds what the instance does, before it is saved and after."""
    return type(field).pre_save in _PRE_SAVES and not (field.generated or field.has_db_default())


def _database(instances: Sequence[Model]) -> str | None:
    """Return the database that instances of one model are saved in, None where they differ."""
    model = type(instances[0])
    found = {router.db_for_write(model, instance=each) for each in instances}
    return found.pop() if len(found) == 1 else None
