"""Values in inputs: what a node holds for them, in clusters of other shapes too."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from django.db import models
from django.test.utils import isolate_apps
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel

from gql_cluster.api.changes import to_changes
from gql_cluster.domain.change import AddNodes, Change, EditNode, NewNode, UpdateNode
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.orm.describe import describe
from tests.api.harbour import Ship
from tests.api.test_inputs import types_of

with isolate_apps("schema.films"):

    class Topic(ClusterableModel):
        """A cluster whose nodes are all of one type."""

        above = ParentalKey("self", null=True, on_delete=models.CASCADE, related_name="topics")
        title = models.CharField(max_length=50)

        class Meta:
            app_label = "films"

        def __str__(self) -> str:
            return self.title


def understood_of(model: Any, change: object) -> Change:
    """Return what a change of another cluster is understood as, sent as a variable."""
    cluster = describe(model)
    change_type: Any = types_of({cluster.name: cluster}).change(cluster)
    got: list[Change] = []

    def resolve(of: Any) -> bool:
        got.extend(to_changes(cluster, of))
        return True

    resolve.__annotations__["of"] = list[change_type]
    query = type("Query", (), {"changes": strawberry.field(resolver=resolve)})
    result = strawberry.Schema(strawberry.type(query)).execute_sync(
        f"query($of: [{cluster.name}Change!]!) {{ changes(of: $of) }}", {"of": [change]}
    )
    for error in result.errors or ():
        raise error.original_error or error
    return got[0]


def test_cluster_within_itself_is_edited_at_any_depth() -> None:
    """A type of node that is below itself has one input, which refers to itself."""
    change = understood_of(
        Topic,
        {
            "topics": {
                "edit": {
                    "key": "a",
                    "changes": [{"topics": {"add": [{"title": "b", "topics": [{"title": "c"}]}]}}],
                }
            }
        },
    )
    bottom = NewNode(values={"title": "c"}, defaults={"title": ""})
    middle = NewNode(values={"title": "b"}, defaults={"title": ""}, children={"topics": (bottom,)})
    assert change == EditNode(
        relation="topics", key="a", changes=(AddNodes(relation="topics", nodes=(middle,)),)
    )


@pytest.mark.parametrize(
    ("name", "given", "held"),
    [
        ("number", 7, 7),
        ("harbour", "12", 12),
        ("harbour", None, None),
        ("started", "2024-01-01T12:00:00+02:00", "2024-01-01T10:00:00+00:00"),
        ("at", "12:30:00", "12:30:00"),
        ("price", "1.5", "1.50"),
        ("insured", True, True),
        ("load", 0.5, 0.5),
        ("ref", "{12345678-1234-5678-1234-567812345678}", "12345678-1234-5678-1234-567812345678"),
        ("notes", {"a": [1, None]}, {"a": [1, None]}),
        ("grade", "SECOND", "2-nd"),
        ("grade", None, ""),
    ],
)
def test_value_is_held_as_its_field_writes_it(name: str, given: object, held: object) -> None:
    """Equal values become equal JSON; the blank choice is null for clients."""
    change = understood_of(Ship, {"voyages": {"update": {"key": "a", "set": {name: given}}}})
    assert change == UpdateNode(relation="voyages", key="a", values={name: held})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("harbour", "home"),
        ("price", "1e40"),
        ("notes", {"deep": [float("nan")]}),
        ("notes", {"big": 2**64}),
        ("notes", ["\0"]),
    ],
)
def test_value_that_no_field_holds_is_refused(name: str, given: object) -> None:
    """With the field and the way to it."""
    with pytest.raises(InvalidChangeError) as caught:
        understood_of(Ship, {"voyages": {"update": {"key": "a", "set": {name: given}}}})
    (problem,) = caught.value.problems
    assert (problem.key, problem.field, problem.path, problem.change) == (
        "a",
        name,
        ("voyages", "a", name),
        0,
    )
