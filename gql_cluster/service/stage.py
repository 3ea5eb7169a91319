"""Staging: whatever changes a draft becomes one entry of its log, whole, or nothing at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from gql_cluster import metrics
from gql_cluster.domain.brought import bring
from gql_cluster.domain.delta import Delta
from gql_cluster.domain.draft import Cause, DraftState, Entry
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.error import (
    ClosedError,
    ClusterError,
    ConflictError,
    InvalidChangeError,
    NotFoundError,
    StaleVersionError,
    StoreUnavailableError,
)
from gql_cluster.domain.history import pushed
from gql_cluster.domain.tree import Want
from gql_cluster.domain.undo import Kept
from gql_cluster.service.limits import capacity
from gql_cluster.service.locked import finish_if_forgotten, wait_for_commit
from gql_cluster.service.outcome import Outcome, find_outcome, first_outcome
from gql_cluster.store.results import (
    Accepted,
    Behind,
    Closed,
    Full,
    Gone,
    Locked,
    Rebased,
    Seen,
    Skip,
    Stale,
    Taken,
)

if TYPE_CHECKING:
    from gql_cluster.domain.copy import Copy
    from gql_cluster.service.caller import Caller
    from gql_cluster.service.engine import Engine
    from gql_cluster.service.view import View

_ATTEMPTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a request comes to on a view of the draft.

    `undone` is the entry that it takes back. `kept` are the parts of that which stay as they
    are. `rebased` and `theirs` are a rebase's new base and what it brought into it.
    """

    applied: Applied
    undone: Entry | None = None
    kept: Sequence[Kept] = ()
    rebased: Rebased | None = None
    theirs: tuple[Delta, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to change a draft.

    `work` computes it on a view, as the version given; it is asked again where others were
    faster. `mark` tells the request from others that come with the same change id. `cluster`
    is the type that the draft has to be of, `want` what `work` looks at first.
    """

    draft_id: str
    cause: Cause
    mark: str
    work: Callable[[View, int], Awaitable[Work]]
    want: Want
    cluster: str | None = None
    expected_version: int | None = None
    change_id: str | None = None


async def stage(engine: Engine, caller: Caller, request: Request) -> Outcome:
    """Stage a request, in one round trip to the store where this worker's copy is up to date.

    The same `change_id` gives the first outcome again. Raises `StaleVersionError`,
    `ClosedError`, `NotFoundError`, `LimitExceededError`, what the policy's answer comes to, and
    what `work` raises; then nothing was staged.
    """
    staging = _Staging(engine, caller, request)
    async with engine.parts.turn(request.draft_id):
        for _ in range(_ATTEMPTS):
            try:
                outcome = await staging.attempt()
            except ClusterError as exc:
                metrics.edits[exc.code.value] += 1
                raise
            if outcome is not None:
                metrics.edits["OK"] += 1
                return outcome
    metrics.edits[StoreUnavailableError.code.value] += 1
    raise StoreUnavailableError.of(
        "The draft is being committed, or changed too fast by others; retry."
    )


class _Staging:
    """The attempts of one request."""

    def __init__(self, engine: Engine, caller: Caller, request: Request) -> None:
        self._engine = engine
        self._caller = caller
        self._request = request
        self._skip: int | None = None

    async def attempt(self) -> Outcome | None:
        """Stage on this worker's copy; None where that was behind and is no more."""
        request = self._request
        copy = await self._copy(fresh=False)
        await self._engine.require_edit(self._caller, copy.draft)
        view = self._engine.view(copy)
        draft = view.draft
        version = self._skip or draft.version + 1
        try:
            work = await request.work(view, version)
        except (InvalidChangeError, ConflictError):
            now = await self._copy(fresh=True)  # which the caller may have been let out of
            # Perhaps this is a retry of what was done; or the copy was behind, and it is valid.
            if request.change_id is not None:
                seen = await find_outcome(self._engine, copy, request.change_id, request.mark)
                if seen is not None:
                    return seen
            if now.version != draft.version:
                return None
            _check_open(draft.state)
            self._check_expected(draft.version)
            raise
        applied = work.applied
        below = await view.load_returned(applied.deltas, version)
        entry = Entry(
            version=version,
            previous=draft.version,
            at=datetime.now(UTC),
            session=self._caller.required_session(),
            change_id=request.change_id,
            cause=request.cause,
            deltas=bring(applied.deltas, below, applied.nodes),
            theirs=work.theirs,
        )
        return await self._append(copy, view, entry, work)

    async def _copy(self, *, fresh: bool) -> Copy:
        request = self._request
        return await self._engine.copy(
            self._caller, request.draft_id, request.want, fresh=fresh, cluster=request.cluster
        )

    async def _append(  # noqa: C901, PLR0911 - one case an answer
        self, copy: Copy, view: View, entry: Entry, work: Work
    ) -> Outcome | None:
        parts = self._engine.parts
        request, draft = self._request, view.draft
        entry, stacks = pushed(draft, entry, undone=work.undone)
        result = await parts.store.append(
            draft,
            entry,
            list(work.applied.nodes.values()),
            tail=work.applied.tail,
            stacks=stacks,
            expected_version=request.expected_version,
            fingerprint=request.mark,
            rebased=work.rebased,
        )
        match result:
            case Accepted(draft=now, size=size, is_watched=is_watched):
                await parts.cache.apply(copy, entry, now, size=size)
                parts.hub.wake(draft.id, version=entry.version, elsewhere=is_watched)
                return Outcome(view=self._engine.view(copy), entry=entry, kept=work.kept)
            case Seen():
                return await first_outcome(self._engine, copy, result, request.mark)
            case Behind(read=read):
                self._skip = None
                await parts.cache.take(copy, read)
                return None
            case Stale(version=version):
                self._check_expected(version)
                return None
            case Skip(version=version):
                self._skip = version
                await finish_if_forgotten(self._engine, draft)
                return None
            case Full(of=room):
                raise capacity(parts.settings).error(room)
            case Taken(key=key):
                # Loaded, so that the next attempt tells which change it is.
                await self._engine.view(copy).load(Want(keys=frozenset({key})))
                return None
            case Closed(state=state):
                _check_open(state)
                return None
            case Locked():
                await wait_for_commit(self._engine, draft, result)
                return None
            case Gone():
                parts.cache.forget(draft.id)
                raise NotFoundError.of("There is no such draft.")
            case _:
                assert_never(result)

    def _check_expected(self, version: int) -> None:
        expected = self._request.expected_version
        if expected not in (None, version):
            raise StaleVersionError.of(f"The draft is at version {version}, not at {expected}.")


def _check_open(state: DraftState) -> None:
    if state is not DraftState.OPEN:
        raise ClosedError.of(f"The draft has been {state.value.lower()}.")
