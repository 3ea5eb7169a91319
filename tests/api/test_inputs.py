"""Inputs become changes: what a client may write, and what the domain is given for it."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from modelcluster.fields import ParentalKey

from gql_cluster.api.changes import to_changes, to_root
from gql_cluster.api.inputs import InputTypes
from gql_cluster.api.names import InputNames, own_name
from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    After,
    Before,
    Change,
    ClearNodes,
    EditNode,
    End,
    MoveNode,
    NewNode,
    RemoveFromSet,
    RemoveNodes,
    ReplaceNodes,
    ReplaceSet,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.error import ClusterError, ErrorCode, InvalidChangeError, Problem
from gql_cluster.domain.spec import FieldSpec, NodeSpec
from gql_cluster.orm.describe import Cluster, describe
from schema.bands.models import Album, Band

BAND = describe(Band)
CLUSTERS = {"Band": BAND}


def types_of(clusters: dict[str, Cluster]) -> InputTypes:
    """Return the input types of clusters whose mirrors are named as their models."""
    return InputTypes(InputNames(clusters, lambda model: model.__name__))


TYPES = types_of(CLUSTERS)
BandChange: Any = TYPES.change(BAND)
BandInput: Any = TYPES.new(BAND)


@strawberry.type
class Query:
    """Tells what was understood."""

    @strawberry.field
    def changes(self, info: strawberry.Info, of: list[BandChange]) -> bool:
        """Take changes."""
        info.context["got"] = to_changes(BAND, of)
        return True

    @strawberry.field
    def root(self, info: strawberry.Info, of: BandInput) -> bool:
        """Take a new cluster."""
        info.context["got"] = to_root(BAND, of)
        return True


SCHEMA = strawberry.Schema(Query)


def understood(field: str, text: str) -> Any:
    """Return what an input in GraphQL's own notation is understood as; raises what was raised."""
    context: dict[str, Any] = {}
    result = SCHEMA.execute_sync(f"{{ {field}(of: {text}) }}", context_value=context)
    for error in result.errors or ():
        raise error.original_error or error
    return context["got"]


def song(key: str | None = None, title: str = "Help!", **more: Any) -> NewNode:
    """Return a song to add."""
    return NewNode(key=key, values={"title": title}, defaults={"title": "", "position": 0}, **more)


CHANGES: list[tuple[str, Change]] = [
    ('{set: {name: "Wings"}}', SetFields(values={"name": "Wings"})),
    ("{set: {status: ON_HIATUS}}", SetFields(values={"status": "on_hiatus"})),
    ("{set: {formed: null}}", SetFields(values={"formed": None})),
    ("{set: {}}", SetFields(values={})),
    ('{members: {remove: ["a", 1]}}', RemoveNodes(relation="members", keys=("a", "1"))),
    (
        '{members: {update: {key: "a", set: {joined: 1960}}}}',
        UpdateNode(relation="members", key="a", values={"joined": 1960}),
    ),
    (
        '{members: {move: {key: "a", before: "b"}}}',
        MoveNode(relation="members", key="a", place=Before(key="b")),
    ),
    (
        '{members: {move: {key: "a", after: "b", before: null}}}',
        MoveNode(relation="members", key="a", place=After(key="b")),
    ),
    (
        '{members: {move: {key: "a", to: LAST}}}',
        MoveNode(relation="members", key="a", place=End.LAST),
    ),
    ("{members: {clear: true}}", ClearNodes(relation="members")),
    ("{members: {replace: []}}", ReplaceNodes(relation="members", nodes=())),
    ('{genres: {add: ["1", 2]}}', AddToSet(name="genres", pks=(1, 2))),
    ("{genres: {remove: [1]}}", RemoveFromSet(name="genres", pks=(1,))),
    ("{genres: {replace: [1]}}", ReplaceSet(name="genres", pks=(1,))),
    ("{genres: {clear: true}}", ReplaceSet(name="genres", pks=())),
    (
        """{albums: {edit: {key: "a", changes: [
            {songs: {add: [{title: "Help!", position: 0}]}}, {set: {released: "1965-08-06"}}
        ]}}}""",
        EditNode(
            relation="albums",
            key="a",
            changes=(
                AddNodes(relation="songs", nodes=(song(position=0),)),
                SetFields(values={"released": "1965-08-06"}),
            ),
        ),
    ),
    (
        '{albums: {replace: [{key: "a", songs: []}, {key: "b", songs: null}]}}',
        ReplaceNodes(
            relation="albums",
            nodes=(
                NewNode(
                    key="a",
                    defaults={"title": "", "label": "", "kind": "studio"},
                    children={"songs": ()},
                ),
                NewNode(key="b", defaults={"title": "", "label": "", "kind": "studio"}),
            ),
        ),
    ),
]


@pytest.mark.parametrize(("text", "change"), CHANGES)
def test_input_is_understood(text: str, change: Change) -> None:
    """Each kind of change, with its values as nodes hold them."""
    assert understood("changes", f"[{text}]") == [change]


