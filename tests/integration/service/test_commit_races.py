"""Commits and rebases at once: each has a legal end, as if one had come after the other.

Each request has a thread and a connection of its own, as under ASGI, so that the transactions
really meet in the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections

from gql_cluster.domain.change import (
    AddNodes,
    Change,
    End,
    MoveNode,
    RemoveNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.delta import Added, Updated, key_of
from gql_cluster.domain.draft import DraftState
from gql_cluster.domain.error import (
    ClusterError,
    ConflictError,
    ConflictKind,
    ConflictPolicy,
)
from gql_cluster.models import Receipt
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.log import entries_behind
from gql_cluster.service.open import open_saved
from gql_cluster.service.outcome import Committed, Outcome
from gql_cluster.service.read import draft_changes, get_draft
from gql_cluster.service.rebase import rebase
from gql_cluster.service.share import join, share
from gql_cluster.service.view import View
from schema.bands.models import Band, BandMember
from tests.integration.service.conftest import ANN, BAND, BOB, new
from tests.plugin import POSTGRES

FAIL, MINE, THEIRS = ConflictPolicy.FAIL, ConflictPolicy.MINE, ConflictPolicy.THEIRS
# On SQLite a transaction has the only write lock from its beginning: fewer things can happen.
ROUNDS = 200 if POSTGRES else 60
FEW = 20

T = TypeVar("T")


class Thread:
    """A thread with a connection of its own, for one request after the other."""

    async def __aenter__(self) -> Self:
        """Begin it; what runs in `_context` runs its queries there."""
        self._context = copy_context()
        self._sensitive = ThreadSensitiveContext()
        await self._run(self._sensitive.__aenter__())  # type: ignore[no-untyped-call]
        return self

    async def __aexit__(self, *args: object) -> None:
        """End it."""
        await self._run(sync_to_async(connections.close_all)())
        await self._run(self._sensitive.__aexit__(*args))  # type: ignore[no-untyped-call]

    async def __call__(self, request: Coroutine[Any, Any, T]) -> T | ClusterError:
        """Await a request; return its error where it is refused."""
        try:
            return await self._run(request)
        except ClusterError as exc:
            return exc

    async def _run(self, request: Coroutine[Any, Any, T]) -> T:
        return await asyncio.create_task(request, context=self._context)


async def make_bands(count: int, members: int = 0) -> list[Band]:
    """Save some bands with the members `a`, `b`, `c`, …."""
    bands = await Band.objects.abulk_create(Band(name="New") for _ in range(count))
    await BandMember.objects.abulk_create(
        BandMember(band=band, name="abcdef"[at], instrument="drums", position=at + 1)
        for band in bands
        for at in range(members)
    )
    return bands


async def names_of(band: Band) -> list[str]:
    """Return the names of a band's members, in order; they are numbered as they stand."""
    found = [each async for each in BandMember.objects.filter(band=band)]
    positions = [each.position for each in found]
    assert positions == sorted(set(positions))
    return [each.name for each in found]


async def open_draft(engine: Engine, caller: Caller, band: Band) -> View:
    """Open a draft of a saved band."""
    return await open_saved(engine, caller, BAND, str(band.pk), resume=False)


async def stage(engine: Engine, caller: Caller, view: View, *changes: Change) -> Outcome:
    """Stage changes."""
    return await edit(
        engine, caller, BAND, view.draft.id, changes, expected_version=None, change_id=None
    )


async def save(  # noqa: PLR0913 - a commit, said whole
    engine: Engine,
    caller: Caller,
    view: View,
    policy: ConflictPolicy = FAIL,
    *,
    change_id: str | None = None,
    keep_open: bool = False,
) -> Committed:
    """Commit a draft."""
    return await commit(
        engine,
        caller,
        BAND,
        view.draft.id,
        expected_version=None,
        change_id=change_id,
        policy=policy,
        keep_open=keep_open,
    )


