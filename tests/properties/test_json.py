"""The JSON of a draft is modelcluster's own of the equal cluster in memory, and opens as equal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.serializers.json import DjangoJSONEncoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gql_cluster.service.engine import Engine
from gql_cluster.service.export import export
from gql_cluster.service.open import open_saved
from gql_cluster.service.open_json import open_json
from schema.bands.models import Genre
from tests.properties.test_against_modelcluster import ANN, BAND, Both, begin, make_band, op, shape

CHILDREN = ("members", "albums", "songs")
OF_THE_TIME = ("created_at", "updated_at")


def number(children: Any, like: list[dict[str, Any]]) -> None:
    """Give children in memory the numbers of others."""
    for child, other in zip(children.all(), like, strict=True):
        child.position = other["position"]


def twin_json(both: Both, numbered: dict[str, Any]) -> dict[str, Any]:
    """Return what modelcluster writes of the twin, with the original's primary keys.

    A draft keeps the numbers of children that did not move; in memory they were all counted
    anew, so the twin gets the draft's numbers first.
    """
    band = both.band
    number(band.members, numbered["members"])
    for album, other in zip(band.albums.all(), numbered["albums"], strict=True):
        number(album.songs, other["songs"])
    original: dict[str, dict[int, int]]
    original = {"Band": {band.pk: numbered["pk"]}, "BandMember": {}, "Album": {}, "Song": {}}
    for key, twin in both.objects.items():
        if ":" in key:
            original[type(twin).__name__][twin.pk] = int(key.partition(":")[2])

    def renamed(data: dict[str, Any], model: str, above: str | None = None) -> dict[str, Any]:
        data["pk"] = original[model].get(data["pk"])
        if above is not None:
            data[above] = original[above.title()].get(data[above])
        return data

    data = renamed(json.loads(json.dumps(band.serializable_data(), cls=DjangoJSONEncoder)), "Band")
    for member in data["members"]:
        renamed(member, "BandMember", "band")
    for album in data["albums"]:
        renamed(album, "Album", "band")
        for song in album["songs"]:
            renamed(song, "Song", "album")
    return data


def timeless(data: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a band without the times and the name, by which the two differ."""
    return {name: value for name, value in data.items() if name not in (*OF_THE_TIME, "name")}


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ops=st.lists(op, max_size=12))
@pytest.mark.usefixtures("transactional_db")
async def test_a_drafts_json_is_the_models_and_opens_as_an_equal_draft(
    ops: list[tuple[str, int, int]],
) -> None:
    """After any changes: the twin's `serializable_data()`, and the same again once opened."""
    engine = Engine({"Band": BAND})
    try:
        for name in ("rock", "blues", "folk", "soul"):
            await sync_to_async(Genre.objects.get_or_create)(name=name)
        original = await sync_to_async(make_band)("original")
        twin = await sync_to_async(make_band)("twin")
        view = await open_saved(engine, ANN, BAND, str(original.pk), resume=False)
        both = await sync_to_async(begin)(engine, view, twin, original)
        for name, one, two in ops:
            await both.apply(name, one, two)
        view = await open_saved(engine, ANN, BAND, str(original.pk), resume=True)
        data: Any = await export(engine, view)
        assert timeless(data) == timeless(await sync_to_async(twin_json)(both, data))

        again = await open_json(engine, ANN, BAND, data)
        assert again.draft.id != view.draft.id
        assert timeless(dict(await export(engine, again))) == timeless(data)
        roots = [each.instance((await each.load_all())[0]) for each in (view, again)]
        assert await sync_to_async(shape)(roots[0]) == await sync_to_async(shape)(roots[1])
    finally:
        await engine.aclose()
