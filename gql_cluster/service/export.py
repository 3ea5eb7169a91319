"""Exporting a draft as modelcluster's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from gql_cluster.domain.error import NotFoundError
from gql_cluster.orm.serialize import serialize

if TYPE_CHECKING:
    from gql_cluster.domain.node import Json
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View


async def export(engine: Engine, view: View) -> dict[str, Json]:
    """Return the whole draft in the form of `serializable_data()`, nodes that are new without pk.

    Raises `NotFoundError` for a draft that has expired.
    """
    # A view of its own, because serializing changes the instances.
    view = engine.view_at(view)
    nodes = await view.load_all()
    if not nodes:
        raise NotFoundError.of("The draft has expired.")
    return await sync_to_async(serialize)(view, nodes)
