"""Validation that ends soon, whatever the document.

It compares so many fields, and finds so many errors, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphql import ASTValidationRule, GraphQLError, GraphQLSchema, validate
from graphql.validation import OverlappingFieldsCanBeMergedRule, ValidationContext
from graphql.validation.validate import ValidationAbortedError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gql_cluster.api.cost import too_complex
from gql_cluster.api.disclosure import NoIntrospection
from gql_cluster.api.documents import Document
from gql_cluster.conf import Settings

_STRAWBERRY = (MaybeNullValidationRule, OneOfInputValidationRule)
_LONGEST = 500
"""Of a message: graphql-core prints the value that is wrong, whole."""


def validated(
    schema: GraphQLSchema,
    document: Document,
    rules: tuple[type[ASTValidationRule], ...],
    settings: Settings,
) -> list[GraphQLError]:
    """Return what is wrong with a document. One that is valid by these rules knows it from then on.

    Strawberry can't tell `validate` how many errors are enough, and to suggest nothing; these are
    its rules.
    """
    if document.rules == rules:
        return []
    own = _STRAWBERRY if settings.INTROSPECTION else (*_STRAWBERRY, NoIntrospection)
    errors = validate(
        schema,
        document.node,
        [_bounded(rule, settings) for rule in (*rules, *own)],
        max_errors=settings.MAX_ERRORS,
        hide_suggestions=not settings.SUGGESTIONS,
    )
    if not errors:
        document.rules = rules
    return _coded(errors)


def _bounded(rule: type[ASTValidationRule], settings: Settings) -> type[ASTValidationRule]:
    if rule is not OverlappingFieldsCanBeMergedRule:
        return rule

    class Bounded(OverlappingFieldsCanBeMergedRule):
        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = settings.MAX_COMPARISONS

    return Bounded


def _coded(errors: Sequence[GraphQLError]) -> list[GraphQLError]:
    """Return the errors with codes; where validation was given up for what it costs, that alone."""
    found = []
    for error in errors:
        if isinstance(error, ValidationAbortedError):
            if not error.message.startswith("Too many"):
                return [
                    too_complex("Its fields and fragments overlap too often, or nest too deep.")
                ]
            found.append(_with(error, "There are more errors than these."))
        else:
            found.append(_with(error, _short(error.message)))
    return found


def _with(error: GraphQLError, message: str) -> GraphQLError:
    extensions = {"code": "GRAPHQL_VALIDATION_FAILED", **(error.extensions or {})}
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )


def _short(message: str) -> str:
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
