"""Editing: a change set is staged whole, with its event and its version, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async

from gql_cluster.domain.apply import apply
from gql_cluster.domain.change import Change
from gql_cluster.domain.draft import Cause
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.needs import needs, referred
from gql_cluster.domain.node import Node
from gql_cluster.domain.tree import path_to
from gql_cluster.orm.references import Reference, dangling, references
from gql_cluster.service.engine import new_key
from gql_cluster.service.limits import check_bytes, check_changes
from gql_cluster.service.sight import hidden_references, seen
from gql_cluster.service.stage import Request, Work, stage

if TYPE_CHECKING:
    from gql_cluster.orm.describe import Cluster
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.outcome import Outcome
    from gql_cluster.service.view import View


async def edit(  # noqa: PLR0913 - one request, said whole
    engine: Engine,
    caller: Caller,
    cluster: Cluster,
    draft_id: str,
    changes: Sequence[Change],
    *,
    expected_version: int | None,
    change_id: str | None,
) -> Outcome:
    """Stage changes, in one round trip to the store where this worker's copy is up to date.

    It never reads the database, but to see that objects are there that the changes refer to by
    their primary key, and what the caller may not see where rows are hidden: that is as if it were
    not there, and stays as it is. The same `change_id` gives the first outcome again. Raises
    `InvalidChangeError`, `StaleVersionError`, `ClosedError`, `LimitExceededError` and
    `NotFoundError`; then nothing was staged.
    """
    settings = engine.parts.settings
    check_changes(settings, changes)

    named, want = referred(changes), needs(changes)

    async def work(view: View, version: int) -> Work:
        if named:
            await view.load_lines(named)
        tree, kept = await seen(caller, view, want)
        applied = apply(
            cluster.spec,
            tree,
            changes,
            version=version,
            tail=view.draft.tail,
            new_key=new_key,
            kept=kept,
        )
        check_bytes(settings, applied)
        await check_references(caller, cluster, applied, view.snapshot.node)
        return Work(applied=applied)

    request = Request(
        draft_id=draft_id,
        cause=Cause.EDIT,
        mark=fingerprint(changes),
        work=work,
        want=want,
        cluster=cluster.name,
        expected_version=expected_version,
        change_id=change_id,
    )
    return await stage(engine, caller, request)


async def check_references(
    caller: Caller, cluster: Cluster, applied: Applied, known: Callable[[str], Node | None]
) -> None:
    """Raise `InvalidChangeError` where objects outside of the cluster are not there for the caller.

    `known` gives the nodes that the changes did not touch.
    """

    def node_of(key: str) -> Node | None:
        return applied.nodes.get(key) or known(key)

    brought = [
        (reference, change)
        for delta, change in zip(applied.deltas, applied.changes, strict=True)
        for reference in references(cluster, [delta])
        if not _is_seen(applied, reference)
    ]
    if not brought:
        return
    found = [reference for reference, _ in brought]
    gone = await sync_to_async(dangling)(found)
    for missing in gone or await hidden_references(caller, found):
        node = node_of(missing.key)
        path = path_to(node_of, node) if node is not None else ()
        raise InvalidChangeError.of(
            f"There is no {missing.target._meta.verbose_name} with the key {missing.value!r}.",
            key=missing.key,
            field=missing.place[0],
            path=(*path, *missing.place),
            change=next(change for reference, change in brought if reference is missing),
        )


def _is_seen(applied: Applied, reference: Reference) -> bool:
    """Tell whether a reference leads to a node of the draft, and may lead to any."""
    is_by_key = (reference.key, reference.field.name) in applied.by_key
    return is_by_key and not reference.field.get_limit_choices_to()


def fingerprint(changes: Sequence[Change]) -> str:
    """Return what tells one change set from another; the models' defaults don't count."""
    return hashlib.blake2b(repr(changes).encode(), digest_size=12).hexdigest()
