"""How text is compared: as the database of this run does."""

from dataclasses import replace

import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Upper

from gql_cluster.api.dialect import dialect_of
from schema.bands.models import Genre

pytestmark = pytest.mark.django_db

TEXTS = ["b", "A", "a", "Ä", "ä", "Z", "ß", "", "10", "9"]


def test_code_points_order_text_or_the_database_is_asked() -> None:
    """None says that Python's own order is the database's."""
    Genre.objects.bulk_create(Genre(name=text) for text in TEXTS)
    dialect = dialect_of("default")
    ranks = dialect.ranks(TEXTS, None) or {text: ord(text[0]) if text else 0 for text in TEXTS}
    ordered = list(Genre.objects.order_by("name").values_list("name", flat=True))
    assert sorted(TEXTS, key=lambda text: (ranks[text], text)) == ordered
    asked = replace(dialect, by_code_point=False).ranks(TEXTS, None)
    assert asked is not None
    assert sorted(TEXTS, key=lambda text: asked[text]) == ordered


def test_the_collation_of_a_column_decides() -> None:
    """Equal texts have equal ranks."""
    collation = "NOCASE" if connection.vendor == "sqlite" else "C"
    ranks = dialect_of("default").ranks(["b", "A", "a"], collation)
    assert ranks == (
        {"A": 1, "a": 1, "b": 2} if collation == "NOCASE" else {"A": 1, "a": 2, "b": 3}
    )


def test_case_is_folded_as_the_database_folds_it() -> None:
    """Letters beyond A to Z have two cases for some databases only."""
    dialect = dialect_of("default")
    genre = Genre.objects.create(name="straße älter")
    for text in ("ÄLTER", "ST", "älter", "E Ä", "ß"):
        found = Genre.objects.filter(pk=genre.pk, name__icontains=text).exists()
        assert (dialect.fold(text) in dialect.fold(genre.name)) is found
        found = Genre.objects.filter(pk=genre.pk, name__contains=text).exists()
        assert (dialect.like(text) in dialect.like(genre.name)) is found
    upper = Genre.objects.annotate(upper=Upper(Value("ä"))).values_list("upper", flat=True)[0]
    assert dialect.fold("ä") == upper or connection.vendor == "sqlite"
