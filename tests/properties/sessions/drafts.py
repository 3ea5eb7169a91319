"""Two sessions that edit drafts of one cluster, on two workers, beside what has to come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple

import pytest
from asgiref.sync import sync_to_async

from gql_cluster.domain.change import RemoveNodes
from gql_cluster.domain.delta import Moved, key_of
from gql_cluster.domain.draft import DraftState, Stack
from gql_cluster.domain.error import (
    ClosedError,
    ConflictError,
    ConflictPolicy,
    InvalidChangeError,
    NotFoundError,
    StaleVersionError,
    ValidationFailedError,
)
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.discard import discard
from gql_cluster.service.dry_run import draft_conflicts, draft_errors
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.log import later_than
from gql_cluster.service.open import open_saved
from gql_cluster.service.outcome import Committed, Outcome
from gql_cluster.service.read import draft_changes, get_draft
from gql_cluster.service.rebase import rebase
from gql_cluster.service.revert import reset, revert
from gql_cluster.service.share import join, share
from gql_cluster.service.undo import redo, undo
from gql_cluster.service.view import View
from schema.bands.models import Band
from tests.properties.sessions.edits import BAND, Changing
from tests.properties.sessions.laws import (
    check_conflicts,
    check_merged,
    check_refused,
    check_stays,
    check_undone,
    is_same,
    parts,
    read,
)
from tests.properties.sessions.others import saved, write
from tests.properties.sessions.plain import (
    ORDERED,
    State,
    changes,
    is_numbered,
    numbers,
    orders,
    removed,
    values,
)
from tests.properties.sessions.threeway import FAIL, Merged, merge

POLICIES = list(ConflictPolicy)
EDITS = [
    *["set", "genres", "album", "add album", "remove album", "swap"],
    *["member"] * 4,
    *["song"] * 4,
]

Call = Callable[..., Awaitable[Outcome]]


class Step(NamedTuple):
    """What is done, by whom, and two numbers that say how."""

    kind: str
    who: int
    one: int
    two: int


class Version(NamedTuple):
    """A version of a draft, and who made it: None where others' saves came in."""

    state: State
    epoch: int
    by: str | None


class Past(NamedTuple):
    """A change set that can be undone, or the undo of one: the draft before and after it."""

    before: State
    after: State
    version: int


