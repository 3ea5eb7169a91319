"""The mutations that take any draft, whatever its cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeAlias

import strawberry

from gql_cluster.api.context import caller_of
from gql_cluster.api.payloads import DraftPayload, answered, draft_payload, refused_payload
from gql_cluster.api.requests import (
    ChangeId,
    DraftArgument,
    ExpectedVersion,
    OnConflict,
    checked_change_id,
    mutation_field,
)
from gql_cluster.api.served import Served
from gql_cluster.api.values import graphql_name
from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.service.caller import Caller
from gql_cluster.service.discard import discard
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.rebase import rebase
from gql_cluster.service.revert import reset, revert
from gql_cluster.service.undo import redo, undo

Keys = Annotated[
    list[strawberry.ID], strawberry.argument(description="The nodes to give back their base state.")
]
Fields = Annotated[
    list[str] | None,
    strawberry.argument(description="Only these fields of them; all, and the place, if absent."),
]
UndoCase: TypeAlias = Callable[..., Awaitable[Outcome]]

Version = Annotated[int, strawberry.argument(description="The version to go back to.")]


def draft_fields(served: Served) -> dict[str, Any]:
    """Return the mutations as the fields of a type."""
    made = DraftMutations(served)
    return {
        "discard_draft": made.discard_field(),
        "undo_draft": made.undo_field(
            "undoDraft",
            undo,
            "Take back the caller's own last change set; what others changed since is `kept`.",
        ),
        "redo_draft": made.undo_field(
            "redoDraft",
            redo,
            "Take back the caller's own last undo, unless it has changed anything since.",
        ),
        "revert_draft": made.revert_field(),
        "reset_nodes": made.reset_field(),
        "rebase_draft": made.rebase_field(),
    }


class DraftMutations:
    """What can be done to any draft."""

    def __init__(self, served: Served) -> None:
        """Take what is served."""
        self._served = served

    async def _answer(
        self,
        info: strawberry.Info,
        draft: str,
        work: Callable[[Caller, str], Awaitable[Outcome]],
    ) -> DraftPayload:
        async def answer() -> DraftPayload:
            outcome = await work(caller_of(info), self._served.draft_id(draft))
            return draft_payload(outcome, self._served)

        payload: DraftPayload = await answered(
            answer, lambda error: refused_payload(error, self._served, draft)
        )
        return payload

    def _python_names(
        self, info: strawberry.Info, draft: str, names: list[str] | None
    ) -> list[str] | None:
        """Return the names of fields as Python has them; one that is none stays as it is."""
        if names is None:
            return None
        cluster = self._served.cluster_of(draft)
        known = {
            graphql_name(info, name): name
            for spec in cluster.spec.nodes.values()
            for name in (*spec.fields, *spec.sets)
        }
        return [known.get(name, name) for name in names]

    def discard_field(self) -> Any:
        """Return `discardDraft`."""

        async def resolve(info: strawberry.Info, draft: DraftArgument) -> DraftPayload:
            return await self._answer(
                info,
                draft,
                lambda caller, draft_id: discard(self._served.engine, caller, draft_id),
            )

        return mutation_field(
            "discardDraft", resolve, "Drop a draft, and save nothing of it.", DraftPayload
        )

    def undo_field(self, name: str, use_case: UndoCase, description: str) -> Any:
        """Return `undoDraft` or `redoDraft`."""

        async def resolve(
            info: strawberry.Info,
            draft: DraftArgument,
            expected_version: ExpectedVersion = None,
            change_id: ChangeId = None,
        ) -> DraftPayload:
            return await self._answer(
                info,
                draft,
                lambda caller, draft_id: use_case(
                    self._served.engine,
                    caller,
                    draft_id,
                    expected_version=expected_version,
                    change_id=checked_change_id(change_id),
                ),
            )

        return mutation_field(name, resolve, description, DraftPayload)

    def revert_field(self) -> Any:
        """Return `revertDraft`."""

        async def resolve(
            info: strawberry.Info,
            draft: DraftArgument,
            version: Version,
            expected_version: ExpectedVersion = None,
            change_id: ChangeId = None,
        ) -> DraftPayload:
            return await self._answer(
                info,
                draft,
                lambda caller, draft_id: revert(
                    self._served.engine,
                    caller,
                    draft_id,
                    version,
                    expected_version=expected_version,
                    change_id=checked_change_id(change_id),
                ),
            )

        return mutation_field(
            "revertDraft",
            resolve,
            "Make the draft what it was at an earlier version, as a new version.",
            DraftPayload,
        )

    def reset_field(self) -> Any:
        """Return `resetNodes`."""

        async def resolve(  # noqa: PLR0913, PLR0917 - one request, said whole
            info: strawberry.Info,
            draft: DraftArgument,
            keys: Keys,
            fields: Fields = None,
            expected_version: ExpectedVersion = None,
            change_id: ChangeId = None,
        ) -> DraftPayload:
            return await self._answer(
                info,
                draft,
                lambda caller, draft_id: reset(
                    self._served.engine,
                    caller,
                    draft_id,
                    keys,
                    self._python_names(info, draft, fields),
                    expected_version=expected_version,
                    change_id=checked_change_id(change_id),
                ),
            )

        return mutation_field(
            "resetNodes",
            resolve,
            "Give some nodes back their base state, or only some of their fields.",
            DraftPayload,
        )

    def rebase_field(self) -> Any:
        """Return `rebaseDraft`."""

        async def resolve(
            info: strawberry.Info,
            draft: DraftArgument,
            on_conflict: OnConflict = ConflictPolicy.FAIL,
            expected_version: ExpectedVersion = None,
            change_id: ChangeId = None,
        ) -> DraftPayload:
            return await self._answer(
                info,
                draft,
                lambda caller, draft_id: rebase(
                    self._served.engine,
                    caller,
                    draft_id,
                    on_conflict or ConflictPolicy.FAIL,
                    expected_version=expected_version,
                    change_id=checked_change_id(change_id),
                ),
            )

        return mutation_field(
            "rebaseDraft",
            resolve,
            "Bring the base up to what is saved now, and keep the draft's changes.",
            DraftPayload,
        )
