"""Lists that managers and methods of querysets make, on a saved cluster and on a draft of it."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, models
from django.db.models import Count, Q
from django.db.models.functions import Length
from django.test.utils import isolate_apps
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from pytest_django import DjangoDbBlocker
from strawberry import auto

import gql_cluster
from gql_cluster.domain.change import AddNodes, NewNode, UpdateNode
from tests.api.mirror_kit import both, draft_of, execute, make_schema, queries, run

with isolate_apps("schema.films"):

    class BookQuerySet(models.QuerySet[Any]):
        """Methods that do what can be told of a draft, and more."""

        def of(self, author: str, *, since: int = 0) -> Any:
            """Filter and order."""
            return self.filter(author=author, year__gte=since).order_by("-year")

        def not_of(self, authors: list[str]) -> Any:
            """Exclude, or nothing at all."""
            return self.exclude(author__in=authors) if authors else self.none()

        def either(self) -> Any:
            """Chain, with an or."""
            return self.filter(Q(year=1900) | ~Q(author="Ann")).exclude(title="C").order_by("title")

        def long(self) -> Any:
            """Ask what only a database can tell."""
            return self.annotate(size=Length("title")).filter(size__gt=1).order_by("-size")

        def read(self) -> Any:
            """Count over rows of another table, for which Django forgets `Meta.ordering`."""
            return self.annotate(readers=Count("loans")).filter(readers__gt=0)

        def by_two(self) -> Any:
            """Be a sum of two."""
            return self.filter(author="Ann") | self.filter(year=1950)

        def backwards(self) -> Any:
            """Turn the order."""
            return self.order_by("year").reverse()

        def newest(self, first: int) -> Any:
            """Take what a connection takes."""
            return self.order_by("-year")[:first]

        def lent(self) -> Any:
            """Look at children's children."""
            return self.filter(loans__to="Eve").distinct()

    class OldManager(models.Manager[Any]):
        """A manager that filters by itself."""

        def get_queryset(self) -> Any:
            """Leave the newer out."""
            return super().get_queryset().filter(year__lt=1950).order_by("year")

    class BuiltManager(models.Manager[Any]):
        """A manager that makes its queryset by itself."""

        def get_queryset(self) -> Any:
            """Pass by what Django's manager does."""
            return BookQuerySet(self.model, using=self._db).filter(year__lt=1950)

    class Library(ClusterableModel):
        """The root."""

        name = models.CharField(max_length=50)

        class Meta:
            app_label = "films"

        def __str__(self) -> str:
            return self.name

    class Book(ClusterableModel):
        """The child whose managers are asked."""

        library = ParentalKey(Library, on_delete=models.CASCADE, related_name="books")
        title = models.CharField(max_length=50)
        author = models.CharField(max_length=50, null=True)  # noqa: DJ001 - null is a case
        year = models.IntegerField()

        objects = BookQuerySet.as_manager()
        old = OldManager()
        built = BuiltManager()

        class Meta:
            app_label = "films"
            ordering = ("title",)

        def __str__(self) -> str:
            return self.title

    class Loan(models.Model):
        """A child of the child."""

        book = ParentalKey(Book, on_delete=models.CASCADE, related_name="loans")
        to = models.CharField(max_length=50)

        class Meta:
            app_label = "films"

        def __str__(self) -> str:
            return self.to


library_model: Any = Library
book_model: Any = Book
loan_model: Any = Loan


@gql_cluster.type(book_model, name="Volume")
class Volume:
    """A book."""

    title: auto
    author: auto
    year: auto


@gql_cluster.type(library_model, name="Library")
class Shelf:
    """A library, with every list that a book's managers can make."""

    books: list[Volume]
    old: list[Volume] = gql_cluster.rows("books", "old")
    built: list[Volume] = gql_cluster.rows("books", "built")
    of: list[Volume] = gql_cluster.rows("books", "of")
    not_of: list[Volume] = gql_cluster.rows("books", "not_of")
    either: list[Volume] = gql_cluster.rows("books", "either")
    long: list[Volume] = gql_cluster.rows("books", "long")
    read: list[Volume] = gql_cluster.rows("books", "read")
    by_two: list[Volume] = gql_cluster.rows("books", "by_two")
    backwards: list[Volume] = gql_cluster.rows("books", "backwards")
    lent: list[Volume] = gql_cluster.rows("books", "lent")


pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_tables")]


@pytest.fixture(scope="session")
def _tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    del django_db_setup
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for model in (library_model, book_model, loan_model):
            editor.create_model(model)


@pytest.fixture(scope="module")
def schema() -> strawberry.Schema:
    """A schema of the library, with the optimizer."""
    return make_schema(Shelf)


@pytest.fixture
def library() -> Any:
    """A library of four books, one of nobody."""
    library = library_model.objects.create(name="Public")
    for title, author, year in (
        ("BB", "Ann", 1900),
        ("A", "Ann", 1960),
        ("C", None, 1950),
        ("DDD", "Bob", 1949),
    ):
        book = book_model.objects.create(library=library, title=title, author=author, year=year)
        for _ in range(2):
            loan_model.objects.create(book=book, to="Eve" if author else "Kim")
    return library


