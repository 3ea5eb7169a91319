"""What strangers are told of the schema: by introspection, and by errors that make suggestions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from gql_cluster import conf


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What a schema tells of itself: `INTROSPECTION` and `SUGGESTIONS`."""

    introspection: bool
    suggestions: bool

    @classmethod
    def of_settings(cls) -> Disclosure:
        """Return what the settings say now."""
        settings = conf.load()
        return cls(introspection=settings.INTROSPECTION, suggestions=settings.SUGGESTIONS)


class NoIntrospection(NoSchemaIntrospectionCustomRule):
    """Refuses a document that asks for the schema, wherever in it, once and with a code."""

    _has_told = False

    def enter_field(self, node: FieldNode, *_args: Any) -> None:
        """Look at a field."""
        if not self._has_told:
            super().enter_field(node)

    def report_error(self, error: GraphQLError) -> None:
        """Refuse."""
        self._has_told = True
        super().report_error(
            GraphQLError(
                "Introspection is not answered here.",
                error.nodes,
                extensions={"code": "INTROSPECTION_DISABLED"},
            )
        )


@cache
def validating(maxsize: int, disclosure: Disclosure) -> Callable[..., list[GraphQLError]]:
    """Return what validates documents, and keeps so many answers; one for all schemas alike.

    As Strawberry's own does, which has no switch for what graphql-core suggests, and strips one
    kind of suggestion of several when all are made. None are made here.
    """
    own: list[Any] = [MaybeNullValidationRule, OneOfInputValidationRule]
    if not disclosure.introspection:
        own.append(NoIntrospection)

    def validated(
        schema: GraphQLSchema, document: DocumentNode, rules: tuple[Any, ...]
    ) -> list[GraphQLError]:
        hide = not disclosure.suggestions
        return validate(schema, document, (*rules, *own), hide_suggestions=hide)

    return lru_cache(maxsize=maxsize)(validated)


def discreet(executor: Any, disclosure: Disclosure) -> Any:
    """Return an execution context that makes no suggestions for variables, if none are wanted."""
    if disclosure.suggestions:
        return executor

    def build(cls: Any, *args: Any, **options: Any) -> Any:
        return super(made, cls).build(*args, **{**options, "hide_suggestions": True})

    made: Any = type(executor.__name__, (executor,), {"build": classmethod(build)})
    return made
