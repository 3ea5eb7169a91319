"""Sets of a node: many-to-many fields hold primary keys, tags hold names.

Each function takes the model that has the set, and the set's name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from modelcluster.fields import ParentalManyToManyField

from gql_cluster.domain.node import Json, Through, Values
from gql_cluster.orm.codec import decode, encoder, parse, pk_field
from gql_cluster.orm.kinds import can_be_staged, ignores_case, is_tags


class Members(Protocol):
    """What a set of a model holds, and how it is read and saved."""

    @property
    def accessor(self) -> str | None:
        """The relation that modelcluster defers for it; None where it defers none."""

    def parse(self, text: str) -> Json:
        """Return a member that a client named; raises `ValidationError`."""

    def load(self, where: Mapping[str, Any], using: str) -> dict[Json, tuple[Json, ...]]:
        """Return the members of each object found by lookups, by its primary key."""

    def related(self, members: Sequence[Json]) -> list[Model]:
        """Return what the model's own methods find under `accessor`."""

    def queryset(self, found: list[Model]) -> QuerySet[Any]:
        """Return a queryset of what `related` or `live` gave, which need not be read again."""

    def live(self, instance: Model, using: str) -> Mapping[Json, Model]:
        """Return the same of a saved object, as it is in the database, by member."""

    def save(
        self, instance: Model, added: Sequence[Json], removed: Sequence[Json], through: Through
    ) -> None:
        """Add and remove members in the database; `through` is given of the rows of some added."""


@cache
def members_of(model: type[Model], name: str) -> Members:
    """Return what a set of a model holds."""
    field: Any = model._meta.get_field(name)
    return _Tags(field) if is_tags(field) else _ManyToMany(field)


@cache
def set_behind(model: type[Model], accessor: str) -> str | None:
    """Return the set that an attribute of the model is read from; None where it has children."""
    for field in model._meta.many_to_many:
        if can_be_staged(field):
            behind = members_of(model, field.name).accessor or field.name
            if behind == accessor:
                return field.name
    return None


def tag_names_of(model: type[Model], name: str, pks: Sequence[Any]) -> list[Json]:
    """Return the names of tags by primary key, None for what is none."""
    field: Any = model._meta.get_field(name)
    tag: Any = field.remote_field.through.tag_model()
    known = [str(pk) for pk in pks if parse(pk_field(tag), str(pk)) is not None]
    found = {str(each.pk): each.name for each in tag._default_manager.filter(pk__in=known)}
    return [found.get(str(pk)) for pk in pks]


def given_row(field: Any, values: Values) -> dict[str, Any]:
    """Return what is given of a row of a many-to-many as Django's `through_defaults`."""
    columns = [field.remote_field.through._meta.get_field(name) for name in values]
    return {column.attname: decode(column, values[column.name]) for column in columns}


class _ManyToMany:
    def __init__(self, field: Any) -> None:
        self._field = field
        self._target: Any = field.related_model
        self._key = pk_field(self._target)

    @property
    def accessor(self) -> str | None:
        name: str = self._field.name
        return name if isinstance(self._field, ParentalManyToManyField) else None

    def parse(self, text: str) -> Json:
        member = parse(self._key, text)
        if member is None:
            raise ValidationError(f"{text[:64]!r} can't be a primary key of “{self._field.name}”.")
        return member

    def load(self, where: Mapping[str, Any], using: str) -> dict[Json, tuple[Json, ...]]:
        ends = (self._field.m2m_field_name(), self._field.m2m_reverse_field_name())
        rows = self._rows(where, using).order_by("pk").values_list(*(f"{end}__pk" for end in ends))
        return _grouped(self._field.model, rows, encoder(self._key))

    def _rows(self, where: Mapping[str, Any], using: str) -> QuerySet[Any]:
        source = self._field.m2m_field_name()
        rows: QuerySet[Any] = self._field.remote_field.through._base_manager.using(using)
        return rows.filter(**{f"{source}__{lookup}": value for lookup, value in where.items()})

    def related(self, members: Sequence[Json]) -> list[Model]:
        wanted = [decode(self._key, member) for member in members]
        return list(self._target._default_manager.filter(pk__in=wanted)) if wanted else []

    def queryset(self, found: list[Model]) -> QuerySet[Any]:
        return _of(found, self._target)

    def live(self, instance: Model, using: str) -> Mapping[Json, Model]:
        encode = encoder(self._key)
        member = self._field.m2m_reverse_field_name()
        members = self._rows({"pk": instance.pk}, using).values(f"{member}__pk")
        rows = self._target._default_manager.using(using).filter(pk__in=members)
        return {encode(row.pk): row for row in rows}

    def save(
        self, instance: Model, added: Sequence[Json], removed: Sequence[Json], through: Through
    ) -> None:
        manager = self._manager(instance)
        if removed:
            manager.remove(*self._named(removed))
        for values, members in _by_row(added, through):
            manager.add(*self._named(members), through_defaults=given_row(self._field, values))

    def _named(self, members: Sequence[Json]) -> list[Any]:
        """Return members as the manager takes them: primary keys, or objects for another key."""
        pks = [decode(self._key, member) for member in members]
        end = self._field.remote_field.through._meta.get_field(self._field.m2m_reverse_field_name())
        return (
            pks
            if end.target_field.primary_key
            else [*self._target._base_manager.filter(pk__in=pks)]
        )

    def _manager(self, instance: Any) -> Any:
        manager = getattr(instance, self._field.name)
        return manager if self.accessor is None else manager.get_original_manager()


