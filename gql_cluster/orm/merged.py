"""What is around a node that is written, as its own methods find it: the draft over what is saved.

What others saved since the base is among it: an overridden `save()` that adds up its children
adds up those that there will be.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from django.db.models import Model

from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.reference import key_in
from gql_cluster.orm.codec import encoder, pk_field
from gql_cluster.orm.inheritance import concrete
from gql_cluster.orm.instance import Family, unsaved_target
from gql_cluster.orm.load import in_model_order, node_key
from gql_cluster.orm.sets import members_of, set_behind
from gql_cluster.orm.within import value_of


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
        if node.key in self._plan.added:
            return self._family.related(node, name)
        found = set_behind(self._family.cluster.models[node.type], name)
        return self._children(node, name) if found is None else self._members(node, found)

    def referred(self, node: Node, name: str) -> Model | None:
        """Return the instance of the written node that a foreign key refers to.

        None is for what the commit does not write: the database has it as it is now.
        """
        value = node.fields[name]
        key = key_in(value)
        if key is not None:
            return self._written.get(key) or self._family.referred(node, name)
        field = self._family.cluster.spec.nodes[node.type].fields[name]
        keys = (self._saved.get((each, value)) for each in field.nodes if field.holds_pk)
        return next((self._written[key] for key in keys if key is not None), None)

    @cached_property
    def _saved(self) -> Mapping[tuple[str, Json], str]:
        """The written nodes that are saved already, by type and primary key."""
        nodes = (self._family.snapshot.node(key) for key in self._written)
        return {(node.type, node.pk): node.key for node in nodes if node and node.pk is not None}

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
        if cluster.spec.is_shared(relation):
            field = model._meta.get_field(relation.parent_field)
            kind = [each for each in self._written.values() if isinstance(each, model)]
            here = {id(each): each for each in (*found, *kind)}.values()
            found = [each for each in here if _refers(each, field, parent)]
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


def _refers(instance: Model, field: Any, parent: Model) -> bool:
    target = unsaved_target(instance, field)
    held = getattr(instance, field.attname)
    return target is parent or (held is not None and held == value_of(parent, instance, field.name))
