"""What an operation may cost: how many values its answer is estimated to have.

Each field is one, and what is below a list is counted as often as the list is long: as long as its
page, or `LIST_SIZE` where none is given. What depends on variables is kept as a sum to work out
with each request; all else of it is a number already.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NullValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
)
from graphql.type import SchemaMetaFieldDef, TypeMetaFieldDef

from gql_cluster.api.introspected import lengths
from gql_cluster.conf import Settings

TOO_COMPLEX = "QUERY_TOO_COMPLEX"
_PAGE_ARGUMENTS = ("first", "last", "limit")
_DIGITS = 20
"""Python takes its time for a number of many thousand digits, or refuses it."""
_META = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}


@dataclass(frozen=True, slots=True, eq=False)
class _Given:
    """A page as long as a variable says, or a member of it; `argument` is what it is given to."""

    variable: str
    argument: str
    default: Any = None
    member: str | None = None


Length: TypeAlias = int | _Given


@dataclass(frozen=True, slots=True, eq=False)
class _Sum:
    """Values, and others as often as a list is long."""

    values: int
    lists: Sequence[tuple[Length, Cost]]


Cost: TypeAlias = int | _Sum


def too_complex(message: str) -> GraphQLError:
    """Return the error of a document or a request that asks for too much."""
    return GraphQLError(message, extensions={"code": TOO_COMPLEX})


def estimate(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    settings: Settings,
) -> Cost:
    """Return what an operation of a valid document costs.

    Raises `GraphQLError` for a page that is too long, or none.
    """
    return _Estimate(
        schema=schema,
        settings=settings,
        lengths=lengths(schema),
        fragments={
            each.name.value: each
            for each in document.definitions
            if isinstance(each, FragmentDefinitionNode)
        },
        defaults={
            each.variable.name.value: _constant(each.default_value)
            for each in operation.variable_definitions or ()
        },
    ).of(operation.selection_set, schema.get_root_type(operation.operation), None)


def worked_out(cost: Cost, variables: Mapping[str, Any], settings: Settings) -> int:
    """Return what a request costs. Raises `GraphQLError` for a page that is too long, or none."""
    known: dict[_Sum, int] = {}

    def of(cost: Cost) -> int:
        if isinstance(cost, int):
            return cost
        if cost not in known:
            known[cost] = cost.values + sum(
                _length(length, variables, settings) * of(below) for length, below in cost.lists
            )
        return known[cost]

    return of(cost)


@dataclass(slots=True, kw_only=True)
class _Estimate:
    """The walk over one operation; what a fragment costs is told once for each list it is in."""

    schema: GraphQLSchema
    settings: Settings
    fragments: Mapping[str, FragmentDefinitionNode]
    defaults: Mapping[str, Any]
    lengths: Mapping[tuple[str, str], int]
    known: dict[tuple[str, Length | None], Cost] = field(default_factory=dict)

    def of(
        self, selections: SelectionSetNode, above: GraphQLNamedType | None, page: Length | None
    ) -> Cost:
        """Return what some selections cost; `page` is that of a connection which they are of."""
        values = 0
        lists: list[tuple[Length, Cost]] = []
        for node in selections.selections:
            match node:
                case FieldNode():
                    values += 1
                    if node.selection_set is not None:
                        lists.append(self._below(node, node.selection_set, above, page))
                case InlineFragmentNode(type_condition=named, selection_set=below):
                    kind = above if named is None else self.schema.get_type(named.name.value)
                    lists.append((1, self.of(below, kind, page)))
                case FragmentSpreadNode(name=name):
                    lists.append((1, self._of_fragment(name.value, page)))
                case _:
                    pass
        return _added(values, lists)

    def _of_fragment(self, name: str, page: Length | None) -> Cost:
        key = name, page
        if key not in self.known:
            fragment = self.fragments[name]
            kind = self.schema.get_type(fragment.type_condition.name.value)
            self.known[key] = self.of(fragment.selection_set, kind, page)
        return self.known[key]

    def _below(
        self,
        node: FieldNode,
        selections: SelectionSetNode,
        above: GraphQLNamedType | None,
        page: Length | None,
    ) -> tuple[Length, Cost]:
        definition = _definition(node, above)
        kind = None if definition is None else get_named_type(definition.type)
        own = self._page(node, definition)
        if node.name.value == "ofType" and kind is not None and kind.name == "__Type":
            return 1, len(selections.selections)  # few types are wrapped more than once or twice
        if definition is not None and _is_list(definition):
            known = self.lengths.get(("" if above is None else above.name, node.name.value))
            lengths = (known, own, page, self.settings.LIST_SIZE)
            length = next(each for each in lengths if each is not None)
            return length, self.of(selections, kind, None)
        # A connection: its page is that of the list in it, and looked at where there is none.
        below = self.of(selections, kind, own)
        return 1, _Sum(0, [(1, below), (own, 0)]) if isinstance(own, _Given) else below

    def _page(self, node: FieldNode, definition: GraphQLField | None) -> Length | None:
        """Return how long the page is that a field is asked for; None where it is for none."""
        if definition is None:
            return None
        given = {each.name.value: each.value for each in node.arguments or ()}
        for name in _PAGE_ARGUMENTS:
            if name in definition.args and name in given:
                length = self._given(given[name], name)
                if length is not None:
                    return length
        if "pagination" in definition.args and "pagination" in given:
            return self._member(given["pagination"])
        return None

    def _member(self, value: ValueNode) -> Length | None:
        match value:
            case ObjectValueNode(fields=fields):
                limit = next((each.value for each in fields if each.name.value == "limit"), None)
                # A page without a limit is as long as one may be.
                if limit is None or isinstance(limit, NullValueNode):
                    return self.settings.MAX_PAGE
                return self._given(limit, "limit")
            case VariableNode(name=name):
                default = self.defaults.get(name.value)
                return _Given(name.value, "limit", default, member="limit")
            case _:
                return None

    def _given(self, value: ValueNode, argument: str) -> Length | None:
        match value:
            case IntValueNode(value=text):
                return checked_page(int(text), argument, self.settings)
            case VariableNode(name=name):
                return _Given(name.value, argument, self.defaults.get(name.value))
            case _:
                return None


def _added(values: int, lists: Iterable[tuple[Length, Cost]]) -> Cost:
    """Return the sum, a number if it can be."""
    open_: list[tuple[Length, Cost]] = []
    for length, cost in lists:
        if isinstance(length, int) and isinstance(cost, int):
            values += length * cost
        else:
            open_.append((length, cost))
    return _Sum(values, open_) if open_ else values


def _definition(node: FieldNode, above: GraphQLNamedType | None) -> GraphQLField | None:
    name = node.name.value
    if isinstance(above, GraphQLObjectType | GraphQLInterfaceType):
        return above.fields.get(name) or _META.get(name)
    return None


def _is_list(definition: GraphQLField) -> bool:
    type_: Any = definition.type
    if isinstance(type_, GraphQLNonNull):
        type_ = type_.of_type
    return isinstance(type_, GraphQLList)


def _constant(value: ValueNode | None) -> Any:
    """Return a variable's default as far as it can be a page: a number, or the limit in it."""
    match value:
        case IntValueNode(value=text) if len(text) < _DIGITS:
            return int(text)
        case ObjectValueNode(fields=fields):
            return {each.name.value: _constant(each.value) for each in fields}
        case _:
            return None


def _length(length: Length, variables: Mapping[str, Any], settings: Settings) -> int:
    if isinstance(length, int):
        return length
    value = variables.get(length.variable, length.default)
    if length.member is not None and isinstance(value, Mapping):
        value = value.get(length.member)
        if value is None:
            return settings.MAX_PAGE
    if not isinstance(value, int):
        return settings.LIST_SIZE  # or of a wrong type, which is refused behind this
    return checked_page(value, length.argument, settings)


def checked_page(length: int, argument: str, settings: Settings) -> int:
    """Return how long a page is that is asked for; a `limit` below 0 asks for the longest.

    Raises `GraphQLError`.
    """
    if length > settings.MAX_PAGE:
        raise too_complex(f"“{argument}” may be {settings.MAX_PAGE} at most.")
    if length >= 0:
        return length
    if argument == "limit":
        return settings.MAX_PAGE
    message = f"“{argument}” can't be negative."
    raise GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})
