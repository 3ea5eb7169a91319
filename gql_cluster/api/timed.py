"""Events that take too long to be told: that is said instead, and the subscription goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, cast

from graphql import ExecutionResult, GraphQLError, GraphQLSchema
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import GraphQLCoreConverter

from gql_cluster.domain.error import ErrorCode

if TYPE_CHECKING:
    from gql_cluster.api.schema import Schema
    from gql_cluster.conf import Settings


def timed_out() -> GraphQLError:
    """Return the error of an operation that took too long."""
    return GraphQLError(
        "This took too long, and was given up. A mutation may have been carried out, or may still "
        "be: sent again with the same `changeId` it gives its outcome, and is not done twice.",
        extensions={"code": ErrorCode.TIMEOUT.value},
    )


class TimedExecutor(StrawberryGraphQLCoreExecutionContext):
    """Executes each event of a subscription within `OPERATION_TIMEOUT`.

    What is wrong with variables it tells without suggestions, if `SUGGESTIONS` are off.
    """

    _is_event = False

    @classmethod
    def build(cls, schema: GraphQLSchema, *args: Any, **options: Any) -> Any:
        """Return what executes an operation, or what is wrong with it."""
        options["hide_suggestions"] = not _settings_of(schema).SUGGESTIONS
        return super().build(schema, *args, **options)

    def build_per_event_executor(self, payload: Any) -> Any:
        """Return what executes an event."""
        made: Any = super().build_per_event_executor(payload)
        made._is_event = True  # noqa: SLF001 - of the same class
        return made

    def execute_operation(self, serially: bool | None = None) -> Any:
        """Execute an operation; an event no longer than it may take."""
        result: Any = super().execute_operation(serially)
        if not self._is_event or isinstance(result, ExecutionResult):
            return result
        return _within(result, _settings_of(self.schema).OPERATION_TIMEOUT)


def _settings_of(schema: GraphQLSchema) -> Settings:
    own = cast("Schema", schema.extensions[GraphQLCoreConverter.DEFINITION_BACKREF])
    return own.engine.parts.settings


async def _within(work: Awaitable[ExecutionResult], seconds: float) -> ExecutionResult:
    try:
        async with asyncio.timeout(seconds or None) as timeout:
            return await work
    except TimeoutError:
        if not timeout.expired():
            raise
        return ExecutionResult(None, [timed_out()])
