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
from gql_cluster.orm.instance import Family
from gql_cluster.orm.load import decode_pk, in_bulk


def serialize(family: Family, nodes: Sequence[Node]) -> dict[str, Json]:
    """Return what `to_json()` of the draft's root writes, with a query a many-to-many.

    `nodes` are all of the draft, the root first. The instances of the family are changed by
    it: modelcluster has each field prepared for saving, `auto_now` and all.
    """
    _fill_sets(family, nodes)
    root: Any = family.instance(nodes[0])
    data: dict[str, Json] = as_json(root.serializable_data())
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
            continue
        target: type[Model] = field.related_model
        wanted = dict.fromkeys(pk for node in group for pk in node.sets.get(name, ()))
        encode = encoder(pk_field(target))
        found = {encode(each.pk): each for each in in_bulk(model, name, tuple(wanted))}
        found.update({pk: target(pk=decode_pk(target, pk)) for pk in wanted if pk not in found})
        for node in group:
            held = set(node.sets.get(name, ()))
            members = [each for pk, each in found.items() if pk in held]
            family.instance(node).__dict__["_cluster_related_objects"][name] = members
