"""Uniqueness: within the cluster and against the database, with a query a set of fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from django.db.models import CharField, F, IntegerField, Max, Model
from modelcluster.fields import ParentalKey

from gql_cluster.domain.node import Json, Node
from gql_cluster.orm.codec import encode, encoder, pk_field
from gql_cluster.orm.describe import AnyField, unique_sets
from gql_cluster.orm.instance import Family
from gql_cluster.orm.load import decode_pk

Values: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A node with the values of another, or of a row, in fields that are unique together."""

    node: Node
    fields: tuple[str, ...]


class Uniqueness:
    """The unique sets of one node type, for the nodes of it that a commit writes."""

    def __init__(
        self, family: Family, type_name: str, instances: Mapping[str, Model], using: str
    ) -> None:
        """`instances` are all nodes of the type that will be written, by key."""
        self._family = family
        self._model = family.cluster.models[type_name]
        self._instances = instances
        self._using = using

    def clashes(self, ignored: Iterable[Json]) -> Iterator[Clash]:
        """Yield each node that can't be saved as it is.

        Rows whose primary key is in `ignored` don't count: the commit deletes them.
        """
        gone = {*ignored, *self._written()}
        for names in unique_sets(self._model):
            seen: dict[Values, str] = {}
            wanted: dict[Values, str] = {}
            for key, instance in self._instances.items():
                values = self._values(key, instance, names)
                if values is None:
                    continue
                if values in seen:
                    yield self._clash(key, names)
                    continue
                seen[values] = key
                if not any(isinstance(value, _Unsaved) for value in values):
                    wanted[values] = key
            for values, pk in self._rows(names, wanted):
                if pk not in gone and values in wanted:
                    yield self._clash(wanted[values], names)

    def park(self, now: Mapping[str, Model]) -> None:
        """Move saved rows out of the way of nodes that are about to take their values.

        `now` are the rows as they are saved, by key. By `update()`, so that no signal tells
        of it: each row is saved or deleted in the same transaction. Rows with no field that
        can hold a stand-in stay; the database then refuses the commit.
        """
        for names in unique_sets(self._model):
            will = {
                values: key
                for key, instance in self._instances.items()
                if (values := self._values(key, instance, names)) is not None
            }
            blocking = [
                instance
                for key, instance in now.items()
                if (values := self._values(key, instance, names)) is not None
                and will.get(values, key) != key
            ]
            field = _parking_field(self._model, names)
            if blocking and field is not None:
                self._park(blocking, field, names)

    def _park(self, rows: Sequence[Model], field: AnyField, names: tuple[str, ...]) -> None:
        manager = self._model._base_manager.using(self._using)
        here = manager.filter(pk__in=[row.pk for row in rows])
        if isinstance(field, IntegerField):
            written = [getattr(each, field.attname) or 0 for each in self._instances.values()]
            among = manager.filter(**self._scope(rows, names))
            highest = max(among.aggregate(top=Max(field.name))["top"] or 0, *written)
            lowest = min(getattr(row, field.attname) for row in rows)
            here.update(**{field.name: F(field.name) + (highest - lowest + 1)})
        elif field.null:
            here.update(**{field.name: None})
        else:
            for row in rows:
                stand_in = f"~{uuid4().hex}"[: field.max_length]
                manager.filter(pk=row.pk).update(**{field.name: stand_in})

    def _scope(self, rows: Sequence[Model], names: tuple[str, ...]) -> dict[str, Any]:
        for name in names:
            field: Any = self._model._meta.get_field(name)
            if field.related_model is not None:
                return {f"{field.attname}__in": {getattr(row, field.attname) for row in rows}}
        return {}

    def _written(self) -> set[Json]:
        encode_pk = encoder(pk_field(self._model))
        return {encode_pk(i.pk) for i in self._instances.values() if not i._state.adding}

    def _clash(self, key: str, names: tuple[str, ...]) -> Clash:
        node = self._family.snapshot.node(key)
        if node is None:
            raise LookupError(key)
        return Clash(node=node, fields=names)

    def _values(self, key: str, instance: Model, names: tuple[str, ...]) -> Values | None:
        """Return what a node holds in some fields, None where nulls make it unlike all."""
        values = tuple(self._value(key, instance, name) for name in names)
        return None if any(value is None for value in values) else values

    def _value(self, key: str, instance: Model, name: str) -> Any:
        field: Any = self._model._meta.get_field(name)
        value = encode(field, getattr(instance, field.attname))
        if value is None and isinstance(field, ParentalKey):
            node = self._family.snapshot.node(key)
            return _Unsaved(node.parent) if node is not None and node.parent else None
        return str(value) if isinstance(value, dict | list) else value

    def _rows(
        self, names: tuple[str, ...], wanted: Mapping[Values, str]
    ) -> Iterator[tuple[Values, Json]]:
        """Yield the rows that may hold wanted values: those that match in each field alone."""
        if not wanted:
            return
        fields: list[Any] = [self._model._meta.get_field(name) for name in names]
        columns = zip(*wanted, strict=True)
        queryset = self._model._base_manager.using(self._using)
        for field, values in zip(fields, columns, strict=True):
            python = [_as_filter(field, value) for value in dict.fromkeys(values)]
            queryset = queryset.filter(**{f"{field.attname}__in": python})
        encode_pk = encoder(pk_field(self._model))
        for pk, *row in queryset.values_list("pk", *(field.attname for field in fields)):
            yield (
                tuple(encode(field, value) for field, value in zip(fields, row, strict=True)),
                encode_pk(pk),
            )


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """A parent that has no primary key yet."""

    key: str


def _as_filter(field: Any, value: Json) -> Any:
    if field.related_model is not None:
        return decode_pk(field.related_model, value)
    return field.to_python(value)


def _parking_field(model: type[Model], names: tuple[str, ...]) -> AnyField | None:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    plain = [f for f in fields if f.related_model is None and not f.primary_key]
    integers = [field for field in plain if isinstance(field, IntegerField)]
    others = [field for field in plain if field.null or isinstance(field, CharField)]
    return next(iter(integers + others), None)
