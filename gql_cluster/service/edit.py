"""Editing: a change set is staged whole, with its event and its version, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from asgiref.sync import sync_to_async

from gql_cluster.domain.apply import apply
from gql_cluster.domain.change import Change
from gql_cluster.domain.draft import Cause, DraftState, Entry
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.error import (
    ClosedError,
    InvalidChangeError,
    NotFoundError,
    StaleVersionError,
    StoreUnavailableError,
)
from gql_cluster.domain.needs import needs
from gql_cluster.domain.node import Node
from gql_cluster.domain.tree import Want, path_to
from gql_cluster.orm.references import dangling, references
from gql_cluster.service.engine import new_key
from gql_cluster.service.limits import check_bytes, check_changes
from gql_cluster.service.locked import wait_for_commit
from gql_cluster.service.outcome import Outcome, find_outcome, first_outcome
from gql_cluster.store.results import Accepted, Behind, Closed, Gone, Locked, Seen, Stale, Taken

if TYPE_CHECKING:
    from gql_cluster.domain.copy import Copy
    from gql_cluster.domain.draft import Draft
    from gql_cluster.orm.describe import Cluster
    from gql_cluster.service.engine import Caller, Engine
    from gql_cluster.service.view import View

_ATTEMPTS = 400


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

    It never reads the database, but to see that objects outside of the cluster that the
    changes refer to are there. The same `change_id` gives the first outcome again. Raises
    `InvalidChangeError`, `StaleVersionError`, `ClosedError`, `LimitExceededError` and
    `NotFoundError`; then nothing was staged.
    """
    check_changes(engine.parts.settings, changes)
    request = _Edit(engine, caller, cluster, draft_id, changes, expected_version, change_id)
    async with engine.parts.turn(draft_id):
        for _ in range(_ATTEMPTS):
            outcome = await request.attempt()
            if outcome is not None:
                return outcome
    raise StoreUnavailableError.of(
        "The draft is being committed, or changed too fast by others; retry."
    )


@dataclass(frozen=True, slots=True)
class _Edit:
    """One request to edit a draft."""

    engine: Engine
    caller: Caller
    cluster: Cluster
    draft_id: str
    changes: Sequence[Change]
    expected_version: int | None
    change_id: str | None

    async def attempt(self) -> Outcome | None:
        """Stage the changes on this worker's copy; None where that was behind and is no more."""
        copy = await self._copy(fresh=False)
        view = self.engine.view(copy)
        try:
            applied = await self._apply(view)
        except InvalidChangeError:
            # Perhaps this is a retry of what was done; or the copy was behind, and it is valid.
            if self.change_id is not None:
                seen = await find_outcome(self.engine, copy, self.change_id, self._mark)
                if seen is not None:
                    return seen
            if (await self._copy(fresh=True)).version != view.draft.version:
                return None
            _check_open(view.draft.state)
            self._check_expected(view.draft.version)
            raise
        entry = Entry(
            version=view.draft.version + 1,
            at=datetime.now(UTC),
            session=self.caller.required_session(),
            change_id=self.change_id,
            cause=Cause.EDIT,
            deltas=applied.deltas,
        )
        return await self._append(copy, view.draft, entry, applied)

    @property
    def _mark(self) -> str:
        return fingerprint(self.changes)

    async def _copy(self, *, fresh: bool) -> Copy:
        want = needs(self.changes)
        return await self.engine.copy(
            self.caller, self.draft_id, want, fresh=fresh, cluster=self.cluster.name
        )

    async def _apply(self, view: View) -> Applied:
        applied = apply(
            self.cluster.spec,
            view.snapshot,
            self.changes,
            version=view.draft.version + 1,
            tail=view.draft.tail,
            new_key=new_key,
        )
        check_bytes(self.engine.parts.settings, applied)
        await check_references(self.cluster, applied, view.snapshot.node)
        return applied

    async def _append(  # noqa: PLR0911 - one case an answer
        self, copy: Copy, draft: Draft, entry: Entry, applied: Applied
    ) -> Outcome | None:
        parts = self.engine.parts
        result = await parts.store.append(
            draft,
            entry,
            list(applied.nodes.values()),
            tail=applied.tail,
            expected_version=self.expected_version,
            fingerprint=self._mark,
        )
        match result:
            case Accepted(draft=now, size=size):
                await parts.cache.apply(copy, entry, now, size=size)
                await parts.hub.wake(draft.id)
                return Outcome(view=self.engine.view(copy), entry=entry)
            case Seen():
                return await first_outcome(self.engine, copy, result, self._mark)
            case Behind(read=read):
                await parts.cache.take(copy, read)
                return None
            case Stale(version=version):
                self._check_expected(version)
                return None
            case Taken(key=key):
                # Loaded, so that the next attempt tells which change it is.
                await self.engine.view(copy).load(Want(keys=frozenset({key})))
                return None
            case Closed(state=state):
                _check_open(state)
                return None
            case Locked():
                await wait_for_commit(self.engine, draft, result)
                return None
            case Gone():
                parts.cache.forget(draft.id)
                raise NotFoundError.of("There is no such draft.")
            case _:
                assert_never(result)

    def _check_expected(self, version: int) -> None:
        if self.expected_version not in (None, version):
            raise StaleVersionError.of(
                f"The draft is at version {version}, not at {self.expected_version}."
            )


def _check_open(state: DraftState) -> None:
    if state is not DraftState.OPEN:
        raise ClosedError.of(f"The draft has been {state.value.lower()}.")


async def check_references(
    cluster: Cluster, applied: Applied, known: Callable[[str], Node | None]
) -> None:
    """Raise `InvalidChangeError` where objects outside of the cluster are not there.

    `known` gives the nodes that the changes did not touch.
    """

    def node_of(key: str) -> Node | None:
        return applied.nodes.get(key) or known(key)

    brought = [
        (reference, change)
        for delta, change in zip(applied.deltas, applied.changes, strict=True)
        for reference in references(cluster, [delta])
    ]
    if not brought:
        return
    for missing in await sync_to_async(dangling)([reference for reference, _ in brought]):
        node = node_of(missing.key)
        path = path_to(node_of, node) if node is not None else ()
        name = missing.field.name
        raise InvalidChangeError.of(
            f"There is no {missing.target._meta.verbose_name} with the key {missing.value!r}.",
            key=missing.key,
            field=name,
            path=(*path, name),
            change=next(change for reference, change in brought if reference is missing),
        )


def fingerprint(changes: Sequence[Change]) -> str:
    """Return what tells one change set from another; the models' defaults don't count."""
    return hashlib.blake2b(repr(changes).encode(), digest_size=12).hexdigest()
