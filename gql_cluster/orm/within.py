"""References within a cluster that is about to be saved: which of them can be, and in what order.

A foreign key that refers to a node by its key gets its value when that node is saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from django.db.models import Model

from gql_cluster.domain.error import Problem
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.reference import references
from gql_cluster.orm.codec import encode
from gql_cluster.orm.instance import Family
from gql_cluster.orm.problems import problem


def held(family: Family, node: Node) -> Mapping[str, str]:
    """Return the foreign keys of a node that refer to nodes by their keys, with these."""
    return dict(references(family.cluster.spec.nodes[node.type], node.fields))


def value_of(target: Model, instance: Model, name: str) -> Any:
    """Return what a foreign key of an instance holds that refers to another; None for none yet."""
    field: Any = instance._meta.get_field(name)
    return getattr(target, field.target_field.attname)


def nothing(family: Family, key: str, name: str, named: str) -> Problem:
    """Return the problem of a reference to what lacks the value that would refer to it."""
    message = f"“{named}” lacks the value by which it would be referred to."
    return problem(family, key, name, message, "invalid")


def gone(family: Family, key: str, field: Any, place: tuple[str, ...]) -> Problem:
    """Return the problem of a reference to what the draft removes; `place` leads to it."""
    message = (
        f"The {field.related_model._meta.verbose_name} that this refers to"
        " is not in the draft any more."
    )
    name, *below = place
    return problem(family, key, name, message, "invalid", tuple(below))


def referred_first(family: Family, keys: Sequence[str]) -> list[str]:
    """Return siblings with each behind those that it refers to, else in the same order.

    In a ring one comes before what it refers to.
    """
    if not any(spec.refers for spec in family.cluster.spec.nodes.values()):
        return list(keys)
    here = set(keys)
    named = {key: [k for k in _named(family, key) if k in here] for key in keys}
    if not any(named.values()):
        return list(keys)
    found: dict[str, None] = {}
    begun: set[str] = set()
    for key in keys:
        waiting = [key]
        while waiting:
            begun.add(each := waiting[-1])
            ahead = next((k for k in named[each] if k not in begun), None)
            if ahead is None:
                found.setdefault(waiting.pop())
            else:
                waiting.append(ahead)
    return list(found)


def referring(
    family: Family, key: str, instance: Model, deleted: Mapping[str, AbstractSet[Json]]
) -> Iterator[Any]:
    """Yield the foreign keys by which an instance refers to rows of the cluster that go.

    `deleted` are their primary keys, by node type.
    """
    for name, spec in family.cluster.spec.nodes[_node(family, key).type].fields.items():
        rows = [deleted[type_name] for type_name in spec.nodes if type_name in deleted]
        if rows and spec.holds_pk:
            field: Any = instance._meta.get_field(name)
            value = encode(field, getattr(instance, field.attname))
            if any(value in pks for pks in rows):
                yield field


def wrong_references(
    family: Family,
    plan: Plan,
    written: Mapping[str, Model],
    deleted: Mapping[str, AbstractSet[Json]],
) -> Iterator[Problem]:
    """Yield a problem for each reference to what is gone, or is never saved in time."""
    cluster = family.cluster
    models = {cluster.models[name] for name, spec in cluster.spec.nodes.items() if spec.refers}
    refer = {key: each for key, each in written.items() if type(each) in models}
    for key, instance in refer.items():
        for field in referring(family, key, instance, deleted):
            yield gone(family, key, field, (field.name,))
    stuck = _Stuck(family, written)
    for key in (each for each in (*plan.updated, *plan.added) if each in refer):
        for name, named in held(family, _node(family, key)).items():
            target = family.referred(_node(family, key), name)
            if target is None:
                message = f"The node with the key “{named}” is not in the draft any more."
                yield problem(family, key, name, message, "invalid")
            elif named not in written and value_of(target, written[key], name) is None:
                yield nothing(family, key, name, named)
            elif stuck.has_to_wait(key, name, named) and stuck.is_ring(key, named):
                message = (
                    f"“{named}” can't be saved before this is, and this can't be saved without it."
                )
                yield problem(family, key, name, message, "invalid")


class _Stuck:
    """Which nodes can be saved only behind which: those above, and those that they require."""

    def __init__(self, family: Family, written: Mapping[str, Model]) -> None:
        self._family = family
        self._written = written

    def is_ring(self, key: str, named: str) -> bool:
        """Tell whether one can't be saved before another, which it requires."""
        seen: set[str] = set()
        waiting = [named]
        while waiting:
            each = waiting.pop()
            if each == key:
                return True
            if each not in seen:
                seen.add(each)
                waiting += self._before(each)
        return False

    def _before(self, key: str) -> Iterable[str]:
        if key in self._written:
            node = _node(self._family, key)
            if node.parent is not None:
                yield node.parent
            for name, named in held(self._family, node).items():
                if self.has_to_wait(key, name, named):
                    yield named

    def has_to_wait(self, key: str, name: str, named: str) -> bool:
        """Tell whether a foreign key needs a value at once that there is not as yet."""
        instance, target = self._written[key], self._written.get(named)
        if target is None or instance._meta.get_field(name).null:
            return False
        return value_of(target, instance, name) is None


def _named(family: Family, key: str) -> Iterable[str]:
    return held(family, _node(family, key)).values()


def _node(family: Family, key: str) -> Node:
    node = family.snapshot.node(key)
    if node is None:
        raise LookupError(key)
    return node
