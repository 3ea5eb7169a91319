"""Differences as clients see them: node by node, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import partial
from typing import Any, NamedTuple, assert_never

import strawberry
from strawberry.relay import Node
from strawberry.scalars import JSON

from gql_cluster.api.context import caller_of
from gql_cluster.api.served import Served, instance_of
from gql_cluster.api.unshown import unshown
from gql_cluster.api.values import client_members, client_value, graphql_name
from gql_cluster.domain.delta import Added, Delta, Moved, Related, Removed, Updated, key_of
from gql_cluster.domain.node import Json, Through
from gql_cluster.domain.node import Node as DraftNode
from gql_cluster.service.caller import Caller
from gql_cluster.service.sight import hidden_with_all_above
from gql_cluster.service.view import View


@strawberry.enum(description="What happened to a node.")
class NodeChangeKind(Enum):
    """The kinds of deltas."""

    ADDED = strawberry.enum_value(
        "ADDED", description="It came into the draft; each node below it has a change of its own."
    )
    UPDATED = strawberry.enum_value("UPDATED", description="Some of its fields changed.")
    REMOVED = strawberry.enum_value("REMOVED", description="It left the draft with all below it.")
    MOVED = strawberry.enum_value("MOVED", description="It has another place among its siblings.")
    RELATED = strawberry.enum_value(
        "RELATED", description="A many-to-many gained some objects, or lost some."
    )


@strawberry.type(description="What a field held and what it holds, as an input would take it.")
class FieldChange:
    """One field of one node."""

    name: str = strawberry.field(description="As in the node's type.")
    before: JSON | None = strawberry.field(
        description=(
            "Null for a node that was added. Of a many-to-many: the keys that it lost, "
            "`{pk, throughDefaults}` where something was given of the row."
        )
    )
    after: JSON | None = strawberry.field(
        description=(
            "Null for a node that was removed. Of a many-to-many: the keys that it gained, "
            "`{pk, throughDefaults}` where something is given of the row."
        )
    )


class _Members(NamedTuple):
    """Members of a set, and what is given of their rows."""

    pks: tuple[Json, ...]
    through: Through


@strawberry.type(description="What happened to one node.")
class NodeChange:
    """A delta. `view` is the draft as it is after that."""

    delta: strawberry.Private[Delta]
    view: strawberry.Private[View]
    served: strawberry.Private[Served]

    @strawberry.field(description="What happened.")
    def kind(self) -> NodeChangeKind:
        """Name the delta's kind."""
        return NodeChangeKind[type(self.delta).__name__.upper()]

    @strawberry.field(description="The node's key.")
    def key(self) -> strawberry.ID:
        """Name the node."""
        return strawberry.ID(key_of(self.delta))

    @strawberry.field(description="The name of the node's GraphQL type.")
    def typename(self) -> str:
        """Name the node's type."""
        return self.served.registry.typename_of(self.view.cluster.models[_place(self.delta).type])

    @strawberry.field(description="The relation that the node is in; null for the root.")
    def relation(self, info: strawberry.Info) -> str | None:
        """Name the relation above the node."""
        relation = _place(self.delta).relation
        return None if relation is None else graphql_name(info, relation)

    @strawberry.field(description="The node above; null for the root.")
    def parent_key(self) -> strawberry.ID | None:
        """Name the node above."""
        parent = _place(self.delta).parent
        return None if parent is None else strawberry.ID(parent)

    @strawberry.field(
        description=(
            "The fields that changed; of a node that was added or removed, those that clients "
            "can set and that hold something. None for a move. What the node's type does not show "
            "to everybody is left out."
        )
    )
    def fields(self, info: strawberry.Info) -> list[FieldChange]:
        """Return the changed fields."""
        model = self.view.cluster.models[_place(self.delta).type]
        spell = partial(graphql_name, info)

        def shown(name: str, value: Json | _Members) -> Any:
            if isinstance(value, _Members):
                return client_members(model, name, value.pks, value.through, spell)
            return client_value(model, name, value)

        hidden = unshown(self.served.registry, self.view.cluster)[_place(self.delta).type]
        return [
            FieldChange(name=spell(name), before=shown(name, before), after=shown(name, after))
            for name, before, after in self._fields()
            if name not in hidden
        ]

    def _fields(self) -> Iterator[tuple[str, Json | _Members, Json | _Members]]:
        match self.delta:
            case Added(node=node):
                yield from ((name, None, value) for name, value in self._held(node))
            case Removed(node=node):
                yield from ((name, value, None) for name, value in self._held(node))
            case Updated(type=kind, before=before, after=after):
                known = self.view.cluster.spec.nodes[kind].fields
                for name, value in after.items():
                    if name in known:  # the log may be older than the models
                        yield name, before[name], value
            case Related(set=name) as delta:
                lost = _Members(delta.removed, delta.removed_through)
                yield name, lost, _Members(delta.added, delta.added_through)
            case Moved():
                pass
            case _:
                assert_never(self.delta)

    def _held(self, node: DraftNode) -> Iterator[tuple[str, Json | _Members]]:
        spec = self.view.cluster.spec.nodes[node.type]
        for field in spec.fields.values():
            value = node.fields.get(field.name)
            if not field.read_only and value not in (None, ""):
                yield field.name, value
        for name, pks in node.sets.items():
            if pks:
                yield name, _Members(pks, node.through.get(name, {}))

    @strawberry.field(description="The node as it is after the change; null when it was removed.")
    async def node(self) -> Node | None:
        """Return the node's instance."""
        if isinstance(self.delta, Removed):
            return None
        return await instance_of(self.view, key_of(self.delta))  # type: ignore[return-value]


def node_changes(deltas: Iterable[Delta], view: View, served: Served, info: strawberry.Info) -> Any:
    """Return deltas as clients see them, or an awaitable of them; `view` is the draft after them.

    Those of nodes that the client may not see are left out. The log may be older than the models:
    of types that they have no more, nothing is told.
    """
    made = [
        NodeChange(delta=delta, view=view, served=served)
        for delta in deltas
        if _place(delta).type in view.cluster.models
    ]
    caller = caller_of(info)
    return made if caller.sight is None else _seen(caller, made, view)


async def _seen(caller: Caller, changes: Sequence[NodeChange], view: View) -> list[NodeChange]:
    keys = {key_of(change.delta) for change in changes}
    await view.load_lines(keys)
    nodes = {key: node for key in keys if (node := view.snapshot.node(key)) is not None}
    # A node that was removed is there as it was, also where it never came back.
    nodes |= {
        change.delta.node.key: change.delta.node
        for change in changes
        if isinstance(change.delta, Added | Removed)
    }
    gone = await hidden_with_all_above(caller, view, list(nodes.values()))
    return [change for change in changes if key_of(change.delta) not in gone]


def _place(delta: Delta) -> DraftNode | Updated | Moved | Related:
    return delta.node if isinstance(delta, Added | Removed) else delta
