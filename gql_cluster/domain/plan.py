"""What a commit has to do: the changed nodes of a draft against its base."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gql_cluster.domain.delta import Added, Delta, Removed, difference, gained_and_lost
from gql_cluster.domain.fitting import fitted
from gql_cluster.domain.node import Json, Node, Through
from gql_cluster.domain.rank import is_base_rank, is_tail_rank
from gql_cluster.domain.spec import ClusterSpec
from gql_cluster.domain.tree import Tree, Want, is_alive


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The difference between a draft and its base, sorted by what has to be done.

    `added` and `updated` are in the draft, `updated` with what they were; `removed` are saved
    nodes that left it while what is above them stayed, as they were. `ancestors` are the
    saved nodes above any of these. `reordered` names the relations, by parent and name, whose
    order field may need new numbers. `appended` are those of them in which new nodes alone do,
    in order: they stand behind the saved ones, none of which has moved. `base` holds every saved
    node that was touched.
    """

    added: Mapping[str, Node]
    updated: Mapping[str, tuple[Node, Node]]
    removed: Mapping[str, Node]
    ancestors: Mapping[str, Node]
    reordered: frozenset[tuple[str, str]]
    base: Mapping[str, Node]
    appended: Mapping[tuple[str, str], Sequence[Node]] = field(default_factory=dict, compare=False)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing differs from the base."""
        return not (self.added or self.updated or self.removed)

    @property
    def rearranged(self) -> frozenset[tuple[str, str]]:
        """The reordered relations of which all siblings have to be known."""
        return self.reordered.difference(self.appended)

    @property
    def names_saved(self) -> bool:
        """Tell whether it is about anything that is saved, as that of a new cluster is not."""
        return bool(self.updated or self.removed or self.ancestors)

    def members(self, key: str, name: str) -> tuple[tuple[Json, ...], tuple[Json, ...]]:
        """Return what a many-to-many set of a node gains and loses."""
        if key in self.added:
            return self.added[key].sets.get(name, ()), ()
        if key in self.updated:
            return gained_and_lost(*self.updated[key], name)
        return (), ()

    def through(self, key: str, name: str) -> Through:
        """Return what is given of the rows of members that a changed node's set gains."""
        node = self.added[key] if key in self.added else self.updated[key][1]
        return node.through.get(name, {})


def differences(plan: Plan, types: Container[str] | None = None) -> list[Delta]:
    """Return what a plan changes, as deltas, parents before their children.

    With `types` only of nodes of these.
    """
    deltas: list[Delta] = []
    for before, after in plan.updated.values():
        if types is None or after.type in types:
            deltas += difference(before, after)
    for nodes, kind in ((plan.removed, Removed), (plan.added, Added)):
        chosen = (node for node in nodes.values() if types is None or node.type in types)
        deltas += [kind(node=node) for node in chosen]
    return deltas


def make_plan(cluster: ClusterSpec, tree: Tree, touched: Mapping[str, Node | None]) -> Plan:
    """Return the plan of a draft, of which the touched nodes and all above them are loaded.

    `touched` gives each touched node as it was in the base, None or a tombstone where it was
    not there. What is above it in the base is loaded as well.
    """
    touched = {key: None if node and node.removed else node for key, node in touched.items()}
    added: dict[str, Node] = {}
    updated: dict[str, tuple[Node, Node]] = {}
    removed: dict[str, Node] = {}
    living = _Living(tree)
    places = _Places(cluster, tree)
    for key, before in touched.items():
        node = tree.node(key)
        if node is None:
            continue
        if not living.holds(node):
            # Below what it was saved below, which is another where the draft has put it back.
            above = tree.node(before.parent) if before and before.parent is not None else None
            if before is not None and above is not None and living.holds(above):
                removed[key] = before
            continue
        places.take(before, node)
        if before is None:
            added[key] = node
        elif difference(before, node):
            was, now = fitted(cluster, before), fitted(cluster, node)
            if difference(was, now):
                updated[key] = was, now
    changed = [*added.values(), *(after for _, after in updated.values()), *removed.values()]
    reordered = places.reordered()
    return Plan(
        added=parents_first(added, tree),
        updated=updated,
        removed=removed,
        ancestors=ancestors(tree.node, changed, added),
        reordered=frozenset(reordered),
        appended={
            place: sorted(nodes, key=lambda node: (node.rank, node.key))
            for place, nodes in reordered.items()
            if places.is_appended(place)
        },
        base={key: node for key, node in touched.items() if node is not None},
    )


