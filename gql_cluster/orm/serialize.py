"""A draft in the form of modelcluster's own `serializable_data()`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model
from modelcluster.fields import ParentalManyToManyField

from gql_cluster.domain.node import Json, Node
from gql_cluster.orm.codec import encoder, pk_field
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.instance import Family, bound
from gql_cluster.orm.load import decode_pk
from gql_cluster.orm.sets import members_of
from gql_cluster.orm.within import held

KIND = "__model__"
"""In the JSON of a child, which kind of its relation's model it is, if it is not of that itself.

No field can be called that. modelcluster, which knows of no kinds, passes by it.
"""


def kind_in(cluster: Cluster, type_name: str, data: object) -> str | None:
    """Return the node type that the JSON of a node of some type is of; None for an unknown one."""
    label = data.get(KIND) if isinstance(data, dict) else None
    if label is None:
        return type_name
    kinds = cluster.spec.kinds(type_name)
    return next((k for k in kinds if cluster.models[k]._meta.label_lower == label), None)


def serialize(family: Family, nodes: Sequence[Node]) -> dict[str, Json]:
    """Return what `to_json()` of the draft's root writes, with a query a many-to-many.

    `nodes` are all of the draft, the root first. The instances of the family are changed by
    it: modelcluster has each field prepared for saving, `auto_now` and all. What modelcluster
    leaves out is added: plain many-to-many fields, and tags by name in place of the rows that
    lead to them. A node that two lists hold is written once, in its own relation.
    """
    _fill_sets(family, nodes)
    _fill_lists(family, nodes)
    _fill_references(family, nodes)
    root: Any = family.instance(nodes[0])
    data: dict[str, Json] = as_json(root.serializable_data())
    _add_sets(family, root, data)
    return data


def as_json(value: Any) -> Any:
    """Return a value as it is after a way through modelcluster's JSON."""
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))


def _fill_sets(family: Family, nodes: Sequence[Node]) -> None:
    """Give the instances the members of their sets at once, in the order of these.

    Members that are not there any more are not left out: opening the JSON tells of them.
    """
    by_set: dict[tuple[str, str], list[Node]] = defaultdict(list)
    for node in nodes:
        for name in family.cluster.spec.nodes[node.type].sets:
            by_set[node.type, name].append(node)
    for (type_name, name), group in by_set.items():
        model = family.cluster.models[type_name]
        field: Any = model._meta.get_field(name)
        if not isinstance(field, ParentalManyToManyField):
            accessor = members_of(model, name).accessor
            for node in group if accessor is not None else ():
                family.instance(node).__dict__["_cluster_related_objects"][accessor] = []
            continue
        target: type[Model] = field.related_model
        wanted = dict.fromkeys(pk for node in group for pk in node.sets.get(name, ()))
        encode = encoder(pk_field(target))
        found = {encode(each.pk): each for each in members_of(model, name).related([*wanted])}
        found.update({pk: target(pk=decode_pk(target, pk)) for pk in wanted if pk not in found})
        for node in group:
            held = set(node.sets.get(name, ()))
            members = [each for pk, each in found.items() if pk in held]
            family.instance(node).__dict__["_cluster_related_objects"][name] = members


def _fill_lists(family: Family, nodes: Sequence[Node]) -> None:
    """Give the instances their own children alone, where their lists hold others as well."""
    for node in nodes:
        for relation in family.cluster.spec.nodes[node.type].relations.values():
            if family.cluster.spec.is_shared(relation):
                children = [
                    family.instance(each) for each in family.children(node.key, relation.name)
                ]
                related: Any = family.instance(node).__dict__["_cluster_related_objects"]
                related[relation.name] = children


def _fill_references(family: Family, nodes: Sequence[Node]) -> None:
    """Give foreign keys that refer to saved nodes by their keys what they will hold."""
    for node in nodes:
        instance: Any = family.instance(node)
        for name in held(family, node):
            at = bound(target := family.referred(node, name))
            if target is not None and at is not None and at.node.pk is not None:
                setattr(instance, name, target)


def _add_sets(family: Family, instance: Model, data: Any) -> None:
    at = bound(instance)
    if at is None:
        return
    spec = family.cluster.spec.nodes[at.node.type]
    for name in spec.sets:
        field: Any = type(instance)._meta.get_field(name)
        if name not in data or not isinstance(field, ParentalManyToManyField):
            data.pop(members_of(type(instance), name).accessor, None)
            if name in at.node.sets:  # else the draft is older than the set, and does not know
                data[name] = list(at.node.sets[name])
    for name, relation in spec.relations.items():
        own = family.cluster.models[relation.child]
        children = instance.__dict__["_cluster_related_objects"][name]
        for child, below in zip(children, data[name], strict=True):
            if type(child) is not own:
                below[KIND] = child._meta.label_lower
            _add_sets(family, child, below)
