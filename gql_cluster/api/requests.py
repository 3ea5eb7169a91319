"""What requests to change a draft have in common: their arguments, and how they are made fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import strawberry

from gql_cluster.api.enums import serve_enum
from gql_cluster.api.roots import root_field
from gql_cluster.domain.error import ConflictPolicy, InvalidChangeError

_MAX_CHANGE_ID = 200

serve_enum(
    ConflictPolicy,
    "What becomes of what both the draft and others have changed since the base.",
    FAIL="Nothing is done, and the conflicts are told.",
    MINE="What the draft has wins.",
    THEIRS="What is saved wins.",
)

DraftArgument = Annotated[
    strawberry.ID, strawberry.argument(name="draft", description="The draft's id.")
]
ExpectedVersion = Annotated[
    int | None,
    strawberry.argument(
        name="expectedVersion",
        description="Refuse with STALE_VERSION unless the draft is at this version.",
    ),
]
ChangeId = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        name="changeId",
        description="A name for the request. Sent again, it gives the first outcome again.",
    ),
]
OnConflict = Annotated[
    ConflictPolicy | None,
    strawberry.argument(
        name="onConflict", description="What becomes of what others have changed as well."
    ),
]


def mutation_field(
    name: str, resolve: Callable[..., Any], description: str, payload: Any, **arguments: Any
) -> Any:
    """Return a mutation; `arguments` are the types of those that differ by cluster."""
    resolve.__annotations__.update(arguments)
    field = strawberry.mutation(
        resolver=resolve, name=name, description=description, graphql_type=payload
    )
    return root_field(field)


def checked_change_id(change_id: str | None) -> str | None:
    """Return a change id; raises `InvalidChangeError` for one that can't be."""
    if change_id is not None and not (
        0 < len(change_id) <= _MAX_CHANGE_ID and change_id.isprintable()
    ):
        raise InvalidChangeError.of(
            f"“changeId” has to be 1 to {_MAX_CHANGE_ID} printable characters."
        )
    return change_id
