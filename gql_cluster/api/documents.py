"""The documents that a worker has seen to be valid, kept so that the next request finds them.

`OrderedDict` and a sum: `functools.lru_cache` bounds how many there are, and not how much they
take.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
)

from gql_cluster.api.cost import Cost, estimate, too_complex, worked_out
from gql_cluster.api.measured import NOTHING, Measure, Measured, measure
from gql_cluster.conf import Settings

_TOKEN_BYTES = 600
"""About what a token takes in memory with the nodes made of it, at most."""
_CHARACTER_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of a document: what it costs, and how many fields it has at its root."""

    type: OperationType
    cost: Cost
    roots: int


@dataclass(slots=True, kw_only=True, eq=False)
class Document:
    """A document within the limits. `rules` are those by which it is valid, if it is."""

    node: DocumentNode
    measured: Measured
    size: int
    rules: tuple[Any, ...] | None = None
    _operations: dict[str | None, Operation | None] = field(default_factory=dict)

    def operation(
        self, schema: GraphQLSchema, name: str | None, settings: Settings
    ) -> Operation | None:
        """Return an operation of this valid document; None where it has none of this name.

        Raises `GraphQLError` for a page in it that is too long, or none.
        """
        if name not in self._operations:
            found = self._found(name)
            if found is None:  # not kept: a client may ask for any name
                return None
            node, own = found
            cost = estimate(schema, self.node, node, settings)
            self._operations[name] = Operation(type=node.operation, cost=cost, roots=own.roots)
        return self._operations[name]

    def _found(self, name: str | None) -> tuple[OperationDefinitionNode, Measure] | None:
        nodes = (
            each for each in self.node.definitions if isinstance(each, OperationDefinitionNode)
        )
        for node, own in zip(nodes, self.measured.definitions, strict=False):
            if (None if node.name is None else node.name.value) == name:
                return node, own
        return None


class Documents:
    """Valid documents by their text, the least recently used forgotten first.

    What is refused is not kept, so that only documents that cost a worker their parsing and
    validation can push others out: whoever would has to send some hundred kilobytes of new ones
    each time, and what is asked for meanwhile stays.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        """Take the schema by which they are valid."""
        self.schema = schema
        self._documents: OrderedDict[str, Document] = OrderedDict()
        self._size = 0

    def get(self, text: str) -> Document | None:
        """Return what is kept of a text."""
        found = self._documents.get(text)
        if found is not None:
            self._documents.move_to_end(text)
        return found

    def keep(self, text: str, document: Document, max_bytes: int) -> None:
        """Keep a document, if there is room for it."""
        if document.size > max_bytes or text in self._documents:
            return
        self._documents[text] = document
        self._size += document.size
        while self._size > max_bytes:
            _, oldest = self._documents.popitem(last=False)
            self._size -= oldest.size


def read_document(text: str, settings: Settings, options: Mapping[str, Any]) -> Document:
    """Parse a text and measure it. Raises `GraphQLError` for what is past a limit, or no GraphQL.

    `options` are those of `graphql.parse`.
    """
    if len(text) > settings.MAX_DOCUMENT_LENGTH:
        raise too_complex(f"A document may have {settings.MAX_DOCUMENT_LENGTH} characters.")
    limits = {"max_lexical_tokens": settings.MAX_TOKENS, "max_comments": settings.MAX_TOKENS}
    node = parse(text, **{**limits, **options})
    measured = measure(node)
    check(measured, settings)
    size = _TOKEN_BYTES * _tokens(node) + _CHARACTER_BYTES * len(text)
    return Document(node=node, measured=measured, size=size)


def check(measured: Measured, settings: Settings) -> None:
    """Raise `GraphQLError` for a document that is past a limit."""
    most = _most(measured)
    for number, limit, message in (
        (measured.operations, settings.MAX_OPERATIONS, "A document may have {} operations."),
        (most.depth, settings.MAX_DEPTH, "Fields may be nested in {} levels."),
        (most.fields, settings.MAX_FIELDS, "An operation may ask for {} fields."),
        (most.aliases, settings.MAX_ALIASES, "An operation may have {} aliases."),
        (most.directives, settings.MAX_DIRECTIVES, "An operation may have {} directives."),
        (measured.input_depth, settings.MAX_INPUT_DEPTH, "Values may be nested in {} levels."),
    ):
        if number > limit:
            raise too_complex(message.format(limit))


def _most(measured: Measured) -> Measure:
    names = ("depth", "fields", "aliases", "directives")
    each = measured.definitions or [NOTHING]
    return Measure(**{name: max(getattr(one, name) for one in each) for name in names})


def check_variables(variables: Mapping[str, Any], settings: Settings) -> None:
    """Raise `GraphQLError` for variables that hold too much, or too deep."""
    level: list[Any] = [variables]
    depth = values = 0
    while level:
        if depth >= settings.MAX_INPUT_DEPTH:
            raise too_complex(f"Values may be nested in {settings.MAX_INPUT_DEPTH} levels.")
        depth += 1
        values += sum(map(len, level))
        if values > settings.MAX_INPUT_VALUES:
            raise too_complex(f"Variables may hold {settings.MAX_INPUT_VALUES} values.")
        level = [
            below
            for value in level
            for below in (value.values() if isinstance(value, dict) else value)
            if isinstance(below, dict | list)
        ]


def check_cost(operation: Operation, variables: Mapping[str, Any], settings: Settings) -> None:
    """Raise `GraphQLError` for a request that would cost too much."""
    cost = operation.cost
    if not isinstance(cost, int):
        cost = worked_out(cost, variables, settings)
    if cost > settings.MAX_COST:
        raise too_complex(
            f"This may answer with some {cost} values, and {settings.MAX_COST} is the limit: ask "
            "for shorter pages, or for fewer lists in lists."
        )


def _tokens(document: DocumentNode) -> int:
    count, token = 0, document.loc.start_token if document.loc else None
    while token is not None:
        count, token = count + 1, token.next
    return count
