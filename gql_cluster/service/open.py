"""Opening drafts: of a saved cluster, of a new one, or a copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from gql_cluster.domain.apply import create
from gql_cluster.domain.batch import Batch
from gql_cluster.domain.change import NewNode
from gql_cluster.domain.draft import Draft, DraftState
from gql_cluster.domain.error import LimitExceededError, NotFoundError
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.orm.load import load, load_batches, parse_pk
from gql_cluster.orm.through import with_rows
from gql_cluster.service.copied import Path, unsaved
from gql_cluster.service.edit import check_references
from gql_cluster.service.engine import new_draft_id, new_key, root_name
from gql_cluster.service.limits import check_bytes, check_new
from gql_cluster.service.read import ROOT, get_draft
from gql_cluster.service.reserve import reserve
from gql_cluster.service.sight import hidden

if TYPE_CHECKING:
    from gql_cluster.domain.editor import Applied
    from gql_cluster.orm.describe import Cluster
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View


async def open_saved(
    engine: Engine, caller: Caller, cluster: Cluster, pk: str, *, resume: bool
) -> View:
    """Open a draft of a saved cluster, with a constant number of queries.

    With `resume` the session's own open draft of it is returned where there is one; of
    several requests at once all get the same. Raises `NotFoundError` and `LimitExceededError`.
    """
    parsed = parse_pk(cluster.model, pk)
    await engine.require_open(caller, cluster, parsed)
    session = caller.required_session()
    root = root_name(cluster, parsed)
    if resume and (view := await _resumed(engine, caller, root)) is not None:
        return view
    stamp = await engine.stamp(cluster, parsed)
    most = engine.parts.settings.MAX_NODES
    load_some = sync_to_async(partial(load_batches, limit=most))
    found = None if parsed is None else await load_some(cluster, parsed)
    if found is None:
        raise NotFoundError.of(f"There is no {cluster.title} with the primary key {pk!r}.")
    top, batches = found
    view = await create_draft(
        engine, caller, cluster, [top], batches, pk=top.pk, tail=0, stamp=stamp
    )
    claimed = await engine.parts.sessions.claim(session, root, view.draft.id)
    if resume and claimed != view.draft.id:
        earlier = await _resumed(engine, caller, root)
        if earlier is not None:
            await forget(engine, view.draft)
            return earlier
    return view


async def open_new(engine: Engine, caller: Caller, cluster: Cluster, new: NewNode) -> View:
    """Open a draft of a cluster that is not saved yet, with all that is given below its root."""
    await engine.require_open(caller, cluster)
    made = _made(engine, cluster, new)
    await check_references(caller, cluster, made, made.nodes.get)
    return await _keep_made(engine, caller, cluster, made)


async def open_read(engine: Engine, caller: Caller, cluster: Cluster, new: NewNode) -> View:
    """Open a draft of a cluster that is not saved yet, of which the references are known to be."""
    made = _made(engine, cluster, new)
    if caller.sight is not None:
        await check_references(caller, cluster, made, made.nodes.get)
    return await _keep_made(engine, caller, cluster, made)


def _made(engine: Engine, cluster: Cluster, new: NewNode) -> Applied:
    settings = engine.parts.settings
    check_new(settings, new)
    made = create(cluster.spec, new, new_key=new_key)
    check_bytes(settings, made)
    return made


async def _keep_made(engine: Engine, caller: Caller, cluster: Cluster, made: Applied) -> View:
    nodes = list(made.nodes.values())
    return await create_draft(engine, caller, cluster, nodes, pk=None, tail=made.tail)


async def open_copy(  # noqa: PLR0913 - one request, said whole
    engine: Engine,
    caller: Caller,
    cluster: Cluster,
    *,
    pk: str | None = None,
    draft_id: str | None = None,
    exclude: Iterable[Path] = (),
) -> View:
    """Open a draft of an unsaved copy: of a saved cluster, or of one of the caller's drafts.

    `exclude` leads by relations to what is left out of it; so is what the caller may not see, with
    all below it. Raises `NotFoundError`.
    """
    await engine.require_open(caller, cluster)
    tail = 0
    if draft_id is not None:
        copy = await engine.copy(caller, draft_id, ROOT, fresh=True, cluster=cluster.name)
        source = engine.view(copy)
        nodes: Sequence[Node] | None = await source.load_all()
        tail = source.draft.tail
    else:
        parsed = parse_pk(cluster.model, pk or "")
        load_some = sync_to_async(partial(load, limit=engine.parts.settings.MAX_NODES))
        nodes = None if parsed is None else await load_some(cluster, parsed)
    if not nodes:
        raise NotFoundError.of(f"There is no {cluster.title} to copy.")
    gone = await hidden(caller, cluster, nodes)
    if ROOT_KEY in gone:
        raise NotFoundError.of(f"There is no {cluster.title} to copy.")
    nodes = [node for node in nodes if node.key not in gone]
    nodes = await sync_to_async(with_rows)(cluster, nodes)
    return await create_draft(
        engine, caller, cluster, unsaved(cluster, nodes, exclude), pk=None, tail=tail
    )


async def claim(engine: Engine, cluster: Cluster, draft: Draft) -> None:
    """Make a draft the one that its session has of the saved cluster, unless it has another."""
    await engine.parts.sessions.claim(draft.owner, root_name(cluster, draft.pk), draft.id)


async def release(engine: Engine, cluster: Cluster, draft: Draft) -> None:
    """Let the session open another draft of the same saved cluster."""
    if draft.pk is not None:
        await engine.parts.sessions.release(draft.owner, root_name(cluster, draft.pk), draft.id)


async def forget(engine: Engine, draft: Draft) -> None:
    """Drop a draft that nobody has heard of yet."""
    await engine.parts.store.delete(draft.id)
    await engine.parts.sessions.forget(draft.owner, [draft.id])


async def _resumed(engine: Engine, caller: Caller, root: str) -> View | None:
    session = caller.required_session()
    found = await engine.parts.sessions.find(session, root)
    if found is None:
        return None
    try:
        view = await get_draft(engine, caller, found)
    except NotFoundError:
        view = None
    if view is None or view.draft.state is not DraftState.OPEN:
        await engine.parts.sessions.release(session, root, found)
        return None
    return view


async def create_draft(  # noqa: PLR0913 - a draft, said whole
    engine: Engine,
    caller: Caller,
    cluster: Cluster,
    nodes: Sequence[Node],
    batches: Sequence[Batch] = (),
    *,
    pk: Json,
    tail: int,
    stamp: int = 0,
) -> View:
    """Store a draft of these nodes and batches, which are its base, and return it.

    Raises `LimitExceededError` where it is larger than a draft may be, or one more than the
    session may have; then nothing was stored.
    """
    now = datetime.now(UTC)
    draft = Draft(
        id=new_draft_id(),
        cluster=cluster.name,
        pk=pk,
        owner=caller.required_session(),
        state=DraftState.OPEN,
        version=0,
        tail=tail,
        created_at=now,
        updated_at=now,
        expires_at=now + engine.parts.settings.draft_ttl,
        stamp=stamp,
    )
    await reserve(engine, draft)
    try:
        await engine.parts.store.create(draft, nodes, batches)
    except LimitExceededError:
        await engine.parts.sessions.forget(draft.owner, [draft.id])
        raise
    return await get_draft(engine, caller, draft.id)
