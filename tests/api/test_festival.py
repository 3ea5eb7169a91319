"""A project of others is served by one line, without a change to its models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type
from modelcluster.models import ClusterableModel
from strawberry.utils.str_converters import to_camel_case as camel

import gql_cluster
from tests.api.schema_kit import Client
from tests.festival import models, places
from tests.festival.models import Festival
from tests.shapes import plain
from tests.shapes.shape import Shape, kinds, models_below, relations, sets
from tests.shapes.walk import selection_of

if TYPE_CHECKING:
    from django.db.models import Model

PROJECT: list[Any] = list(apps.get_app_config("festival").get_models())


def children() -> set[type[Model]]:
    """Return the models of the project that are below another, of each kind."""
    below = {each.related_model for model in PROJECT for each in relations(model)}
    return {kind for each in below for kind in kinds(each)}


def shown(schema: gql_cluster.Schema, model: type[Model]) -> dict[str, str]:
    """Return the fields of a model's type with the names of their types."""
    type_ = schema._schema.type_map[model.__name__]  # noqa: SLF001 - as it is built
    assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
    return {name: get_named_type(field.type).name for name, field in type_.fields.items()}


def require_whole(schema: gql_cluster.Schema, root: type[Model]) -> None:
    """Require that every column, relation and set of a cluster is in its types."""
    for model in models_below(root):
        fields = shown(schema, model)
        columns = [
            column
            for column in model._meta.concrete_fields
            if not column.primary_key
            and column.name != "_order"
            and not getattr(column.remote_field, "parent_link", False)
        ]
        assert {camel(column.name) for column in columns} <= fields.keys()
        for relation in relations(model):
            assert fields[camel(relation.get_accessor_name())] == relation.related_model.__name__
        for each in sets(model):
            target = "String" if each.related_model is models.Topic else each.related_model.__name__
            assert fields[camel(each.name)] == target


def test_the_project_has_all_that_projects_have() -> None:
    """More than twenty models, three levels, tags, sets of both kinds, inheritance of each kind."""
    assert len(PROJECT) >= 20
    below = models_below(Festival)
    assert {models.Day, models.Talk, models.Act, models.Duty} <= set(below)
    assert {models.Stall, models.FoodStall, models.MerchStall, models.Snack} <= set(below)
    assert models.FoodStall._meta.parents.keys() == {models.Stall}
    kinds = {type(each).__name__ for model in below for each in sets(model)}
    assert kinds == {"ClusterTaggableManager", "ParentalManyToManyField", "ManyToManyField"}
    assert issubclass(places.Arena, places.Hall)
    assert places.BigHall._meta.proxy
    assert len(places.Stage._meta.parents) == 2
    for module in (models, places):
        assert "import gql_cluster" not in Path(str(module.__file__)).read_text()


async def test_a_foreign_project_is_mirrored_by_one_line(transactional_db: None) -> None:  # noqa: ARG001
    """`gql_cluster.Schema(clusters=[Festival])` shows all of a festival, saved and drafted."""
    schema = gql_cluster.Schema(clusters=[Festival])
    require_whole(schema, Festival)
    shape = Shape(model=Festival, ordered={"Act": "_order"})
    root = await sync_to_async(plain.made)(shape)
    fields = selection_of(schema._schema, shape).replace(" key ", " ")  # noqa: SLF001
    data = await Client(schema=schema).data(
        f"query($pk: ID!) {{ festival(pk: $pk) {fields} }}", pk=str(root.pk)
    )
    opened = await Client(schema=schema).data(
        "mutation($pk: ID!) { it: openFestivalDraft(pk: $pk)"
        f" {{ draft {{ cluster {fields} }} }} }}",
        pk=str(root.pk),
    )
    await schema.engine.aclose()
    assert opened["it"]["draft"]["cluster"] == data["festival"]
    [first, second] = data["festival"]["days"]
    assert len(first["talks"]) == len(second["talks"]) == 2
    stalls = [each["__typename"] for each in data["festival"]["stalls"]]
    assert sorted(stalls) == 2 * ["FoodStall"] + 2 * ["MerchStall"] + 2 * ["PlainStall"]
    assert {
        each["__typename"]: len(each["snacks"])
        for each in data["festival"]["stalls"]
        if "snacks" in each
    } == {"FoodStall": 2}


# Its manager says that another one is meant by now; that is for the project to hear.
@pytest.mark.filterwarnings("ignore:.*objects model manager will include:DeprecationWarning")
async def test_all_roots_of_a_project_are_mirrored_by_one_line() -> None:
    """Whatever they inherit from."""
    roots = [each for each in PROJECT if issubclass(each, ClusterableModel)]
    roots = [each for each in roots if each not in children()]
    schema = gql_cluster.Schema(clusters=roots)
    for root in roots:
        require_whole(schema, root)
    await schema.engine.aclose()
    assert len(roots) >= 7
