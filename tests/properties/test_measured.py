"""What a document comes to is the same as if each fragment were written out where it is spread."""

from __future__ import annotations

from dataclasses import astuple

import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)
from hypothesis import given
from hypothesis import strategies as st

from gql_cluster.api.measured import Measure, measure

pytestmark = pytest.mark.once

FRAGMENTS = 3
MARKS = st.sampled_from(["", "@include(if: true)", "@a @b(c: [1])"])


def selections(first: int) -> st.SearchStrategy[str]:
    """Return selection sets that spread fragments from this one on."""
    spreads = [st.integers(first, FRAGMENTS - 1).map("...F{}".format)] if first < FRAGMENTS else []
    names = st.sampled_from(["a", "b", "x: a", "y: b"])
    leaf = st.one_of(
        st.tuples(names, MARKS).map(" ".join),
        *(st.tuples(each, MARKS).map(" ".join) for each in spreads),
    )

    def above(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        nested = st.lists(below, min_size=1, max_size=4).map(" ".join)
        return st.one_of(
            st.tuples(names, MARKS, nested).map("{0[0]} {0[1]} {{ {0[2]} }}".format),
            st.tuples(MARKS, nested).map("... {0[0]} {{ {0[1]} }}".format),
        )

    each = st.recursive(leaf, above, max_leaves=4)
    return st.lists(each, min_size=1, max_size=4).map(" ".join)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Draw a document; a fragment spreads only later ones."""
    operations = draw(st.lists(selections(0), min_size=1, max_size=3))
    return " ".join(
        [
            *(f"query q{number} {{ {each} }}" for number, each in enumerate(operations)),
            *(
                f"fragment F{number} on T {draw(MARKS)} {{ {draw(selections(number + 1))} }}"
                for number in range(FRAGMENTS)
            ),
        ]
    )


def written_out(document: DocumentNode, operation: OperationDefinitionNode) -> Measure:
    """Return what an operation comes to, walking each fragment again at each spread."""
    fragments = {
        each.name.value: each
        for each in document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    found: dict[str, int] = dict.fromkeys(("depth", "fields", "aliases", "directives", "roots"), 0)

    def walk(below: SelectionSetNode, level: int) -> None:
        for node in below.selections:
            found["directives"] += len(node.directives or ())
            match node:
                case FieldNode():
                    found["depth"] = max(found["depth"], level)
                    found["fields"] += 1
                    found["roots"] += level == 1
                    found["aliases"] += node.alias is not None
                    if node.selection_set:
                        walk(node.selection_set, level + 1)
                case InlineFragmentNode():
                    walk(node.selection_set, level)
                case FragmentSpreadNode():
                    fragment = fragments[node.name.value]
                    found["directives"] += len(fragment.directives or ())
                    walk(fragment.selection_set, level)

    walk(operation.selection_set, 1)
    return Measure(**found)


@given(documents())
def test_the_measure_is_that_of_the_document_written_out(text: str) -> None:
    """Of each operation; and there is a measure for each, in their order."""
    document = parse(text)
    measured = measure(document)
    operations = [
        each for each in document.definitions if isinstance(each, OperationDefinitionNode)
    ]
    assert measured.operations == len(operations)
    for operation, found in zip(operations, measured.definitions, strict=False):
        assert astuple(found) == astuple(written_out(document, operation))