def titles(rows: Any) -> list[str]:
    """Return the titles of a list."""
    return [each["title"] for each in rows]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("old", ["BB", "DDD"]),
        ('of(author: "Ann")', ["A", "BB"]),
        ('of(author: "Ann", since: 1950)', ["A"]),
        ('notOf(authors: ["Ann"])', ["C", "DDD"]),
        ("notOf(authors: [])", []),
        ("either", ["BB", "DDD"]),
        ("old(pagination: {offset: 1})", ["DDD"]),
        ("old(ordering: [{title: DESC}])", ["DDD", "BB"]),
        ('old(filters: {author: {exact: "Ann"}})', ["BB"]),
    ],
)
def test_saved_and_unchanged_draft_answer_alike(
    schema: strawberry.Schema, library: Any, asked: str, expected: list[str]
) -> None:
    """Filters and orders are those of the model's own code, nulls among them."""
    saved, drafted = both(schema, library, f"it: {asked} {{ title }}")
    assert titles(saved["it"]) == expected
    assert drafted == saved


def test_a_draft_answers_by_its_own_state(schema: strawberry.Schema, library: Any) -> None:
    """With what is new in it, and what changed."""
    bb = book_model.objects.get(title="BB")
    view = draft_of(
        library,
        AddNodes(relation="books", nodes=(NewNode(key="n", values={"title": "E", "year": 1901}),)),
        UpdateNode(relation="books", key=f"Book:{bb.pk}", values={"year": 1999}),
    ).view()
    asked = 'old { title } of(author: "Ann") { title } ofConnection(author: "Ann") { totalCount }'
    data = run(schema, f"{{ draftLibrary {{ {asked} }} }}", view)["draftLibrary"]
    assert titles(data["old"]) == ["E", "DDD"]
    assert titles(data["of"]) == ["BB", "A"]
    assert data["ofConnection"] == {"totalCount": 2}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("long", ["DDD", "BB"]),
        ("built", ["BB", "DDD"]),
        ("read", ["BB", "A", "C", "DDD"]),
        ("byTwo", ["A", "BB", "C"]),
        ("backwards", ["A", "C", "DDD", "BB"]),
        ("lent", ["A", "BB", "DDD"]),
    ],
)
def test_what_only_a_database_can_tell_is_refused_of_a_draft(
    schema: strawberry.Schema, library: Any, asked: str, expected: list[str]
) -> None:
    """And is never answered by what is saved; the saved one answers as ever."""
    for page, shown in (("", expected), ("(pagination: {limit: 1})", expected[:1])):
        query = f"{{ it: library(pk: {library.pk}) {{ it: {asked}{page} {{ title }} }} }}"
        assert titles(run(schema, query)["it"]["it"]) == shown
    result = execute(
        schema, f"{{ draftLibrary {{ {asked} {{ title }} }} }}", draft_of(library).view()
    )
    assert result.data is None or result.data["draftLibrary"] is None
    [error] = result.errors
    assert error.extensions["code"] == "BAD_USER_INPUT"
    assert "can't be evaluated on a draft" in error.message


def test_lists_of_one_relation_are_kept_apart(schema: strawberry.Schema, library: Any) -> None:
    """Those asked for together, each of its own library."""
    other = library_model.objects.create(name="Other")
    book_model.objects.create(library=other, title="ZZ", author="Ann", year=1900)
    asked = 'books { title } old { title } long { title } a: of(author: "Ann") { title }'
    data = run(schema, f'{{ librarys {{ pk {asked} b: of(author: "Bob") {{ title }} }} }}')
    lists = {each.pop("pk"): [titles(each[name]) for name in each] for each in data["librarys"]}
    assert lists[str(library.pk)] == [
        ["A", "BB", "C", "DDD"],
        ["BB", "DDD"],
        ["DDD", "BB"],
        ["A", "BB"],
        ["DDD"],
    ]
    assert lists[str(other.pk)] == [["ZZ"], ["ZZ"], ["ZZ"], ["ZZ"], []]


@pytest.mark.parametrize("asked", ["old", 'of(author: "Ann")', "long", "lent"])
def test_a_list_costs_one_query_for_all(
    schema: strawberry.Schema, library: Any, asked: str
) -> None:
    """However many libraries there are."""
    counts = []
    for _ in range(2):
        with queries() as captured:
            run(schema, f"{{ libraries: librarys {{ {asked} {{ title }} }} }}")
        counts.append(len(captured))
        other = library_model.objects.create(name="Other")
        book_model.objects.create(library=other, title="Z", author="Ann", year=1900)
    assert counts == [2, 2]
    assert library.pk


def test_a_wrong_declaration_is_told() -> None:
    """With the type, the field and the model in it."""
    with pytest.raises(ImproperlyConfigured, match=r"Lost\.lost: .*Book has no manager “missing”"):

        @gql_cluster.type(library_model)
        class Lost:
            lost: list[Volume] = gql_cluster.rows("books", "missing")

    with pytest.raises(ImproperlyConfigured, match=r"Both\.both: “newest” takes “first”"):

        @gql_cluster.type(library_model)
        class Both:
            both: list[Volume] = gql_cluster.rows("books", "newest")

    with pytest.raises(ImproperlyConfigured, match=r"Gone\.gone: “name” is no list of"):

        @gql_cluster.type(library_model)
        class Gone:
            gone: list[Volume] = gql_cluster.rows("name", "old")
