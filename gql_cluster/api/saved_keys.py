"""What became of a draft's keys: the primary key and the global id that each node was given."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import strawberry

from gql_cluster.api.ids import SavedId
from gql_cluster.api.served import Served
from gql_cluster.domain.node import Json
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.orm.describe import Cluster
from gql_cluster.service.view import View


@strawberry.type(description="What a node of a draft is called since it was saved.")
class SavedKey:
    """One node of a commit."""

    key: strawberry.ID = strawberry.field(description="Its key in the draft.")
    pk: strawberry.ID = strawberry.field(description="Its primary key in the database.")
    id: strawberry.ID = strawberry.field(description="Its id as a saved object.")


async def saved_keys(
    cluster: Cluster, served: Served, keys: Mapping[str, Json], types: Mapping[str, str]
) -> list[SavedKey]:
    """Return the saved nodes of a draft, by key; `keys` gives their primary keys."""
    found: list[SavedKey] = []
    for key, pk in sorted(keys.items()):  # a receipt's JSON has no order on PostgreSQL
        if key in types:
            model = (
                await served.model_of_root(cluster, str(pk))
                if key == ROOT_KEY
                else cluster.models[types[key]]
            )
            id_ = SavedId(type=served.registry.typename_of(model), pk=str(pk))
            found.append(
                SavedKey(
                    key=strawberry.ID(key), pk=strawberry.ID(str(pk)), id=strawberry.ID(str(id_))
                )
            )
    return found


async def types_in(view: View, keys: Collection[str]) -> dict[str, str]:
    """Return the node type of each of these nodes of a draft."""
    await view.load(Want(keys=frozenset(keys)))
    nodes = (view.snapshot.node(key) for key in keys)
    return {node.key: node.type for node in nodes if node is not None}
