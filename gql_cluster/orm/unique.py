"""Uniqueness: within the cluster and against the database, with a query a rule."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias
from uuid import uuid4

from django.db.models import (
    Case,
    CharField,
    F,
    IntegerField,
    Max,
    Model,
    Q,
    TextField,
    UniqueConstraint,
    UUIDField,
    Value,
    When,
)

from gql_cluster.domain.node import Json, Node
from gql_cluster.orm.codec import decode, encode, encoder, pk_field
from gql_cluster.orm.describe import AnyField, Cluster, is_unique_fields, own_unique_sets
from gql_cluster.orm.instance import Family, bound, unsaved_target

Values: TypeAlias = tuple[Any, ...]

_LONGEST_STAND_IN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """That no two rows may be equal in some fields, of those rows where a condition holds.

    `model` is the one in whose table they are: all of its rows count, of whatever kind.
    """

    model: type[Model]
    names: tuple[str, ...]
    constraint: UniqueConstraint | None = None

    @property
    def condition(self) -> Q | None:
        """Which rows it is about, all where it is None."""
        return self.constraint.condition if self.constraint else None

    @property
    def nulls_are_alike(self) -> bool:
        """Tell whether two rows that hold null are equal in that."""
        return self.constraint is not None and self.constraint.nulls_distinct is False


@cache
def rules(model: type[Model]) -> tuple[Rule, ...]:
    """Return the rules of a model's own table but those with expressions, which Django checks."""
    concrete: Any = model._meta.concrete_model
    sets = own_unique_sets(concrete)
    plain = [Rule(model=model, names=names) for names in sets] if model is concrete else []
    return (
        *plain,
        *(
            Rule(model=model, names=tuple(constraint.fields), constraint=constraint)
            for constraint in model._meta.constraints
            if isinstance(constraint, UniqueConstraint)
            and is_unique_fields(constraint)
            and not (constraint.condition is None and tuple(constraint.fields) in sets)
            and (model is concrete or constraint not in concrete._meta.constraints)
        ),
    )


def by_table(written: Mapping[str, Model]) -> dict[type[Model], dict[str, Model]]:
    """Return instances by their model and by each that it inherits, whose rules are theirs, too."""
    found: dict[type[Model], dict[str, Model]] = defaultdict(dict)
    lines: dict[type[Model], Sequence[type[Model]]] = {}
    for key, instance in written.items():
        model = type(instance)
        if model not in lines:
            lines[model] = (*reversed(model._meta.all_parents), model)
        for each in lines[model]:
            found[each][key] = instance
    return found


def not_staying(
    cluster: Cluster,
    model: type[Model],
    instances: Mapping[str, Model],
    deleted: Mapping[str, Collection[Json]],
    using: str,
) -> set[Any]:
    """Return the primary keys, in a model's table, of the rows that a commit writes or deletes.

    `instances` are those that it writes, and `deleted` the primary keys that go, by node type.
    """
    pks: dict[type[Model], set[Any]] = defaultdict(set)
    for name, kind in cluster.models.items():
        if issubclass(kind, model):
            pks[kind].update(decode(pk_field(kind), pk) for pk in deleted.get(name, ()))
    for instance in instances.values():
        if not instance._state.adding:
            pks[type(instance)].add(instance.pk)
    return {pk for kind, known in pks.items() for pk in _in_table(model, kind, known, using)}


