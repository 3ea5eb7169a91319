"""How much a document asks for, told before it is validated, in time linear to its length.

Each definition is walked once, and what a fragment comes to is added up wherever it is spread.
Strawberry's `QueryDepthLimiter` and `MaxAliasesLimiter` walk it again at every spread, which a
few hundred characters can make as long as they like.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    ValueNode,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a definition comes to, fragments included: as if each were written out at its spreads.

    `depth` counts levels of fields. `roots` are the fields of the first level.
    """

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    roots: int = 0


NOTHING = Measure()


@dataclass(slots=True)
class _Own:
    """What a definition has itself, and at which level it spreads which fragments."""

    measure: Measure
    spreads: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a document comes to: its operations, and fragments that none of them spreads."""

    operations: int
    definitions: Sequence[Measure]
    input_depth: int


def measure(document: DocumentNode) -> Measured:
    """Measure a document; a fragment that spreads itself counts as empty within itself."""
    operations = [
        each for each in document.definitions if isinstance(each, OperationDefinitionNode)
    ]
    fragments = {
        each.name.value: _own(each)
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    sums = _sums(fragments)
    spread: set[str] = set()
    found = []
    for operation in operations:
        own = _own(operation)
        found.append(_sum(own, sums))
        spread.update(name for name, _ in own.spreads)
    spread.update(name for own in fragments.values() for name, _ in own.spreads)
    return Measured(
        operations=len(operations),
        definitions=[*found, *(total for name, total in sums.items() if name not in spread)],
        input_depth=_input_depth(document),
    )


def _own(definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Own:
    depth = fields = aliases = roots = 0
    directives = _count(definition.directives)
    for variable in getattr(definition, "variable_definitions", None) or ():
        directives += _count(variable.directives)
    spreads: list[tuple[str, int]] = []
    waiting: list[tuple[Sequence[SelectionNode], int]] = [(definition.selection_set.selections, 1)]
    while waiting:
        selections, level = waiting.pop()
        for node in selections:
            directives += _count(node.directives)
            match node:
                case FieldNode(alias=alias, selection_set=below):
                    fields += 1
                    roots += level == 1
                    aliases += alias is not None
                    depth = max(depth, level)
                    if below is not None:
                        waiting.append((below.selections, level + 1))
                case FragmentSpreadNode(name=name):
                    spreads.append((name.value, level))
                case InlineFragmentNode(selection_set=below):
                    waiting.append((below.selections, level))
                case _:
                    pass
    return _Own(
        Measure(depth=depth, fields=fields, aliases=aliases, directives=directives, roots=roots),
        spreads,
    )


def _count(nodes: Sequence[DirectiveNode] | None) -> int:
    return len(nodes) if nodes else 0


def _sums(fragments: dict[str, _Own]) -> dict[str, Measure]:
    """Return what each fragment comes to; those that it spreads come before it."""
    sums: dict[str, Measure] = {}
    begun: set[str] = set()
    for first in fragments:
        stack = [first]
        while stack:
            name = stack[-1]
            if name not in begun:
                begun.add(name)
                spread = (each for each, _ in fragments[name].spreads)
                stack += [each for each in spread if each in fragments and each not in begun]
                continue
            stack.pop()
            if name not in sums:
                sums[name] = _sum(fragments[name], sums)
    return sums


def _sum(own: _Own, sums: dict[str, Measure]) -> Measure:
    total = own.measure
    depth, fields, aliases = total.depth, total.fields, total.aliases
    directives, roots = total.directives, total.roots
    for name, level in own.spreads:
        each = sums.get(name, NOTHING)
        depth = max(depth, level - 1 + each.depth)
        fields += each.fields
        aliases += each.aliases
        directives += each.directives
        roots += each.roots if level == 1 else 0
    return replace(
        total, depth=depth, fields=fields, aliases=aliases, directives=directives, roots=roots
    )


def _input_depth(document: DocumentNode) -> int:
    """Return how deep the values in a document are nested; a scalar alone is one level."""
    level: list[ValueNode] = [*_values(document)]
    depth = 0
    while level:
        depth += 1
        level = [below for value in level for below in _below(value)]
    return depth


def _below(value: ValueNode) -> Iterable[ValueNode]:
    match value:
        case ListValueNode(values=values):
            return values
        case ObjectValueNode(fields=fields):
            return [field.value for field in fields]
        case _:
            return ()


def _values(document: DocumentNode) -> Iterator[ValueNode]:
    """Yield the values of all arguments, and the defaults of all variables."""
    waiting: list[Any] = [*document.definitions]
    while waiting:
        node = waiting.pop()
        for variable in getattr(node, "variable_definitions", None) or ():
            if variable.default_value is not None:
                yield variable.default_value
            waiting += variable.directives or ()
        for argument in getattr(node, "arguments", None) or ():
            if (value := getattr(argument, "value", None)) is not None:
                yield value
        waiting += getattr(node, "directives", None) or ()
        below = getattr(node, "selection_set", None)
        if below is not None:
            waiting += below.selections
