"""No list of the service costs more queries where there is more to list."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, is_leaf_type
from graphql.type import is_list_type, is_non_null_type, is_required_argument
from strawberry.utils.str_converters import to_camel_case as camel

from schema import schema
from schema.bands.models import Band
from schema.films.models import Movie
from schema.people.models import Group
from schema.places.models import Bar, Place, Restaurant
from schema.posts.models import Blog
from tests.api.samples_kit import counted
from tests.shapes.plain import Twin
from tests.shapes.plan import Planner
from tests.shapes.rows import BANDS, GROUPS
from tests.shapes.shape import Shape, relations
from tests.shapes.values import Give

if TYPE_CHECKING:
    from tests.api.schema_kit import Client

pytestmark = pytest.mark.once

TYPES = schema._schema.type_map  # noqa: SLF001 - as they are built
AUTHOR = "Ann"
POSTS: Give = {"Post.author": lambda _: AUTHOR, "Post.published": lambda _: True}
SHAPES = {
    "Band": Shape(model=Band, ordered={"BandMember": "position", "Song": "position"}, give=BANDS),
    "Movie": Shape(model=Movie),
    "Group": Shape(model=Group, give=GROUPS),
    "Blog": Shape(model=Blog, give=POSTS),
    "Place": Shape(model=Place),
    "Restaurant": Shape(model=Restaurant, ordered={"Dish": "position"}),
    "Bar": Shape(model=Bar),
}
DEEPEST = 3
Path = tuple[str, ...]
OF_THE_ENGINE = {"drafts", "commits"}


Listed = GraphQLObjectType | GraphQLInterfaceType


def node_type(type_: Any) -> Listed | None:
    """Return what a field lists, by itself or page by page; None for any other field."""
    inner = type_.of_type if is_non_null_type(type_) else type_
    named = get_named_type(type_)
    if is_list_type(inner) and isinstance(named, Listed):
        return named
    if isinstance(named, GraphQLObjectType) and named.name.endswith("Connection"):
        edge: Any = get_named_type(named.fields["edges"].type)
        node: Any = get_named_type(edge.fields["node"].type)
        return node  # type: ignore[no-any-return]
    return None


def lists(type_: Listed, depth: int) -> Iterator[Path]:
    """Yield the paths of all lists from a type on."""
    for name, field in type_.fields.items():
        listed = node_type(field.type)
        if listed is None or name in OF_THE_ENGINE:
            continue
        yield (name,)
        if depth > 1:
            for below in lists(listed, depth - 1):
                yield (name, *below)


def asked(type_: Listed, path: Path, *, is_whole: bool = True) -> str:
    """Return the selection of a path: at each step all but the lists that are not on the path.

    Unless it `is_whole`, each list is ordered, and the first two of it are asked for.
    """
    name, *rest = path
    field = type_.fields[name]
    listed = node_type(field.type)
    assert listed is not None
    below = [asked(listed, tuple(rest), is_whole=is_whole)] if rest else []
    inner = " ".join([*own(listed), *below])
    given = [f'{each}: "{AUTHOR}"' for each, of in field.args.items() if is_required_argument(of)]
    if not is_whole:
        given += [text for each, text in PAGE.items() if each in field.args]
    arguments = f"({', '.join(given)})" if given else ""
    if get_named_type(field.type) is not listed:
        inner = f"totalCount edges {{ node {{ {inner} }} }}"
    return f"{name}{arguments} {{ {inner} }}"


@cache
def own(type_: Listed) -> tuple[str, ...]:
    """Return all of a type but its lists: columns, what is worked out, what it refers to."""
    chosen = []
    for name, field in type_.fields.items():
        named = get_named_type(field.type)
        if is_leaf_type(named):
            chosen.append(name)
        elif node_type(field.type) is None and isinstance(named, Listed):
            chosen.append(f"{name} {{ pk }}")
    return tuple(chosen)


QUERY: Any = TYPES["Query"]
PAGE = {
    "ordering": "ordering: [{ pk: DESC }]",
    "pagination": "pagination: { limit: 2 }",
    "first": "first: 2",
}
PATHS = list(lists(QUERY, DEEPEST))


@pytest.fixture
def make(transactional_db: None) -> Any:  # noqa: ARG001
    """Return what saves some more of each root, each with two or three in each list."""
    planners = {name: Planner(shape, shape.values()) for name, shape in SHAPES.items()}
    for number, planner in enumerate(planners.values()):
        # No two kinds of places are called alike.
        planner.values.numbers = iter(range(number * 1000, (number + 1) * 1000))

    def save(count: int) -> None:
        for planner in planners.values():
            for _ in range(count):
                new = planner.new(planner.shape.model, None, "", planner.shape.depth)
                twin = Twin(planner.shape)
                twin.saved(twin.build(new))

    return save


def test_every_list_is_asked() -> None:
    """Of each root, plain and page by page, to the third level; nothing is left out by mistake."""
    assert {path[0] for path in PATHS} >= {
        *("bands", "bandsConnection", "movies", "groups", "blogs", "people", "peopleByAge"),
        *("moviesConnection", "groupsConnection", "blogsConnection"),
    }
    assert ("bands", "albums", "songs") in PATHS
    assert ("blogsConnection", "postsConnection", "commentsConnection") in PATHS
    assert ("blogs", "postsBy", "comments") in PATHS
    assert len(PATHS) >= 50


def expected(path: Path) -> int:
    """Return what a list costs: a query a step, and what is worked out of other rows."""
    count, type_ = 0, QUERY
    for name, below in zip(path, [*path[1:], ""], strict=True):
        type_ = node_type(type_.fields[name].type) or type_
        count += 1
        # Tags; and the stars of the reviews or the open days, unless they are asked for anyway.
        count += type_.name == "Post" or (type_.name == "Movie" and "reviews" not in below)
        count += type_.name in {"Place", "Restaurant", "Bar"} and "hours" not in below
        # The place that they are of, which is looked up as what it is.
        count += type_.name in {"Hours", "Dish", "Drink"}
    return count


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "paged"])
async def test_a_list_costs_a_query_a_step_however_long_it_is(
    client: Client, make: Any, *, is_whole: bool
) -> None:
    """What each row refers to, and what is worked out of it, is among them."""
    found = []
    for more in (2, 4):
        await sync_to_async(make)(more)
        counts = {}
        for path in PATHS:
            query = f"{{ {asked(QUERY, path, is_whole=is_whole)} }}"
            counts[path] = len(await sync_to_async(counted)(client, query))
        found.append(counts)
    assert found[0] == found[1]
    assert found[1] == {path: expected(path) for path in PATHS}


@pytest.mark.parametrize("name", SHAPES)
async def test_a_list_of_a_draft_costs_no_query(client: Client, make: Any, name: str) -> None:
    """Within the cluster, at every depth, ordered and page by page; once it is opened."""
    await sync_to_async(make)(1)
    root: Any = TYPES[name]
    model = SHAPES[name].model
    pk = str((await model.objects.afirst()).pk)
    data = await client.data(
        f"mutation($pk: ID) {{ it: open{name}Draft(pk: $pk) {{ draft {{ id }} }} }}", pk=pk
    )
    draft = data["it"]["draft"]["id"]
    paths = [path for path in lists(root, DEEPEST) if is_within(model, path)]
    assert paths
    for path in paths:
        query = (
            f'{{ draft(id: "{draft}") {{ ... on {name}Draft'
            f" {{ cluster {{ {drafted(root, path)} }} }} }} }}"
        )
        await client.data(query)  # PostgreSQL is asked once how it sorts
        assert await sync_to_async(counted)(client, query) == [], path


def is_within(model: Any, path: Path) -> bool:
    """Tell whether every step of a path is a relation to children, or its connection."""
    for step in path:
        found = {camel(each.get_accessor_name()): each.related_model for each in relations(model)}
        model = found.get(step.removesuffix("Connection"))
        if model is None:
            return False
    return True


def drafted(type_: Listed, path: Path) -> str:
    """Return the selection of a path, of columns alone."""
    name, *rest = path
    listed = node_type(type_.fields[name].type)
    assert listed is not None
    columns = [each for each in own(listed) if "{" not in each]
    below = [drafted(listed, tuple(rest))] if rest else []
    inner = " ".join([*columns, *below])
    if get_named_type(type_.fields[name].type) is not listed:
        inner = f"totalCount edges {{ node {{ {inner} }} }}"
    return f"{name}(ordering: [{{ pk: DESC }}]) {{ {inner} }}"
