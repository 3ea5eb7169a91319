"""What is served: the types that show drafts and nodes, and the engine behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import strawberry
from asgiref.sync import sync_to_async
from django.db.models import Model

from gql_cluster.api import ids
from gql_cluster.api.registry import Registry
from gql_cluster.domain.error import NotFoundError
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.inheritance import kind_of_row
from gql_cluster.orm.load import decode_pk, parse_pk
from gql_cluster.service.engine import Engine
from gql_cluster.service.view import View

if TYPE_CHECKING:
    from gql_cluster.api.drafts import Draft


class Served:
    """The mirror types and the engine of one schema."""

    def __init__(self, registry: Registry, engine: Engine) -> None:
        """`drafts`, the type of each cluster's drafts by its name, is filled in by the schema."""
        self.registry = registry
        self.engine = engine
        self.drafts: dict[str, Any] = {}
        self._types: dict[str, Any] = {
            type_.__strawberry_definition__.name: type_
            for type_ in registry.types
            if not type_.__strawberry_definition__.is_interface
        }
        self._titled = {cluster.title: cluster for cluster in registry.clusters.values()}

    @property
    def clusters(self) -> Mapping[str, Cluster]:
        """The clusters, by the name that is stored."""
        return self.registry.clusters

    def draft(self, view: View) -> Draft:
        """Return a draft as its GraphQL type has it."""
        made: Draft = self.drafts[view.cluster.name](view=view, served=self)
        return made

    def id_of(self, view: View) -> strawberry.ID:
        """Return the global id of a draft."""
        return strawberry.ID(str(ids.DraftId(cluster=view.cluster.title, draft=view.draft.id)))

    def parse(self, text: str) -> ids.GlobalId | None:
        """Return what a global id is of, None where it can't be one."""
        return ids.parse(text, self._titled)

    def draft_id(self, text: str, cluster: Cluster | None = None) -> str:
        """Return the draft that a global id is of; raises `NotFoundError` for any other id."""
        parsed = self.parse(text)
        if not isinstance(parsed, ids.DraftId) or (cluster and parsed.cluster != cluster.title):
            raise NotFoundError.of("There is no such draft.")
        return parsed.draft

    def cluster_labelled(self, label: str) -> Cluster:
        """Return the cluster whose root model has a label, such as `bands.Band`."""
        return next(each for each in self.clusters.values() if each.label == label)

    def cluster_of(self, text: str) -> Cluster:
        """Return the cluster that the global id of a draft is of; raises `NotFoundError`."""
        parsed = self.parse(text)
        if not isinstance(parsed, ids.DraftId):
            raise NotFoundError.of("There is no such draft.")
        return self._titled[parsed.cluster]

    async def model_of_root(self, cluster: Cluster, pk: str) -> type[Model]:
        """Return the model of what a saved root is; a query where the cluster's root has kinds."""
        model, wanted = cluster.model, self.registry.kinds_of(cluster.model)
        parsed = parse_pk(model, pk)
        if parsed is None or not wanted:
            return model
        return await sync_to_async(kind_of_row)(model, decode_pk(model, parsed), wanted)

    async def saved(self, id_: ids.SavedId, info: strawberry.Info) -> Model | None:
        """Return a saved object, None where it is not there or its type hides it."""
        type_ = self._types.get(id_.type)
        if type_ is None:
            return None
        model: type[Model] = type_.__strawberry_django_definition__.model
        pk = parse_pk(model, id_.pk)
        if pk is None:
            return None
        found: Model | None = await type_.resolve_node(decode_pk(model, pk), info=info)
        return found


async def instance_of(view: View, key: str) -> Model | None:
    """Return a node of a draft as an instance, None where it is not in the draft."""
    node = await view.load_line(key)
    return None if node is None else view.instance(node)
