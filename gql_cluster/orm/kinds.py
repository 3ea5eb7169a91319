"""Kinds of fields that hold many: which of them are sets of a node, and which of these are tags."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import ManyToManyField, Model
from modelcluster.fields import ParentalKey, ParentalManyToManyField

_Tags: type[Any] | None
try:
    from modelcluster.contrib.taggit import ClusterTaggableManager as _Tags
except ImportError:  # django-taggit is not installed
    _Tags = None


def is_tags(field: object) -> bool:
    """Tell whether a field is a `ClusterTaggableManager`."""
    return _Tags is not None and isinstance(field, _Tags)


def tags_named(model: type[Model], name: str) -> bool:
    """Tell whether a model has tags under a name."""
    return any(field.name == name and is_tags(field) for field in model._meta.many_to_many)


def tag_names(tags: Iterable[Any]) -> list[str]:
    """Return the names of tags; what is a name already stays."""
    return [tag if isinstance(tag, str) else tag.name for tag in tags]


def can_be_staged(field: object) -> bool:
    """Tell whether a field is a set: what its rows need is their ends and what can be given.

    One whose rows are children of an end by `ParentalKey` is none.
    """
    if is_tags(field) or isinstance(field, ParentalManyToManyField):
        return True
    if not isinstance(field, ManyToManyField) or _has_children(field):
        return False
    given = row_columns(field)
    return all(column in given or is_filled(column) for column in _between(field))


def row_columns(field: object) -> list[Any]:
    """Return the columns of the rows of a set that may be given with a new member."""
    if is_tags(field) or not isinstance(field, ManyToManyField) or _has_children(field):
        return []
    return [
        column
        for column in _between(field)
        if column.editable and not column.primary_key and not column.generated
    ]


def generic_relations(model: type[Model]) -> list[Any]:
    """Return the `GenericRelation` fields of a model, known by what Django says of them.

    To import the class takes an app that may not be installed.
    """
    return [each for each in model._meta.private_fields if each.one_to_many]


def _has_children(field: Any) -> bool:
    columns = field.remote_field.through._meta.concrete_fields
    return any(isinstance(column, ParentalKey) for column in columns)


def _between(field: Any) -> list[Any]:
    """Return the columns of a many-to-many's rows that are not their ends."""
    ends = {field.m2m_field_name(), field.m2m_reverse_field_name()}
    columns = field.remote_field.through._meta.concrete_fields
    return [column for column in columns if column.name not in ends]


def tagged_models(model: type[Model]) -> set[type[Model]]:
    """Return the models between a model and its tags: their rows are no children for clients."""
    fields: list[Any] = [field for field in model._meta.many_to_many if is_tags(field)]
    return {field.remote_field.through for field in fields}


def ignores_case(field: object) -> bool:
    """Tell whether two members of a set that differ in case only are one."""
    return is_tags(field) and bool(getattr(settings, "TAGGIT_CASE_INSENSITIVE", False))


def is_filled(column: Any) -> bool:
    """Tell whether a row can be made without a value for a column."""
    return (
        column.primary_key
        or column.null
        or column.has_default()
        or column.has_db_default()
        or column.generated
        or getattr(column, "auto_now", False)
        or getattr(column, "auto_now_add", False)
        or (column.blank and column.empty_strings_allowed)
    )
