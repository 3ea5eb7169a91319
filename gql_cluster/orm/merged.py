"""A saved node's relations with the draft laid over them, as its own methods find them.

What others saved since the base is among it: an overridden `save()` that adds up its children
adds up those that there will be.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Model

from gql_cluster.domain.node import Node
from gql_cluster.domain.plan import Plan
from gql_cluster.orm.codec import encoder, pk_field
from gql_cluster.orm.inheritance import concrete
from gql_cluster.orm.instance import Family
from gql_cluster.orm.load import in_model_order, node_key
from gql_cluster.orm.sets import members_of, set_behind


class Merged:
    """The relations of the saved nodes that one commit writes; a query for each that is read."""

    def __init__(
        self, family: Family, plan: Plan, written: Mapping[str, Model], using: str
    ) -> None:
        """`written` are the instances by key, filled before anything is read."""
        self._family = family
        self._plan = plan
        self._written = written
        self._using = using
        # A node that was added to the draft before an earlier commit has a key of its own.
        self._keys = {
            (node.type, node.pk): key for key, node in (*plan.base.items(), *plan.ancestors.items())
        }

    def related(self, node: Node, name: str) -> list[Model]:
        """Return the instances of a child relation, or of what is deferred for a set."""
        found = set_behind(self._family.cluster.models[node.type], name)
        return self._children(node, name) if found is None else self._members(node, found)

    def _children(self, node: Node, name: str) -> list[Model]:
        cluster = self._family.cluster
        relation = cluster.spec.nodes[node.type].relations[name]
        model = cluster.models[relation.child]
        parent = self._written[node.key]
        encode_pk = encoder(pk_field(model))
        found: list[Model] = []
        types = cluster.kinds(relation.child)
        rows = model._default_manager.using(self._using).filter(**{relation.parent_field: parent})
        for row in concrete(rows, types):
            type_name, pk = types.get(type(row), relation.child), encode_pk(row.pk)
            key = self._keys.get((type_name, pk)) or node_key(type_name, pk)
            if key in self._plan.removed:
                continue
            setattr(row, relation.parent_field, parent)
            found.append(self._written.get(key, row))
        found += [
            self._written[key]
            for key, added in self._plan.added.items()
            if (added.parent, added.relation) == (node.key, name)
        ]
        in_model_order(model, found)
        return found

    def _members(self, node: Node, name: str) -> list[Model]:
        instance = self._written[node.key]
        members = members_of(type(instance), name)
        added, removed = self._plan.members(node.key, name)
        live = members.live(instance, self._using)
        found = [row for member, row in live.items() if member not in removed]
        found += members.related(
            [member for member in added if member not in live or member in removed]
        )
        if found:
            in_model_order(type(found[0]), found)
        return found
