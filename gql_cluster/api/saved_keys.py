"""What became of a draft's keys: the primary key and the global id that each node was given."""

from __future__ import annotations

from collections.abc import Mapping

import strawberry

from gql_cluster.api.ids import SavedId
from gql_cluster.api.served import Served
from gql_cluster.domain.node import Json
from gql_cluster.domain.tree import Want
from gql_cluster.service.view import View


@strawberry.type(description="What a node of a draft is called since it was saved.")
class SavedKey:
    """One node of a commit."""

    key: strawberry.ID = strawberry.field(description="Its key in the draft.")
    pk: strawberry.ID = strawberry.field(description="Its primary key in the database.")
    id: strawberry.ID = strawberry.field(description="Its id as a saved object.")


async def saved_keys(view: View, served: Served, keys: Mapping[str, Json]) -> list[SavedKey]:
    """Return the saved nodes of a draft, by key; `keys` maps their keys to primary keys."""
    await view.load(Want(keys=frozenset(keys)))
    found: list[SavedKey] = []
    for key, pk in sorted(keys.items()):  # a receipt's JSON has no order on PostgreSQL
        node = view.snapshot.node(key)
        if node is not None:
            name = served.registry.name_of(view.cluster.models[node.type])
            id_ = SavedId(type=name, pk=str(pk))
            found.append(
                SavedKey(
                    key=strawberry.ID(key), pk=strawberry.ID(str(pk)), id=strawberry.ID(str(id_))
                )
            )
    return found
