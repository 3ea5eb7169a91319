"""Whose turn it is: what each session can undo and redo, as a linked list through the log.

A session's `Stack` names the newest entry that it can undo and the newest undo that it can redo;
`Entry.below` leads from each to the next. So a session finds both again after a reload, on any
worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gql_cluster.domain.draft import Cause, Draft, Entry, Stack

_NOTHING = Stack()


def pushed(
    draft: Draft, entry: Entry, *, undone: Entry | None = None
) -> tuple[Entry, Mapping[str, Stack]]:
    """Return the draft's next entry with its place on the stacks, and the stacks after it.

    `undone` is the entry that an undo takes back, or the undo that a redo takes back: the one
    that the session's stack names. An edit that changes nothing is not on any stack. An undo
    that finds nothing to take back still is, so that the session gets on to what is below.
    """
    stack = draft.stacks.get(entry.session, _NOTHING)
    match entry.cause:
        case Cause.EDIT | Cause.REVERT | Cause.RESET if entry.deltas:
            entry = replace(entry, below=stack.undo)
            stack = Stack(undo=entry.version)
        case Cause.UNDO if undone is not None:
            entry = replace(entry, undoes=undone.version, below=stack.redo)
            stack = Stack(undo=undone.below, redo=entry.version)
        case Cause.REDO if undone is not None:
            entry = replace(entry, undoes=undone.version, below=stack.undo)
            stack = Stack(undo=entry.version, redo=undone.below)
        case Cause.UNDO | Cause.REDO:
            msg = "an undo or a redo of no entry"
            raise ValueError(msg)
        case _:
            return entry, draft.stacks
    stacks = {**draft.stacks, entry.session: stack}
    return entry, {session: each for session, each in stacks.items() if each != _NOTHING}


def can_undo(draft: Draft, session: str, log_length: int) -> bool:
    """Tell whether the session has anything to undo, and the log surely still has it."""
    return _is_kept(draft, draft.stacks.get(session, _NOTHING).undo, log_length)


def can_redo(draft: Draft, session: str, log_length: int) -> bool:
    """Tell whether the session has anything to redo, and the log surely still has it."""
    return _is_kept(draft, draft.stacks.get(session, _NOTHING).redo, log_length)


def _is_kept(draft: Draft, version: int | None, log_length: int) -> bool:
    if version is None:
        return False
    behind = draft.version - version
    # A version from before the numbers skipped is not as far behind as it seems.
    return behind < log_length or 0 <= behind - draft.skipped < log_length
