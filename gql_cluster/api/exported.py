"""What an export shows of a draft: no more than the mirror types do."""

from __future__ import annotations

from collections.abc import Mapping

from gql_cluster.api.registry import Registry
from gql_cluster.api.unshown import unshown
from gql_cluster.domain.node import Json
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.serialize import kind_in


def shown(registry: Registry, cluster: Cluster, data: Mapping[str, Json]) -> dict[str, Json]:
    """Return `serializable_data()` of a cluster without what its mirror types hide.

    Opening takes what is left out as untouched.
    """
    return _node(cluster, unshown(registry, cluster), cluster.spec.root, data)


def _node(
    cluster: Cluster,
    unshown_of: Mapping[str, frozenset[str]],
    type_name: str,
    data: Mapping[str, Json],
) -> dict[str, Json]:
    relations = cluster.spec.nodes[type_name].relations
    found: dict[str, Json] = {}
    for name, value in data.items():
        if name in unshown_of[type_name]:
            continue
        if name in relations and isinstance(value, list):
            child = relations[name].child
            found[name] = [
                _node(cluster, unshown_of, kind_in(cluster, child, each) or child, each)
                if isinstance(each, dict)
                else each
                for each in value
            ]
        else:
            found[name] = value
    return found
