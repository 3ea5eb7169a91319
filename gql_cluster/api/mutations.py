"""The mutations of drafts: three of each cluster, and those that take any draft."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any, TypedDict

import strawberry
from strawberry.scalars import JSON

from gql_cluster.api import ids
from gql_cluster.api.changes import to_changes, to_root
from gql_cluster.api.context import caller_of
from gql_cluster.api.draft_mutations import draft_fields
from gql_cluster.api.excluded import to_paths
from gql_cluster.api.inputs import InputTypes
from gql_cluster.api.payloads import Payloads, answered
from gql_cluster.api.presence import focus_field
from gql_cluster.api.requests import (
    ChangeId,
    DraftArgument,
    ExpectedVersion,
    OnConflict,
    checked_change_id,
    mutation_field,
)
from gql_cluster.api.served import Served
from gql_cluster.api.sharing import sharing_fields
from gql_cluster.api.values import graphql_name
from gql_cluster.domain.error import ConflictPolicy, InvalidChangeError, NotFoundError
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.orm.describe import Cluster
from gql_cluster.service import session
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.open import open_copy, open_new, open_saved
from gql_cluster.service.open_json import open_json
from gql_cluster.service.outcome import Outcome
from gql_cluster.service.policy import require
from gql_cluster.service.view import View

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
Json = Annotated[
    JSON | None,
    strawberry.argument(
        description=(
            "A cluster as `Draft.json` and django-modelcluster's `serializable_data()` write it: a "
            "new one, or with the `pk` of a saved one that with its differences, never resumed. "
            "What does not resolve is in `errors`, and then nothing is opened."
        )
    ),
]
Exclude = Annotated[
    list[str] | None,
    strawberry.argument(
        description=(
            "What a copy leaves out: fields and relations, of children by a path such as "
            "`albums.songs`."
        )
    ),
]
KeepOpen = Annotated[
    bool | None,
    strawberry.argument(
        description="Let the draft go on from what is saved, instead of closing it."
    ),
]


class _Source(TypedDict, total=False):
    pk: str
    draft_id: str


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
        resolver=_start_session(served),
        description=(
            "Start an editing session; its token is the session, and the user who is logged in."
        ),
    )
    for cluster in served.clusters.values():
        made = ClusterMutations(served, cluster, payloads[cluster.name])
        name = cluster.title
        body[f"open_{name}"] = made.open_field(inputs)
        body[f"edit_{name}"] = made.edit_field(inputs)
        body[f"commit_{name}"] = made.commit_field()
    body |= draft_fields(served)
    body |= sharing_fields(served)
    body["set_focus"] = focus_field(served)
    return strawberry.type(type("DraftMutation", (), body), name="Mutation")


def _start_session(served: Served) -> Callable[..., Awaitable[Session]]:
    async def start_session(info: strawberry.Info) -> Session:
        caller = caller_of(info)
        may_start = await served.engine.parts.policy.may_start(caller)
        await require(caller, allowed=may_start)
        started = session.start(await caller.user())
        return Session(
            token=started.token, id=strawberry.ID(started.id), expires_at=started.expires_at
        )

    return start_session


class ClusterMutations:
    """The mutations of one cluster's drafts."""

    def __init__(self, served: Served, cluster: Cluster, payloads: Payloads) -> None:
        """`payloads` are the cluster's."""
        self._served = served
        self._cluster = cluster
        self._payloads = payloads

    def open_field(self, inputs: InputTypes) -> Any:
        """Return `openBandDraft`."""

        async def resolve(  # noqa: PLR0913, PLR0917 - the arguments of a field
            info: strawberry.Info,
            pk: Pk = None,
            copy_of: CopyOf = None,
            data: Any = None,
            resume: Resume = True,
            json: Json = None,
            exclude: Exclude = None,
        ) -> Any:
            async def work() -> Any:
                given = [each for each in (pk, copy_of, data, json) if each is not None]
                if len(given) > 1:
                    message = "Give one of “pk”, “copyOf”, “data” and “json” at most."
                    raise InvalidChangeError.of(message)
                if exclude and copy_of is None:
                    raise InvalidChangeError.of("Only a copy leaves something out.")
                caller = caller_of(info)
                engine = self._served.engine
                if pk is not None:
                    view = await open_saved(
                        engine, caller, self._cluster, pk, resume=resume is not False
                    )
                elif copy_of is not None:
                    source = await self._source(copy_of)
                    spell = partial(graphql_name, info)
                    paths = to_paths(self._cluster.spec, exclude or (), spell)
                    view = await open_copy(engine, caller, self._cluster, **source, exclude=paths)
                elif json is not None:
                    view = await open_json(engine, caller, self._cluster, json)
                else:
                    new = to_root(self._cluster, data)
                    view = await open_new(engine, caller, self._cluster, new)
                return self._opened(view)

            return await answered(work, self._payloads.refused)

        new_type = inputs.new(self._cluster)
        return mutation_field(
            f"open{self._cluster.title}Draft",
            resolve,
            (
                "Open a draft: of a saved cluster, a copy, a new one as given, what was exported, "
                "or a new empty one."
            ),
            self._payloads.edited,
            data=Annotated[
                new_type | None,
                strawberry.argument(description="A new cluster, with all below it."),
            ],
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
                    change_id=checked_change_id(change_id),
                )
                return self._payloads.of(outcome)

            return await answered(work, self._payloads.refused)

        change: Any = inputs.change(self._cluster)
        return mutation_field(
            f"edit{self._cluster.title}Draft",
            resolve,
            "Stage changes, all of them or, with `errors`, none.",
            self._payloads.edited,
            changes=Annotated[
                list[change],
                strawberry.argument(description="Applied one after the other, or none of them."),
            ],
        )

    def commit_field(self) -> Any:
        """Return `commitBandDraft`."""

        async def resolve(  # noqa: PLR0913, PLR0917 - the arguments of a field
            info: strawberry.Info,
            draft: DraftArgument,
            expected_version: ExpectedVersion = None,
            on_conflict: OnConflict = ConflictPolicy.FAIL,
            keep_open: KeepOpen = False,
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
                    change_id=checked_change_id(change_id),
                    policy=on_conflict or ConflictPolicy.FAIL,
                    keep_open=keep_open is True,
                )
                return self._payloads.of_commit(committed)

            return await answered(work, self._payloads.refused_commit)

        return mutation_field(
            f"commit{self._cluster.title}Draft",
            resolve,
            "Save the cluster as the draft has it, in one transaction; the draft is closed then.",
            self._payloads.committed,
        )

    def _opened(self, view: View) -> Any:
        return self._payloads.of(Outcome(view=view, entry=None))

    async def _source(self, text: str) -> _Source:
        """Return what to copy: a draft, or the primary key of a saved cluster of any kind."""
        registry, model = self._served.registry, self._cluster.model
        kinds = {registry.typename_of(each): each for each in (model, *registry.kinds_of(model))}
        match self._served.parse(text):
            case ids.DraftId(cluster=cluster, draft=draft) if cluster == self._cluster.title:
                return {"draft_id": draft}
            case ids.NodeId(cluster=cluster, draft=draft, key=key) if (
                cluster == self._cluster.title and key == ROOT_KEY
            ):
                return {"draft_id": draft}
            case ids.SavedId(type=name, pk=pk) if name in kinds and issubclass(
                await self._served.model_of_root(self._cluster, pk), kinds[name]
            ):
                return {"pk": pk}
            case ids.DraftId() | ids.NodeId():
                raise NotFoundError.of(f"That is no {self._cluster.title} to copy.")
            case _:
                return {"pk": text}
