"""Types declared by the project: what they leave out, add and hide holds for drafts, too."""

from typing import Any

import pytest
import strawberry
import strawberry_django
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q, QuerySet
from strawberry import auto
from strawberry.permission import BasePermission

import gql_cluster
from gql_cluster.api.registry import Registry
from gql_cluster.domain.change import AddNodes, NewNode
from schema.bands import models
from tests.api.mirror_kit import both, draft_of, execute, make_band, make_schema, queries, run

pytestmark = pytest.mark.django_db


class Nobody(BasePermission):
    """Lets nobody in."""

    message = "That is secret."

    def has_permission(self, *_: Any, **__: Any) -> bool:
        """Refuse."""
        return False


@strawberry_django.filter_type(models.Album)
class AlbumsBy:
    """Filters of an album that go beyond what is made."""

    title: strawberry_django.StrFilterLookup | None

    @strawberry_django.filter_field
    def long(self, value: bool, prefix: str) -> Q:  # noqa: FBT001 - GraphQL's
        """Filter by the length of the title, by its pattern of old."""
        return Q(**{f"{prefix}title__contains": " "}) if value else Q()

    @strawberry_django.filter_field
    def with_songs(self, value: bool, prefix: str, queryset: QuerySet[Any]) -> Any:  # noqa: FBT001
        """Filter by what only the database can tell."""
        return queryset.filter(**{f"{prefix}songs__isnull": not value}), Q()


@gql_cluster.type(models.Band, name="Band")
class Group:
    """A band under another name, with less and with more."""

    name: auto
    status: auto
    biography: auto = strawberry_django.field(permission_classes=[Nobody])
    members: list["Musician"]
    records: list["Record"] = strawberry_django.field(field_name="albums", pagination=True)

    @strawberry_django.field
    def full_title(self) -> str:
        """Read the model's own attributes and relations."""
        band: Any = self
        return f"{band.name}, {band.members.count()} members"


@gql_cluster.type(models.BandMember, name="Musician")
class Musician:
    """A member; those who left are hidden."""

    name: auto
    position: auto
    instrument: auto

    @classmethod
    def get_queryset(cls, queryset: QuerySet[Any], *_: Any) -> QuerySet[Any]:
        """Hide those who left."""
        return queryset.filter(left=None)


@gql_cluster.type(models.Album, filters=AlbumsBy, ordering=None, description="A long player.")
class Record:
    """An album."""

    title: auto
    released: auto


@pytest.fixture(scope="module")
def schema() -> strawberry.Schema:
    """The schema of the declared band."""
    return make_schema(Group)


def ask(schema: strawberry.Schema, fields: str) -> tuple[Any, Any]:
    """Return the fields of the saved band and of a draft of it."""
    return both(schema, make_band(), fields)


def test_declared_types_show_what_they_declare(schema: strawberry.Schema) -> None:
    """Names, left out and added fields, and the arguments of the lists."""
    printed = str(schema)
    group = printed[printed.index("type Band implements Node") :].split("\n}", 1)[0]
    assert "formed" not in group
    assert "fullTitle: String!" in group
    assert "status: BandStatus!" in group
    assert "members(filters: MusicianFilter, ordering: [MusicianOrder!]" in group
    assert "membersConnection(" in group
    assert "recordsConnection(" in group
    assert "records(filters: AlbumsBy, pagination: OffsetPaginationInput): [Record!]!" in group
    assert "type Song implements Node" in printed  # not declared: a bare mirror
    assert '"""A long player."""\ntype Record' in printed


def test_filters_do_not_reach_what_is_not_shown(schema: strawberry.Schema) -> None:
    """A field left out, or shown to some only, can't be found out by filtering or ordering."""
    printed = str(schema)
    for made in ("input BandFilter", "input BandOrder"):
        body = printed[printed.index(made) :].split("\n}", 1)[0]
        assert "name:" in body
        assert "biography" not in body
        assert "formed" not in body


@pytest.mark.parametrize(
    "fields",
    [
        "pk name status fullTitle",
        "records { title } recordsConnection(first: 1) { totalCount }",
        "records(filters: {long: true}) { title released }",
        'records(filters: {title: {startsWith: "p"}}, pagination: {limit: 1}) { title }',
        "members { name } membersConnection { totalCount }",
        "members(ordering: [{name: ASC}]) { name position }",
    ],
)
def test_saved_and_unchanged_draft_answer_alike(schema: strawberry.Schema, fields: str) -> None:
    """Row permissions and methods of the project's own hold for both."""
    saved, drafted = ask(schema, fields)
    assert drafted == saved
    assert "Sahnie" not in str(drafted)


def test_unsaved_children_are_seen_and_hidden_ones_cost_one_query(
    schema: strawberry.Schema,
) -> None:
    """What `get_queryset` can't know of is the editor's own."""
    new = NewNode(key="n", values={"name": "Neu", "left": 1999})
    view = draft_of(make_band(), AddNodes(relation="members", nodes=(new,))).view()
    with queries() as captured:
        data = run(schema, "{ draftBand { members { name } } }", view)
    names = [each["name"] for each in data["draftBand"]["members"]]
    assert names[-1] == "Neu"
    assert "Sahnie" not in names
    assert len(captured) == 1


def test_permissions_of_a_field_hold_for_a_draft(schema: strawberry.Schema) -> None:
    """As they hold for a saved one."""
    result = execute(schema, "{ draftBand { biography } }", draft_of(make_band()).view())
    assert result.errors[0].message == "That is secret."


@pytest.mark.parametrize(
    "filters", ['{title: {regex: "(a+)+$"}}', "{withSongs: true}"], ids=["regex", "queryset"]
)
def test_what_only_a_database_can_tell_is_a_clear_error(
    schema: strawberry.Schema, filters: str
) -> None:
    """And not a wrong answer, nor a pattern that holds the event loop up."""
    query = f"{{ draftBand {{ records(filters: {filters}) {{ title }} }} }}"
    result = execute(schema, query, draft_of(make_band()).view())
    assert result.errors[0].extensions["code"] == "BAD_USER_INPUT"
    assert "can't be evaluated on a draft" in result.errors[0].message


def test_a_registry_says_what_is_wrong() -> None:
    """Each with the model's name in it."""

    class Plain:
        pass

    @gql_cluster.type(models.Genre, name="Album")
    class Clash:
        name: auto

    @gql_cluster.type(models.Genre)
    class NoCluster:
        name: auto

    @gql_cluster.type(models.Band)
    class Lost:
        members: list["Nowhere"]  # type: ignore[name-defined]  # noqa: F821

    @gql_cluster.type(models.Band)
    class Leads:
        genres: list[Clash]

    for clusters, message in (
        ([Plain], "neither a model nor declared"),
        ([models.Genre], "is not a ClusterableModel"),
        ([NoCluster], "is not a ClusterableModel"),
        ([models.Band, models.Band], "twice"),
        ([Lost], "Lost.members can't be found"),
        ([Leads], "bands.Genre and bands.Album would both be the type Album"),
    ):
        with pytest.raises(ImproperlyConfigured, match=message):
            Registry(clusters)
