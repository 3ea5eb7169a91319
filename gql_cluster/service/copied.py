"""The nodes of a copy: all below the root at every depth, unsaved, but what is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from gql_cluster.domain.reference import reference_to, references
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.orm.codec import defaults, pk_field
from gql_cluster.service.engine import new_key

if TYPE_CHECKING:
    from gql_cluster.domain.node import Json, Node
    from gql_cluster.orm.describe import Cluster

Path = tuple[str, ...]


def unsaved(cluster: Cluster, nodes: Iterable[Node], exclude: Iterable[Path] = ()) -> list[Node]:
    """Return copies of nodes as of a cluster that was never saved, under new keys.

    `exclude` leads by relations to a field or a set, which then holds what a new object does, or
    to a relation, which is left empty. Primary keys are new at every level. What refers to a node
    by its key refers to that node's copy, to nothing where there is none; so does a parental key.
    Else values are copied as they are, unique ones too: a commit tells where they clash.
    """
    left_out: dict[Path, set[str]] = defaultdict(set)
    for *above, name in exclude:
        left_out[tuple(above)].add(name)
    keys: dict[str, str] = {ROOT_KEY: ROOT_KEY}
    paths: dict[str | None, Path] = {None: ()}
    copies: list[Node] = []
    saved: dict[tuple[str, Json], str] = {}
    for node in nodes:  # parents come first
        if node.parent not in paths:
            continue  # what is above it is left out
        above_path = paths[node.parent]
        if node.relation is not None and node.relation in left_out[above_path]:
            continue
        paths[node.key] = path = (
            above_path if node.relation is None else (*above_path, node.relation)
        )
        keys.setdefault(node.key, new_key())
        saved[node.type, node.pk] = node.key
        model = cluster.models[node.type]
        empty = defaults(model)
        anew = {pk_field(model).name, *left_out[path]}
        copies.append(
            replace(
                node,
                key=keys[node.key],
                pk=None,
                parent=keys[node.parent] if node.parent is not None else None,
                fields={
                    name: empty.get(name) if name in anew else value
                    for name, value in node.fields.items()
                },
                sets={name: () if name in anew else pks for name, pks in node.sets.items()},
                version=0,
                through={name: rows for name, rows in node.through.items() if name not in anew},
            )
        )
    return [_referring(cluster, node, keys, saved) for node in copies]


def _referring(
    cluster: Cluster, node: Node, keys: Mapping[str, str], saved: Mapping[tuple[str, Json], str]
) -> Node:
    """Return the copy of a node with references to other copies; `saved` are keys by row."""
    spec = cluster.spec.nodes[node.type]
    named = dict(references(spec, node.fields))
    for name, field in spec.fields.items():
        value = node.fields.get(name)
        if field.parental and value is not None and name not in named:
            rows = (saved.get((type_name, value)) for type_name in field.nodes)
            named.update((name, key) for key in rows if key is not None)
    if not named:
        return node
    renamed = {
        name: reference_to(keys[key]) if key in keys else None for name, key in named.items()
    }
    return replace(node, fields={**node.fields, **renamed})
