"""Values of fields as JSON: exact round trips, one spelling, and clear refusals."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import models
from hypothesis import example, given
from hypothesis import strategies as st

from gql_cluster.orm.codec import column_encoder, decode, encode
from gql_cluster.orm.load import parse_pk
from schema.bands.models import Band
from tests.clusters.models import Contact, CreditNote, Currency, Customer, Invoice

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
WHOLE = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | FINITE | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=5,
)
AWARE = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 29)).flatmap(  # noqa: DTZ001
    lambda naive: st.timezones().map(lambda zone: naive.replace(tzinfo=zone))
)

FIELDS: list[tuple[models.Field[Any, Any], st.SearchStrategy[Any]]] = [
    (models.CharField(max_length=9), TEXT),
    (models.TextField(), TEXT),
    (models.SlugField(), TEXT),
    (models.FileField(), TEXT),
    (models.BooleanField(), st.booleans()),
    (models.IntegerField(), WHOLE),
    (models.BigIntegerField(), WHOLE),
    (models.PositiveSmallIntegerField(), st.integers(0, 32767)),
    (models.FloatField(), FINITE),
    (models.DateField(), st.dates()),
    (models.DateTimeField(), AWARE),
    (models.TimeField(), st.times()),
    (models.DurationField(), st.timedeltas()),
    (models.UUIDField(), st.uuids()),
    (models.BinaryField(), st.binary()),
    (models.JSONField(), JSON),
    (models.GenericIPAddressField(), st.ip_addresses(v=4).map(str)),
    (
        models.DecimalField(max_digits=12, decimal_places=4),
        st.decimals(-99999999, 99999999, places=4, allow_nan=False),
    ),
    (
        models.DecimalField(max_digits=40, decimal_places=0),
        st.integers().map(lambda i: Decimal(i % 10**40)),
    ),
]


@pytest.mark.parametrize(("field", "values"), FIELDS, ids=lambda each: type(each).__name__)
@given(data=st.data())
def test_a_column_is_encoded_as_each_of_its_values(
    field: models.Field[Any, Any], values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Whatever kinds of values are in it, and with nulls."""
    field.set_attributes_from_name("value")
    column = data.draw(st.lists(st.none() | values))
    encoded = column_encoder(field)(column)
    assert repr(list(encoded)) == repr([encode(field, value) for value in column])


@given(st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False))
@example(Decimal("1.5E+3"))
@example(Decimal("-0.0000"))
@example(Decimal("123456789.0000"))
def test_a_number_of_a_column_is_encoded_as_any(value: Decimal) -> None:
    """With more or fewer places than the field, an exponent, too many digits, and no minus zero."""
    field = models.DecimalField(max_digits=8, decimal_places=4)
    field.set_attributes_from_name("value")
    try:
        encoded = encode(field, value)
    except ValidationError:
        with pytest.raises(ValidationError):
            column_encoder(field)([value])
    else:
        assert column_encoder(field)([value]) == [encoded]


