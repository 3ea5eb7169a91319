"""The schema: every root of the engine, with the project's own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.exceptions import DuplicatedTypeName, MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.tools import merge_types
from strawberry.types import ExecutionContext
from strawberry.types.base import get_object_definition
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gql_cluster import metrics
from gql_cluster.api.audience import SharingExecutor
from gql_cluster.api.context import caller_in
from gql_cluster.api.counting import NO_OPERATION, CountingRunner
from gql_cluster.api.descriptions import describe_libraries
from gql_cluster.api.documents import Documents
from gql_cluster.api.drafts import make_draft_type
from gql_cluster.api.events import EVENTS
from gql_cluster.api.failures import coded
from gql_cluster.api.inputs import InputTypes
from gql_cluster.api.limits import Limits
from gql_cluster.api.mutations import make_mutation
from gql_cluster.api.names import InputNames, require_distinct_fields
from gql_cluster.api.optimizing import make_optimizer
from gql_cluster.api.payloads import make_payloads
from gql_cluster.api.queries import make_query
from gql_cluster.api.registry import Registry
from gql_cluster.api.saved import saved_fields
from gql_cluster.api.served import Served
from gql_cluster.api.subscriptions import make_subscription
from gql_cluster.api.timed import TimedExecutor
from gql_cluster.domain.error import DatabaseUnavailableError, UnauthenticatedError
from gql_cluster.improper import SetupError
from gql_cluster.service.engine import Engine

Extension = type[SchemaExtension] | Callable[[], SchemaExtension]


class Schema(strawberry.Schema):
    """The GraphQL schema of some clusters, made once.

    `clusters` are root models, or types declared for them with `gql_cluster.type`. All else is
    as `strawberry.Schema` takes it: roots of the project's own are merged with the engine's,
    its extensions come before the engine's. Every error gets a code.
    """

    def __init__(  # noqa: PLR0913 - all by name, as in strawberry.Schema
        self,
        *,
        clusters: Sequence[type],
        query: type | None = None,
        mutation: type | None = None,
        subscription: type | None = None,
        types: Iterable[Any] = (),
        extensions: Iterable[Extension] = (),
        **options: Any,
    ) -> None:
        """Raise `SetupError`, an `ImproperlyConfigured`, for what can't be one schema."""
        self.registry = registry = Registry(clusters)
        self.engine = Engine(registry.clusters)
        served = Served(registry, self.engine)
        for name, cluster in registry.clusters.items():
            served.drafts[name] = make_draft_type(cluster, served)
        payloads = {
            name: make_payloads(cluster, served) for name, cluster in registry.clusters.items()
        }
        drafts = make_query(served)
        inputs = InputTypes(InputNames(registry.clusters, registry.name_of))
        try:
            super().__init__(
                query=_merged("Query", query, _saved_query(registry, drafts), drafts),
                mutation=_merged("Mutation", mutation, make_mutation(served, inputs, payloads)),
                subscription=_merged("Subscription", subscription, make_subscription(served)),
                types=[*registry.types, *served.drafts.values(), *EVENTS, *types],
                extensions=[*extensions, *_extensions()],
                **{"execution_context_class": SharingExecutor, **options},
            )
        except GraphQLError as exc:
            raise SetupError(
                "E017",
                exc.message,
                hint="Rename the field, whose column `db_column` keeps; or give a model's type "
                "another name by gql_cluster.type.",
            ) from exc
        except DuplicatedTypeName as exc:
            raise SetupError(
                "E009",
                f"{exc.message}: perhaps a model is called like a type that every schema of "
                "gql_cluster has.",
                hint="Declare it with gql_cluster.type and give it another name.",
            ) from exc

        if any(_sees_results(extension) for extension in self.get_extensions()):
            self.execution_context_class = options.get("execution_context_class", TimedExecutor)
        self.documents = Documents(self._schema)
        describe_libraries(self._schema)
        require_distinct_fields(self)

    async def execute(self, *args: Any, **options: Any) -> Any:
        """Execute a query or a mutation; a subscription is refused, as it has no one result."""
        allowed = set(options.pop("allowed_operation_types", None) or OperationType)
        options["allowed_operation_types"] = allowed - {OperationType.SUBSCRIPTION}
        try:
            return await super().execute(*args, **options)
        except (CannotGetOperationTypeError, InvalidOperationTypeError, MissingQueryError):
            metrics.requests[NO_OPERATION, "BAD_REQUEST"] += 1
            raise

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> CountingRunner:
        """Return what runs the extensions of one operation, and counts what comes of it."""
        return CountingRunner(execution_context, extensions)

    async def stream(self, *args: Any, **options: Any) -> Any:
        """Execute what comes over a socket, for who its client is now, not as it was at connect."""
        refused = await _refused(options.get("context_value"))
        return await super().stream(*args, **options) if refused is None else _only(refused)

    def process_errors(
        self,
        errors: list[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        """Give every error its code, in place, and log those that are the server's fault.

        Strawberry calls this for every operation on every transport, before any extension sees
        the errors; an extension would not be asked about what other extensions raise.
        """
        del execution_context
        errors[:] = [coded(error) for error in errors]


async def _refused(context: object) -> PreExecutionError | None:
    """Return the refusal of a socket's client that is nobody any more, None for any other."""
    if not isinstance(context, Mapping):
        return None  # one request, of which the transport has just seen who asks
    try:
        await caller_in(context).user()
    except (UnauthenticatedError, DatabaseUnavailableError) as exc:
        return PreExecutionError(data=None, errors=[coded(GraphQLError("", original_error=exc))])
    return None


async def _only(result: PreExecutionError) -> AsyncGenerator[PreExecutionError, None]:
    yield result


def _sees_results(extension: SchemaExtension) -> bool:
    """Tell whether an extension may change the results of a subscription: then none is shared."""
    return type(extension).on_stream_result is not SchemaExtension.on_stream_result


def _extensions() -> list[Extension]:
    return [Limits, make_optimizer]


def _saved_query(registry: Registry, drafts: type) -> type:
    """Return the fields of what is saved; `drafts` has those of the engine beside it."""
    body: dict[str, Any] = {"__module__": __name__}
    engine = {field.python_name for field in get_object_definition(drafts, strict=True).fields}
    for cluster in registry.clusters.values():
        fields = saved_fields(registry, cluster)
        taken = sorted(fields.keys() & (body.keys() | engine))
        if taken:
            raise SetupError(
                "E018",
                f"{cluster.label} would be asked for by “{taken[0]}”, as something else is.",
                hint="Give the model another verbose_name_plural.",
            )
        body |= fields
    return strawberry.type(type("SavedQuery", (), body), name="Query")


def _merged(name: str, *parts: type | None) -> type:
    given = tuple(part for part in parts if part is not None)
    merged: type = merge_types(name, given) if len(given) > 1 else given[0]
    return merged
