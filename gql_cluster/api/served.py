"""What is served: the types that show drafts and nodes, and the engine behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import strawberry
from django.db.models import Model

from gql_cluster.api import ids
from gql_cluster.domain.error import NotFoundError
from gql_cluster.orm.describe import Cluster
from gql_cluster.service.engine import Engine
from gql_cluster.service.view import View

if TYPE_CHECKING:
    from gql_cluster.api.drafts import Draft
    from gql_cluster.api.types import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The mirror types and the engine of one schema. `drafts` holds the type of each cluster's."""

    registry: Registry
    engine: Engine
    drafts: dict[str, Any] = field(default_factory=dict)

    @property
    def clusters(self) -> Mapping[str, Cluster]:
        """The clusters, by their root's type name."""
        return self.engine.clusters

    def draft(self, view: View) -> Draft:
        """Return a draft as its GraphQL type has it."""
        made: Draft = self.drafts[view.cluster.name](view=view, served=self)
        return made

    def type_name(self, model: type[Model]) -> str:
        """Return the name of a model's mirror type."""
        name: str = self.registry.type_of(model).__strawberry_definition__.name
        return name

    def id_of(self, view: View) -> strawberry.ID:
        """Return the global id of a draft."""
        return strawberry.ID(str(ids.DraftId(cluster=view.cluster.name, draft=view.draft.id)))

    def parse(self, text: str) -> ids.GlobalId | None:
        """Return what a global id is of, None where it can't be one."""
        return ids.parse(text, self.clusters)

    def draft_id(self, text: str, cluster: Cluster | None = None) -> str:
        """Return the draft that a global id is of; raises `NotFoundError` for any other id."""
        parsed = self.parse(text)
        if not isinstance(parsed, ids.DraftId) or (cluster and parsed.cluster != cluster.name):
            raise NotFoundError.of("There is no such draft.")
        return parsed.draft


async def instance_of(view: View, key: str) -> Model | None:
    """Return a node of a draft as an instance, None where it is not in the draft."""
    node = await view.load_line(key)
    return None if node is None else view.instance(node)
