"""What strangers are told of the schema: by introspection, and by errors that make suggestions."""

from __future__ import annotations

from typing import Any

from graphql import FieldNode, GraphQLError, NoSchemaIntrospectionCustomRule


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