def test_new_cluster_is_understood_with_all_below_it() -> None:
    """Children and grandchildren inline, sets by primary key, keys where the client gives them."""
    new = understood(
        "root",
        '{name: "Wings", genres: ["3"], albums: [{title: "Wild",'
        ' songs: [{key: "s", title: "Dear", duration: "PT2M30S"}]}]}',
    )
    album = new.children["albums"][0]
    assert (new.key, new.values, new.sets) == (None, {"name": "Wings"}, {"genres": (3,)})
    assert new.defaults["status"] == "active"
    assert (album.key, album.values) == (None, {"title": "Wild"})
    assert album.children["songs"][0].key == "s"
    assert album.children["songs"][0].values == {"title": "Dear", "duration": "P0DT00H02M30S"}


REFUSED: list[tuple[str, Problem]] = [
    (
        '[{set: {name: "a"}}, {genres: {add: ["x"]}}]',
        Problem(
            code=ErrorCode.INVALID_CHANGE,
            message="'x' can't be a primary key of “genres”.",
            key="root",
            field="genres",
            path=("genres",),
            change=1,
        ),
    ),
    (
        '[{members: {move: {key: "a", to: FIRST, before: "b"}}}]',
        Problem(
            code=ErrorCode.INVALID_CHANGE,
            message="A move needs exactly one of “before”, “after” and “to”.",
            key="root",
            field="members",
            path=("members",),
            change=0,
        ),
    ),
    (
        "[{members: {clear: false}}]",
        Problem(
            code=ErrorCode.INVALID_CHANGE,
            message="“clear” takes nothing but true.",
            key="root",
            field="members",
            path=("members",),
            change=0,
        ),
    ),
    (
        r'[{set: {formed: 1}}, {albums: {edit: {key: "a", changes: [{set: {title: "\u0000"}}]}}}]',
        Problem(
            code=ErrorCode.INVALID_CHANGE,
            message=(
                "“title” can't hold that: a NUL character or half of a surrogate pair is in the "
                "text"
            ),
            key="a",
            field="title",
            path=("albums", "a", "title"),
            change=1,
        ),
    ),
    ("[]", Problem(code=ErrorCode.INVALID_CHANGE, message="No changes are given.")),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_input_is_refused_with_its_place(text: str, problem: Problem) -> None:
    """The index of the change, the node, the field and the path, also within a nested edit."""
    with pytest.raises(ClusterError) as caught:
        understood("changes", text)
    assert caught.value.problems == (problem,)


@pytest.mark.parametrize(
    "change",
    [
        {"members": {"remove": ["\ud800"]}},
        {"members": {"move": {"key": "a", "before": "\0"}}},
        {"genres": {"add": ["\ud800"]}},
        {"set": {"name": "\udfff"}},
    ],
)
def test_text_that_no_store_can_keep_is_refused(change: object) -> None:
    """JSON can spell half of a surrogate pair, and PostgreSQL takes no NUL."""
    query = "query($of: [BandChange!]!) { changes(of: $of) }"
    result = SCHEMA.execute_sync(query, {"of": [change]}, context_value={})
    (error,) = result.errors or []
    assert isinstance(error.original_error, InvalidChangeError)


def test_what_no_client_may_set_is_no_input() -> None:
    """Read-only fields, the order field, and moves where no order is kept."""
    sdl = SCHEMA.as_str()
    member = sdl.split("input BandMemberFields {")[1].split("}")[0]
    albums = sdl.split("input BandAlbumsChange @oneOf {")[1].split("}")[0]
    band = sdl.split("input BandFields {")[1].split("}")[0]
    assert "position" not in member
    assert " move:" not in albums
    assert "edit: AlbumEdit" in albums
    assert "createdAt" not in band


def test_own_members_give_way_to_the_models() -> None:
    """A model's own field called `key` keeps its name, and the engine's is `nodeKey`."""
    spec = NodeSpec(
        name="Lock",
        label="locks.Lock",
        fields={
            "key": FieldSpec(name="key", nullable=False),
            "position": FieldSpec(name="position", nullable=False, read_only=True),
        },
        relations={},
        sets={},
    )
    assert own_name(spec, "key") == "node_key"
    assert own_name(spec, "position") == "position"


def test_model_in_two_clusters_has_the_inputs_of_each() -> None:
    """An album within a band knows its band; one that is a cluster itself has to be told."""
    album = describe(Album)
    types = types_of({"Band": BAND, "Album": album})
    names = InputNames({"Band": BAND, "Album": album}, lambda model: model.__name__)
    assert any(isinstance(field, ParentalKey) for field in Album._meta.fields)
    assert names.node(album, "Album") == "Album"
    assert names.node(BAND, "Album") == "BandAlbum"
    assert names.node(BAND, "Song") == names.node(album, "Song") == "Song"
    assert "band" in types.new(album).__annotations__
    assert "albums" in types.new(BAND).__annotations__
