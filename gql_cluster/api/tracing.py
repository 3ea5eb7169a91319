"""Traces of operations, for OpenTelemetry: what was asked for and how long it took, and no values.

An extra: the package is only needed by who passes `Tracing` to a schema's `extensions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLResolveInfo,
    StringValueNode,
    Visitor,
    print_ast,
    visit,
)
from strawberry.extensions import LifecycleStep
from strawberry.extensions.tracing import OpenTelemetryExtension
from strawberry.extensions.tracing.utils import should_skip_tracing

from gql_cluster import logs

# All others may hold what somebody writes, or a token.
_SHOWN = {
    "draft",
    "expectedVersion",
    "expected_version",
    "first",
    "id",
    "keep_open",
    "pk",
    "version",
}
_HIDDEN = StringValueNode(value="…")


class Tracing(OpenTelemetryExtension):
    """Strawberry's, which shows documents and arguments as they are; here values are left out.

    An operation's span has the ids of its log records. A field whose value is there already has no
    span, and no coroutine.
    """

    def on_operation(self) -> Iterator[None]:  # type: ignore[override]
        """Run around an operation; also the span of one that is cancelled ends."""
        spanned = iter(super().on_operation())
        next(spanned)
        span = self._span_holder[LifecycleStep.OPERATION]
        span.set_attribute("query", "")  # until it is parsed
        try:
            yield
        finally:
            request = logs.current() or logs.Request()
            for name in logs.NAMES:
                if (value := getattr(request, name)) != logs.UNKNOWN:
                    span.set_attribute(f"gql_cluster.{name}", value)
            next(spanned, None)

    def on_parse(self) -> Iterator[None]:  # type: ignore[override]
        """Run around parsing; then the document can be shown."""
        for _ in super().on_parse():
            yield
        if (document := self.execution_context.graphql_document) is not None:
            self._span_holder[LifecycleStep.OPERATION].set_attribute("query", outline(document))

    def filter_resolver_args(
        self, args: dict[str, Any], info: GraphQLResolveInfo[Any]
    ) -> dict[str, Any]:
        """Return the arguments that may be shown."""
        del info
        return {name: value for name, value in args.items() if name in _SHOWN}

    def resolve(
        self,
        _next: Callable[..., Any],
        root: Any,
        info: GraphQLResolveInfo[Any],
        *args: str,
        **kwargs: Any,
    ) -> Any:
        """Resolve a field, in a span if it has work to do."""
        if should_skip_tracing(_next, info):
            return _next(root, info, *args, **kwargs)
        return super().resolve(_next, root, info, *args, **kwargs)


@lru_cache(maxsize=1000)
def outline(document: DocumentNode) -> str:
    """Return a document without what its literals say."""
    return print_ast(visit(document, _Hiding()))


class _Hiding(Visitor):
    """Puts the same in the place of every number and text."""

    def leave_int_value(self, *_: Any) -> StringValueNode:
        return _HIDDEN

    def leave_float_value(self, *_: Any) -> StringValueNode:
        return _HIDDEN

    def leave_string_value(self, *_: Any) -> StringValueNode:
        return _HIDDEN
