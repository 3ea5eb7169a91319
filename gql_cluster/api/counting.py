"""Counting operations by what came of them."""

from __future__ import annotations

from typing import Any

from graphql import GraphQLError
from graphql import OperationType as Kind
from strawberry.extensions.context import StreamResultContextManager
from strawberry.extensions.runner import SchemaExtensionsRunner
from strawberry.types import ExecutionContext, StreamExecutionResult
from strawberry.types.graphql import OperationType

from gql_cluster import metrics

NO_OPERATION = "none"
"""The type of what could not be read."""
_SUBSCRIPTION = OperationType.SUBSCRIPTION
_STREAMED = _SUBSCRIPTION.value
_NAMES = {id(kind): kind.value for kind in Kind}
"""By identity: the hash of an enum's member, and its value, are Python code."""


class CountingRunner(SchemaExtensionsRunner):
    """Counts where Strawberry asks extensions for what they add to a result.

    An extension of our own would cost each operation more than all its counting does.
    """

    async def get_extensions_results(self, ctx: ExecutionContext) -> dict[str, Any]:
        """Count an operation that has ended; a subscription goes on, and is counted below.

        So is what fails on a stream, where subscriptions are allowed: for that Strawberry asks
        twice, first before there is a code.
        """
        kind, errors = _kind_of(ctx), ctx.pre_execution_errors
        if kind != _STREAMED and not (
            errors and OperationType.SUBSCRIPTION in ctx.allowed_operations
        ):
            _count(kind, errors)
        return await super().get_extensions_results(ctx)

    def on_stream_result(self, result: StreamExecutionResult) -> StreamResultContextManager:
        """Count a result of a subscription, or that an operation has failed."""
        kind, errors = _kind_of(self.execution_context), getattr(result, "errors", None)
        if errors or kind == _STREAMED:
            _count(kind, errors)
        return super().on_stream_result(result)


def _kind_of(context: ExecutionContext) -> str:
    document = context.graphql_document
    if document is not None and len(document.definitions) == 1:
        # As most are; the general way takes longer than all the counting of an edit.
        first: Any = document.definitions[0]
        name = _NAMES.get(id(getattr(first, "operation", None)))
        if name is not None:
            # Empty is but what stands in for a document that could not be read.
            return name if first.selection_set.selections else NO_OPERATION
    try:
        return str(context.operation_type.value)
    except RuntimeError:
        return NO_OPERATION


def _count(kind: str, errors: list[GraphQLError] | None) -> None:
    code = "OK"
    if errors:
        code = str((errors[0].extensions or {}).get("code", "UNKNOWN"))
    metrics.requests[kind, code] += 1
