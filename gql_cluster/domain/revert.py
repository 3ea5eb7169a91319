"""Going back as a whole: a draft to an earlier version, nodes to their base state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from gql_cluster.domain.carry import Rebases, buried, is_rebase
from gql_cluster.domain.draft import Entry
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.node import Node
from gql_cluster.domain.parts import RANK, THERE, net, put_together, take_apart
from gql_cluster.domain.spec import ClusterSpec
from gql_cluster.domain.target import born, known, needs_of, reach
from gql_cluster.domain.tree import Tree, Want, is_alive, path_to


def revert_needs(later: Sequence[Entry]) -> Want:
    """Return which parts of a draft `revert` looks at; the nodes above `keys` are needed too."""
    staged = (delta for entry in later if not is_rebase(entry) for delta in entry.deltas)
    return needs_of(staged, later)


def reset_needs(base: Mapping[str, Node | None], keys: Iterable[str]) -> Want:
    """Return which parts of a draft `reset` looks at; the nodes above `keys` are needed as well."""
    wanted = frozenset(keys)
    nodes = (node for key in wanted if (node := base.get(key)) is not None)
    places = frozenset((node.parent, node.relation or "") for node in nodes if node.parent)
    return Want(keys=wanted, relations=places)


def revert(tree: Tree, later: Sequence[Entry], *, version: int, tail: int) -> Applied:
    """Return what makes the draft what it was before `later`, which are all entries since.

    Everybody's changes are taken back; what rebases brought in stays.
    """
    then = net(delta for entry in later for delta in entry.deltas)
    done = net(delta for entry in later if not is_rebase(entry) for delta in entry.deltas)
    new = born(later)
    dead, rebases = buried(later), Rebases(later)
    wanted: dict[str, Node] = {}
    for key, parts in reversed(done.items()):
        node = known(tree, key)
        if THERE in parts:
            is_gone = key in dead or not rebases.carried(key, THERE, then[key][THERE][0])
            if node.removed and not is_gone:
                node = rebases.carry(node)
            node = replace(node, removed=is_gone)
        if key in new:
            wanted[key] = node
            continue
        values = take_apart(node)
        for part in parts:
            was, _ = then[key][part]
            if part == RANK:
                values[part] = rebases.place(node, was) or node.rank
            elif part != THERE:
                values[part] = rebases.carried(key, part, was)
        wanted[key] = put_together(node, values)

    def node_of(key: str) -> Node | None:
        return wanted.get(key) or tree.node(key)

    seen = {
        key: node
        for key, node in wanted.items()
        if node.removed or is_alive(node_of, node) or is_alive(tree.node, node)
    }
    return reach(tree, seen, new=new, version=version, tail=tail)


def reset(  # noqa: PLR0913 - one request, said whole
    cluster: ClusterSpec,
    tree: Tree,
    base: Mapping[str, Node | None],
    keys: Iterable[str],
    fields: Sequence[str] | None,
    *,
    version: int,
    tail: int,
) -> Applied:
    """Return what gives nodes back their base state, or only some of their fields and sets.

    What is below a node stays, unless it comes or goes with the node. `base` gives each touched
    node as it was in the base, None or a tombstone where it was not there; a node that is not
    in it has not been touched. Raises `InvalidChangeError`.
    """
    wanted: dict[str, Node] = {}
    new: set[str] = set()
    for key in dict.fromkeys(keys):
        node = tree.node(key)
        if node is None:
            raise InvalidChangeError.of(f"There is no node with the key “{key}”.", key=key)
        was = base.get(key, node)
        if was is None or was.removed:
            was = None
            new.add(key)
        if fields is None:
            wanted[key] = _reset_node(node, was)
        else:
            wanted[key] = _reset_fields(cluster, tree, node, was, fields)
    for node in wanted.values():
        _check_above(tree, wanted, node)
    return reach(tree, wanted, new=new, version=version, tail=tail)


def _reset_node(node: Node, base: Node | None) -> Node:
    if base is not None:
        return replace(
            node,
            rank=base.rank,
            fields=base.fields,
            sets=base.sets,
            removed=False,
            through=base.through,
        )
    if node.parent is None:
        message = "The root of a new cluster has no base state."
        raise InvalidChangeError.of(message, key=node.key)
    return replace(node, removed=True)


def _reset_fields(
    cluster: ClusterSpec, tree: Tree, node: Node, base: Node | None, names: Sequence[str]
) -> Node:
    spec = cluster.nodes[node.type]
    path = path_to(tree.node, node)
    if node.removed:
        message = f"The node with the key “{node.key}” has been removed."
        raise InvalidChangeError.of(message, key=node.key, path=path)
    fields, sets, through = dict(node.fields), dict(node.sets), dict(node.through)
    for name in names:
        if name not in spec.fields and name not in spec.sets:
            message = f"“{name}” is not a field of {spec.name}."
            raise InvalidChangeError.of(message, key=node.key, field=name, path=(*path, name))
        if base is None:
            message = f"“{node.key}” is new in this draft: its fields have no base state."
            raise InvalidChangeError.of(message, key=node.key, field=name, path=(*path, name))
        if name in spec.sets:
            sets[name] = base.sets.get(name, ())
            through = {**through, name: base.through.get(name, {})}
        elif name in base.fields or not spec.fields[name].parental:
            fields[name] = base.fields.get(name)
    through = {name: rows for name, rows in through.items() if rows}
    return replace(node, fields=fields, sets=sets, through=through)


def _check_above(tree: Tree, wanted: Mapping[str, Node], node: Node) -> None:
    """Raise where a node is below a removed one that does not come back with it."""
    key = node.parent
    while key is not None:
        above = known(tree, key)
        if above.removed and wanted.get(key, above).removed:
            message = f"“{node.key}” is below “{key}”, which has been removed: reset that as well."
            path = path_to(tree.node, node)
            raise InvalidChangeError.of(message, key=node.key, path=path)
        key = above.parent
