"""Audiences: who hears of events by one document, with the same variables, as the same viewer.

What an event comes to is the same for all of them, and is executed once. The viewer belongs to
it: whatever resolvers and permissions can see of who asks is the same, or else it is another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from django.utils.functional import LazyObject, empty
from graphql import (
    ExecutionResult,
    GraphQLSchema,
    Node,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    visit,
)

from gql_cluster.api.events import DraftEvent
from gql_cluster.api.timed import TimedExecutor
from gql_cluster.domain.draft import Draft
from gql_cluster.service.caller import Caller
from gql_cluster.service.watch import EditorsChanged, Event

Result: TypeAlias = ExecutionResult | asyncio.Future[ExecutionResult]

_SECONDS = 1.0
"""How long a result holds: what it shows of the database may change without an event."""
# Each handshake has its own, and they say nothing of who asks.
_OF_THE_HANDSHAKE = {b"sec-websocket-key", b"sec-websocket-extensions", b"sec-websocket-version"}


class SharedData(dict[str, Any]):
    """The data of a result that several get; `text` is for whoever encodes it first."""

    text: str | None = None


@dataclass(slots=True, weakref_slot=True, eq=False)
class Audience:
    """What its results are told by. It lives as long as somebody listens."""

    operation: OperationDefinitionNode
    schema: GraphQLSchema
    results: dict[Hashable, tuple[float, Draft, Result]] = field(default_factory=dict)


_audiences: WeakValueDictionary[Hashable, Audience] = WeakValueDictionary()


class SharingExecutor(TimedExecutor):
    """Executes what happens to a draft once for each audience."""

    _audience: Audience | None = None
    _user: object = ...

    shared_as: Hashable = None

    def build_per_event_executor(self, payload: Any) -> Any:
        """Return what executes an event, or tells what it has come to for others."""
        user = _user_in(self.context_value)
        if user is not self._user:  # known anew: perhaps it is another viewer by now
            self._user = user
            self._audience = self._find_audience()
        key = None if self._audience is None else _key_of(payload)
        if self._audience is not None and key is not None:
            found = self._audience.results.get(key)
            if found is not None and _now() - found[0] < _SECONDS:
                return _Known(found[2], partial(self._executor_of, payload, None))
        return self._executor_of(payload, key)

    def _executor_of(self, payload: Any, key: Hashable) -> Any:
        made: Any = super().build_per_event_executor(payload)
        made.shared_as = key
        return made

    def execute_operation(self, serially: bool | None = None) -> Any:
        """Execute an operation; what an event comes to is kept for the audience."""
        result: Any = super().execute_operation(serially)
        if self._audience is None or self.shared_as is None:
            return result
        if isinstance(result, ExecutionResult):
            return _keep(self._audience, self.shared_as, self.root_value, result)
        return self._leading(self._audience, self.shared_as, self.root_value, result)

    async def _leading(
        self, audience: Audience, key: Hashable, told: DraftEvent, work: Awaitable[Any]
    ) -> ExecutionResult:
        """Execute for all. They do it by themselves where this one is cancelled or fails."""
        future: asyncio.Future[ExecutionResult] = asyncio.get_running_loop().create_future()
        _put(audience, key, told, future)
        try:
            result: ExecutionResult = await work
        except BaseException:
            future.cancel()
            audience.results.pop(key, None)
            raise
        result = _keep(audience, key, told, result)
        future.set_result(result)
        return result

    def _find_audience(self) -> Audience | None:
        """Return whom this one hears of events with; None for one that hears alone."""
        viewer = viewer_of(self.context_value)
        if viewer is None:
            return None
        values: Mapping[str, Any] = self.variable_values.coerced
        used = sorted(self._variables() & values.keys())
        operation = self.operation
        key = (
            id(self.schema),
            id(operation),
            viewer,
            tuple((name, repr(values[name])) for name in used),
        )
        found = _audiences.get(key)
        if found is None:
            found = _audiences[key] = Audience(operation, self.schema)
        return found

    def _variables(self) -> set[str]:
        """Return the variables that a result depends on: which draft, and since when, it says."""
        names = _Variables()
        _visit(self.operation.directives, names)
        for node in self.operation.selection_set.selections:
            for name in node.keys:
                if name != "arguments":
                    _visit(getattr(node, name, None), names)
        for fragment in self.fragment_definitions.values():
            _visit(fragment, names)
        return names.found


class _Known:
    """What stands for the executor of an event that others have executed, or are executing."""

    def __init__(self, result: Result, own: Callable[[], Any]) -> None:
        self._result = result
        self._own = own

    def execute_operation(self, serially: bool | None = None) -> Any:
        if isinstance(self._result, ExecutionResult):
            return self._result
        return self._joined(self._result, serially)

    async def _joined(
        self, future: asyncio.Future[ExecutionResult], serially: bool | None
    ) -> ExecutionResult:
        await asyncio.wait({future})
        if not future.cancelled() and not future.result().errors:
            return future.result()
        executor = self._own()
        result = executor.execute_operation(serially)
        own: ExecutionResult = await result if executor.is_awaitable(result) else result
        return own


class _Variables(Visitor):
    """Collects the names of variables."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        self.found.add(node.name.value)


