"""Errors as data: what a client can act on, in `errors` and `conflicts` of payloads and drafts."""

from __future__ import annotations

from collections.abc import Container, Iterable
from enum import Enum
from typing import Any

import strawberry
from strawberry.scalars import JSON

from gql_cluster.api.enums import serve_enum
from gql_cluster.api.registry import Registry
from gql_cluster.api.unshown import unshown
from gql_cluster.api.values import client_value, graphql_name, graphql_path
from gql_cluster.domain.error import ClusterError, Conflict, ConflictError, ConflictKind, Problem
from gql_cluster.domain.undo import Kept, KeptReason
from gql_cluster.orm.describe import Cluster


@strawberry.enum(description="What a client can act on.")
class ErrorCode(Enum):
    """The codes that come as data; the engine's others are GraphQL errors."""

    NOT_FOUND = strawberry.enum_value(
        "NOT_FOUND", description="It is not there, it is not the caller's, or it has expired."
    )
    FORBIDDEN = strawberry.enum_value("FORBIDDEN", description="The caller may not do that.")
    INVALID_CHANGE = strawberry.enum_value(
        "INVALID_CHANGE",
        description=(
            "The change can't be staged: an unknown key, a wrong relation, a relation that keeps "
            "no order, a read-only field and the like."
        ),
    )
    VALIDATION_FAILED = strawberry.enum_value(
        "VALIDATION_FAILED", description="The cluster can't be saved as it is staged."
    )
    STALE_VERSION = strawberry.enum_value(
        "STALE_VERSION", description="`expectedVersion` is not the draft's version."
    )
    CONFLICT = strawberry.enum_value(
        "CONFLICT",
        description="Others saved what this draft changes, too; `conflicts` names both values.",
    )
    CLOSED = strawberry.enum_value(
        "CLOSED", description="The draft has been committed or discarded."
    )
    LIMIT_EXCEEDED = strawberry.enum_value(
        "LIMIT_EXCEEDED", description="The request or the draft would grow past a limit."
    )


PAYLOAD_CODES = frozenset(ErrorCode.__members__)

serve_enum(
    ConflictKind,
    "How the draft and the saved cluster disagree.",
    FIELD="Both have given a field another value.",
    DELETED="The draft has edited what others have deleted.",
    CHANGED="The draft has removed what others have changed.",
    ORDER="Both have put the children of a relation into another order.",
    UNIQUE="Both have given two nodes a value that only one may have.",
)


@strawberry.type(
    name="ClusterError", description="One thing that is wrong. Nothing was staged or saved."
)
class ClusterErrorEntry:
    """A `Problem` as a client sees it."""

    problem: strawberry.Private[Problem]

    @strawberry.field(description="For programs.")
    def code(self) -> ErrorCode:
        """Name what kind of problem it is."""
        return ErrorCode[self.problem.code.name]

    @strawberry.field(
        description=(
            "Django's own code of what is not valid, such as `required`, `unique` or "
            "`too_many_forms`; null where there is none."
        )
    )
    def reason(self) -> str | None:
        """Name Django's code."""
        return self.problem.reason

    @strawberry.field(description="For people.")
    def message(self) -> str:
        """Say what is wrong."""
        return self.problem.message

    @strawberry.field(description="The node that it is about.")
    def key(self) -> strawberry.ID | None:
        """Name the node."""
        return None if self.problem.key is None else strawberry.ID(self.problem.key)

    @strawberry.field(description="The field of the node.")
    def field(self, info: strawberry.Info) -> str | None:
        """Name the field."""
        return None if self.problem.field is None else graphql_name(info, self.problem.field)

    @strawberry.field(description="From the root: relation, key, relation, key, …, field.")
    def path(self, info: strawberry.Info) -> list[str]:
        """Lead from the root to the node or the field."""
        return graphql_path(info, self.problem.path)

    @strawberry.field(description="The index of the change in its request, from 0.")
    def change(self) -> int | None:
        """Count the change."""
        return self.problem.change


