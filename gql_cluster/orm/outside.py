"""What a JSON names that is not in the cluster: looked up at once, in a query a field or model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from django.db import router
from django.db.models import Model

from gql_cluster.domain.node import Json
from gql_cluster.orm.codec import encoder, pk_field
from gql_cluster.orm.load import decode_pk
from gql_cluster.orm.references import Reference, dangling

At = TypeVar("At")


class Outside(Generic[At]):
    """References, and primary keys that are chosen for new objects, each with its place."""

    def __init__(self) -> None:
        self._references: list[tuple[Reference, At]] = []
        self._chosen: dict[type[Model], list[tuple[Json, At]]] = defaultdict(list)

    def refer(self, at: At, field: Any, value: Json) -> None:
        """Note a reference by a foreign key or a many-to-many."""
        self._references.append((Reference(key="", field=field, value=value), at))

    def choose(self, at: At, model: type[Model], pk: Json) -> None:
        """Note a primary key for a new object."""
        self._chosen[model].append((pk, at))

    def dangling(self) -> Iterator[tuple[At, Reference]]:
        """Yield the references to what is not there."""
        places = {id(reference): at for reference, at in self._references}
        for missing in dangling(reference for reference, _ in self._references):
            yield places[id(missing)], missing

    def taken(self) -> Iterator[tuple[At, Json]]:
        """Yield the primary keys that rows have, hidden ones too."""
        for model, chosen in self._chosen.items():
            taken = _taken(model, [pk for pk, _ in chosen])
            for pk, at in chosen:
                if pk in taken:
                    yield at, pk


def _taken(model: type[Model], pks: Sequence[Json]) -> set[Json]:
    encode = encoder(pk_field(model))
    wanted = [decode_pk(model, pk) for pk in pks]
    rows = model._base_manager.using(router.db_for_read(model)).filter(pk__in=wanted)
    return {encode(pk) for pk in rows.values_list("pk", flat=True)}