def _visit(nodes: Any, names: _Variables) -> None:
    for node in nodes if isinstance(nodes, list | tuple) else [nodes]:
        if isinstance(node, Node):
            visit(node, names)


def _key_of(told: object) -> Hashable:
    """Return what tells one event from another; None for what each is told by itself.

    A snapshot shows who watches, of whom one that comes is one.
    """
    if not isinstance(told, DraftEvent):
        return None
    match told.event:
        case Event(entry=entry) if entry is not None:
            return entry.version, id(told.event.view.draft)
        case EditorsChanged(editors=editors):
            return editors, id(told.event.view.draft)
        case _:
            return None


def _keep(audience: Audience, key: Hashable, told: DraftEvent, result: Any) -> ExecutionResult:
    if result.errors or result.data is None:
        audience.results.pop(key, None)
    else:
        result = ExecutionResult(SharedData(result.data), None, result.extensions)
        _put(audience, key, told, result)
    kept: ExecutionResult = result
    return kept


def _put(audience: Audience, key: Hashable, told: DraftEvent, result: Result) -> None:
    """Keep a result for as long as it holds, with the header, so that no other gets its id."""
    began = audience.results.get(key)
    time = began[0] if began is not None else _now()  # of its begin, where it took a while
    kept = audience.results[key] = (time, told.event.view.draft, result)
    asyncio.get_running_loop().call_later(_SECONDS, _drop, audience, key, kept)


def _drop(audience: Audience, key: Hashable, kept: object) -> None:
    if audience.results.get(key) is kept:
        del audience.results[key]


def _now() -> float:
    return asyncio.get_running_loop().time()


def viewer_of(context: object) -> Hashable:
    """Return what tells one viewer from another; None for one that is like nobody else.

    Of a WebSocket that is all that its client has sent to open it, and the user that a project's
    middleware has found.
    """
    if not isinstance(context, Mapping):
        return None
    caller, socket = context.get("caller"), context.get("request")
    scope = getattr(socket, "scope", None)
    if not isinstance(caller, Caller) or not isinstance(scope, Mapping):
        return None
    headers = tuple(
        (name, value)
        for name, value in scope.get("headers", ())
        if name.lower() not in _OF_THE_HANDSHAKE
    )
    sent: Callable[[object], str] = partial(json.dumps, sort_keys=True)
    return (
        caller.session,
        _user_of(scope),
        _session_of(scope),
        headers,
        (scope.get("client") or (None,))[0],
        scope.get("path"),
        scope.get("query_string"),
        sent(context.get("connection_params")),
    )


def _user_in(context: object) -> object:
    socket = context.get("request") if isinstance(context, Mapping) else None
    scope = getattr(socket, "scope", None)
    return scope.get("user") if isinstance(scope, Mapping) else None


def _user_of(scope: Mapping[str, Any]) -> Hashable:
    """Return what a socket knows of its user, as it was when that was looked up."""
    user = _unwrapped(scope.get("user"))
    if user is empty:  # nobody has looked as yet: it may be anybody
        return id(scope)
    columns = getattr(getattr(user, "_meta", None), "concrete_fields", ())
    known = {} if user is None else vars(user)
    return type(user), repr([known.get(column.attname) for column in columns])


def _session_of(scope: Mapping[str, Any]) -> str:
    """Return what a socket has read of Django's session."""
    session = _unwrapped(scope.get("session"))
    return repr(vars(session).get("_session_cache")) if session is not None else ""


def _unwrapped(value: Any) -> Any:
    return vars(value).get("_wrapped", value) if isinstance(value, LazyObject) else value
