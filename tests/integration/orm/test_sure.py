"""What is told to be clean without asking `full_clean()`: nothing that it would not take."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Model
from hypothesis import given
from hypothesis import strategies as st

from gql_cluster.orm.sure import surely_clean
from tests.clusters.freights import Barrel, Crate, Freight, Parcel
from tests.clusters.models import Contact, Customer, Invoice, Line
from tests.clusters.specimens import Sample

pytestmark = pytest.mark.once

MODELS: list[type[Model]] = [Parcel, Barrel, Crate, Contact, Customer]
PARENTS = {Parcel: "freight", Barrel: "freight", Crate: "freight", Contact: "invoice"}
NUMBERS = [0, -1, 1, 9999, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 2**63 - 1, 2**70]
TEXTS = ["", "a", "a" * 20, "a" * 21, "\x00", "é" * 20]
DECIMALS = [
    "1",
    "1.50",
    "9999.99",
    "10000",
    "0.001",
    "1E+3",
    "1E+9",
    "0",
    "NaN",
    "Infinity",
    "-0.01",
]
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers() | st.sampled_from(NUMBERS),
    st.text(max_size=25) | st.sampled_from(TEXTS),
    st.sampled_from([Decimal(each) for each in DECIMALS]),
    st.decimals(places=2),
    st.just(dt.date(2020, 1, 1)),
    st.just(dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
    st.just(uuid.UUID(int=1)),
    st.floats(),
    st.sampled_from([[], {}, (), [1]]),
)


@given(model=st.sampled_from(MODELS), data=st.data())
def test_what_is_surely_clean_is_left_as_it_is(model: type[Model], data: st.DataObject) -> None:
    """Whatever each column holds, of its own type or another."""
    instance: Any = model()
    for field in model._meta.concrete_fields:
        if data.draw(st.booleans()):
            instance.__dict__[field.attname] = data.draw(VALUES)
    parent = PARENTS.get(model)
    if not surely_clean(model, parent)(instance):
        return
    before = {**instance.__dict__}
    instance.full_clean(
        exclude=[] if parent is None else [parent],
        validate_unique=False,
        validate_constraints=False,
    )
    assert instance.__dict__ == before
    assert {n: type(v) for n, v in instance.__dict__.items()} == {
        n: type(v) for n, v in before.items()
    }


@pytest.mark.parametrize(
    "parcel",
    [
        Parcel(name="ok", weight=Decimal("9999.99"), sort_order=2**31 - 1),
        Parcel(name="a" * 20, weight=Decimal(0), sort_order=None, is_hidden=True),
    ],
)
def test_what_is_plain_is_surely_clean(parcel: Parcel) -> None:
    """As most rows are; else nothing would be won."""
    assert surely_clean(Parcel, "freight")(parcel)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a" * 21},
        {"name": None},
        {"weight": Decimal(10000)},
        {"weight": Decimal("1.001")},
        {"weight": Decimal("NaN")},
        {"weight": None},
        {"sort_order": 2**70},
        {"is_hidden": None},
    ],
)
def test_what_is_wrong_is_asked_about(wrong: dict[str, Any]) -> None:
    """Each of these is refused by `full_clean()`."""
    parcel = Parcel(**{"name": "ok", "weight": Decimal(1), **wrong})
    assert not surely_clean(Parcel, "freight")(parcel)
    with pytest.raises(ValidationError):
        parcel.full_clean(exclude=["freight"])


def test_who_has_a_say_is_asked() -> None:
    """A model with a `clean()` of its own, or fields that are looked at in other ways."""
    assert not surely_clean(Line, "invoice")(Line(name="a", quantity=1))
    assert not surely_clean(Invoice, None)(Invoice(name="a"))
    assert not surely_clean(Sample, "specimen")(Sample(name="a"))
    assert surely_clean(Freight, None)(Freight(name="a"))


def test_a_clean_that_is_put_in_place_later_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is looked at each time."""
    freight = Freight(name="a")
    assert surely_clean(Freight, None)(freight)
    monkeypatch.setattr(Freight, "clean", lambda _: None)
    assert not surely_clean(Freight, None)(freight)
