"""Any filter, ordering and page of a relation: a draft answers as the database does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.bands.models import Album, Band, BandMember
from tests.api.mirror_kit import draft_of, make_schema, run

SCHEMA = make_schema(Band)
MEMBERS = """
($filters: BandMemberFilter, $ordering: [BandMemberOrder!],
  $page: OffsetPaginationInput, $first: Int) {
  it: ROOT {
    members(filters: $filters, ordering: $ordering, pagination: $page) { pk }
    membersConnection(filters: $filters, ordering: $ordering, first: $first) {
      totalCount pageInfo { hasNextPage endCursor } edges { node { pk } }
    }
  }
}
"""
ALBUMS = (
    MEMBERS.replace("BandMember", "Album")
    .replace("members(", "albums(")
    .replace("membersC", "albumsC")
)

# Case, letters beyond ASCII, and what means something to LIKE and to regular expressions.
texts = st.text(alphabet="aAbBäÄßéİ%_\\.* ", max_size=4)
years = st.integers(1998, 2003)
days = st.dates(dt.date(1999, 12, 25), dt.date(2000, 3, 5))
INSTRUMENTS = ["guitar", "bass", "drums"]
KINDS = ["studio", "live"]


def lookup(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Mapping[str, Any]]:
    """Return some lookups of a field, at least one."""
    every = st.fixed_dictionaries({}, optional=members)
    return every.filter(bool)


def text_lookup(values: st.SearchStrategy[str]) -> st.SearchStrategy[Mapping[str, Any]]:
    """Return lookups of a text."""
    names = ("exact", "iExact", "contains", "iContains", "startsWith", "iStartsWith")
    ends = ("endsWith", "iEndsWith")
    each = dict.fromkeys((*names, *ends), values)
    return st.one_of(
        *(lookup(**{name: strategy}) for name, strategy in each.items()),
        lookup(inList=st.lists(values, max_size=3), isNull=st.booleans()),
    )


def number_lookup(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Mapping[str, Any]]:
    """Return lookups of what can be compared."""
    ends = st.fixed_dictionaries({}, optional={"start": values, "end": values})
    return lookup(
        exact=values,
        gt=values,
        gte=values,
        lt=values,
        lte=values,
        isNull=st.booleans(),
        inList=st.lists(values, max_size=3),
        range=ends,
    )


def choice_lookup(names: Sequence[str]) -> st.SearchStrategy[Mapping[str, Any]]:
    """Return lookups of a choice."""
    value = st.sampled_from([name.upper() for name in names])
    return lookup(exact=value, inList=st.lists(value, max_size=2))


def filters(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Mapping[str, Any]]:
    """Return filters by some fields, joined in every way and as deep as may be."""
    plain = st.fixed_dictionaries({}, optional=fields)

    def joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        names = ("AND", "OR", "NOT")
        return st.fixed_dictionaries({}, optional={**fields, **dict.fromkeys(names, inner)})

    return st.recursive(plain, joined, max_leaves=4)


def orderings(*names: str) -> st.SearchStrategy[list[Mapping[str, str]]]:
    """Return orderings; the last is by primary key, because ties have no order."""
    nulls = ("ASC", "DESC", "ASC_NULLS_FIRST", "ASC_NULLS_LAST", "DESC_NULLS_FIRST")
    how = st.sampled_from([*nulls, "DESC_NULLS_LAST"])
    by = st.builds(lambda name, how: {name: how}, st.sampled_from(names), how)
    return st.lists(by, max_size=3).map(lambda some: [*some, {"pk": "ASC"}])


pages = st.fixed_dictionaries(
    {}, optional={"offset": st.integers(0, 6), "limit": st.integers(0, 6)}
)
member_rows = st.lists(
    st.tuples(texts, st.sampled_from(INSTRUMENTS), st.none() | years, st.none() | years),
    max_size=7,
    unique_by=lambda row: row[0],
)
album_rows = st.lists(
    st.tuples(texts, days, texts, st.sampled_from(KINDS)), max_size=6, unique_by=lambda row: row[0]
)
member_filters = filters(
    name=text_lookup(texts),
    instrument=choice_lookup(INSTRUMENTS),
    joined=number_lookup(years),
    left=number_lookup(years),
)
parts = st.integers(0, 60)
album_filters = filters(
    title=text_lookup(texts),
    label=text_lookup(texts),
    kind=choice_lookup(KINDS),
    released=st.one_of(
        number_lookup(days.map(dt.date.isoformat)),
        *(
            st.fixed_dictionaries({name: number_lookup(values)})
            for name, values in {
                "year": years,
                "month": st.integers(1, 12),
                "day": st.integers(1, 31),
                "weekDay": st.integers(1, 7),
                "isoWeekDay": st.integers(1, 7),
                "week": st.integers(1, 53),
                "isoYear": years,
                "quarter": st.integers(1, 4),
            }.items()
        ),
    ),
)


def answers(band: Band, query: str, asked: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return what the database and an unchanged draft answer."""
    saved = run(SCHEMA, "query" + query.replace("ROOT", f"band(pk: {band.pk})"), **asked)
    view = draft_of(band).view()
    return saved, run(SCHEMA, "query" + query.replace("ROOT", "draftBand"), view, **asked)


quickly = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@quickly
@given(
    rows=member_rows,
    filters=st.none() | member_filters,
    ordering=st.none() | orderings("name", "instrument", "joined", "left", "position"),
    page=st.none() | pages,
    first=st.integers(0, 4),
)
@pytest.mark.django_db
def test_children_that_keep_an_order(rows: list[Any], first: int, **asked: Any) -> None:
    """Texts, choices and numbers that may be missing."""
    band = Band.objects.create(name="b")
    BandMember.objects.bulk_create(
        BandMember(
            band=band, name=name or "-", instrument=instrument, joined=joined, left=left, position=n
        )
        for n, (name, instrument, joined, left) in enumerate(rows, start=1)
    )
    saved, drafted = answers(band, MEMBERS, {**asked, "first": first})
    assert drafted == saved


@quickly
@given(
    rows=album_rows,
    filters=st.none() | album_filters,
    ordering=orderings("title", "released", "label", "kind"),
    page=st.none() | pages,
    first=st.integers(0, 4),
)
@pytest.mark.django_db
def test_children_without_an_order(rows: list[Any], first: int, **asked: Any) -> None:
    """Texts, choices, and dates with all that can be asked of them."""
    band = Band.objects.create(name="b")
    Album.objects.bulk_create(
        Album(band=band, title=title, released=released, label=label, kind=kind)
        for title, released, label, kind in rows
    )
    saved, drafted = answers(band, ALBUMS, {**asked, "first": first})
    assert drafted == saved
