"""Reverting a draft to an earlier version, and giving nodes back their base state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gql_cluster.domain import revert as domain
from gql_cluster.domain.carry import is_rebase
from gql_cluster.domain.delta import key_of
from gql_cluster.domain.draft import Cause
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.reference import carried, ends
from gql_cluster.domain.tree import Want
from gql_cluster.service.log import later_than
from gql_cluster.service.read import ROOT, touched_nodes
from gql_cluster.service.sight import hidden_with_all_above, seen
from gql_cluster.service.stage import Request, Work, stage

if TYPE_CHECKING:
    from gql_cluster.domain.draft import Entry
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.outcome import Outcome
    from gql_cluster.service.view import View


async def revert(  # noqa: PLR0913 - one request, said whole
    engine: Engine,
    caller: Caller,
    draft_id: str,
    version: int,
    *,
    expected_version: int | None,
    change_id: str | None,
) -> Outcome:
    """Make the draft what it was at an earlier version, as a new one.

    Everybody's changes since are taken back, but of what the caller may not see; what a rebase
    brought in stays. Raises
    `InvalidChangeError` for a version that is not kept, and whatever `stage` raises.
    """

    async def work(view: View, made: int) -> Work:
        if not 0 <= version <= view.draft.version:
            raise InvalidChangeError.of(f"The draft has no version {version} as yet.")
        later = await _seen(caller, view, await later_than(engine, view, version))
        want = domain.revert_needs(later)
        await view.load(want)
        await view.load_lines(want.keys | ends(view.cluster.spec, later))
        staged = carried(view.cluster.spec, later, view.snapshot.node)
        applied = domain.revert(view.snapshot, staged, version=made, tail=view.draft.tail)
        return Work(applied=applied)

    request = Request(
        draft_id=draft_id,
        cause=Cause.REVERT,
        mark=f"revert:{version}",
        work=work,
        want=ROOT,
        expected_version=expected_version,
        change_id=change_id,
    )
    return await stage(engine, caller, request)


async def _seen(caller: Caller, view: View, later: Sequence[Entry]) -> Sequence[Entry]:
    """Return entries without what was staged of nodes that the caller may not see."""
    if caller.sight is None:
        return later
    keys = {key_of(delta) for entry in later for delta in entry.deltas}
    await view.load_lines(keys)
    nodes = [node for key in keys if (node := view.snapshot.node(key)) is not None]
    gone = await hidden_with_all_above(caller, view, nodes)
    return [
        entry
        if is_rebase(entry)
        else replace(entry, deltas=tuple(each for each in entry.deltas if key_of(each) not in gone))
        for entry in later
    ]


async def reset(  # noqa: PLR0913 - one request, said whole
    engine: Engine,
    caller: Caller,
    draft_id: str,
    keys: Sequence[str],
    fields: Sequence[str] | None,
    *,
    expected_version: int | None,
    change_id: str | None,
) -> Outcome:
    """Give nodes back their base state, or only some of their fields and sets.

    Raises `InvalidChangeError` for what is no node or no field, and whatever `stage` raises.
    """
    if not keys:
        raise InvalidChangeError.of("No keys are given.")

    async def work(view: View, made: int) -> Work:
        base = await touched_nodes(engine, view)
        want = domain.reset_needs(base, keys)
        await view.load(want)
        await view.load_lines(want.keys)
        tree, _ = await seen(caller, view, Want(keys=frozenset(keys)))
        applied = domain.reset(
            view.cluster.spec,
            tree,
            base,
            keys,
            fields,
            version=made,
            tail=view.draft.tail,
        )
        return Work(applied=applied)

    request = Request(
        draft_id=draft_id,
        cause=Cause.RESET,
        mark=f"reset:{list(keys)}:{None if fields is None else list(fields)}",
        work=work,
        want=ROOT,
        expected_version=expected_version,
        change_id=change_id,
    )
    return await stage(engine, caller, request)
