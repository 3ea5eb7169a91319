"""A cluster of every shape is mirrored, edited in every way, and saved as plain Django saves it."""

from __future__ import annotations

import datetime as dt
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from asgiref.sync import sync_to_async

import gql_cluster
from gql_cluster.orm.describe import describe
from tests.api.samples_kit import schema_of
from tests.api.schema_kit import Client
from tests.shapes import plain
from tests.shapes.plan import Planner, saved_places
from tests.shapes.rows import SHAPES
from tests.shapes.shape import Shape, models_below, relations, sets, sparse
from tests.shapes.walk import Walk, selection_of, told, typename

pytestmark = [
    # Its manager says that another one is meant by now; that is for the project to hear.
    pytest.mark.filterwarnings("ignore:.*objects model manager will include:DeprecationWarning"),
]
THIS_YEAR = str(dt.datetime.now(tz=dt.UTC).year)
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def mirrored(shape: Shape) -> gql_cluster.Schema:
    """Return the schema of a shape alone."""
    return schema_of(shape.mirrored or shape.model)


def walk_of(shape: Shape, schema: gql_cluster.Schema) -> Walk:
    """Return a walk that has not begun."""
    graphql = schema._schema  # noqa: SLF001 - the types, as they are built
    return Walk(client=Client(schema=schema), shape=shape, selection=selection_of(graphql, shape))


@every_shape
def test_a_shape_is_described_as_modelcluster_has_it(shape: Shape) -> None:
    """Every model, relation, set, order, and what clients may set."""
    cluster = describe(shape.model)
    assert set(cluster.models.values()) == set(models_below(shape.model))
    for name, model in cluster.models.items():
        spec = cluster.spec.nodes[name]
        found = {each.get_accessor_name(): each.related_model for each in relations(model)}
        assert {each.name: cluster.models[each.child] for each in spec.relations.values()} == found
        for each in spec.relations.values():
            assert each.order_field == shape.order(found[each.name])
        assert set(spec.sets) == {each.name for each in sets(model)}
        written = {each.name for each in spec.fields.values() if not each.read_only}
        assert written == {each.name for each in shape.fields(model, is_new=True)}
        later = {each.name for each in spec.fields.values() if not (each.read_only or each.fixed)}
        assert later == {each.name for each in shape.fields(model, is_new=False)}


@every_shape
async def test_a_shape_is_edited_in_every_way_and_saved_as_plain_django_does(
    transactional_db: None,  # noqa: ARG001
    shape: Shape,
) -> None:
    """Every field of every node, every relation, every set; each step is told as it is done."""
    root = await sync_to_async(plain.made)(shape)
    before = await sync_to_async(plain.state)(shape, root)
    planner = Planner(shape, shape.values(), count=1000)
    planner.values.numbers = iter(range(2000, 9000))
    steps = await sync_to_async(lambda: list(planner.steps(root)))()
    places = await sync_to_async(lambda: [each for each, _ in saved_places(shape, root)])()

    schema = mirrored(shape)
    walk = walk_of(shape, schema)
    cluster = await walk.open(pk=str(root.pk))
    assert without_keys(cluster) == without_keys(await walk.saved(root.pk))
    keys = {(each["__typename"], each["pk"]): each["key"] for each in nodes(cluster)}
    for place in places[1:]:
        walk.keys[place.name] = keys[typename(place.model), str(place.pk)]

    async with aclosing(walk.events()) as events:
        assert (await anext(events))["__typename"] == "DraftSnapshot"
        for step in steps:
            await walk.do(step, events)
        assert await sync_to_async(plain.state)(shape, root) == before
        drafted = (await walk.read())["cluster"]
        if not shape.is_opaque:
            await goes_through_json(walk, drafted)
        committed = await walk.commit()
        assert [event["__typename"] async for event in events] == ["DraftCommitted"]

    assert committed == await walk.saved(root.pk)
    assert told(shape, shape.model, committed) == told(shape, shape.model, drafted)
    after = await sync_to_async(plain.state)(shape, root)
    again = walk_of(shape, schema)
    assert without_keys(await again.open(pk=str(root.pk))) == without_keys(committed)
    assert not (await again.read())["isDirty"]
    await schema.engine.aclose()

    await sync_to_async(plain.wiped)(shape, root)
    twin = await sync_to_async(plain.made)(shape)
    assert await sync_to_async(plain.state)(shape, twin) == before
    twin = await sync_to_async(plain.edited)(shape, twin, steps)
    assert after == await sync_to_async(plain.state)(shape, twin)


@pytest.mark.parametrize("is_sparse", [False, True], ids=["whole", "sparse"])
@every_shape
async def test_a_new_cluster_of_a_shape_is_saved_as_plain_django_does(
    transactional_db: None,  # noqa: ARG001
    shape: Shape,
    *,
    is_sparse: bool,
) -> None:
    """Given with all below it; what is not given holds the default."""
    if is_sparse:
        shape = replace(shape, filled=sparse(shape), is_sparse=True)
    planner = Planner(shape, shape.values())
    new = await sync_to_async(planner.new)(shape.model, None, "", shape.depth)
    schema = mirrored(shape)
    walk = walk_of(shape, schema)
    drafted = await walk.open(data=walk.data(new))
    assert (await walk.read())["isDirty"]
    committed = await walk.commit()
    assert told(shape, shape.model, committed) == told(shape, shape.model, drafted)
    await schema.engine.aclose()
    root = await sync_to_async(shape.model._base_manager.get)(pk=committed["pk"])
    after = await sync_to_async(plain.state)(shape, root)
    await sync_to_async(plain.wiped)(shape, root)
    twin = await sync_to_async(plain.saved)(shape, new)
    assert after == await sync_to_async(plain.state)(shape, twin)


def nodes(found: Any) -> list[Any]:
    """Return every node of what was read."""
    if isinstance(found, list):
        return [node for each in found for node in nodes(each)]
    if not isinstance(found, dict):
        return []
    below = [node for each in found.values() for node in nodes(each)]
    return [found, *below] if "key" in found else below


async def goes_through_json(walk: Walk, drafted: Any) -> None:
    """Export a draft and open that as another session: it is an equal draft."""
    exported = await walk.exported()
    other = replace(walk, client=replace(walk.client, session="bob"))
    imported = await other.open(json=exported)
    assert told(walk.shape, walk.shape.model, imported) == told(
        walk.shape, walk.shape.model, drafted
    )
    assert settled(await other.exported()) == settled(exported)


def settled(found: Any) -> Any:
    """Return modelcluster's JSON without what differs from export to export, or node to node."""
    if isinstance(found, list):
        return [settled(each) for each in found]
    if not isinstance(found, dict):
        return found
    return {
        name: settled(each)
        for name, each in found.items()
        if name != "token" and not str(each).startswith(THIS_YEAR)
    }


def without_keys(found: Any) -> Any:
    """Return what was read without what only a draft has."""
    if isinstance(found, list):
        return [without_keys(each) for each in found]
    if not isinstance(found, dict):
        return found
    return {name: without_keys(each) for name, each in found.items() if name != "key"}
