"""A cluster with three sides: its base, what others saved since, and a draft of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gql_cluster.domain.apply import apply
from gql_cluster.domain.change import Change, EditNode, SetFields, UpdateNode
from gql_cluster.domain.delta import Delta, advance, key_of
from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.merge import Clash, Merged, Saved, merge
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.plan import Plan, make_plan
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.rebase import Rebased, rebase
from gql_cluster.domain.spec import (
    ROOT_KEY,
    ClusterSpec,
    FieldSpec,
    NodeSpec,
    RelationSpec,
    SetSpec,
)
from tests.unit.domain.kit import Nodes

Place = tuple[str, str]
Orders = dict[Place, list[str]]


def _spec(name: str, *relations: RelationSpec) -> NodeSpec:
    return NodeSpec(
        name=name,
        label=f"app.{name}",
        fields={
            "name": FieldSpec(name="name", nullable=False),
            "code": FieldSpec(name="code", nullable=True),
            "position": FieldSpec(name="position", nullable=True, read_only=True),
        },
        relations={relation.name: relation for relation in relations},
        sets={
            "tags": SetSpec(
                name="tags",
                target="app.Tag",
                fields={"note": FieldSpec(name="note", nullable=False)},
            )
        },
    )


def _relation(name: str, child: str, order: str | None) -> RelationSpec:
    return RelationSpec(name=name, child=child, parent_field="parent", order_field=order)


CLUSTER = ClusterSpec(
    root="Band",
    nodes={
        "Band": _spec(
            "Band",
            _relation("albums", "Album", "position"),
            _relation("members", "Member", None),
        ),
        "Album": _spec("Album", _relation("songs", "Song", "position")),
        "Member": _spec("Member"),
        "Song": _spec("Song", _relation("takes", "Take", "position")),
        "Take": _spec("Take"),
    },
)
ORDERED = {"albums", "songs", "takes"}
CHILD = {"albums": "Album", "members": "Member", "songs": "Song", "takes": "Take"}


@dataclass
class State:
    """A cluster at its plainest: living nodes, and the order of each relation."""

    nodes: dict[str, Node] = field(default_factory=dict)
    orders: Orders = field(default_factory=dict)

    def copy(self) -> State:
        """Return another one like it."""
        return State(dict(self.nodes), {place: list(keys) for place, keys in self.orders.items()})

    def put(self, node: Node, index: int | None = None) -> None:
        """Take a node that is not there, among its siblings."""
        self.nodes[node.key] = node
        if node.parent is not None and node.relation is not None:
            siblings = self.orders.setdefault((node.parent, node.relation), [])
            siblings.insert(len(siblings) if index is None else index, node.key)

    def edit(self, key: str, **fields: Json) -> None:
        """Give a node other values."""
        node = self.nodes[key]
        self.nodes[key] = replace(node, fields={**node.fields, **fields})

    def relate(self, key: str, *pks: Json) -> None:
        """Give a node's set other members."""
        self.nodes[key] = replace(self.nodes[key], sets={"tags": pks})

    def remove(self, key: str) -> None:
        """Delete a node and all below it."""
        for each in [*reversed(self.below(key)), key]:
            node = self.nodes.pop(each)
            self.orders.get((node.parent or "", node.relation or ""), [each]).remove(each)

    def move(self, key: str, index: int, place: Place | None = None) -> None:
        """Give a node another index, perhaps below another parent; what is below it comes along."""
        node = self.nodes[key]
        siblings = self.orders[node.parent or "", node.relation or ""]
        siblings.remove(key)
        self.put(node if place is None else replace(node, parent=place[0]), index)

    def below(self, key: str) -> list[str]:
        """Return the keys below a node, parents first."""
        found: list[str] = []
        for place, keys in list(self.orders.items()):
            if place[0] == key:
                for child in keys:
                    found += [child, *self.below(child)]
        return found

    def line(self, key: str) -> list[str]:
        """Return a node's key and those above it."""
        node = self.nodes.get(key)
        above = node.parent if node is not None else None
        return [key, *(self.line(above) if above is not None else [])]

    def saved(self) -> list[Node]:
        """Return it as it is loaded: parents first, ranked and numbered."""
        if ROOT_KEY not in self.nodes:
            return []
        found = [self.nodes[ROOT_KEY]]
        for node in found:
            for name in CLUSTER.nodes[node.type].relations:
                for index, key in enumerate(self.orders.get((node.key, name), ())):
                    child = self.nodes[key]
                    fields = {**child.fields}
                    if name in ORDERED:
                        fields["position"] = index + 1
                    found.append(replace(child, fields=fields, rank=base_rank(index)))
        return found

    def numbered(self) -> State:
        """Return it ranked and numbered."""
        return state_of(self.saved())


def state_of(nodes: Iterable[Node]) -> State:
    """Return the living part of some nodes."""
    tree = Nodes({node.key: node for node in nodes})
    found = State()
    level = [ROOT_KEY] if ROOT_KEY in tree.nodes else []
    below: dict[Place, list[tuple[str, str]]] = {}
    for node in tree.nodes.values():
        if not node.removed:
            below.setdefault((node.parent or "", node.relation or ""), []).append(
                (node.rank, node.key)
            )
    for key in level:
        found.nodes[key] = tree.nodes[key]
        for name in CLUSTER.nodes[tree.nodes[key].type].relations:
            keys = [child for _, child in sorted(below.get((key, name), ()))]
            if keys:
                found.orders[key, name] = keys
            level += keys
    return found


def seen(state: State, *, order: bool = True) -> object:
    """Return all that a person would see of a cluster, but for numbers."""
    return (
        {
            key: (
                node.type,
                node.pk,
                node.parent,
                node.relation,
                {name: value for name, value in node.fields.items() if name != "position"},
                {name: node.members(name) for name in node.sets},
            )
            for key, node in state.nodes.items()
        },
        {
            place: tuple(keys) if order and place[1] in ORDERED else frozenset(keys)
            for place, keys in state.orders.items()
            if keys
        },
    )


