"""The limits of an operation, on every transport: what it asks for, how often, and how long.

A document that this worker has seen costs a look into a dictionary. What is past a limit is never
executed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSyntaxError,
    NameNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)
from strawberry.extensions import SchemaExtension
from strawberry.types.graphql import OperationType as StrawberryOperationType

from gql_cluster.api.context import caller_in
from gql_cluster.api.cost import too_complex
from gql_cluster.api.documents import (
    Document,
    Operation,
    check,
    check_cost,
    check_variables,
    read_document,
)
from gql_cluster.api.measured import measure
from gql_cluster.api.timed import timed_out
from gql_cluster.api.validated import validated
from gql_cluster.domain.error import ErrorCode

if TYPE_CHECKING:
    from gql_cluster.api.schema import Schema
    from gql_cluster.conf import Settings


class Limits(SchemaExtension):
    """Parses, validates and executes within the limits of the settings.

    An exception in a hook would end a stream unanswered, up to its execution. What is refused
    before that is put where the errors of validation are, and a stand-in is put for a document
    that there is none of.
    """

    _document: Document | None = None
    _operation: Operation | None = None

    @cached_property
    def _schema(self) -> Schema:
        return cast("Schema", self.execution_context.schema)

    @cached_property
    def _settings(self) -> Settings:
        return self._schema.engine.parts.settings

    def on_parse(self) -> Iterator[None]:
        """Run before parsing, which then has nothing left to do."""
        context = self.execution_context
        try:
            self._document = self._read(context.query or "")
            context.graphql_document = self._document.node
        except GraphQLError as error:
            context.graphql_document = _stand_in(
                context.operation_name, next(iter(context.allowed_operations))
            )
            context.pre_execution_errors = [_refusal(error)]
        yield

    def on_validate(self) -> Iterator[None]:
        """Run before validation, which then has nothing left to do."""
        context = self.execution_context
        document = self._document
        if document is not None and context.pre_execution_errors is None:
            try:
                context.pre_execution_errors = self._validated(document)
            except GraphQLError as error:
                context.pre_execution_errors = [error]
            except RecursionError:
                context.pre_execution_errors = [too_complex("The document is nested too deeply.")]
        yield

    async def on_execute(self) -> AsyncIterator[None]:
        """Run around execution, and around the beginning of a subscription."""
        settings, operation = self._settings, self._operation
        if operation is not None and operation.type is OperationType.MUTATION:
            caller = caller_in(self.execution_context.context)
            wait = await self._schema.engine.parts.rates.take(caller, operation.roots)
            if wait is not None:
                raise _too_fast(wait)
        try:
            async with asyncio.timeout(settings.OPERATION_TIMEOUT or None) as timeout:
                yield
        except TimeoutError as exc:
            if not timeout.expired():
                raise
            raise timed_out() from exc

    def _read(self, text: str) -> Document:
        context, schema = self.execution_context, self._schema
        if context.graphql_document is not None:  # another extension has parsed it
            node = context.graphql_document
            measured = measure(node)
            check(measured, self._settings)
            return Document(node=node, measured=measured, size=0)
        return schema.documents.get(text) or read_document(
            text, self._settings, cast("Mapping[str, Any]", context.parse_options)
        )

    def _validated(self, document: Document) -> list[GraphQLError]:
        context, schema, settings = self.execution_context, self._schema, self._settings
        errors = validated(schema.documents.schema, document, context.validation_rules, settings)
        if errors:
            return errors
        if document.measured.operations > 1 and vars(context)["_provided_operation_name"] is None:
            return [_ambiguity()]
        if context.query is not None and document.size:
            schema.documents.keep(context.query, document, settings.DOCUMENT_CACHE_BYTES)
        variables = context.variables or {}
        if variables:
            check_variables(variables, settings)
        operation = document.operation(schema.documents.schema, context.operation_name, settings)
        if operation is not None:
            check_cost(operation, variables, settings)
            self._operation = operation
        return []


def _ambiguity() -> GraphQLError:
    """Return the error of a document with several operations, none of which is named.

    GraphQL (GetOperation) wants it; Strawberry would execute the first.
    """
    message = "The document has several operations: one has to be named."
    return GraphQLError(message, extensions={"code": "OPERATION_RESOLUTION_FAILURE"})


def _too_fast(wait: float) -> GraphQLError:
    code = ErrorCode.LIMIT_EXCEEDED.value
    if wait == inf:
        return GraphQLError("There are too many mutations in this.", extensions={"code": code})
    return GraphQLError(
        "Too many mutations were sent. Wait as long as `retryAfter` says, in seconds.",
        extensions={"code": code, "retryAfter": wait},
    )


def _refusal(error: GraphQLError) -> GraphQLError:
    """Return what tells a document that is too long or too deep from one that is not GraphQL."""
    if isinstance(error, GraphQLSyntaxError) and error.message.endswith("Parsing aborted."):
        message = error.message.removeprefix("Syntax Error: ").removesuffix(" Parsing aborted.")
        return too_complex(message)
    return error


def _stand_in(name: str | None, kind: StrawberryOperationType) -> DocumentNode:
    """Return a document with an operation of this kind, which may be sent and is not executed."""
    operation = OperationDefinitionNode(
        operation=OperationType(kind.value),
        name=None if name is None else NameNode(value=name),
        selection_set=SelectionSetNode(selections=()),
    )
    return DocumentNode(definitions=(operation,))