@strawberry.type(
    name="Conflict",
    description=(
        "A field or node that was changed both in the draft and in the database since the base."
    ),
)
class ConflictEntry:
    """A `Conflict` as a client sees it."""

    conflict: strawberry.Private[Conflict]
    cluster: strawberry.Private[Cluster]
    unshown: strawberry.Private[Container[str]]

    @strawberry.field(description="How the two disagree.")
    def kind(self) -> ConflictKind:
        """Name what kind of conflict it is."""
        return self.conflict.kind

    @strawberry.field(description="The node that it is about; the parent, if it is about order.")
    def key(self) -> strawberry.ID:
        """Name the node."""
        return strawberry.ID(self.conflict.key)

    @strawberry.field(description="From the root: relation, key, relation, key, ….")
    def path(self, info: strawberry.Info) -> list[str]:
        """Lead from the root to the node."""
        return graphql_path(info, self.conflict.path)

    @strawberry.field(description="The field of the node; null if it is about the whole node.")
    def field(self, info: strawberry.Info) -> str | None:
        """Name the field."""
        return None if self.conflict.field is None else graphql_name(info, self.conflict.field)

    @strawberry.field(description="The value that the draft started from.")
    def base(self) -> JSON | None:
        """Return the value of the base."""
        return self._shown(self.conflict.base)

    @strawberry.field(description="The value that is saved now.")
    def theirs(self) -> JSON | None:
        """Return the value that others saved."""
        return self._shown(self.conflict.theirs)

    @strawberry.field(description="The draft's value.")
    def mine(self) -> JSON | None:
        """Return the draft's value."""
        return self._shown(self.conflict.mine)

    def _shown(self, value: Any) -> JSON | None:
        conflict = self.conflict
        if conflict.field is None or conflict.type is None or conflict.kind is ConflictKind.ORDER:
            return None
        if conflict.field in self.unshown:
            return None
        model = self.cluster.models[conflict.type]
        shown: JSON | None = client_value(model, conflict.field, value)
        return shown


serve_enum(
    KeptReason,
    "Why a part of a change set was not undone.",
    CHANGED="Another session, or a rebase, has changed it since.",
    REMOVED="The node, or one above it, is not in the draft any more.",
)


@strawberry.type(
    name="KeptPart", description="A part of a change set that was not undone, and stays as it is."
)
class KeptEntry:
    """A `Kept` as a client sees it."""

    kept: strawberry.Private[Kept]

    @strawberry.field(description="Why it was not undone.")
    def reason(self) -> KeptReason:
        """Name the reason."""
        return self.kept.reason

    @strawberry.field(description="The node that it is about.")
    def key(self) -> strawberry.ID:
        """Name the node."""
        return strawberry.ID(self.kept.key)

    @strawberry.field(description="From the root: relation, key, relation, key, ….")
    def path(self, info: strawberry.Info) -> list[str]:
        """Lead from the root to the node, or on to the field."""
        return graphql_path(info, self.kept.path)

    @strawberry.field(description="The field; null for the whole node, or for its place.")
    def field(self, info: strawberry.Info) -> str | None:
        """Name the field."""
        return None if self.kept.field is None else graphql_name(info, self.kept.field)


def entries(error: ClusterError) -> list[ClusterErrorEntry]:
    """Return everything that is wrong."""
    return [ClusterErrorEntry(problem=problem) for problem in error.problems]


def conflict_entries(
    error: ClusterError, cluster: Cluster, registry: Registry
) -> list[ConflictEntry]:
    """Return the conflicts that an error tells of, if it does."""
    conflicts = error.conflicts if isinstance(error, ConflictError) else ()
    return conflicts_shown(conflicts, cluster, registry)


def conflicts_shown(
    conflicts: Iterable[Conflict], cluster: Cluster, registry: Registry
) -> list[ConflictEntry]:
    """Return conflicts as clients see them: without values that the types do not show."""
    hidden = unshown(registry, cluster)
    return [
        ConflictEntry(
            conflict=conflict, cluster=cluster, unshown=hidden.get(conflict.type or "", ())
        )
        for conflict in conflicts
    ]