class _Living:
    """Which nodes of a draft are in it; what is above them is looked at once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._above: dict[str, bool] = {}

    def holds(self, node: Node) -> bool:
        if node.removed or node.parent is None:
            return not node.removed
        if node.parent not in self._above:
            above = self._tree.node(node.parent)
            self._above[node.parent] = above is not None and is_alive(self._tree.node, above)
        return self._above[node.parent]


class _Places:
    """Where touched nodes that are in the draft stand, relation by relation."""

    def __init__(self, cluster: ClusterSpec, tree: Tree) -> None:
        self._cluster = cluster
        self._tree = tree
        self._anew: dict[tuple[str, str], list[Node]] = defaultdict(list)
        # Where a saved node has moved. One that is not touched stands where it was saved.
        self._unsteady: set[tuple[str, str]] = set()

    def take(self, before: Node | None, node: Node) -> None:
        if node.parent is None or node.relation is None:
            return
        place = node.parent, node.relation
        if node.pk is not None and not is_base_rank(node.rank):
            self._unsteady.add(place)
        if is_placed_anew(before, node):
            self._anew[place].append(node)

    def reordered(self) -> dict[tuple[str, str], list[Node]]:
        """Return the nodes that are placed anew in relations that keep an order."""
        return {
            place: nodes
            for place, nodes in self._anew.items()
            if order_field(self._cluster, self._tree.node, nodes[0]) is not None
        }

    def is_appended(self, place: tuple[str, str]) -> bool:
        """Tell whether new nodes alone are, behind the saved ones, none of which has moved."""
        above = self._tree.node(place[0])
        return (
            place not in self._unsteady
            and all(node.pk is None and is_tail_rank(node.rank) for node in self._anew[place])
            and above is not None
            and not self._cluster.is_shared(self._cluster.nodes[above.type].relations[place[1]])
        )


def wants(cluster: ClusterSpec, plan: Plan) -> Want:
    """Return which families a commit of the plan reads, beside the touched nodes."""
    below_removed = {
        (key, name)
        for key, node in plan.removed.items()
        for name in cluster.nodes[node.type].relations
    }
    return Want(families=plan.rearranged | below_removed)


def order_field(
    cluster: ClusterSpec, node_of: Callable[[str], Node | None], node: Node
) -> str | None:
    """Return the field that holds a node's place among its siblings, None where there is none."""
    above = node_of(node.parent) if node.parent is not None else None
    if above is None or node.relation is None:
        return None
    return cluster.nodes[above.type].relations[node.relation].order_field


def is_placed_anew(before: Node | None, node: Node) -> bool:
    """Tell whether a node stands at another place than before, or was not there."""
    if before is None:
        return True
    return (before.parent, before.relation, before.rank) != (node.parent, node.relation, node.rank)


def ancestors(
    node_of: Callable[[str], Node | None], nodes: Iterable[Node], added: Mapping[str, Node]
) -> dict[str, Node]:
    """Return every node above some others that is not added itself, by key."""
    found: dict[str, Node] = {}
    seen: set[str | None] = {None}
    for node in nodes:
        key = node.parent
        while key not in seen:
            seen.add(key)
            above = node_of(key or "")
            if above is None:
                break
            if above.key not in added:
                found[above.key] = above
            key = above.parent
    return found


def parents_first(nodes: Mapping[str, Node], tree: Tree) -> dict[str, Node]:
    """Sort nodes so that each comes behind its parent, siblings by rank."""
    places: dict[str, tuple[str, ...]] = {}

    def place(node: Node | None) -> tuple[str, ...]:
        if node is None or node.parent is None:
            return ()
        if node.parent not in places:
            places[node.parent] = place(tree.node(node.parent))
        return (*places[node.parent], node.relation or "", node.rank)

    return {node.key: node for node in sorted(nodes.values(), key=place)}
