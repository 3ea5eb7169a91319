"""What a client reads of the schema: every element says what it is, and is named as it should."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLEnumValue,
    GraphQLSchema,
    get_named_type,
    is_specified_scalar_type,
)

import gql_cluster
from schema import schema as service
from tests.clusters.models import CreditNote, Invoice
from tests.clusters.specimens import Shelf, Specimen
from tests.festival.models import Festival
from tests.festival.places import Arena, Team
from tests.shapes.models import Citizen, Country, Gallery, League, Section

OTHERS = gql_cluster.Schema(
    clusters=[
        *(Festival, Invoice, CreditNote, Specimen, Shelf, Arena, Team),
        *(Citizen, Country, Gallery, League, Section),
    ]
)
every_schema = pytest.mark.parametrize(
    "schema",
    [service._schema, OTHERS._schema],  # noqa: SLF001 - as they are built
    ids=["service", "others"],
)

OTHERS_OWN = {
    "PageInfo": "the Relay specification's, described by Strawberry",
}
"""Types of which third parties own what is said, with the reason."""
JSON_IS_ALL_THAT_IS_KNOWN = {
    # A value of any field.
    *("FieldChange.before", "FieldChange.after"),
    *("Conflict.base", "Conflict.theirs", "Conflict.mine"),
    # modelcluster's own form.
    *("Query.exportDraft", "Draft.json"),
    # Columns that hold JSON.
    *("Specimen.json", "Specimen.coded", "Invoice.notes", "Invoice.extra"),
}


def elements(schema: GraphQLSchema) -> Iterator[tuple[str, Any]]:
    """Yield each element of a schema with where it is."""
    for name, type_ in schema.type_map.items():
        if name.startswith("__") or is_specified_scalar_type(type_):
            continue
        yield name, type_
        yield from ((f"{name}.{each}", of) for each, of in getattr(type_, "values", {}).items())
        for field_name, field in getattr(type_, "fields", {}).items():
            yield f"{name}.{field_name}", field
            for argument_name, argument in getattr(field, "args", {}).items():
                yield f"{name}.{field_name}({argument_name})", argument


@every_schema
def test_every_element_says_what_it_is(schema: GraphQLSchema) -> None:
    """Types, fields, arguments, members of inputs, values of enums."""
    undescribed = [
        where
        for where, element in elements(schema)
        if not (element.description or "").strip() and where.split(".")[0] not in OTHERS_OWN
    ]
    assert undescribed == []


@every_schema
def test_a_description_is_a_sentence_of_its_own(schema: GraphQLSchema) -> None:
    """No placeholder is left in it, and it begins as one; a choice's label is the project's."""
    for where, element in elements(schema):
        is_label = isinstance(element, GraphQLEnumValue)
        text = element.description or ""
        assert "{}" not in text, where
        assert is_label or not text[:1].islower(), (where, text)


@every_schema
def test_no_json_stands_where_a_type_is_known(schema: GraphQLSchema) -> None:
    """Only for what may be anything."""
    found = {
        where
        for where, element in elements(schema)
        if "type" in dir(element) and get_named_type(element.type).name == "JSON"
    }
    allowed = {
        where
        for where in found
        if where in JSON_IS_ALL_THAT_IS_KNOWN or is_like(where, JSON_IS_ALL_THAT_IS_KNOWN)
    }
    assert found == allowed


def is_like(where: str, known: set[str]) -> bool:
    """Tell whether an element shows what a known one does: of a draft's type, or of an input."""
    type_name, _, field = where.partition(".")
    if type_name == "Mutation":
        return field.startswith("open") and field.endswith("Draft(json)")
    if type_name.endswith("Draft"):
        return f"Draft.{field}" in known
    models = {"Sample": "Specimen", "CreditNote": "Invoice"}
    model = type_name.removeprefix("Plain").removesuffix("Input").removesuffix("Fields")
    return f"{models.get(model, model)}.{field}" in known


@every_schema
def test_names_are_well_formed(schema: GraphQLSchema) -> None:
    """Types like `BandMember`, fields like `releasedOn`, values like `ON_HIATUS`."""
    for where, element in elements(schema):
        type_name, _, rest = where.partition(".")
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", type_name), where
        if not rest:
            continue
        type_ = schema.type_map[type_name]
        if isinstance(type_, GraphQLEnumType):
            assert re.fullmatch(r"[A-Z_][A-Z0-9_]*", rest), where
            continue
        of_filters = type_name.endswith("Filter") and rest in {"AND", "OR", "NOT", "DISTINCT"}
        for name in re.findall(r"\w+", rest):
            assert of_filters or re.fullmatch(r"[a-z][A-Za-z0-9]*", name), where
        assert element is not None


@every_schema
def test_no_two_types_differ_in_case_alone(schema: GraphQLSchema) -> None:
    """A client that writes a file a type would lose one."""
    names = [name.lower() for name in schema.type_map]
    assert len(names) == len(set(names))
