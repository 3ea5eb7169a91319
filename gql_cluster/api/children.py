"""How many children a relation takes: declared on the mirror type, by a formset's own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Model
from modelcluster.models import get_all_child_relations

from gql_cluster.improper import SetupError
from gql_cluster.orm.describe import Cluster

_DECLARED = "__gql_cluster_children__"


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """At least `min_num` children and at most `max_num`: asked at commit, never of a draft."""

    min_num: int = 0
    max_num: int | None = None


def checked_limits(model: type[Model], limits: Mapping[str, Children]) -> Mapping[str, Children]:
    """Return the limits; raises `SetupError` for what no relation could keep."""
    relations = {each.get_accessor_name() for each in get_all_child_relations(model)}
    for name, limit in limits.items():
        if name not in relations:
            raise SetupError(
                "E013",
                f"{model._meta.label} has no child relation “{name}”.",
                hint=f"It has {_listed(relations)}.",
            )
        if limit.min_num < 0 or (limit.max_num is not None and limit.max_num < limit.min_num):
            raise SetupError(
                "E013",
                f"“{name}” of {model._meta.label} can't have at least {limit.min_num} and at "
                f"most {limit.max_num} children.",
                hint="`min_num` is 0 or more, and `max_num` no less than that.",
            )
    return limits


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"“{name}”" for name in sorted(names)) or "none"


def declare_limits(type_: type[Any], limits: Mapping[str, Children]) -> None:
    """Note the limits on the mirror type that they are declared on."""
    setattr(type_, _DECLARED, limits)


def limited(cluster: Cluster, types: Mapping[type[Model], type[Any]]) -> Cluster:
    """Return a cluster with the limits that the declared types of its models have."""
    nodes = dict(cluster.spec.nodes)
    for type_name, model in cluster.models.items():
        limits: dict[str, Children] = {}
        for each in reversed(model.__mro__):  # what is declared of a model holds for its kinds
            limits |= vars(types[each]).get(_DECLARED, {}) if each in types else {}
        relations = {
            name: replace(relation, min_num=limits[name].min_num, max_num=limits[name].max_num)
            if name in limits
            else relation
            for name, relation in nodes[type_name].relations.items()
        }
        nodes[type_name] = replace(nodes[type_name], relations=relations)
    return replace(cluster, spec=replace(cluster.spec, nodes=nodes))
