"""Opening a draft from modelcluster's JSON: of a new cluster, or as changes of a saved one."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from gql_cluster.domain.apply import apply
from gql_cluster.domain.batch import nodes_of
from gql_cluster.domain.draft import Cause
from gql_cluster.domain.error import LimitExceededError
from gql_cluster.domain.needs import needs
from gql_cluster.domain.seen import Seen
from gql_cluster.domain.tree import Tree
from gql_cluster.domain.whole import Whole
from gql_cluster.orm.deserialize import read_new, read_saved, root_pk
from gql_cluster.orm.load import load_batches
from gql_cluster.service.edit import check_references, fingerprint
from gql_cluster.service.engine import new_key
from gql_cluster.service.limits import check_bytes
from gql_cluster.service.open import claim, create_draft, forget, open_read
from gql_cluster.service.sight import hidden, hidden_members
from gql_cluster.service.stage import Request, Work, stage

if TYPE_CHECKING:
    from gql_cluster.domain.editor import Applied
    from gql_cluster.orm.describe import Cluster
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View


async def open_json(engine: Engine, caller: Caller, cluster: Cluster, data: object) -> View:
    """Open a new draft that holds what `serializable_data()` wrote.

    Without a primary key, or with one that can be chosen and no cluster has, it is of a new
    cluster. Else its base is what is saved now, and what the JSON says otherwise is its first
    change set: saved children are found by primary key, those that are missing in a relation
    are removed from it, those without are added. What the caller may not see stays as it is. The
    database is read in batches. Raises `InvalidChangeError` with all that does not resolve; then
    nothing is opened.
    """
    pk = root_pk(cluster, data)
    await engine.require_open(caller, cluster, pk)
    stamp, found = 0, None
    if pk is not None:
        stamp = await engine.stamp(cluster, pk)
        load_some = partial(load_batches, limit=engine.parts.settings.MAX_NODES)
        found = await sync_to_async(load_some)(cluster, pk)
    if found is None:
        new = await sync_to_async(read_new)(cluster, data)
        return await open_read(engine, caller, cluster, new)
    top, batches = found
    every = [top, *nodes_of(batches)]
    gone = await hidden(caller, cluster, every)
    nodes = [node for node in every if node.key not in gone]
    changes = await sync_to_async(read_saved)(cluster, data, nodes)

    kept = await hidden_members(caller, cluster, nodes)

    def applied_to(tree: Tree, version: int, tail: int) -> Applied:
        return apply(
            cluster.spec,
            Seen(tree, gone),
            changes,
            version=version,
            tail=tail,
            new_key=new_key,
            kept=kept,
        )

    whole = Whole(every)
    _check(engine, first := applied_to(whole, 1, 0))
    if caller.sight is not None:
        await check_references(caller, cluster, first, whole.node)
    view = await create_draft(
        engine, caller, cluster, [top], batches, pk=top.pk, tail=0, stamp=stamp
    )

    async def work(view: View, version: int) -> Work:
        return Work(applied=applied_to(view.snapshot, version, view.draft.tail))

    if first.deltas:
        request = Request(
            draft_id=view.draft.id,
            cause=Cause.EDIT,
            mark=fingerprint(changes),
            work=work,
            want=needs(changes),
            cluster=cluster.name,
        )
        try:
            view = (await stage(engine, caller, request)).view
        except LimitExceededError:
            await forget(engine, view.draft)
            raise
    await claim(engine, cluster, view.draft)
    return view


def _check(engine: Engine, applied: Applied) -> None:
    settings = engine.parts.settings
    if len(applied.deltas) > settings.MAX_CHANGES:
        raise LimitExceededError.of(
            f"One request may make {settings.MAX_CHANGES} changes, and not {len(applied.deltas)}."
        )
    check_bytes(settings, applied)
