"""References to what is saved: foreign keys and many-to-many members must exist."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import router
from django.db.models import Model

from gql_cluster.domain.delta import Added, Delta, Related, Updated
from gql_cluster.domain.node import Json, Through, Values
from gql_cluster.domain.reference import key_in
from gql_cluster.orm.codec import decode, encoder, pk_field
from gql_cluster.orm.describe import AnyField, Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A field of a node that names an object outside of the cluster, by a value of it.

    `row` is the set and the member where the field is one of the row between.
    """

    key: str
    field: Any
    value: Json
    row: tuple[str, Json] | None = None

    @property
    def target(self) -> type[Model]:
        """The model of the object."""
        model: type[Model] = self.field.related_model
        return model

    @property
    def place(self) -> tuple[str, ...]:
        """Where in the node it is, from a field or a set of it."""
        name: str = self.field.name
        return (name,) if self.row is None else (self.row[0], str(self.row[1]), name)


def references(cluster: Cluster, deltas: Iterable[Delta]) -> Iterator[Reference]:
    """Yield the references that deltas bring in."""
    for delta in deltas:
        match delta:
            case Added(node=node):
                yield from _foreign(cluster, node.type, node.key, node.fields)
                for name, pks in node.sets.items():
                    rows = node.through.get(name, {})
                    yield from _members(cluster, node.type, node.key, name, pks, rows)
            case Updated():
                yield from _foreign(cluster, delta.type, delta.key, delta.after)
            case Related():
                yield from _members(
                    cluster, delta.type, delta.key, delta.set, delta.added, delta.added_through
                )
            case _:
                pass


def dangling(found: Iterable[Reference], *, using: str | None = None) -> list[Reference]:
    """Return the references to objects that are not there, with a query a field.

    What a field's `limit_choices_to` leaves out is not there for it, as Django has it.
    """
    by_field: dict[Any, list[Reference]] = defaultdict(list)
    for reference in found:
        by_field[reference.field].append(reference)
    missing: list[Reference] = []
    for field, group in by_field.items():
        there = _existing(field, {repr(each.value): each.value for each in group}.values(), using)
        missing += [each for each in group if each.value not in there]
    return missing


def primary_keys(field: Any, values: Iterable[Json]) -> dict[Json, Any]:
    """Return the primary keys, as the model has them, of what some values of a field name."""
    target: Any = field.related_model
    named: AnyField = pk_field(target) if field.many_to_many else field.target_field
    decoded = {value: decode(named, value) for value in values}
    if named.primary_key:
        return decoded
    rows = target._base_manager.filter(**{f"{named.attname}__in": decoded.values()})
    found = dict(rows.values_list(named.attname, "pk"))
    return {value: found[key] for value, key in decoded.items() if key in found}


def _existing(field: Any, values: Iterable[Json], using: str | None) -> set[Json]:
    """Return those of some values that objects have in the field that is referred to."""
    target = field.related_model
    named: AnyField = pk_field(target) if field.many_to_many else field.target_field
    # Django looks for the target of a foreign key among all rows, for members where forms do.
    manager = target._default_manager if field.many_to_many else target._base_manager
    name = "pk" if field.many_to_many else named.attname
    queryset = (
        manager.using(using or router.db_for_read(target))
        .filter(**{f"{name}__in": [decode(named, value) for value in values]})
        .complex_filter(field.get_limit_choices_to())
    )
    encode = encoder(named)
    return {encode(value) for value in queryset.values_list(name, flat=True)}


def _foreign(cluster: Cluster, type_name: str, key: str, values: Values) -> Iterator[Reference]:
    model = cluster.models[type_name]
    spec = cluster.spec.nodes[type_name]
    for name, value in values.items():
        is_saved = value is not None and key_in(value) is None
        if is_saved and spec.fields[name].target is not None:
            yield Reference(key=key, field=model._meta.get_field(name), value=value)


def _members(  # noqa: PLR0913, PLR0917 - a set and what it gains, inside this module only
    cluster: Cluster, type_name: str, key: str, name: str, pks: Iterable[Json], through: Through
) -> Iterator[Reference]:
    members = cluster.spec.nodes[type_name].sets[name]
    if members.target is None:
        return
    field: Any = cluster.models[type_name]._meta.get_field(name)
    for pk in pks:
        yield Reference(key=key, field=field, value=pk)
        for column, value in through.get(pk, {}).items():
            if value is not None and members.fields[column].target is not None:
                named = field.remote_field.through._meta.get_field(column)
                yield Reference(key=key, field=named, value=value, row=(name, pk))