@dataclass
class Drafted:
    """What a draft is to be, which one session has opened and another one has joined.

    `epoch` counts what gave it another base: rebases and commits. `names` are the draft's own
    keys of rows that it has saved. `past` and `future` are what each session can undo and redo.
    """

    owner: Caller
    guest: Caller
    id: str
    base: State
    state: State
    epoch: int = 0
    moved: frozenset[str] = frozenset()
    past: dict[str, list[Past]] = field(default_factory=dict)
    future: dict[str, list[Past]] = field(default_factory=dict)
    versions: list[Version] = field(default_factory=list)
    bases: list[State] = field(default_factory=list)
    shown: dict[int, Mapping[str, object]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    is_plain: bool = True
    """Whether only its owner has edited it, nothing was decided for one side, and none saved."""

    @property
    def version(self) -> int:
        """The draft's version."""
        return len(self.versions) - 1

    def now(self, state: State, by: str | None) -> None:
        """Take it that this is the draft's next version."""
        self.state = state
        self.versions.append(Version(state.copy(), self.epoch, by))

    def is_own(self, version: int, session: str) -> bool:
        """Tell whether nobody but a session has changed the draft behind a version."""
        return all(each.by == session for each in self.versions[version + 1 :])


class Sessions:
    """Ann and Bob, a draft of each, and what has to come of what they do."""

    def __init__(self, engines: tuple[Engine, Engine], pk: int, genres: Sequence[int]) -> None:
        """Take a saved cluster of which no draft is open yet."""
        self.pk = pk
        self.is_over = False
        self._engines = engines
        self._genres = genres
        self._fresh: Iterator[int] = count()
        self._turn = 0
        self._callers = [Caller(session=f"{name}{pk}") for name in ("ann", "bob")]
        self.drafts: list[Drafted] = []

    async def start(self) -> None:
        """Open both drafts."""
        self.drafts = [await self._open(who) for who in (0, 1)]

    async def run(self, step: Step) -> None:
        """Take a step, and look whether all is as it has to be."""
        if step.kind.startswith("they"):
            await sync_to_async(write)(self.pk, step.kind, step.one, step.two)
        else:
            await getattr(self, step.kind)(step.who, step.one, step.two)
        if not self.is_over:
            await self.check(self.drafts[step.who])

    async def end(self) -> None:
        """Where only one session edited a draft, undoing all leads to what is saved.

        A worker that has seen nothing of it shows each version as it was.
        """
        for who, mine in enumerate(self.drafts):
            await self.check(mine)
            while mine.past.get(mine.owner.session or ""):
                await self._undo(mine, mine.owner, undo, mine.past, mine.future, retry=1)
            await self.check(self.drafts[who])
            if mine.is_plain:
                assert values(mine.state) == values(mine.base)
            await self._check_past(mine)

    async def _check_past(self, mine: Drafted) -> None:
        engine = Engine({"Band": BAND})
        try:
            now = await get_draft(engine, mine.owner, mine.id)
            if now.draft.version:
                await later_than(engine, now, 0)
            for version, was in mine.shown.items():
                assert await shown(engine.view_at(now, version)) == was, version
        finally:
            await engine.aclose()

    async def _open(self, who: int) -> Drafted:
        owner, guest = self._callers[who], self._callers[1 - who]
        view = await open_saved(self._engine(), owner, BAND, str(self.pk), resume=True)
        link = await share(self._engine(), owner, view.draft.id)
        await join(self._engine(), guest, link.token)
        now = await sync_to_async(saved)(self.pk)
        mine = Drafted(owner, guest, view.draft.id, now, now.copy())
        mine.now(now.copy(), None)
        await self.check(mine)
        return mine

    def _engine(self) -> Engine:
        """Return the workers in turn."""
        self._turn += 1
        return self._engines[self._turn % 2]

    async def _saved(self, mine: Drafted) -> State:
        return (await sync_to_async(saved)(self.pk)).renamed(mine.names)

    # What is served

    async def check(self, mine: Drafted) -> None:
        """Compare a draft with what it has to be, and its dry run with what a merge comes to."""
        engine = self._engine()
        view = await get_draft(engine, mine.owner, mine.id)
        state = await read(view)
        mine.shown[view.draft.version] = await shown(view)
        assert values(state) == values(mine.state)
        assert orders(state) == orders(mine.state)
        assert is_numbered(state, {key for key, row in state.rows.items() if row.pk is not None})
        assert (view.draft.version, view.draft.state) == (mine.version, DraftState.OPEN)
        for caller in self._callers:
            stack = view.draft.stacks.get(caller.session or "", Stack())
            assert (stack.undo is not None) == bool(mine.past.get(caller.session or ""))
            assert (stack.redo is not None) == bool(mine.future.get(caller.session or ""))

        deltas = await draft_changes(engine, view)
        assert {part for delta in deltas for part in parts(delta)} == changes(mine.base, mine.state)
        mine.moved = frozenset(key_of(each) for each in deltas if isinstance(each, Moved))
        assert mine.moved <= mine.base.rows.keys() & mine.state.rows.keys()
        check_stays(mine.base, mine.state, mine.moved)

        expected = await self._merged(mine, FAIL)
        conflicts = await draft_conflicts(engine, view)
        problems = await draft_errors(engine, view)
        check_conflicts(conflicts, expected)
        if not expected.is_messy:
            assert bool(problems) == (expected.is_double and not conflicts)

    async def _merged(self, mine: Drafted, policy: ConflictPolicy) -> Merged:
        """Return what a commit has to come to now."""
        return merge(mine.base, await self._saved(mine), mine.state, mine.moved, policy)

    # Requests

    async def _request(self, mine: Drafted, caller: Caller, call: Call, retry: int) -> Outcome:
        """Make a request, perhaps twice: the other worker gives the first outcome again."""
        given: dict[str, Any] = {
            "change_id": f"c{next(self._fresh)}",
            "expected_version": mine.version if retry % 2 else None,
        }
        outcome = await call(self._engine(), caller, mine.id, **given)
        assert outcome.view.draft.version == mine.version + 1
        if retry % 4 == 0:
            again = await call(self._engine(), caller, mine.id, **given)
            assert again.entry == outcome.entry
        return outcome

    def _by(self, mine: Drafted, number: int) -> Caller:
        """Return who edits a draft: its owner most of the time."""
        if number % 5 == 0:
            mine.is_plain = False
            return mine.guest
        return mine.owner

    def _staged(self, mine: Drafted, caller: Caller, state: State, outcome: Outcome) -> None:
        """Take it that a change set was staged; one that changes nothing can't be undone."""
        session = caller.session or ""
        assert outcome.entry is not None
        if outcome.entry.deltas:
            past = Past(mine.state, state, mine.version + 1)
            mine.past.setdefault(session, []).append(past)
            mine.future[session] = []
        mine.now(state, session)

    async def edit(self, who: int, one: int, two: int) -> None:
        """Stage one change, or two."""
        mine = self.drafts[who]
        caller = self._by(mine, one + two)
        changing = Changing(mine.state.copy(), self._fresh, self._genres)
        changing.change(EDITS[one % len(EDITS)], one * 7 + two, two)
        if two % 5 == 0:
            changing.change(EDITS[two % len(EDITS)], one + two, one)
        if not changing.changes:
            return

        async def call(engine: Engine, caller: Caller, draft: str, **given: Any) -> Outcome:
            return await edit(engine, caller, BAND, draft, changing.changes, **given)

        outcome = await self._request(mine, caller, call, one)
        self._staged(mine, caller, changing.state, outcome)

    async def wrong(self, who: int, one: int, two: int) -> None:
        """Send what can't be staged: nothing is, the good change before it neither."""
        mine = self.drafts[who]
        changing = Changing(mine.state.copy(), self._fresh, self._genres)
        changing.change("set", one, two)
        bad = RemoveNodes(relation="members", keys=("nobody",))
        for changed, version, error in (
            ([*changing.changes, bad], None, InvalidChangeError),
            (changing.changes, mine.version + 1, StaleVersionError),
        ):
            given: dict[str, Any] = {"expected_version": version, "change_id": None}
            with pytest.raises(error):
                await edit(self._engine(), mine.owner, BAND, mine.id, changed, **given)

    async def undo(self, who: int, one: int, two: int) -> None:
        """Take back a session's last change set."""
        mine = self.drafts[who]
        await self._undo(mine, self._by(mine, two), undo, mine.past, mine.future, retry=one)

    async def redo(self, who: int, one: int, two: int) -> None:
        """Take back a session's last undo."""
        mine = self.drafts[who]
        await self._undo(mine, self._by(mine, two), redo, mine.future, mine.past, retry=one)

    async def _undo(  # noqa: PLR0913 - both of undo and redo
        self,
        mine: Drafted,
        caller: Caller,
        call: Call,
        done: dict[str, list[Past]],
        undone: dict[str, list[Past]],
        *,
        retry: int,
    ) -> None:
        session = caller.session or ""
        if not done.get(session):
            with pytest.raises(InvalidChangeError):
                await self._request(mine, caller, call, retry)
            return
        outcome = await self._request(mine, caller, call, retry)
        past = done[session].pop()
        if mine.is_own(past.version, session):
            assert not outcome.kept
            state = past.before.copy()
        else:
            state = await read(outcome.view)
            bases = [*mine.bases, mine.base]
            check_undone(past.before, past.after, mine.state, state, bases, is_whole=False)
        undone.setdefault(session, []).append(Past(mine.state, state, mine.version + 1))
        mine.now(state, session)

    async def revert(self, who: int, one: int, two: int) -> None:
        """Go back to an earlier version, whoever has changed what since."""
        mine = self.drafts[who]
        caller = self._by(mine, one)
        version = (one * 20 + two) % (mine.version + 1)

        async def call(engine: Engine, caller: Caller, draft: str, **given: Any) -> Outcome:
            return await revert(engine, caller, draft, version, **given)

        outcome = await self._request(mine, caller, call, two)
        then = mine.versions[version]
        if then.epoch == mine.epoch:
            state = then.state.copy()
        else:
            state = await read(outcome.view)
            bases = [*mine.bases, mine.base]
            check_undone(then.state, mine.state, mine.state, state, bases, is_whole=True)
        self._staged(mine, caller, state, outcome)

    async def reset(self, who: int, one: int, two: int) -> None:
        """Give a node, or a field of it, back its base state."""
        mine = self.drafts[who]
        buried = dict.fromkeys([*removed(mine.base, mine.state), *mine.state.graves])
        keys = [*mine.state.rows, *buried]
        key = keys[(one * 20 + two) % len(keys)]
        row, was = mine.state.rows.get(key), mine.base.rows.get(key)
        name = list(row.values)[two % len(row.values)] if one % 2 and row is not None else None

        async def call(engine: Engine, caller: Caller, draft: str, **given: Any) -> Outcome:
            fields = None if name is None else [name]
            return await reset(engine, caller, draft, [key], fields, **given)

        parent = (row or was or mine.state.graves[key].rows[key]).parent
        is_below_removed = parent is not None and parent not in mine.state.rows
        if is_below_removed or (was is None and (parent is None or name is not None)):
            with pytest.raises(InvalidChangeError):
                await self._request(mine, mine.owner, call, two)
            return
        outcome = await self._request(mine, mine.owner, call, two)
        state = _reset(mine, key, name, await read(outcome.view))
        self._staged(mine, mine.owner, state, outcome)

    # What brings both sides together

    async def rebase(self, who: int, one: int, two: int) -> None:
        """Bring the draft up to what is saved."""
        mine, policy = self.drafts[who], POLICIES[one % 3]
        expected, now = await self._merged(mine, policy), await self._saved(mine)

        async def call(engine: Engine, caller: Caller, draft: str, **given: Any) -> Outcome:
            return await rebase(engine, caller, draft, policy, **given)

        try:
            outcome = await self._request(mine, mine.owner, call, two)
        except ConflictError as exc:
            check_refused(exc.conflicts, expected, policy)
            return
        assert expected.is_messy or not expected.conflicts
        state = await read(outcome.view)
        _check(expected, state, now, mine, policy)
        mine.is_plain = mine.is_plain and policy is FAIL
        _lay_over(mine, state, now, expected)

    async def commit(self, who: int, one: int, two: int) -> None:
        """Save the draft, and go on with it, or with another."""
        mine, policy, keep_open = self.drafts[who], POLICIES[one % 3], bool(two % 2)
        expected, before = await self._merged(mine, policy), await self._saved(mine)
        served = await read(await get_draft(self._engine(), mine.owner, mine.id))
        given: dict[str, Any] = {
            "expected_version": mine.version,
            "change_id": f"c{next(self._fresh)}",
            "policy": policy,
            "keep_open": keep_open,
        }
        try:
            found = await commit(self._engine(), mine.owner, BAND, mine.id, **given)
        except ConflictError as exc:
            check_refused(exc.conflicts, expected, policy)
            assert await self._saved(mine) == before
            return
        except ValidationFailedError:
            assert not expected.conflicts
            assert expected.is_double or expected.is_messy
            assert await self._saved(mine) == before
            return
        assert expected.is_messy or not (expected.conflicts or expected.is_double)
        again = await commit(self._engine(), mine.owner, BAND, mine.id, **given)
        assert (again.receipt, again.entry) == (found.receipt, found.entry)

        types = found.receipt.types
        keys = {f"{types[key]}:{pk}": key for key, pk in found.receipt.keys.items()}
        mine.names |= {name: key for name, key in keys.items() if key != ROOT_KEY}
        before, now = before.renamed(mine.names), await self._saved(mine)
        if not expected.is_nowhere:
            _check(expected, now, before, mine, policy)
        assert is_numbered(now, before.rows)
        if is_same(before, mine.base.renamed(mine.names)):
            assert numbers(now) == numbers(served)
        if keep_open:
            mine.is_plain = False
            _lay_over(mine, mine.state if expected.is_nowhere else now, now, expected)
        else:
            await self._again(who, found)

    async def discard(self, who: int, one: int, two: int) -> None:
        """Drop the draft, and open another."""
        del one, two
        mine = self.drafts[who]
        before = await self._saved(mine)
        await discard(self._engine(), mine.owner, mine.id)
        assert await self._saved(mine) == before
        await self._again(who, None)

    async def _again(self, who: int, committed: Committed | None) -> None:
        """Look at a closed draft, and open another one if there is still a cluster."""
        mine = self.drafts[who]
        given: dict[str, Any] = {"expected_version": None, "change_id": None}
        with pytest.raises(ClosedError):
            await undo(self._engine(), mine.guest, mine.id, **given)
        if committed is not None:
            engine = self._engine()
            view = await get_draft(engine, mine.guest, mine.id)
            assert view.draft.state is DraftState.COMMITTED
            assert await draft_changes(engine, view) == []
            assert await draft_errors(engine, view) == []
        if await Band.objects.filter(pk=self.pk).aexists():
            self.drafts[who] = await self._open(who)
            return
        self.is_over = True
        with pytest.raises(NotFoundError):
            await self._open(who)


async def shown(view: View) -> Mapping[str, object]:
    """Return all of a draft as it is served, numbers included."""
    found: dict[str, object] = {}
    for node in await view.load_all():
        relations = view.cluster.spec.nodes[node.type].relations
        children = {
            name: [each.key for each in view.children(node.key, name)] for name in relations
        }
        relation = view.relation_of(node)
        number = None
        if relation is not None and relation.order_field is not None:
            given = view.numbers(node.parent or "", relation)
            number = given.get(node.key, node.fields[relation.order_field])
        found[node.key] = (
            node.pk,
            node.parent,
            dict(node.fields),
            {name: frozenset(pks) for name, pks in node.sets.items()},
            children,
            number,
        )
    return found


def _check(
    expected: Merged, state: State, now: State, mine: Drafted, policy: ConflictPolicy
) -> None:
    check_merged(expected, state, theirs=now, mine=mine.state, moved=mine.moved, policy=policy)


def _lay_over(mine: Drafted, state: State, now: State, expected: Merged) -> None:
    """Take it that a draft is on another base."""
    mine.bases.append(mine.base)
    mine.base = mine.base if expected.is_nowhere else now
    mine.epoch += 1
    mine.now(state, None)


def _reset(mine: Drafted, key: str, name: str | None, served: State) -> State:
    """Return a draft in which a node, or a field of it, is as in the base.

    Its place among its siblings, and what is below it if it was removed before a rebase, are
    taken from what is served.
    """
    state = mine.state.copy()
    row, was = state.rows.get(key), mine.base.rows.get(key)
    if was is None:
        if row is not None:
            state.bury(key)
        return state
    if name is not None:
        state.set(key, **{name: was.values[name]})
        return state
    if row is None and key in state.graves:
        state.revive(key)
    elif row is None:
        state.put(key, was)
        for below in served.below(key):
            assert below in mine.base.rows
            state.put(below, served.rows[below])
        state.orders[key] = served.order(key)
    state.set(key, **was.values)
    if was.type in ORDERED and was.parent is not None:
        state.orders[was.parent] = served.order(was.parent)
    return state