@pytest.fixture
async def engine(
    transactional_db: None,  # noqa: ARG001 - a mark has no effect on a fixture
) -> AsyncIterator[Engine]:
    """An engine over an empty database; small bands are cheaper than the samples."""
    engine = Engine({"Band": BAND})
    yield engine
    await engine.aclose()


# Two commits of one draft


@pytest.mark.parametrize("keep_open", [False, True])
async def test_of_two_commits_of_one_draft_one_saves(
    engine: Engine, other: Engine, *, keep_open: bool
) -> None:
    """The other is told that it is closed; a draft that stays open takes both, one by one."""
    async with Thread() as one, Thread() as two:
        for band in await make_bands(ROUNDS // 4):
            view = await open_draft(engine, ANN, band)
            await stage(engine, ANN, view, SetFields(values={"name": "Once"}))
            both = await asyncio.gather(
                one(save(engine, ANN, view, change_id="a", keep_open=keep_open)),
                two(save(other, ANN, view, change_id="b", keep_open=keep_open)),
            )
            ends = sorted(type(each).__name__ for each in both)
            assert ends == (["Committed"] * 2 if keep_open else ["ClosedError", "Committed"])
            receipts = Receipt.objects.filter(draft_id=view.draft.id)
            assert await receipts.acount() == (2 if keep_open else 1)
    assert await Band.objects.filter(name="Once").acount() == ROUNDS // 4


@pytest.mark.parametrize("keep_open", [False, True])
async def test_the_same_commit_twice_at_once_is_one(
    engine: Engine, other: Engine, *, keep_open: bool
) -> None:
    """Both replies have the same receipt and the same event."""
    async with Thread() as one, Thread() as two:
        for band in await make_bands(ROUNDS // 4):
            view = await open_draft(engine, ANN, band)
            await stage(engine, ANN, view, SetFields(values={"name": "Once"}))
            first, again = await asyncio.gather(
                one(save(engine, ANN, view, change_id="a", keep_open=keep_open)),
                two(save(other, ANN, view, change_id="a", keep_open=keep_open)),
            )
            assert isinstance(first, Committed)
            assert isinstance(again, Committed)
            assert (first.receipt, first.entry) == (again.receipt, again.entry)
            assert first.entry is not None
            assert await Receipt.objects.filter(draft_id=view.draft.id).acount() == 1
            now = await get_draft(engine, ANN, view.draft.id)
            assert now.draft.state is (DraftState.OPEN if keep_open else DraftState.COMMITTED)
            assert now.draft.version == 2


# Two drafts of one cluster


@dataclass
class Race:
    """Ann and Bob commit their drafts of one band at once; `ends` are Ann's and Bob's."""

    band: Band
    members: dict[str, str]
    ends: Sequence[Committed | ClusterError]

    @property
    def refused(self) -> list[ConflictKind]:
        """The kinds of conflict that either was told of."""
        found = [each for each in self.ends if isinstance(each, ClusterError)]
        assert all(isinstance(each, ConflictError) for each in found), found
        return [c.kind for each in found if isinstance(each, ConflictError) for c in each.conflicts]


Edits = Callable[[dict[str, str]], tuple[Change, Change]]
Policies = tuple[ConflictPolicy, ConflictPolicy]


async def races(
    engine: Engine,
    other: Engine,
    edits: Edits,
    policies: Policies = (FAIL, FAIL),
    *,
    rounds: int = ROUNDS,
) -> AsyncIterator[Race]:
    """Let Ann and Bob, on a worker each, commit what they edited, on one band after the other.

    `edits` gives what each does, told the keys of the members by name.
    """
    async with Thread() as one, Thread() as two:
        for band in await make_bands(rounds, members=5):
            rows = BandMember.objects.filter(band=band).values_list("name", "pk")
            members = {name: f"BandMember:{pk}" async for name, pk in rows}
            anns, bobs = edits(members)
            ann, bob = await open_draft(engine, ANN, band), await open_draft(other, BOB, band)
            await stage(engine, ANN, ann, anns)
            await stage(other, BOB, bob, bobs)
            ends = await asyncio.gather(
                one(save(engine, ANN, ann, policies[0])), two(save(other, BOB, bob, policies[1]))
            )
            yield Race(band, members, ends)


def update(key: str, **values: Any) -> UpdateNode:
    """Return a change of a member."""
    return UpdateNode(relation="members", key=key, values=values)


def move(key: str, end: End) -> MoveNode:
    """Return a move of a member."""
    return MoveNode(relation="members", key=key, place=end)


def add(name: str) -> AddNodes:
    """Return the addition of a member."""
    return AddNodes(relation="members", nodes=(new("BandMember", name=name, instrument="bass"),))


async def test_different_fields_are_both_saved(engine: Engine, other: Engine) -> None:
    """Of the root, and of one and the same member."""

    def edits(_: dict[str, str]) -> tuple[Change, Change]:
        return SetFields(values={"name": "Ann's"}), SetFields(values={"origin": "Bob's"})

    async for race in races(engine, other, edits, rounds=ROUNDS // 2):
        assert race.refused == []
        band = await Band.objects.aget(pk=race.band.pk)
        assert (band.name, band.origin) == ("Ann's", "Bob's")

    def below(members: dict[str, str]) -> tuple[Change, Change]:
        return update(members["a"], joined=1960), update(members["a"], left=1970)

    async for race in races(engine, other, below, rounds=ROUNDS // 2):
        assert race.refused == []
        member = await BandMember.objects.aget(band=race.band, name="a")
        assert (member.joined, member.left) == (1960, 1970)


@pytest.mark.parametrize(
    ("policies", "legal", "refused"),
    [
        ((FAIL, FAIL), {"Ann's", "Bob's"}, 1),
        ((MINE, MINE), {"Ann's", "Bob's"}, 0),
        ((THEIRS, THEIRS), {"Ann's", "Bob's"}, 0),
        ((MINE, THEIRS), {"Ann's"}, 0),
    ],
)
async def test_the_same_field_is_a_conflict_for_the_second(
    engine: Engine, other: Engine, policies: Policies, legal: set[str], refused: int
) -> None:
    """Unless it has said whose value it takes; one who insists wins against one who gives way."""

    def edits(_: dict[str, str]) -> tuple[Change, Change]:
        return SetFields(values={"name": "Ann's"}), SetFields(values={"name": "Bob's"})

    rounds = ROUNDS if policies == (FAIL, FAIL) else FEW
    async for race in races(engine, other, edits, policies, rounds=rounds):
        assert race.refused == [ConflictKind.FIELD] * refused
        name = (await Band.objects.aget(pk=race.band.pk)).name
        assert name in legal
        if refused:
            assert name == ("Ann's" if isinstance(race.ends[0], Committed) else "Bob's")


@pytest.mark.parametrize(
    ("policies", "refused"),
    [((FAIL, FAIL), 1), ((MINE, MINE), 0), ((THEIRS, THEIRS), 0), ((MINE, THEIRS), 0)],
)
async def test_the_same_unique_name_is_a_conflict_for_the_second(
    engine: Engine, other: Engine, policies: Policies, refused: int
) -> None:
    """Never an error of the database, nor of validation; one member has the name."""

    def edits(members: dict[str, str]) -> tuple[Change, Change]:
        return add("Twin"), update(members["e"], name="Twin") if refused else add("Twin")

    rounds = ROUNDS if refused else FEW
    async for race in races(engine, other, edits, policies, rounds=rounds):
        assert race.refused == [ConflictKind.UNIQUE] * refused
        names = await names_of(race.band)
        assert names.count("Twin") == 1
        assert {"a", "b", "c", "d"} <= set(names)


async def test_moves_of_different_members_are_both_saved(engine: Engine, other: Engine) -> None:
    """The one that was first and the one that was last change places."""

    def edits(members: dict[str, str]) -> tuple[Change, Change]:
        return move(members["b"], End.LAST), move(members["d"], End.FIRST)

    async for race in races(engine, other, edits, rounds=ROUNDS // 2):
        assert race.refused == []
        assert "".join(await names_of(race.band)) == "daceb"


@pytest.mark.parametrize(
    ("policies", "refused"), [((FAIL, FAIL), 1), ((MINE, MINE), 0), ((THEIRS, THEIRS), 0)]
)
async def test_moves_of_the_same_member_are_a_conflict_for_the_second(
    engine: Engine, other: Engine, policies: Policies, refused: int
) -> None:
    """Unless it has said whose order it takes: then it is one or the other, whole."""

    def edits(members: dict[str, str]) -> tuple[Change, Change]:
        return move(members["c"], End.FIRST), move(members["c"], End.LAST)

    rounds = ROUNDS // 2 if refused else FEW
    async for race in races(engine, other, edits, policies, rounds=rounds):
        assert race.refused == [ConflictKind.ORDER] * refused
        assert "".join(await names_of(race.band)) in {"cabde", "abdec"}


async def test_additions_and_moves_are_all_saved(engine: Engine, other: Engine) -> None:
    """What one appends comes right before or behind what the other has moved to the end."""

    def edits(members: dict[str, str]) -> tuple[Change, Change]:
        return move(members["a"], End.LAST), add("f")

    async for race in races(engine, other, edits, rounds=ROUNDS // 4):
        assert race.refused == []
        names = await names_of(race.band)
        assert sorted(names) == ["a", "b", "c", "d", "e", "f"]
        assert [name for name in names if name != "f"] == ["b", "c", "d", "e", "a"]


@pytest.mark.parametrize(
    ("policies", "refused", "left"),
    [
        ((FAIL, FAIL), 1, {None, 1960}),
        ((MINE, MINE), 0, {None, 1960}),
        ((MINE, THEIRS), 0, {None}),
        ((THEIRS, MINE), 0, {1960}),
    ],
)
async def test_a_removal_and_an_edit_are_a_conflict_for_the_second(
    engine: Engine, other: Engine, policies: Policies, refused: int, left: set[int | None]
) -> None:
    """Whichever that is; a member that is there has the edit, and its primary key."""

    def edits(members: dict[str, str]) -> tuple[Change, Change]:
        remove = RemoveNodes(relation="members", keys=(members["b"],))
        return remove, update(members["b"], joined=1960)

    rounds = ROUNDS if refused else FEW
    async for race in races(engine, other, edits, policies, rounds=rounds):
        is_removed = isinstance(race.ends[0], Committed)
        kinds = [ConflictKind.DELETED if is_removed else ConflictKind.CHANGED] * refused
        assert race.refused == kinds
        found = [
            (f"BandMember:{each.pk}", each.joined)
            async for each in BandMember.objects.filter(band=race.band, name="b")
        ]
        joined = found[0][1] if found else None
        assert joined in left
        assert found in ([], [(race.members["b"], 1960)])
        if refused:
            assert (found == []) == is_removed


# Commits and rebases of a draft that is edited meanwhile


@asynccontextmanager
async def edited_by_two(engine: Engine, other: Engine, view: View) -> AsyncIterator[dict[str, int]]:
    """Let Ann edit her draft, and Bob, who has joined it on another worker, as the block runs.

    Gives the version of each edit that was acknowledged, by the key of the member it added.
    """
    await join(other, BOB, (await share(engine, ANN, view.draft.id)).token)
    done: dict[str, int] = {}

    async def keep_editing(worker: Engine, caller: Caller) -> None:
        for number in range(EDITS):
            key = f"{caller.session}{number}"
            node = new("BandMember", key, name=key, instrument="bass")
            given = SetFields(values={"origin" if caller is ANN else "biography": key})
            changes = AddNodes(relation="members", nodes=(node,)), given
            outcome = await stage(worker, caller, view, *changes)
            assert outcome.entry is not None
            done[key] = outcome.entry.version

    editing = asyncio.gather(keep_editing(engine, ANN), keep_editing(other, BOB))
    try:
        yield done
    finally:
        await editing


EDITS = 40


async def test_no_edit_is_lost_beside_commits_that_keep_the_draft_open(
    engine: Engine, other: Engine
) -> None:
    """What was accepted before one is saved by it; what was accepted later is in the changes."""
    [band] = await make_bands(1)
    view = await open_draft(engine, ANN, band)
    commits = 0
    async with asyncio.timeout(60), Thread() as at, edited_by_two(engine, other, view) as done:
        while len(done) < 2 * EDITS:
            worker, caller = ((engine, ANN), (other, BOB))[commits % 2]
            saved = await at(save(worker, caller, view, keep_open=True))
            assert isinstance(saved, Committed)
            known = dict(done)
            commits += 1
            names = set(await names_of(band))
            now = await get_draft(other, ANN, view.draft.id)
            changed = {key_of(each) for each in await draft_changes(other, now)}
            assert saved.entry is not None
            before = {key for key, version in known.items() if version < saved.entry.version}
            assert saved.receipt.version == saved.entry.previous
            assert before <= names
            assert not before & changed
            assert known.keys() - before <= changed
    assert commits > 1
    last = await save(engine, ANN, view)
    assert last.receipt.version == max(done.values(), default=0) or last.receipt.version > 0
    assert set(await names_of(band)) == set(done)
    row = await Band.objects.aget(pk=band.pk)
    assert (row.origin, row.biography) == (f"ann{EDITS - 1}", f"bob{EDITS - 1}")


async def test_no_edit_is_lost_beside_rebases(engine: Engine, other: Engine) -> None:
    """All are in the changes, whatever others save meanwhile, and the log leads to the draft."""
    [band] = await make_bands(1)
    view = await open_draft(engine, ANN, band)
    rebases = 0
    async with asyncio.timeout(60), Thread() as at, edited_by_two(engine, other, view) as done:
        while len(done) < 2 * EDITS:
            rebases += 1
            await BandMember.objects.acreate(
                band=band, name=f"other{rebases}", instrument="drums", position=rebases
            )
            await Band.objects.filter(pk=band.pk).aupdate(formed=1900 + rebases)
            worker, caller = ((engine, ANN), (other, BOB))[rebases % 2]
            outcome = await at(
                rebase(worker, caller, view.draft.id, FAIL, expected_version=None, change_id=None)
            )
            assert isinstance(outcome, Outcome)
    assert rebases > 1
    await rebase(engine, ANN, view.draft.id, FAIL, expected_version=None, change_id=None)
    seen = []
    for worker in (engine, other, Engine(engine.clusters)):
        now = await get_draft(worker, ANN, view.draft.id)
        deltas = await draft_changes(worker, now)
        assert {each.node.key for each in deltas if isinstance(each, Added)} == done.keys()
        [fields] = [each.after for each in deltas if isinstance(each, Updated)]
        assert fields == {"origin": f"ann{EDITS - 1}", "biography": f"bob{EDITS - 1}"}
        seen.append([(node.key, node.fields, node.rank) for node in await now.load_all()])
    await worker.aclose()
    assert seen[0] == seen[1] == seen[2]
    log = await entries_behind(engine, now.snapshot.copy, 0) or ()
    assert [entry.previous + 1 for entry in log] == [entry.version for entry in log]
    await save(engine, ANN, view)
    theirs = {f"other{number}" for number in range(1, rebases + 1)}
    assert set(await names_of(band)) == done.keys() | theirs
    assert (await Band.objects.aget(pk=band.pk)).formed == 1900 + rebases
