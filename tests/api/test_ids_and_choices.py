"""Global ids and enums."""

import base64
from enum import Enum

import pytest
from django.db import models
from django.test.utils import isolate_apps
from strawberry import auto
from strawberry.types.enum import StrawberryEnumDefinition

import gql_cluster
from gql_cluster.api.choices import enum_of
from gql_cluster.api.ids import DraftId, GlobalId, NodeId, SavedId, parse
from schema.bands.models import Band, BandMember
from tests.festival import places
from tests.shapes import models as small


@pytest.mark.parametrize(
    "id_",
    [
        SavedId(type="Band", pk="3"),
        SavedId(type="Band", pk="a:b/c"),
        SavedId(type="NovelDraft", pk="3"),  # a model may be called so
        DraftId(cluster="Band", draft="d1"),
        NodeId(cluster="Band", draft="d1", key="root"),
        NodeId(cluster="Band", draft="d1", key="BandMember:7"),
    ],
)
def test_an_id_is_read_as_it_was_made(id_: GlobalId) -> None:
    """Each kind, and no kind for another."""
    assert parse(str(id_), {"Band"}) == id_


@pytest.mark.parametrize(
    "text",
    ["", "Band", "Band:3", "ééé", "QmFuZA==", "QmFuZDo=", "OjM=", "!!!!", "QmFuZDoz=", "//8="]
    + [base64.b64encode(bad).decode() for bad in (b"BandDraft:", b"BandDraft:/k", b"BandDraft:d/")]
    + [base64.b64encode(b"BandDraft:" + bad).decode() for bad in (b"d\nERROR", b"}", b"d" * 65)],
)
def test_garbage_is_no_id(text: str) -> None:
    """Whatever a client sends."""
    assert parse(text, {"Band"}) is None


def test_an_enum_has_the_stored_values_and_the_labels() -> None:
    """Named after model and field, made once."""
    field = Band._meta.get_field("status")
    enum = enum_of(field)
    assert enum is not None
    assert enum.__name__ == "BandStatus"
    assert {each.name: each.value for each in enum} == {
        "ACTIVE": "active",
        "DISBANDED": "disbanded",
        "ON_HIATUS": "on_hiatus",
    }
    assert enum_of(field) is enum
    assert enum("on_hiatus") is enum["ON_HIATUS"]
    descriptions = {each.name: each.description for each in _definition(enum).values}
    assert descriptions["ON_HIATUS"] == "On hiatus"


def test_no_choices_no_enum() -> None:
    """A plain column, a relation, and nothing but the blank choice."""
    assert enum_of(Band._meta.get_field("name")) is None
    assert enum_of(BandMember._meta.get_field("band")) is None
    with isolate_apps("schema.bands"):

        class Odd(models.Model):
            blank = models.CharField(max_length=1, choices=[("", "None")], blank=True)

            class Meta:
                app_label = "bands"

            def __str__(self) -> str:
                return "odd"

    assert enum_of(Odd._meta.get_field("blank")) is None


def test_member_names_are_names_of_graphql() -> None:
    """Whatever the values are: numbers, signs, accents, clashes, groups."""
    choices = [
        ("Group", [("a-b", "A"), ("a b", "B")]),
        (None, "Blank"),
        ("", "Blank too"),
        ("+", "Plus"),
        ("-", "Minus"),
        ("1-", "One"),
        ("café", "Coffee"),
        ("true", "Yes"),
        ("__x__", "Hidden"),
        ("?", "…"),
        ("!", "¡"),
        ("2", "2nd"),
    ]
    with isolate_apps("schema.bands"):

        class Odd(models.Model):
            kind_of_it = models.CharField(max_length=9, choices=choices)
            number = models.IntegerField(
                choices=[(1, "One"), (-1, "Minus one"), (10, "10"), (11, "one")]
            )

            class Meta:
                app_label = "bands"

            def __str__(self) -> str:
                return "odd"

    kind, number = (enum_of(Odd._meta.get_field(each)) for each in ("kind_of_it", "number"))
    assert kind is not None
    assert number is not None
    assert kind.__name__ == "OddKindOfIt"
    assert {each.name: each.value for each in kind} == {
        "A_B": "a-b",
        "A_B_2": "a b",
        "PLUS": "+",
        "MINUS": "-",
        "ONE": "1-",
        "CAFE": "café",
        "TRUE": "true",
        "X": "__x__",
        "VALUE": "?",
        "VALUE_2": "!",
        "_2": "2",
    }
    assert {each.name: each.value for each in number} == {
        "ONE": 1,
        "MINUS_ONE": -1,
        "_10": 10,
        "ONE_2": 11,
    }


async def test_models_of_one_name_have_enums_of_their_own() -> None:
    """In one schema, once one of them is declared under another name."""

    @gql_cluster.type(small.Team, name="Squad")
    class Squad:
        status: auto

    @gql_cluster.type(small.Logbook, name="Logbook")
    class Logbook:
        teams: list[Squad]

    schema = gql_cluster.Schema(clusters=[Logbook, places.Team])
    sdl = schema.as_str()
    await schema.engine.aclose()
    assert "enum ShapesTeamStatus {" in sdl
    assert "enum FestivalTeamStatus {" in sdl


def _definition(enum: type[Enum]) -> StrawberryEnumDefinition:
    definition: StrawberryEnumDefinition = enum.__strawberry_definition__  # type: ignore[attr-defined]
    return definition
