"""Multi-table inheritance: which models are kinds of another, and rows as what they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from django.db import router
from django.db.models import Model, OneToOneRel, QuerySet
from django.db.models.query import ModelIterable

Rows = TypeVar("Rows", bound="QuerySet[Any]")


@dataclass(frozen=True, slots=True)
class _Way:
    """The way from a row to that of a kind: as queries name it, and as instances do."""

    lookup: tuple[str, ...] = ()
    accessors: tuple[str, ...] = ()


@cache
def kinds(model: type[Model]) -> tuple[type[Model], ...]:
    """Return the models that inherit a model's table, at any depth, the deepest first.

    Each row of theirs is a row of the model with the same primary key. Proxies have no table, and
    from a model to one that hides its way up (`related_name="+"`) no query can go: they are none.
    """
    return tuple(sorted(_ways(model), key=lambda kind: -len(_ways(model)[kind].lookup)))


def path_to(model: type[Model], kind: type[Model]) -> str:
    """Return the lookup that leads from a model's row to that of one of its kinds."""
    return "__".join(_ways(model)[kind].lookup)


def path_up(kind: type[Model], model: type[Model] | None = None) -> list[str]:
    """Return the links from a kind's row to that of a model that it is a kind of, or to the top."""
    above: list[str] = []
    link: Any = kind._meta.pk
    while link.model is not model and getattr(link.remote_field, "parent_link", False):
        above.append(link.name)
        link = link.related_model._meta.pk
    return above


def way_down(model: type[Model], kind: type[Model]) -> str:
    """Return the beginning of a lookup that leads from a model's rows to those that inherit them.

    A model with two parents has the primary key of one: it is no kind of the other, and its rows
    are found by the link all the same. Empty is the way to the model itself.
    """
    if kind in _ways(model):
        return f"{path_to(model, kind)}__"
    own = kind._meta.concrete_model or kind
    links = own._meta.get_path_from_parent(model._meta.concrete_model or model)
    return "".join(f"{step.join_field.name}__" for step in links)


def pk_above(field: Any, parent: type[Model]) -> str:
    """Return the lookup from a child by its parental key to the primary key that its parent has.

    That may be another than that of the model which the key refers to.
    """
    owner: type[Model] = field.related_model
    shares = owner is parent or issubclass(owner, parent) or parent in _ways(owner)
    is_proxy = parent._meta.concrete_model in (owner, *_ways(owner))
    down = "" if shares or is_proxy else way_down(owner, parent)
    return f"{field.name}__{down}pk"


def kind_at(model: type[Model], path: str) -> type[Model] | None:
    """Return the kind that a lookup leads to, None where it leads to none."""
    return next((kind for kind in kinds(model) if path_to(model, kind) == path), None)


def kind_of_row(model: type[Model], pk: object, wanted: Collection[type[Model]]) -> type[Model]:
    """Return which of some kinds of a model a saved row is; the model where it is none, or gone.

    In one query.
    """
    rows: QuerySet[Any] = model._base_manager.using(router.db_for_write(model)).filter(pk=pk)
    row = concrete(rows, wanted).first()
    return model if row is None else type(row)


def column_path(model: type[Model], kind: type[Model], column: Any) -> str:
    """Return the lookup that leads from a model's row to a column of one of its kinds."""
    owner: type[Model] = column.model
    if issubclass(model, owner):
        return str(column.attname)
    return f"{path_to(model, owner if owner in _ways(model) else kind)}__{column.attname}"


def concrete(queryset: Rows, wanted: Collection[type[Model]] | None = None) -> Rows:
    """Return a queryset of the same rows, each as an instance of its own kind, in one query.

    `wanted` are the kinds to tell apart, all where it is None. model_utils' InheritanceManager
    does it for models that have one; this is for any.
    """
    model: type[Model] = queryset.model
    found = [kind for kind in kinds(model) if wanted is None or kind in wanted]
    if not found:
        return queryset
    queryset = queryset.select_related(*(path_to(model, kind) for kind in found))
    queryset._iterable_class = _concrete(  # noqa: SLF001 - as model_utils does
        tuple(_ways(model)[kind].accessors for kind in found)
    )
    return queryset


@cache
def _ways(model: type[Model]) -> dict[type[Model], _Way]:
    found: dict[type[Model], _Way] = {}
    for relation in model._meta.get_fields(include_parents=False):
        if not isinstance(relation, OneToOneRel) or not relation.parent_link:
            continue
        kind: type[Model] = relation.related_model
        if kind._meta.pk is not relation.field:
            continue  # its primary key is that of another parent
        name, accessor = relation.name, str(relation.get_accessor_name())
        for below, way in {kind: _Way(), **_ways(kind)}.items():
            found.setdefault(below, _Way((name, *way.lookup), (accessor, *way.accessors)))
    return found


@cache
def _concrete(paths: tuple[tuple[str, ...], ...]) -> Any:
    class Concrete(ModelIterable):  # type: ignore[type-arg]
        def __iter__(self) -> Iterator[Any]:
            for row in super().__iter__():
                yield _deepest(row, paths)

    return Concrete


def _deepest(row: Model, paths: Sequence[Sequence[str]]) -> Model:
    """Return what the first of some paths that leads anywhere leads to, each selected with it."""
    for path in paths:
        found = row
        for name in path:
            below = found._state.fields_cache.get(name)
            if below is None:
                break
            _take(below, found)
            found = below
        else:
            # It answers what prefetches ask of the row: it is its own restaurant, and no bar.
            found._state.fields_cache.update({names[0]: None for names in paths})
            found._state.fields_cache.update(dict.fromkeys(path, found))
            return found
    return row


def _take(below: Model, above: Model) -> None:
    """Give an instance what was annotated, and which objects were selected, of the row above."""
    for name, value in above.__dict__.items():
        below.__dict__.setdefault(name, value)
    for name, value in above._state.fields_cache.items():
        if value is not below:
            below._state.fields_cache.setdefault(name, value)
