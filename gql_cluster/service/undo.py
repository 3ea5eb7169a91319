"""Undo and redo: a session's own change sets, the last one first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gql_cluster.domain import undo as domain
from gql_cluster.domain.draft import Cause, Stack
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.reference import carried, ends
from gql_cluster.service.log import entry_at, later_than
from gql_cluster.service.read import ROOT
from gql_cluster.service.stage import Request, Work, stage

if TYPE_CHECKING:
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.outcome import Outcome
    from gql_cluster.service.view import View


async def undo(
    engine: Engine,
    caller: Caller,
    draft_id: str,
    *,
    expected_version: int | None,
    change_id: str | None,
) -> Outcome:
    """Take back the caller's own last change set that is not undone yet.

    What others have changed since stays, and the outcome's `kept` says what that is. Raises
    `InvalidChangeError` where there is nothing to undo, and whatever `stage` raises.
    """
    return await _undo(engine, caller, draft_id, Cause.UNDO, expected_version, change_id)


async def redo(
    engine: Engine,
    caller: Caller,
    draft_id: str,
    *,
    expected_version: int | None,
    change_id: str | None,
) -> Outcome:
    """Take back the caller's own last undo, unless it has changed anything since."""
    return await _undo(engine, caller, draft_id, Cause.REDO, expected_version, change_id)


async def _undo(  # noqa: PLR0913, PLR0917 - one request, said whole
    engine: Engine,
    caller: Caller,
    draft_id: str,
    cause: Cause,
    expected_version: int | None,
    change_id: str | None,
) -> Outcome:
    session = caller.required_session()

    async def work(view: View, version: int) -> Work:
        stack = view.draft.stacks.get(session, Stack())
        top = stack.undo if cause is Cause.UNDO else stack.redo
        if top is None:
            raise InvalidChangeError.of(f"There is nothing to {cause.value.lower()}.")
        entry = await entry_at(engine, view, top)
        later = await later_than(engine, view, top)
        want = domain.undo_needs(entry, later)
        await view.load(want)
        await view.load_lines(want.keys | ends(view.cluster.spec, [entry, *later]))
        first, *rest = carried(view.cluster.spec, [entry, *later], view.snapshot.node)
        applied, kept = domain.undo(
            view.snapshot, first, rest, version=version, tail=view.draft.tail
        )
        return Work(applied=applied, undone=entry, kept=kept)

    request = Request(
        draft_id=draft_id,
        cause=cause,
        mark=cause.value,
        work=work,
        want=ROOT,
        expected_version=expected_version,
        change_id=change_id,
    )
    return await stage(engine, caller, request)
