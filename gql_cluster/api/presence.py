"""Presence as clients see it: a draft's editors, and the mutation that moves the own focus."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry
from django.db.models import Model
from strawberry.types.base import get_object_definition

from gql_cluster.api.context import caller_of
from gql_cluster.api.requests import DraftArgument, mutation_field
from gql_cluster.api.served import Served
from gql_cluster.service.presence import set_focus
from gql_cluster.store.presence import Editor

Key = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="The key of the node; without it nothing is in focus."),
]
Field = Annotated[
    str | None, strawberry.argument(description="The field of it, as in the node's type.")
]


@strawberry.type(
    name="Editor", description="A session that watches the draft, however many tabs it has."
)
class DraftEditor:
    """An editor as a client sees it."""

    editor: strawberry.Private[Editor]

    @strawberry.field(description="The session.")
    def session_id(self) -> strawberry.ID:
        """Name the session."""
        return strawberry.ID(self.editor.session)

    @strawberry.field(description="The key of the node that it has in focus.")
    def key(self) -> strawberry.ID | None:
        """Name the node; it may have been removed since."""
        return None if self.editor.key is None else strawberry.ID(self.editor.key)

    @strawberry.field(description="The field of that node, as in the node's type.")
    def field(self) -> str | None:
        """Name the field."""
        return self.editor.field

    @strawberry.field(description="Since when it has watched.")
    def since(self) -> datetime:
        """Return when the first of its watchers came."""
        return self.editor.since

    @strawberry.field(description="Whether it is the caller's own.")
    def is_me(self, info: strawberry.Info) -> bool:
        """Tell whether the caller is this session."""
        return self.editor.session == caller_of(info).session


def draft_editors(editors: Sequence[Editor]) -> list[DraftEditor]:
    """Return editors as clients see them."""
    return [DraftEditor(editor=editor) for editor in editors]


def focus_field(served: Served) -> Any:
    """Return `setFocus`."""

    async def resolve(
        info: strawberry.Info, draft: DraftArgument, key: Key = None, field: Field = None
    ) -> bool:
        def fields_of(model: type[Model]) -> set[str]:
            definition = get_object_definition(served.registry.object_of(model), strict=True)
            converter = info.schema.config.name_converter
            return {converter.get_graphql_name(field) for field in definition.fields}

        return await set_focus(
            served.engine,
            caller_of(info),
            served.draft_id(draft),
            key,
            field,
            fields_of=fields_of,
        )

    return mutation_field(
        "setFocus",
        resolve,
        "Show the other editors which node and field the caller has in focus. True if it "
        "watches the draft; else nothing is kept.",
        bool,
    )