class _Tags:
    def __init__(self, field: Any) -> None:
        self._field = field
        self._through: Any = field.remote_field.through
        self._tag: Any = self._through.tag_model()

    @property
    def accessor(self) -> str | None:
        item: Any = self._through._meta.get_field("content_object")
        name: str = item.remote_field.get_accessor_name()
        return name

    def parse(self, text: str) -> Json:
        name: str = self._tag._meta.get_field("name").clean(text.strip(), None)
        return name

    def load(self, where: Mapping[str, Any], using: str) -> dict[Json, tuple[Json, ...]]:
        rows = (
            self._through._base_manager.using(using)
            .filter(**{f"content_object__{lookup}": value for lookup, value in where.items()})
            .order_by("pk")
            .values_list("content_object_id", "tag__name")
        )
        return _grouped(self._field.model, rows, str)

    def related(self, members: Sequence[Json]) -> list[Model]:
        names = [str(member) for member in members]
        known = {tag.name: tag for tag in self._tag._default_manager.filter(name__in=names)}
        return [self._through(tag=known.get(name) or self._tag(name=name)) for name in names]

    def queryset(self, found: list[Model]) -> QuerySet[Any]:
        return _of(found, self._through)

    def live(self, instance: Model, using: str) -> Mapping[Json, Model]:
        return {item.tag.name: item for item in self._items(instance, using)}

    def save(
        self, instance: Model, added: Sequence[Json], removed: Sequence[Json], through: Through
    ) -> None:
        del through  # tags have none
        # As modelcluster does: a row's own delete() and save(), and no m2m_changed.
        using = instance._state.db or "default"
        fold = str.casefold if ignores_case(self._field) else str
        items = {fold(item.tag.name): item for item in self._items(instance, using)}
        for name in removed:
            if (item := items.pop(fold(str(name)), None)) is not None:
                item.delete()
        if added:
            manager = getattr(instance, self._field.name)
            tags = manager._to_tag_model_instances(added, {})  # noqa: SLF001 - modelcluster calls it
            there = {item.tag_id for item in items.values()}
            for tag in tags:
                if tag.pk not in there:
                    self._through(tag=tag, content_object=instance).save()

    def _items(self, instance: Model, using: str) -> Any:
        rows = self._through._base_manager.using(using).filter(content_object=instance)
        return rows.select_related("tag").order_by("pk")


def _by_row(members: Sequence[Json], through: Through) -> Iterator[tuple[Values, list[Json]]]:
    """Yield members together whose rows are to hold the same, in the order of the first ones."""
    values: list[Values] = []
    groups: list[list[Json]] = []
    for member in members:
        row = through.get(member, {})
        if row not in values:
            values.append(row)
            groups.append([])
        groups[values.index(row)].append(member)
    return zip(values, groups, strict=True)


def _of(found: list[Model], model: type[Model]) -> QuerySet[Any]:
    queryset = model._default_manager.filter(pk__in=[each.pk for each in found])
    queryset._result_cache = found  # noqa: SLF001 - as Django does when it prefetches
    return queryset


def _grouped(
    model: type[Model], rows: Iterable[tuple[Any, Any]], encode: Any
) -> dict[Json, tuple[Json, ...]]:
    found: dict[Json, list[Json]] = defaultdict(list)
    of_owner = encoder(pk_field(model))
    for owner, member in rows:
        found[of_owner(owner)].append(encode(member))
    return {owner: tuple(members) for owner, members in found.items()}
