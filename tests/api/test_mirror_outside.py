"""What leaves the cluster, and columns of many kinds, on a saved cluster and on a draft of it."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
import strawberry
from django.contrib.auth.models import User
from django.db import connection
from pytest_django import DjangoDbBlocker

from gql_cluster.domain.change import AddNodes, NewNode, SetFields, UpdateNode
from tests.api.harbour import TABLES
from tests.api.mirror_kit import both, draft_of, execute, make_schema, queries, run

# The django-stubs plugin does not know models of another registry.
Country, Ship, Voyage = TABLES

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_tables")]


@pytest.fixture(scope="session")
def _tables(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    del django_db_setup
    with django_db_blocker.unblock(), connection.schema_editor() as editor:
        for model in TABLES:
            editor.create_model(model)


@pytest.fixture(scope="module")
def schema() -> strawberry.Schema:
    """A schema of the ship, with the optimizer."""
    return make_schema(Ship)


@pytest.fixture
def ship() -> Any:
    """A ship with three voyages, of values that tell kinds of columns apart."""
    owner = User.objects.create_user("owner", "owner@example.com", "secret")
    malta = Country.objects.create(name="Malta", code="MT")
    chile = Country.objects.create(name="Chile", code="CL")
    ship = Ship.objects.create(name="Batavia", owner=owner, flag=malta)
    started = dt.datetime(2024, 2, 29, 23, 30, tzinfo=dt.UTC)
    Voyage.objects.create(
        ship=ship,
        number=2,
        harbour=chile,
        started=started,
        price="10.50",
        insured=True,
        grade="1st",
    )
    Voyage.objects.create(
        ship=ship, number=1, harbour=malta, at=dt.time(6, 5), load=0.5, price="9.00", grade="2-nd"
    )
    Voyage.objects.create(ship=ship, number=3, ref=uuid.UUID(int=7), notes={"a": [1]})
    return ship


VOYAGE = (
    "pk number harbour { pk name code } started at price insured load ref notes grade ship { name }"
)


@pytest.mark.parametrize(
    "fields",
    [
        f"name owner {{ pk }} flag {{ name }} plan {{ name }} voyages {{ {VOYAGE} }}",
        'voyages(filters: {price: {gt: "9.5"}}) { number }',
        'voyages(filters: {price: {inList: ["9", "0.00"]}}) { number }',
        "voyages(filters: {insured: {exact: true}}) { number }",
        "voyages(filters: {insured: {exact: false}, load: {isNull: true}}) { number }",
        "voyages(filters: {load: {lt: 0.6}}) { number }",
        'voyages(filters: {ref: {exact: "00000000-0000-0000-0000-000000000007"}}) { number }',
        'voyages(filters: {started: {gte: "2024-02-29T23:30:00+00:00"}}) { number }',
        'voyages(filters: {started: {gt: "2024-03-01T00:30:00+01:00"}}) { number }',
        "voyages(filters: {started: {hour: {exact: 23}, minute: {gt: 1}}}) { number }",
        "voyages(filters: {started: {day: {exact: 29}, week: {exact: 9}}}) { number }",
        'voyages(filters: {started: {date: {exact: "2024-02-29"}}}) { number }',
        'voyages(filters: {started: {time: {gte: "23:00:00"}}}) { number }',
        "voyages(filters: {at: {hour: {inList: [6]}}}) { number }",
        "voyages(filters: {grade: {exact: FIRST}}) { number grade }",
        "voyages(filters: {harbour: {isNull: true}}) { number }",
        "voyages(filters: {NOT: {harbour: {exact: 999}}}) { number }",
        "voyages(ordering: [{price: DESC}]) { number }",
        "voyages(ordering: [{insured: DESC}, {number: ASC}]) { number }",
        "voyages(ordering: [{load: DESC}, {started: ASC}, {number: ASC}]) { number }",
        "voyages(ordering: [{ref: ASC}], pagination: {limit: 1}) { ref }",
        "voyages(ordering: [{grade: ASC}]) { number grade }",
        "voyagesConnection(first: 2) { totalCount edges { cursor node { number } } }",
    ],
)
def test_saved_and_unchanged_draft_answer_alike(
    schema: strawberry.Schema, ship: Any, fields: str
) -> None:
    """The same query text gives the same JSON."""
    saved, drafted = both(schema, ship, fields)
    assert drafted == saved


def test_filters_by_keys(schema: strawberry.Schema, ship: Any) -> None:
    """A primary key, and what a foreign key points to, are compared as the database does."""
    voyage = ship.voyages.get(number=1)
    for where in (
        f'{{pk: {{exact: "{voyage.pk}"}}}}',
        f'{{harbour: {{exact: "{voyage.harbour_id}"}}}}',
        f'{{harbour: {{inList: ["{voyage.harbour_id}"]}}}}',
        f'{{ship: {{exact: "{ship.pk}"}}, number: {{lt: 2}}}}',
    ):
        saved, drafted = both(schema, ship, f"voyages(filters: {where}) {{ number }}")
        assert drafted == saved == {"voyages": [{"number": 1}]}


def test_foreign_keys_of_a_list_cost_one_query(schema: strawberry.Schema, ship: Any) -> None:
    """A hundred nodes ask for their foreign objects at once."""
    ship.voyages.add(*(Voyage(number=n, harbour=Country.objects.first()) for n in range(4, 104)))
    ship.save()
    view = draft_of(ship).view()
    with queries() as captured:
        data = run(schema, "{ draftShip { voyages { harbour { name } } } }", view)
    assert len(data["draftShip"]["voyages"]) == 103
    assert len(captured) == 1


def test_dangling_and_missing_foreign_keys_are_null(schema: strawberry.Schema, ship: Any) -> None:
    """What is not there is null, in a draft that could not be saved like that."""
    draft = draft_of(
        ship,
        SetFields(values={"flag": "XX", "owner": None}),
        AddNodes(relation="voyages", nodes=(NewNode(key="n", values={"harbour": 999}),)),
    )
    data = run(
        schema,
        "{ draftShip { flag { name } owner { pk } voyages { pk number harbour { name } grade } } }",
        draft.view(),
    )["draftShip"]
    assert data["flag"] is None
    assert data["owner"] is None
    assert data["voyages"][-1] == {"pk": None, "number": None, "harbour": None, "grade": None}


def test_changed_columns_are_filtered_as_they_would_be_saved(
    schema: strawberry.Schema, ship: Any
) -> None:
    """Values that a client has staged are compared as the database would compare them."""
    key = f"Voyage:{ship.voyages.get(number=1).pk}"
    values: Any = {
        "price": "11.00",
        "started": "2024-01-01T00:00:00+00:00",
        "number": 7,
    }
    draft = draft_of(ship, UpdateNode(relation="voyages", key=key, values=values))
    voyage = ship.voyages.get(number=1)
    voyage.price, voyage.number = Decimal(11), 7
    voyage.started = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    voyage.save()
    for arguments in (
        '(filters: {price: {gt: "10.5"}})',
        "(ordering: [{started: DESC}, {number: ASC}])",
        "(filters: {started: {month: {exact: 1}}})",
        "(ordering: [{price: ASC}, {number: DESC}])",
    ):
        fields = f"voyages{arguments} {{ number price started }}"
        data = run(schema, f"{{ draftShip {{ {fields} }} }}", draft.view())
        saved = run(schema, f"{{ ship(pk: {ship.pk}) {{ {fields} }} }}")
        assert data["draftShip"] == saved["ship"]


def test_a_user_shows_nothing_but_the_key(schema: strawberry.Schema) -> None:
    """No password hash, no e-mail address: neither to read, nor to filter or order by."""
    printed = str(schema)
    start = printed.index("type User implements Node")
    fields = printed[start : printed.index("}", start)]
    assert "pk: ID" in fields
    assert fields.count(":") == 2
    for made in ("input UserFilter", "input UserOrder"):
        assert f"{made} " not in printed


def test_bad_filters_are_told(schema: strawberry.Schema, ship: Any) -> None:
    """What is no value of a key is the client's error; so is a negative offset."""
    for arguments in ('(filters: {pk: {exact: "x"}})', "(pagination: {offset: -1})"):
        query = f"{{ draftShip {{ voyages{arguments} {{ number }} }} }}"
        result = execute(schema, query, draft_of(ship).view())
        assert result.errors[0].extensions["code"] == "BAD_USER_INPUT"