def _in_table(
    model: type[Model], kind: type[Model], pks: Collection[Any], using: str
) -> Collection[Any]:
    """Return the primary keys that rows of a kind have in the table of a model."""
    if not pks or _is_one_key(kind, model):
        return pks
    rows = kind._base_manager.using(using).filter(pk__in=pks)
    return list(rows.values_list(model._meta.pk.attname, flat=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A node with the values of another, or of a row, in fields that are unique together.

    `pk` is the row's, None for another node, which is `other`.
    """

    node: Node
    rule: Rule
    pk: Json = None
    other: Node | None = None


class Uniqueness:
    """The rules of one table, for the nodes with a row in it that a commit writes."""

    def __init__(
        self, family: Family, model: type[Model], instances: Mapping[str, Model], using: str
    ) -> None:
        """`instances` are all nodes with a row in that table that will be written, by key."""
        self._family = family
        self._model = model
        self._rules = rules(model)
        self._instances = instances
        self._using = using

    def clashes(self, deleted: Mapping[str, Collection[Json]]) -> Iterator[Clash]:
        """Yield each node that can't be saved as it is.

        The rows that the commit deletes don't count: their primary keys are given by node type.
        """
        if not self._rules:
            return
        encode_pk = encoder(pk_field(self._model))
        cluster, using = self._family.cluster, self._using
        going = not_staying(cluster, self._model, self._instances, deleted, using)
        gone = {encode_pk(pk) for pk in going}
        for rule in self._rules:
            seen: dict[Values, str] = {}
            wanted: dict[Values, str] = {}
            for key, instance in self._instances.items():
                values = self._values(instance, rule)
                if values is None:
                    continue
                if values in seen:
                    other = self._node(seen[values])
                    yield Clash(node=self._node(key), rule=rule, other=other)
                    continue
                seen[values] = key
                if not any(isinstance(value, _Unsaved) for value in values):
                    wanted[values] = key
            for values, pk in self._rows(rule, wanted):
                if pk not in gone and values in wanted:
                    node = self._node(wanted[values])
                    is_known = _is_one_key(type(self._instances[node.key]), self._model)
                    yield Clash(node=node, rule=rule, pk=pk if is_known else None)

    def park(self, now: Mapping[str, Model]) -> None:
        """Move saved rows out of the way of nodes that are about to take their values.

        `now` are the rows as they are saved, by key. By `update()`, so that no signal tells
        of it: each row is saved or deleted in the same transaction. Where no field can hold a
        stand-in, rows get what they are about to hold at once; of a ring of such rows the
        database then refuses the commit.
        """
        for rule in self._rules:
            will = {
                values: key
                for key, instance in self._instances.items()
                if (values := self._values(instance, rule)) is not None
            }
            blocking = {
                key: instance
                for key, instance in now.items()
                if (values := self._values(instance, rule)) is not None
                and will.get(values, key) != key
            }
            if blocking:
                self._park(blocking, rule)

    def _park(self, rows: Mapping[str, Model], rule: Rule) -> None:
        field = _parking_field(rule)
        manager = self._model._base_manager.using(self._using)
        here = manager.filter(pk__in=self._in_table(rows.values()))
        if field is None:
            self._settle(rows, rule)
        elif isinstance(field, IntegerField):
            written = [getattr(each, field.attname) or 0 for each in self._instances.values()]
            among = manager.filter(**self._scope(rows.values(), rule))
            highest = max(among.aggregate(top=Max(field.name))["top"] or 0, *written)
            lowest = min(getattr(row, field.attname) for row in rows.values())
            here.update(**{field.name: F(field.name) + (highest - lowest + 1)})
        elif field.null and not rule.nulls_are_alike:
            here.update(**{field.name: None})
        else:
            for row in rows.values():
                one = manager.filter(pk__in=self._in_table([row]))
                one.update(**{field.name: _stand_in(field)})

    def _settle(self, rows: Mapping[str, Model], rule: Rule) -> None:
        names = {*rule.names, *(rule.condition.referenced_base_fields if rule.condition else ())}
        manager = self._model._base_manager.using(self._using)
        for key, row in rows.items():
            if key in self._instances:
                values = {name: getattr(self._instances[key], name) for name in names}
                manager.filter(pk__in=self._in_table([row])).update(**values)

    def _scope(self, rows: Iterable[Model], rule: Rule) -> dict[str, Any]:
        for name in rule.names:
            field: Any = self._model._meta.get_field(name)
            if field.related_model is not None:
                return {f"{field.attname}__in": {getattr(row, field.attname) for row in rows}}
        return {}

    def _in_table(self, rows: Iterable[Model]) -> list[Any]:
        """Return the primary keys that rows have in this table."""
        return [
            pk for row in rows for pk in _in_table(self._model, type(row), [row.pk], self._using)
        ]

    def _node(self, key: str) -> Node:
        node = self._family.snapshot.node(key)
        if node is None:
            raise LookupError(key)
        return node

    def _values(self, instance: Model, rule: Rule) -> Values | None:
        """Return what a node holds in a rule's fields, None where the rule is not about it."""
        values = tuple(self._value(instance, name) for name in rule.names)
        if not rule.nulls_are_alike and any(value is None for value in values):
            return None
        return values if self._is_about(rule, instance) else None

    def _is_about(self, rule: Rule, instance: Model) -> bool:
        if rule.condition is None:
            return True
        # An unknown condition is not met; `Q.check` alone would have it so.
        met = Q(
            Case(When(rule.condition, then=Value(True)), default=Value(False))  # noqa: FBT003
        )
        fields: Any = instance
        return met.check(fields._get_field_expression_map(self._model._meta), using=self._using)  # noqa: SLF001

    def _value(self, instance: Model, name: str) -> Any:
        field: Any = self._model._meta.get_field(name)
        value = encode(field, getattr(instance, field.attname))
        at = bound(unsaved_target(instance, field))
        if at is not None:
            return _Unsaved(at.node.key)
        return _hashable(value)

    def _rows(self, rule: Rule, wanted: Mapping[Values, str]) -> Iterator[tuple[Values, Json]]:
        """Yield the rows that may hold wanted values: those that match in each field alone."""
        if not wanted:
            return
        fields: list[Any] = [self._model._meta.get_field(name) for name in rule.names]
        columns = zip(*wanted, strict=True)
        queryset = self._model._base_manager.using(self._using)
        for field, values in zip(fields, columns, strict=True):
            given = [decode(field, value) for value in dict.fromkeys(values) if value is not None]
            matches = Q(**{f"{field.attname}__in": given})
            if None in values:
                matches |= Q(**{f"{field.attname}__isnull": True})
            queryset = queryset.filter(matches)
        if rule.condition is not None:
            queryset = queryset.filter(rule.condition)
        encode_pk = encoder(pk_field(self._model))
        for pk, *row in queryset.values_list("pk", *(field.attname for field in fields)):
            held = (encode(field, value) for field, value in zip(fields, row, strict=True))
            yield tuple(map(_hashable, held)), encode_pk(pk)


@dataclass(frozen=True, slots=True)
class _Unsaved:
    """A node that is referred to and has no primary key yet: the one above, for one."""

    key: str


def _hashable(value: Json) -> Any:
    return str(value) if isinstance(value, dict | list) else value


def _is_one_key(model: type[Model], owner: type[Model]) -> bool:
    """Tell whether a model's rows have the primary key of their rows in an ancestor's table."""
    link: Any = model._meta.pk
    while getattr(link.remote_field, "parent_link", False) and link.model is not owner:
        link = link.related_model._meta.pk
    return model is owner or link.model is owner


def _parking_field(rule: Rule) -> AnyField | None:
    fields: list[Any] = [rule.model._meta.get_field(name) for name in rule.names]
    plain = [f for f in fields if f.related_model is None and not f.primary_key]
    integers = [field for field in plain if isinstance(field, IntegerField)]
    others = [
        field
        for field in plain
        if (field.null and not rule.nulls_are_alike)
        or isinstance(field, CharField | TextField | UUIDField)
    ]
    return next(iter(integers + others), None)


def _stand_in(field: AnyField) -> object:
    """Return a value that no row holds: for text, characters that are in private use."""
    if isinstance(field, UUIDField):
        return uuid4()
    length = min(field.max_length or _LONGEST_STAND_IN, _LONGEST_STAND_IN)
    return "".join(chr(0xF0000 + secrets.randbelow(0xFFFE)) for _ in range(length))