@pytest.mark.parametrize(("field", "values"), FIELDS, ids=lambda each: type(each).__name__)
@given(data=st.data())
def test_a_value_comes_back_as_it_was(
    field: models.Field[Any, Any], values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    """Through real JSON; and what comes back is written the same again."""
    field.set_attributes_from_name("value")
    value = data.draw(values)
    encoded = encode(field, value)
    back = decode(field, json.loads(json.dumps(encoded)))
    assert bytes(back) == value if isinstance(value, bytes) else back == value
    assert encode(field, back) == encoded


@given(number=st.decimals(allow_nan=True, allow_infinity=True))
def test_any_number_is_kept_exactly_or_refused(number: Decimal) -> None:
    """Never rounded, and with no error of its own; equal numbers are spelt alike."""
    field = models.DecimalField(max_digits=6, decimal_places=2)
    field.set_attributes_from_name("value")
    try:
        encoded = encode(field, number)
    except ValidationError:
        assert not number.is_finite() or abs(number) >= 10**6
    else:
        assert decode(field, encoded) == number
        assert encode(field, str(number)) == encoded
        assert not str(encoded).startswith("-0.00") or number


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (models.DecimalField(max_digits=6, decimal_places=2), "1e400"),
        (models.DecimalField(max_digits=6, decimal_places=2), "NaN"),
        (models.DecimalField(max_digits=6, decimal_places=2), "nope"),
        (models.FloatField(), math.inf),
        (models.FloatField(), "1e999"),
        (models.FloatField(), math.nan),
        (models.CharField(), "a\0b"),
        (models.TextField(), "\ud800"),
        (models.JSONField(), {"a": ["\0"]}),
        (models.JSONField(), {"\udfff": 1}),
        (models.JSONField(), [math.nan]),
        (models.JSONField(), {"deep": [2**64]}),
        (models.IntegerField(), 2**63),
        (models.IntegerField(), "9" * 5000),
        (models.IntegerField(), "one"),
        (models.UUIDField(), "no"),
        (models.BinaryField(), "not base64!"),
        (models.DateTimeField(), "2020-13-01"),
        (models.DateTimeField(), "0001-01-01T00:00:00+14:00"),
        (models.DurationField(), "P9999999999D"),
        (models.BooleanField(), "perhaps"),
    ],
    ids=repr,
)
def test_what_can_not_be_kept_is_refused(field: models.Field[Any, Any], value: object) -> None:
    """As a `ValidationError`, and nothing else."""
    field.set_attributes_from_name("value")
    with pytest.raises(ValidationError):
        encode(field, value)


def test_a_time_without_a_zone_is_in_the_current_one() -> None:
    """As Django has it of what a person enters."""
    field = Invoice._meta.get_field("issued")
    assert encode(field, "2020-01-01T10:00") == "2020-01-01T10:00:00+00:00"
    assert encode(field, dt.datetime(2020, 1, 1, 10)) == "2020-01-01T10:00:00+00:00"  # noqa: DTZ001


def test_null_is_null_in_every_field() -> None:
    """Of JSON, too: the database's null and JSON's are one in a draft."""
    for name in ("issued", "extra", "payer", "currency", "rate", "seal"):
        field: Any = Invoice._meta.get_field(name)
        assert encode(field, None) is None
        assert decode(field, None) is None


def test_a_foreign_key_holds_what_its_target_field_holds() -> None:
    """Given as a value or as an object."""
    field: Any = Invoice._meta.get_field("currency")
    assert encode(field, Currency(pk=7, code="GBP")) == encode(field, "GBP") == "GBP"
    customer: Any = Invoice._meta.get_field("customer")
    assert encode(customer, Customer(code="acme")) == "acme"


@pytest.mark.parametrize(
    "pk",
    [
        "",
        " 1 ",
        "1_0",
        "+1",
        "01",
        "1.0",
        "\u0661",
        "one",
        "9" * 30,
        "9" * 9000,
        "-0",
        "\0",
        "\ud800",
    ],
    ids=lambda pk: repr(pk[:9]),
)
def test_a_number_has_one_spelling_as_a_key(pk: str) -> None:
    """All else is no key; of what would be a number, too."""
    assert parse_pk(Band, pk) is None


def test_a_key_is_what_its_field_says() -> None:
    """A number, a UUID in any of its forms, a text; through a parent link, too."""
    one = uuid.UUID(int=1)
    assert parse_pk(Band, "10") == 10
    for model in (Invoice, CreditNote):
        for text in (str(one), one.hex, one.urn, f"{{{one}}}", str(one).upper()):
            assert parse_pk(model, text) == str(one)
        assert parse_pk(model, "1") is None
    assert parse_pk(Contact, " x ") == " x "
    assert parse_pk(Contact, "\0") is None


def test_an_enum_is_its_value() -> None:
    """As choices are given."""

    class Kind(models.TextChoices):
        ONE = "1", "One"

    field = models.CharField(choices=Kind.choices, max_length=1)
    assert encode(field, Kind.ONE) == "1"
    assert type(encode(field, Kind.ONE)) is str
