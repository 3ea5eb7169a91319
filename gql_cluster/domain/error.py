"""The one family of errors that the engine raises, and what each tells the client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, ClassVar, Self


class ErrorCode(Enum):
    """What went wrong, for programs; the message beside it is for people."""

    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    INVALID_CHANGE = "INVALID_CHANGE"
    VALIDATION_FAILED = "VALIDATION_FAILED"
    STALE_VERSION = "STALE_VERSION"
    CONFLICT = "CONFLICT"
    CLOSED = "CLOSED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    TIMEOUT = "TIMEOUT"


class ConflictKind(Enum):
    """How the draft and the saved cluster disagree."""

    FIELD = "FIELD"
    DELETED = "DELETED"
    CHANGED = "CHANGED"
    ORDER = "ORDER"
    UNIQUE = "UNIQUE"


class ConflictPolicy(Enum):
    """What becomes of conflicts: refused, or decided for one side."""

    FAIL = "FAIL"
    MINE = "MINE"
    THEIRS = "THEIRS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """One field or node that was changed both in the draft and in the database since the base.

    `DELETED`: edited in the draft, deleted in the database. `CHANGED`: removed in the draft,
    changed in the database. `ORDER`: both put the same children into different places; `key` is
    then the parent's and `field` the relation. `UNIQUE`: both gave two nodes a value that only
    one may have; `key` is the draft's node. `type` is the node type of `key`.
    """

    kind: ConflictKind
    key: str
    path: tuple[str, ...]
    type: str | None = None
    field: str | None = None
    base: Any = None
    theirs: Any = None
    mine: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, and where.

    `path` leads from the root: relation, key, relation, key, …, field. `change` is the index
    of the change in its request, from 0. `reason` is Django's own code for what is not valid.
    """

    code: ErrorCode
    message: str
    key: str | None = None
    field: str | None = None
    path: tuple[str, ...] = ()
    change: int | None = None
    reason: str | None = None


class ClusterError(Exception):
    """Something the engine refuses to do. Nothing was staged and nothing was saved."""

    code: ClassVar[ErrorCode]

    def __init__(self, *problems: Problem) -> None:
        """Take everything that is wrong, at least one problem."""
        super().__init__(*problems)
        self.problems: Sequence[Problem] = problems

    def __str__(self) -> str:
        """Join the messages."""
        return "; ".join(problem.message for problem in self.problems)

    @classmethod
    def of(cls, message: str, **where: Any) -> Self:
        """Make the error of one problem; `where` as in `Problem`."""
        return cls(Problem(code=cls.code, message=message, **where))

    def at_change(self, index: int) -> Self:
        """Return the same error, told to be of the change with this index."""
        return type(self)(*(replace(problem, change=index) for problem in self.problems))


class NotFoundError(ClusterError):
    """There is no such thing, or it is not the caller's, or it has expired."""

    code = ErrorCode.NOT_FOUND


class ForbiddenError(ClusterError):
    """The caller may see it, and may not do that: only the draft's owner may."""

    code = ErrorCode.FORBIDDEN


class InvalidChangeError(ClusterError):
    """A change that can't be staged: unknown key, wrong relation, read-only field and the like."""

    code = ErrorCode.INVALID_CHANGE


class ValidationFailedError(ClusterError):
    """The cluster as staged can't be saved; one problem an entry, in Django's words."""

    code = ErrorCode.VALIDATION_FAILED


class StaleVersionError(ClusterError):
    """The version that the client expected is behind the draft's."""

    code = ErrorCode.STALE_VERSION


class ConflictError(ClusterError):
    """The saved cluster changed since the base where this draft changes it too."""

    code = ErrorCode.CONFLICT

    def __init__(self, *problems: Problem, conflicts: Sequence[Conflict] = ()) -> None:
        """Take the conflicts beside the problems that tell of them."""
        super().__init__(*problems)
        self.conflicts = conflicts

    @classmethod
    def about(cls, conflicts: Sequence[Conflict]) -> Self:
        """Make the error of some conflicts."""
        message = "This was changed by others since the draft began."
        problems = (
            Problem(code=cls.code, message=message, key=each.key, field=each.field, path=each.path)
            for each in conflicts
        )
        return cls(*problems, conflicts=conflicts)


class ClosedError(ClusterError):
    """The draft has been committed or discarded."""

    code = ErrorCode.CLOSED


class LimitExceededError(ClusterError):
    """The request or the draft would grow past a limit."""

    code = ErrorCode.LIMIT_EXCEEDED


class UnauthenticatedError(ClusterError):
    """The caller has no session, or its token is not valid."""

    code = ErrorCode.UNAUTHENTICATED


class StoreUnavailableError(ClusterError):
    """Redis does not answer. Retry: with the same change id nothing is applied twice."""

    code = ErrorCode.STORE_UNAVAILABLE


class DatabaseUnavailableError(ClusterError):
    """The database does not answer. Retry."""

    code = ErrorCode.DATABASE_UNAVAILABLE