def make_base(albums: int, songs: int, members: int, takes: int = 0) -> State:
    """Return a saved cluster: so many members, and albums of songs of takes."""
    state = State()
    state.put(saved_node("Band", 0, None))
    for album in range(albums):
        state.put(saved_node("Album", album, (ROOT_KEY, "albums")))
        for song in range(songs):
            pk = album * 10 + song
            state.put(saved_node("Song", pk, (f"Album:{album}", "songs")))
            for take in range(takes):
                state.put(saved_node("Take", pk * 10 + take, (f"Song:{pk}", "takes")))
    for member in range(members):
        state.put(saved_node("Member", member, (ROOT_KEY, "members")))
    return state.numbered()


def saved_node(kind: str, pk: int, place: Place | None, **fields: Json) -> Node:
    """Return a node as it is saved; it has a code of its own."""
    key = ROOT_KEY if place is None else f"{kind}:{pk}"
    return Node(
        key=key,
        type=kind,
        pk=pk,
        parent=None if place is None else place[0],
        relation=None if place is None else place[1],
        rank="",
        fields={"name": "", "code": key, "position": None, **fields},
        sets={"tags": (1, 2)},
    )


@dataclass
class Edited:
    """A draft that is edited: every node of it, and what each touched one was in the base."""

    tree: Nodes
    touched: dict[str, Node | None] = field(default_factory=dict)
    tail: int = 0
    version: int = 0

    @property
    def state(self) -> State:
        """What of it lives."""
        return state_of(self.tree.nodes.values())

    def set(self, key: str, **values: Json) -> None:
        """Give a node other values."""
        node = self.tree.nodes[key]
        if node.parent is None or node.relation is None:
            self._stage(SetFields(values=values))
        else:
            self.edit(node.parent, UpdateNode(relation=node.relation, key=key, values=values))

    def edit(self, key: str, *changes: Change) -> None:
        """Change a node, wherever it is."""
        node = self.tree.nodes[key]
        if node.parent is None or node.relation is None:
            self._stage(*changes)
        else:
            inner = EditNode(relation=node.relation, key=key, changes=changes)
            self.edit(node.parent, inner)

    def _stage(self, *changes: Change) -> None:
        self.version += 1
        keys = iter(f"new{self.version}-{number}" for number in range(99))
        applied = apply(
            CLUSTER,
            self.tree,
            changes,
            version=self.version,
            tail=self.tail,
            new_key=lambda: next(keys),
        )
        self.tail = applied.tail
        for key, node in applied.nodes.items():
            self.touched.setdefault(key, self.tree.nodes.get(key))
            self.tree.nodes[key] = node


@dataclass(frozen=True)
class Sides:
    """A base, what others saved since, and a draft of it."""

    base: State
    theirs: State
    draft: Edited


def begin(albums: int = 2, songs: int = 3, members: int = 2, takes: int = 0) -> Sides:
    """Return three sides that are the same as yet."""
    base = make_base(albums, songs, members, takes)
    return Sides(base, base.copy(), Edited(Nodes(base.nodes)))


def plan_of(draft: Edited) -> Plan:
    """Return a draft's difference from its base."""
    return make_plan(CLUSTER, draft.tree, draft.touched)


def merged(sides: Sides, policy: ConflictPolicy, clashes: Sequence[Clash] = ()) -> Merged:
    """Merge what a draft's plan touches with what is saved of it, and no more."""
    base, theirs, draft = sides.base, sides.theirs.numbered(), sides.draft
    plan, state = plan_of(draft), draft.state
    gone = [key for key in (*plan.ancestors, *plan.updated) if key not in theirs.nodes]
    below = [each for key in gone for each in state.below(key)]
    named = {*plan.ancestors, *plan.updated, *plan.added, *plan.removed, *below}
    above = [*plan.ancestors.values(), *(mine for _, mine in plan.updated.values())]
    places = {*plan.reordered, *((node.parent or "", node.relation or "") for node in above)}
    return merge(
        CLUSTER,
        plan,
        Saved(
            nodes={key: node for key, node in theirs.nodes.items() if key in named},
            below={
                key: (
                    {each: base.nodes[each] for each in base.below(key)},
                    {each: theirs.nodes[each] for each in theirs.below(key)},
                )
                for key in plan.removed
                if key in theirs.nodes
            },
            orders={
                place: (base.orders.get(place, []), theirs.orders.get(place, []))
                for place in places
                if place[1] in ORDERED
            },
        ),
        policy,
        tree=draft.tree,
        living=lambda key: [state.nodes[each] for each in state.below(key)],
        clashes=clashes,
    )


def rebased(
    draft: Edited, theirs: State, policy: ConflictPolicy, clashes: Sequence[Clash] = ()
) -> Rebased:
    """Rebase a draft on what others saved."""
    return rebase(
        CLUSTER,
        draft.tree.nodes,
        draft.touched,
        theirs.saved(),
        policy,
        version=draft.version + 1,
        clashes=clashes,
    )


def behind(draft: Edited, result: Rebased) -> Edited:
    """Return the draft as a rebase left it."""
    nodes = {**draft.tree.nodes, **result.nodes}
    return Edited(Nodes(nodes), dict(result.base), draft.tail, draft.version + 1)


def follow(nodes: Mapping[str, Node], deltas: Iterable[Delta], version: int) -> dict[str, Node]:
    """Return nodes behind some deltas."""
    found = dict(nodes)
    for delta in deltas:
        key = key_of(delta)
        found[key] = advance(found.get(key), delta, version)
    return found
