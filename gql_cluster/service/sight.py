"""Which nodes of a draft its reader may not see: what hides a saved row hides it in drafts, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from gql_cluster.domain.seen import Seen
from gql_cluster.domain.tree import Want
from gql_cluster.orm.load import decode_pk
from gql_cluster.orm.references import primary_keys

if TYPE_CHECKING:
    from django.db.models import Model

    from gql_cluster.domain.editor import Kept
    from gql_cluster.domain.node import Json, Node
    from gql_cluster.domain.tree import Tree
    from gql_cluster.orm.describe import Cluster
    from gql_cluster.orm.references import Reference
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.view import View


async def can_see(caller: Caller, model: type[Model], pk: Any) -> bool:
    """Tell whether the caller may see a saved row."""
    sight = caller.sight
    return sight is None or not sight.hides(model) or bool(await sight.visible(model, [pk]))


async def hidden(caller: Caller, cluster: Cluster, nodes: Iterable[Node]) -> frozenset[str]:
    """Return the keys of those nodes whose saved rows the caller may not see.

    What is not saved has no row, and is seen. One query for each model that hides rows.
    """
    sight = caller.sight
    if sight is None:
        return frozenset()
    keys: dict[Any, dict[Any, str]] = defaultdict(dict)
    for node in nodes:
        model = cluster.models[node.type]
        if node.pk is not None and sight.hides(model):
            keys[model][decode_pk(model, node.pk)] = node.key
    gone: set[str] = set()
    for model, named in keys.items():
        seen = await sight.visible(model, named)
        gone.update(key for pk, key in named.items() if pk not in seen)
    return frozenset(gone)


async def hidden_references(caller: Caller, found: Iterable[Reference]) -> list[Reference]:
    """Return the references to saved rows that the caller may not see, with a query a field."""
    sight = caller.sight
    if sight is None:
        return []
    by_field: dict[Any, list[Reference]] = defaultdict(list)
    for reference in found:
        if sight.hides(reference.target):
            by_field[reference.field].append(reference)
    gone: list[Reference] = []
    for field, group in by_field.items():
        pks = await sync_to_async(primary_keys)(field, [each.value for each in group])
        visible = await sight.visible(field.related_model, pks.values())
        gone += [each for each in group if pks.get(each.value) not in visible]
    return gone


async def hidden_members(caller: Caller, cluster: Cluster, nodes: Iterable[Node]) -> Kept:
    """Return the members of the nodes' sets whose rows the caller may not see."""
    sight = caller.sight
    if sight is None:
        return {}
    held: dict[Any, dict[tuple[str, str], Mapping[Any, Json]]] = defaultdict(dict)
    for node in nodes:
        for name, members in cluster.spec.nodes[node.type].sets.items():
            pks = node.sets.get(name)
            if not pks or members.target is None:
                continue
            target: Any = cluster.models[node.type]._meta.get_field(name).related_model
            if sight.hides(target):
                held[target][node.key, name] = {decode_pk(target, pk): pk for pk in pks}
    gone: dict[tuple[str, str], tuple[Json, ...]] = {}
    for target, sets in held.items():
        visible = await sight.visible(target, {pk for pks in sets.values() for pk in pks})
        for place, stored_by in sets.items():
            gone[place] = tuple(each for pk, each in stored_by.items() if pk not in visible)
    return gone


async def seen(caller: Caller, view: View, want: Want) -> tuple[Tree, Kept]:
    """Return the draft as changes that want some parts find it: without what is hidden.

    With it, the members of sets that are hidden. Of relations whose ranks are wanted, the children
    are loaded, too.
    """
    tree = view.snapshot
    if caller.sight is None:
        return tree, {}
    places = want.families | want.relations
    await view.load(Want(keys=want.keys, families=places))
    keys = {key for place in places for _, key in tree.siblings(*place)} | want.keys
    nodes = [node for key in keys if (node := tree.node(key)) is not None]
    gone = await hidden(caller, view.cluster, nodes)
    kept = await hidden_members(caller, view.cluster, nodes)
    return Seen(tree, gone) if gone else tree, kept


async def hidden_with_all_above(
    caller: Caller, view: View, nodes: Sequence[Node]
) -> frozenset[str]:
    """Return the keys of those nodes that are hidden, or are below one that is."""
    if caller.sight is None:
        return frozenset()
    await view.load_lines({node.parent for node in nodes if node.parent is not None})
    lines: dict[str, list[Node]] = {}
    for node in nodes:
        line = lines[node.key] = [node]
        while line[-1].parent is not None:
            above = view.snapshot.node(line[-1].parent)
            if above is None:
                break
            line.append(above)
    every = {node.key: node for line in lines.values() for node in line}
    gone = await hidden(caller, view.cluster, every.values())
    return frozenset(key for key, line in lines.items() if any(each.key in gone for each in line))
