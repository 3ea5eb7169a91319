"""The mutations of drafts: three of each cluster, and those that take any draft."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import strawberry

from gql_cluster.api import ids
from gql_cluster.api.changes import to_changes, to_root
from gql_cluster.api.context import caller_of
from gql_cluster.api.errors import entries
from gql_cluster.api.events import event_of
from gql_cluster.api.inputs import InputTypes
from gql_cluster.api.payloads import DraftPayload, Payloads, answered
from gql_cluster.api.roots import root_field
from gql_cluster.api.served import Served
from gql_cluster.domain.error import InvalidChangeError, NotFoundError
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.orm.describe import Cluster
from gql_cluster.service import session
from gql_cluster.service.commit import commit
from gql_cluster.service.discard import discard
from gql_cluster.service.edit import edit
from gql_cluster.service.open import open_copy, open_new, open_saved
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.view import View

_MAX_CHANGE_ID = 200

Pk = Annotated[
    strawberry.ID | None, strawberry.argument(description="Which saved cluster to open.")
]
CopyOf = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description="Which one to copy: the id of a draft or of a saved cluster, or its pk."
    ),
]
Resume = Annotated[
    bool | None,
    strawberry.argument(description="Return the session's own open draft, if there is one."),
]
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


@strawberry.type(description="An editing session, for clients without cookies.")
class Session:
    """A session that was started."""

    token: str = strawberry.field(
        description="Sent as `Authorization: Bearer …`, as a header or in `connection_init`."
    )
    id: strawberry.ID = strawberry.field(description="What others see of the session.")
    expires_at: datetime = strawberry.field(description="When the token expires.")


def make_mutation(served: Served, inputs: InputTypes, payloads: dict[str, Payloads]) -> type:
    """Return every mutation of the engine as a type."""
    body: dict[str, Any] = {"__module__": __name__, "__annotations__": {}}
    body["start_session"] = strawberry.mutation(
        resolver=_start_session, description="Start an editing session; its token is the session."
    )
    for cluster in served.clusters.values():
        made = ClusterMutations(served, cluster, payloads[cluster.name])
        name = cluster.name
        body[f"open_{name}"] = made.open_field(inputs)
        body[f"edit_{name}"] = made.edit_field(inputs)
        body[f"commit_{name}"] = made.commit_field()
    body["discard_draft"] = _discard_field(served)
    return strawberry.type(type("DraftMutation", (), body), name="Mutation")


def _start_session() -> Session:
    started = session.start()
    return Session(token=started.token, id=strawberry.ID(started.id), expires_at=started.expires_at)


class ClusterMutations:
    """The mutations of one cluster's drafts."""

    def __init__(self, served: Served, cluster: Cluster, payloads: Payloads) -> None:
        """`payloads` are the cluster's."""
        self._served = served
        self._cluster = cluster
        self._payloads = payloads

    def open_field(self, inputs: InputTypes) -> Any:
        """Return `openBandDraft`."""

        async def resolve(
            info: strawberry.Info,
            pk: Pk = None,
            copy_of: CopyOf = None,
            data: Any = None,
            resume: Resume = True,
        ) -> Any:
            async def work() -> Any:
                given = [each for each in (pk, copy_of, data) if each is not None]
                if len(given) > 1:
                    raise InvalidChangeError.of("Give one of “pk”, “copyOf” and “data” at most.")
                caller = caller_of(info)
                engine = self._served.engine
                if pk is not None:
                    view = await open_saved(
                        engine, caller, self._cluster, pk, resume=resume is not False
                    )
                elif copy_of is not None:
                    source = self._source(copy_of)
                    view = await open_copy(engine, caller, self._cluster, **source)
                else:
                    new = to_root(self._cluster, data)
                    view = await open_new(engine, caller, self._cluster, new)
                return self._opened(view)

            return await answered(work, self._payloads.refused)

        new_type = inputs.new(self._cluster)
        return _field(
            f"open{self._cluster.name}Draft",
            resolve,
            "Open a draft: of a saved cluster, a copy, a new one as given, or a new empty one.",
            self._payloads.edited,
            data=new_type | None,
        )

    def edit_field(self, inputs: InputTypes) -> Any:
        """Return `editBandDraft`."""

        async def resolve(
            info: strawberry.Info,
            draft: DraftArgument,
            changes: Any,
            expected_version: ExpectedVersion = None,
            change_id: ChangeId = None,
        ) -> Any:
            async def work() -> Any:
                draft_id = self._served.draft_id(draft, self._cluster)
                outcome = await edit(
                    self._served.engine,
                    caller_of(info),
                    self._cluster,
                    draft_id,
                    to_changes(self._cluster, changes),
                    expected_version=expected_version,
                    change_id=_checked(change_id),
                )
                return self._payloads.of(outcome)

            return await answered(work, self._payloads.refused)

        change: Any = inputs.change(self._cluster)
        return _field(
            f"edit{self._cluster.name}Draft",
            resolve,
            "Stage changes, all of them or, with `errors`, none.",
            self._payloads.edited,
            changes=list[change],
        )

    def commit_field(self) -> Any:
        """Return `commitBandDraft`."""

        async def resolve(
            info: strawberry.Info,
            draft: DraftArgument,
            expected_version: ExpectedVersion = None,
            change_id: ChangeId = None,
        ) -> Any:
            async def work() -> Any:
                draft_id = self._served.draft_id(draft, self._cluster)
                committed = await commit(
                    self._served.engine,
                    caller_of(info),
                    self._cluster,
                    draft_id,
                    expected_version=expected_version,
                    change_id=_checked(change_id),
                )
                return self._payloads.of_commit(committed)

            return await answered(work, self._payloads.refused_commit)

        return _field(
            f"commit{self._cluster.name}Draft",
            resolve,
            "Save the cluster as the draft has it, in one transaction, and close the draft.",
            self._payloads.committed,
        )

    def _opened(self, view: View) -> Any:
        return self._payloads.of(Outcome(view=view, entry=None))

    def _source(self, text: str) -> dict[str, str]:
        """Return what to copy: a draft, or the primary key of a saved cluster."""
        type_name = self._served.registry.name_of(self._cluster.model)
        match self._served.parse(text):
            case ids.DraftId(cluster=cluster, draft=draft) if cluster == self._cluster.name:
                return {"draft_id": draft}
            case ids.NodeId(cluster=cluster, draft=draft, key=key) if (
                cluster == self._cluster.name and key == ROOT_KEY
            ):
                return {"draft_id": draft}
            case ids.SavedId(type=name, pk=pk) if name == type_name:
                return {"pk": pk}
            case ids.DraftId() | ids.NodeId():
                raise NotFoundError.of(f"That is no {self._cluster.name} to copy.")
            case _:
                return {"pk": text}


def _discard_field(served: Served) -> Any:
    async def resolve(info: strawberry.Info, draft: DraftArgument) -> DraftPayload:
        async def work() -> DraftPayload:
            outcome = await discard(served.engine, caller_of(info), served.draft_id(draft))
            return DraftPayload(draft=served.draft(outcome.view), event=event_of(outcome, served))

        payload: DraftPayload = await answered(
            work, lambda error: DraftPayload(errors=entries(error))
        )
        return payload

    return _field("discardDraft", resolve, "Drop a draft, and save nothing of it.", DraftPayload)


def _field(
    name: str, resolve: Callable[..., Any], description: str, payload: Any, **arguments: Any
) -> Any:
    """Return a mutation; `arguments` are the types of those that differ by cluster."""
    resolve.__annotations__.update(arguments)
    field = strawberry.mutation(
        resolver=resolve, name=name, description=description, graphql_type=payload
    )
    return root_field(field)


def _checked(change_id: str | None) -> str | None:
    if change_id is not None and not (
        0 < len(change_id) <= _MAX_CHANGE_ID and change_id.isprintable()
    ):
        raise InvalidChangeError.of(
            f"“changeId” has to be 1 to {_MAX_CHANGE_ID} printable characters."
        )
    return change_id
