"""A view: a draft at one version, read as model instances."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from asgiref.sync import async_to_sync
from django.db.models import Model

from gql_cluster.domain.brought import returned
from gql_cluster.domain.copy import Copy, NotLoadedError, Snapshot
from gql_cluster.domain.delta import Delta
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.positions import Numbered, renumbered
from gql_cluster.domain.reference import references
from gql_cluster.domain.spec import ROOT_KEY, RelationSpec
from gql_cluster.domain.tree import Want, is_alive
from gql_cluster.orm.instance import attach, make_instance
from gql_cluster.orm.load import in_model_order
from gql_cluster.orm.sets import members_of, set_behind
from gql_cluster.service.shielded import shielded
from gql_cluster.service.targets import Targets

if TYPE_CHECKING:
    from gql_cluster.domain.draft import Draft
    from gql_cluster.orm.describe import Cluster

T = TypeVar("T")
Load: TypeAlias = Callable[[Want], Awaitable[object]]
BaseNodes: TypeAlias = Mapping[tuple[str, Json], Node]
"""The nodes of a base, by `ClusterSpec.identity`."""


class View:
    """A draft at the version it had when the view was made, whatever is staged meanwhile.

    What is read for the first time is loaded from the store, all that one tick of the event
    loop asks for in one round trip. It is the family of the instances it gives.
    """

    def __init__(
        self,
        cluster: Cluster,
        copy: Copy,
        load: Load,
        *,
        version: int | None = None,
        old: BaseNodes | None = None,
    ) -> None:
        """`load` brings parts of the draft into this very copy.

        `old` are the nodes of the base that the draft had before it was laid over another one.
        """
        self.cluster = cluster
        self.snapshot = Snapshot(copy, version)
        self._load = load
        self._old = old
        self._wanted: set[Want] = set()
        self._loading: asyncio.Future[None] | None = None
        self._instances: dict[str, Model] = {}
        self._numbers: dict[tuple[str, str], Mapping[str, int]] = {}
        self._made: dict[str, asyncio.Future[Any]] = {}
        self.targets = Targets(self)

    @property
    def draft(self) -> Draft:
        """The draft's header at this view's version."""
        return self.snapshot.draft

    # Loading

    async def load(self, want: Want) -> None:
        """See to it that some parts of the draft can be read."""
        if not self.snapshot.copy.missing(want):
            return
        self._wanted.add(want)
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._load_wanted())
        await shielded(self._loading)

    async def _load_wanted(self) -> None:
        await asyncio.sleep(0)  # so that all siblings of one level ask before the trip
        wanted, self._wanted, self._loading = self._wanted, set(), None
        await self._load(
            Want(
                keys=frozenset[str]().union(*(want.keys for want in wanted)),
                relations=frozenset[tuple[str, str]]().union(*(w.relations for w in wanted)),
                families=frozenset[tuple[str, str]]().union(*(w.families for w in wanted)),
            )
        )

    async def load_family(self, parent: str, relation: str) -> None:
        """See to it that all children of a relation can be read."""
        await self.load(Want(families=frozenset({(parent, relation)})))

    async def load_list(self, parent: str, relation: RelationSpec) -> None:
        """See to it that `listed` can tell what a list holds."""
        await self.load_family(parent, relation.name)
        await self.targets.load_kin(relation)

    async def load_line(self, key: str) -> Node | None:
        """Load a node and every node above it; return it if it is in the draft now."""
        await self.load(Want(keys=frozenset({key})))
        node = self.snapshot.node(key)
        above = node
        while above is not None and above.parent is not None:
            await self.load(Want(keys=frozenset({above.parent})))
            above = self.snapshot.node(above.parent)
        if node is None or not is_alive(self.snapshot.node, node):
            return None
        return node

    async def load_lines(self, keys: Iterable[str]) -> None:
        """Load nodes and every node above them, a round trip a level."""
        wanted = frozenset(keys) | {ROOT_KEY}
        while wanted:
            await self.load(Want(keys=wanted))
            nodes = (self.snapshot.node(key) for key in wanted)
            above = frozenset(node.parent for node in nodes if node and node.parent)
            wanted = self.snapshot.copy.missing(Want(keys=above)).keys

    async def load_below(self, keys: Iterable[str]) -> list[Node]:
        """Load and return all that is below nodes which are loaded, a round trip a level."""
        level = [node for key in keys if (node := self.snapshot.node(key)) is not None]
        found: list[Node] = []
        while level:
            places = [
                (node.key, name)
                for node in level
                for name in self.cluster.spec.nodes[node.type].relations
            ]
            await self.load(Want(families=frozenset(places)))
            level = [node for place in places for node in self.children(*place)]
            found += level
        return found

    async def load_returned(self, deltas: Iterable[Delta], version: int) -> list[Node]:
        """Load and return all that was below nodes which come back by deltas of a version."""
        keys = returned(deltas, version)
        await self.load(Want(keys=frozenset(keys)))
        return await self.load_below(keys)

    async def load_all(self) -> list[Node]:
        """Load and return the whole draft, the root first."""
        await self.load(Want(keys=frozenset({ROOT_KEY})))
        root = self.snapshot.node(ROOT_KEY)
        return [] if root is None else [root, *await self.load_below([ROOT_KEY])]

    async def once(self, name: str, make: Callable[[], Awaitable[T]]) -> T:
        """Return what `make` gives, made once a view however many ask for it at once."""
        if name not in self._made:
            self._made[name] = asyncio.ensure_future(make())
        # Shielded: of several who wait, one may be cancelled.
        made: T = await shielded(self._made[name])
        return made

    # Reading what is loaded

    def children(self, parent: str, relation: str) -> Sequence[Node]:
        """Return the children of a relation, in order."""
        return self.snapshot.offspring(parent, relation).nodes

    def listed(self, parent: str, relation: RelationSpec) -> Sequence[Node]:
        """Return what a list holds: the children of a relation, in order, and behind them its kin.

        These are nodes of other relations that refer to the parent by the same parental key.
        """
        children, kin = self.children(parent, relation.name), self.targets.kin(parent, relation)
        return [*children, *kin] if kin else children

    def base_of(self, plan: Plan, saved: Node) -> Node | None:
        """Return what a saved node was in the base, for code that runs in a thread.

        None where it was not there. Of a draft on another base it is the one before.
        """
        if self._old is not None:
            return self._old.get(self.cluster.spec.identity(saved))
        # A node that was added to the draft before an earlier commit has a key of its own.
        siblings = self._find_children(saved.parent or "", saved.relation or "")
        key = next((node.key for node in siblings if node.pk == saved.pk), saved.key)
        if key in plan.base:
            return plan.base[key]
        node = self._find(key)
        return None if node is None or node.removed else node

    def _find_children(self, parent: str, relation: str) -> Sequence[Node]:
        """Return the children of a relation, for code that runs in a thread: see `_find`."""
        if not self.snapshot.copy.has_family((parent, relation)):
            async_to_sync(self.load_family)(parent, relation)
        return self.children(parent, relation)

    def _find(self, key: str) -> Node | None:
        """Return a node, for code that runs in a thread: it is loaded if need be."""
        if self.snapshot.copy.missing(want := Want(keys=frozenset({key}))):
            async_to_sync(self.load)(want)
        return self.snapshot.node(key)

    def relation_of(self, node: Node) -> RelationSpec | None:
        """Return the relation that a node is in; None for the root."""
        if node.parent is None or node.relation is None:
            return None
        above = self.snapshot.node(node.parent)
        if above is None:
            raise NotLoadedError(node.parent)
        return self.cluster.spec.nodes[above.type].relations[node.relation]

    def numbers(self, parent: str, relation: RelationSpec) -> dict[str, int]:
        """Return what the order field of each sibling holds where its own is not right."""
        offspring = self.snapshot.offspring(parent, relation.name)
        make = partial(renumbered, offspring.nodes, relation)
        made: Numbered = offspring.made("numbers", make)
        return made[1]

    @cached_property
    def order_fields(self) -> frozenset[str | None]:
        """The names of the order fields of all relations."""
        nodes = self.cluster.spec.nodes.values()
        return frozenset(each.order_field for node in nodes for each in node.relations.values())

    def instance(self, node: Node) -> Model:
        """Return a node as an instance, the same one each time; its line must be loaded.

        Its order field is right if its siblings are loaded.
        """
        found = self._instances.get(node.key)
        if found is None:
            found = self._instances[node.key] = self._make(node)
        return found

    def adopt(self, node: Node, instance: Model) -> None:
        """Let an instance made elsewhere stand for a node from now on."""
        attach(instance, self.cluster, node, self)
        self._instances[node.key] = instance

    def _make(self, node: Node) -> Model:
        saved = self.targets.saved
        if node.key in saved:
            spec = self.cluster.spec.nodes[node.type]
            named = [(n, key) for n, key in references(spec, node.fields) if key in saved]
            pks = {name: saved[key] for name, key in named if spec.fields[name].holds_pk}
            node = replace(node, pk=saved[node.key], fields={**node.fields, **pks})
        above = None if node.parent is None else self.snapshot.node(node.parent)
        if above is None or node.relation is None:
            if node.parent is not None:
                raise NotLoadedError(node.parent)
            return make_instance(self.cluster, node, self, parent=None)
        relation = self.cluster.spec.nodes[above.type].relations[node.relation]
        number = None
        place = (node.parent or "", relation.name)
        if relation.order_field and self.snapshot.copy.has_family(place):
            counted = self.numbers(place[0], relation).get(node.key)
            number = None if counted is None else (relation.order_field, counted)
        return make_instance(
            self.cluster,
            node,
            self,
            parent=(relation.parent_field, self.instance(above)),
            number=number,
        )

    # The family of its instances

    def referred(self, node: Node, name: str) -> Model | None:
        """Return the instance that a model's own method finds behind a foreign key.

        A node that is not loaded yet is loaded if the method runs in a thread.
        """
        try:
            found = self.targets.of(node, name)
        except NotLoadedError:
            async_to_sync(self.targets.load)([node])
            found = self.targets.of(node, name)
        return None if found is None else self.instance(found)

    def parent(self, node: Node) -> Model | None:
        """Return the instance above a node."""
        if node.parent is None:
            return None
        above = self.snapshot.node(node.parent)
        if above is None:
            raise NotLoadedError(node.parent)
        return self.instance(above)

    def related(self, node: Node, name: str) -> list[Model]:
        """Return what a model's own method finds in a relation: children, or members of a set.

        Children that are not loaded yet are loaded if the method runs in a thread.
        """
        model = self.cluster.models[node.type]
        if (found := set_behind(model, name)) is not None:
            return members_of(model, found).related(node.sets.get(found, ()))
        relation = self.cluster.spec.nodes[node.type].relations[name]
        self._find_children(node.key, name)
        if not self.targets.knows_kin(relation):
            async_to_sync(self.targets.load_kin)(relation)
        children = [self.instance(child) for child in self.listed(node.key, relation)]
        if relation.order_field is None:
            in_model_order(self.cluster.models[relation.child], children)
        return children
