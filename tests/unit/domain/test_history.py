"""Whose turn it is: the stacks of several sessions on one draft."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gql_cluster.domain.delta import Delta, Updated
from gql_cluster.domain.draft import Cause, Draft, Entry, Stack
from gql_cluster.domain.history import can_redo, can_undo, pushed
from tests.unit.domain.kit import NOW, header

RENAMED = Updated(
    key="root", type="List", parent=None, relation=None, before={"name": "x"}, after={"name": "y"}
)


class Log:
    """A draft's header and its entries."""

    def __init__(self) -> None:
        self.draft: Draft = header()
        self.entries: dict[int, Entry] = {}

    def push(
        self,
        cause: Cause = Cause.EDIT,
        *,
        session: str = "s",
        of: int | None = None,
        deltas: tuple[Delta, ...] = (RENAMED,),
    ) -> Entry:
        """Add an entry, which takes back that of another version."""
        entry = Entry(
            version=self.draft.version + 1,
            previous=self.draft.version,
            at=NOW,
            session=session,
            change_id=None,
            cause=cause,
            deltas=deltas,
        )
        undone = None if of is None else self.entries[of]
        entry, stacks = pushed(self.draft, entry, undone=undone)
        self.entries[entry.version] = entry
        self.draft = replace(self.draft, version=entry.version, stacks=stacks)
        return entry

    def stack(self, session: str = "s") -> tuple[int | None, int | None]:
        """Return what a session can undo and redo."""
        stack = self.draft.stacks.get(session, Stack())
        return stack.undo, stack.redo


@pytest.mark.parametrize("cause", [Cause.EDIT, Cause.REVERT, Cause.RESET])
def test_what_a_session_does_can_be_undone_last_first(cause: Cause) -> None:
    """Each entry names the one below it."""
    log = Log()
    assert log.push().below is None
    assert log.push(cause).below == 1
    assert log.stack() == (2, None)
    undo = log.push(Cause.UNDO, of=2)
    assert (undo.undoes, undo.below) == (2, None)
    assert log.stack() == (1, 3)
    assert log.push(Cause.UNDO, of=1).below == 3
    assert log.stack() == (None, 4)


def test_a_redo_can_be_undone_again() -> None:
    """It takes the place of what it redoes; what is below stays."""
    log = Log()
    log.push()
    log.push()
    log.push(Cause.UNDO, of=2)
    log.push(Cause.UNDO, of=1)
    redo = log.push(Cause.REDO, of=4)
    assert (redo.undoes, redo.below) == (4, None)
    assert log.stack() == (5, 3)
    assert log.push(Cause.REDO, of=3).below == 5
    assert log.stack() == (6, None)
    log.push(Cause.UNDO, of=6)
    assert log.stack() == (5, 7)


def test_a_new_change_ends_what_can_be_redone() -> None:
    """The session has taken another way."""
    log = Log()
    log.push()
    log.push(Cause.UNDO, of=1)
    log.push()
    assert log.stack() == (3, None)


def test_each_session_has_a_stack_of_its_own() -> None:
    """A session that can neither undo nor redo has none."""
    log = Log()
    log.push(session="a")
    log.push(session="b")
    log.push(Cause.UNDO, session="a", of=1)
    assert log.stack("a") == (None, 3)
    assert log.stack("b") == (2, None)
    assert log.stack("c") == (None, None)
    assert set(log.draft.stacks) == {"a", "b"}
    header_ = replace(log.draft, stacks={"a": Stack(), "b": Stack(undo=2)})
    assert set(pushed(header_, log.entries[2])[1]) == {"b"}


@pytest.mark.parametrize("cause", [Cause.EDIT, Cause.REVERT, Cause.RESET])
def test_a_change_set_that_changes_nothing_is_not_to_be_undone(cause: Cause) -> None:
    """Nor does it end what can be redone."""
    log = Log()
    log.push()
    log.push(Cause.UNDO, of=1)
    assert log.push(cause, deltas=()).below is None
    assert log.stack() == (None, 2)


def test_an_undo_that_found_nothing_gives_way_to_what_is_below() -> None:
    """Others may have changed everything since."""
    log = Log()
    log.push()
    log.push()
    log.push(Cause.UNDO, of=2, deltas=())
    assert log.stack() == (1, 3)


@pytest.mark.parametrize("cause", [Cause.REBASE, Cause.COMMIT, Cause.DISCARD])
def test_what_is_no_change_of_the_session_is_not_to_be_undone(cause: Cause) -> None:
    """The stacks stay as they are."""
    log = Log()
    log.push()
    log.push(Cause.UNDO, of=1)
    assert log.push(cause).below is None
    assert log.stack() == (None, 2)


@pytest.mark.parametrize("cause", [Cause.UNDO, Cause.REDO])
def test_an_undo_of_nothing_is_a_fault(cause: Cause) -> None:
    """The caller has to name the entry."""
    with pytest.raises(ValueError, match="of no entry"):
        Log().push(cause)


def test_what_the_log_may_have_lost_can_not_be_undone() -> None:
    """The newest entries are surely kept, and no others."""
    log = Log()
    log.push()
    log.push()
    log.push(Cause.UNDO, of=2)
    for _ in range(4):
        log.push(session="other")
    assert log.stack() == (1, 3)
    assert can_undo(log.draft, "s", 7)
    assert not can_undo(log.draft, "s", 6)
    assert can_redo(log.draft, "s", 5)
    assert not can_redo(log.draft, "s", 4)
    assert not can_undo(log.draft, "nobody", 7)
    assert not can_redo(log.draft, "other", 7)


def test_versions_that_the_numbers_skipped_are_not_in_the_log() -> None:
    """What was done before a restart of the store is not as far behind as it seems."""
    log = Log()
    log.push()
    log.push()
    log.draft = replace(log.draft, version=1002, skipped=1000)
    assert can_undo(log.draft, "s", 1)
    log.push(session="other")
    assert not can_undo(log.draft, "s", 1)
    assert can_undo(log.draft, "s", 2)
    log.push()
    assert can_undo(log.draft, "s", 1)
