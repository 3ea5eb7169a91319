"""Telling a clash with what others saved since the base from one of the draft's own making."""

from __future__ import annotations

from gql_cluster.domain.merge import Clash
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.spec import ROOT_KEY, RelationSpec
from gql_cluster.orm import unique
from gql_cluster.orm.inheritance import pk_above
from gql_cluster.orm.instance import Family
from gql_cluster.orm.load import decode_pk, make_node, node_key, rows


def clash_with_others(family: Family, plan: Plan, clash: unique.Clash, using: str) -> Clash | None:
    """Return the clash if others gave a node of this cluster the value since the base.

    None where the row is of another cluster, or the base had it just so.
    """
    mine, pk = _sides(plan, clash)
    relation = family.relation_of(mine)
    if pk is None or relation is None:
        return None
    theirs = _saved_node(family, mine, relation, pk, using)
    if theirs is None:
        return None
    fields = tuple(name for name in clash.rule.names if name in theirs.fields)
    base = family.base_of(plan, theirs)
    if base is not None and all(base.fields.get(name) == theirs.fields[name] for name in fields):
        return None
    return Clash(key=mine.key, fields=fields, theirs=theirs, base=base)


def _sides(plan: Plan, clash: unique.Clash) -> tuple[Node, Json]:
    """Return the node that the draft gives the value, and the key of the row that has it.

    None is the key where the draft gives it to two nodes.
    """
    if clash.other is None:
        return clash.node, clash.pk
    # The other one is written for another reason: changed in other fields, or numbered anew.
    if not _gives(plan, clash.other, clash.rule):
        return clash.node, clash.other.pk
    if not _gives(plan, clash.node, clash.rule):
        return clash.other, clash.node.pk
    return clash.node, None


def _gives(plan: Plan, node: Node, rule: unique.Rule) -> bool:
    """Tell whether the draft gives a node what a rule is about."""
    if node.key not in plan.updated:
        return node.key in plan.added
    base, mine = plan.updated[node.key]
    return any(base.fields.get(name) != mine.fields.get(name) for name in rule.names)


def _saved_node(
    family: Family, mine: Node, relation: RelationSpec, pk: Json, using: str
) -> Node | None:
    """Return a row in the relation of `mine` as a node, None where it is not in the cluster."""
    cluster = family.cluster
    model = cluster.models[relation.child]
    found = model._base_manager.using(using).filter(pk=decode_pk(model, pk))
    # The line of what is in the same relation is as long as that of `mine`.
    above = family.snapshot.node(mine.parent or "")
    if above is None:
        return None
    parent_key = pk_above(model._meta.get_field(relation.parent_field), cluster.models[above.type])
    row = next(rows(cluster, relation, found, parent_key), None)
    if row is None:
        return None
    key = _key(family, above, row.above, using)
    return None if key is None else make_node(cluster, row, parent=key, relation=relation)


def _key(family: Family, like: Node, pk: Json, using: str) -> str | None:
    """Return the key of the row in a place like that of `like`; None if that is not in the cluster.

    It may be of another kind than `like`: of which, the database is asked.
    """
    relation = family.relation_of(like)
    if relation is None or like.parent is None:
        return ROOT_KEY if like.pk == pk else None
    cluster = family.cluster
    model = cluster.models[relation.child]
    found = model._base_manager.using(using).filter(pk=decode_pk(model, pk))
    above = family.snapshot.node(like.parent)
    if above is None:
        return None
    parent_key = pk_above(model._meta.get_field(relation.parent_field), cluster.models[above.type])
    row = next(rows(cluster, relation, found, parent_key), None)
    parent = None if row is None else _key(family, above, row.above, using)
    return None if row is None or parent is None else node_key(row.type, pk)
