"""Which saved rows a request may see: those that the types' `get_queryset` lets through."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db.models import Model
from strawberry_django.queryset import run_type_get_queryset

if TYPE_CHECKING:
    import strawberry

    from gql_cluster.api.registry import Registry


class Sight:
    """What one request sees."""

    def __init__(self, registry: Registry, info: strawberry.Info) -> None:
        """Take what `get_queryset` is given."""
        self._registry = registry
        self._info = info

    def hides(self, model: type[Model]) -> bool:
        """Tell whether the model's type leaves out rows."""
        return model in self._registry.hiding

    async def visible(self, model: type[Model], pks: Collection[Any]) -> set[Any]:
        """Return those of some primary keys whose rows are seen."""

        def load() -> set[Any]:
            rows: Any = model._default_manager.filter(pk__in=list(pks))
            rows = run_type_get_queryset(rows, self._registry.type_of(model), self._info)
            return set(rows.order_by().values_list("pk", flat=True))

        return await sync_to_async(load)()
