"""References out of the cluster: foreign keys and many-to-many members must exist."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Model

from gql_cluster.domain.delta import Added, Delta, Related, Updated
from gql_cluster.domain.node import Json, Values
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.load import existing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A field of a node that names an object outside of the cluster, by the field it names."""

    key: str
    field: str
    target: Any
    pk: Json


def references(cluster: Cluster, deltas: Iterable[Delta]) -> Iterator[Reference]:
    """Yield the references that deltas bring in."""
    for delta in deltas:
        match delta:
            case Added(node=node):
                yield from _foreign(cluster, node.type, node.key, node.fields)
                for name, pks in node.sets.items():
                    yield from _members(cluster, node.type, node.key, name, pks)
            case Updated():
                yield from _foreign(cluster, delta.type, delta.key, delta.after)
            case Related():
                yield from _members(cluster, delta.type, delta.key, delta.set, delta.added)
            case _:
                pass


def dangling(found: Iterable[Reference]) -> list[Reference]:
    """Return the references to objects that are not there, with a query a target."""
    by_target: dict[Any, list[Reference]] = defaultdict(list)
    for reference in found:
        by_target[reference.target].append(reference)
    missing: list[Reference] = []
    for target, group in by_target.items():
        there = existing(target, list({repr(each.pk): each.pk for each in group}.values()))
        missing += [each for each in group if each.pk not in there]
    return missing


def _foreign(cluster: Cluster, type_name: str, key: str, values: Values) -> Iterator[Reference]:
    model = cluster.models[type_name]
    spec = cluster.spec.nodes[type_name]
    for name, value in values.items():
        if value is not None and spec.fields[name].target is not None:
            target: Any = model._meta.get_field(name).related_model
            yield Reference(key=key, field=name, target=target, pk=value)


def _members(
    cluster: Cluster, type_name: str, key: str, name: str, pks: Iterable[Json]
) -> Iterator[Reference]:
    model: type[Model] = cluster.models[type_name]
    target: Any = model._meta.get_field(name).related_model
    for pk in pks:
        yield Reference(key=key, field=name, target=target, pk=pk)
