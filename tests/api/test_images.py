"""Images, where Pillow is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, models
from django.test.utils import isolate_apps
from modelcluster.models import ClusterableModel
from PIL import Image

import gql_cluster
from tests.api.schema_kit import ERRORS, Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

with isolate_apps("tests.clusters"):

    class Picture(ClusterableModel):
        """An image whose size the model keeps."""

        image = models.ImageField(blank=True, width_field="wide", height_field="high")
        wide = models.IntegerField(null=True, editable=False)
        high = models.IntegerField(null=True, editable=False)

        class Meta:
            app_label = "clusters"

        def __str__(self) -> str:
            return str(self.image)


def _make_table() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Picture)


def _drop_table() -> None:
    with connection.schema_editor() as editor:
        editor.delete_model(Picture)


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema of pictures."""
    await sync_to_async(_make_table)()
    schema = gql_cluster.Schema(clusters=[Picture])
    yield Client(schema=schema)
    await schema.engine.aclose()
    await sync_to_async(_drop_table)()


async def test_an_image_is_set_by_the_name_of_a_stored_one(
    client: Client, settings: Any, tmp_path: Any
) -> None:
    """Its width and height are read of it, in a draft too, and kept by the model at commit."""
    settings.MEDIA_ROOT = str(tmp_path)
    for name, size in (("small.png", (3, 2)), ("large.png", (30, 20))):
        Image.new("RGB", size).save(tmp_path / name)
    picture = await sync_to_async(Picture._default_manager.create)(image="small.png")
    assert (picture.wide, picture.high) == (3, 2)
    data = await client.data(
        f"mutation($pk: ID) {{ it: openPictureDraft(pk: $pk) {{ draft {{ id }} {ERRORS} }} }}",
        pk=str(picture.pk),
    )
    draft = data["it"]["draft"]["id"]
    data = await client.data(
        "mutation($draft: ID!) { it: editPictureDraft(draft: $draft,"
        ' changes: [{ set: { image: "large.png" } }]) { draft { cluster { image {'
        f" name width height }} }} }} {ERRORS} }} }}",
        draft=draft,
    )
    shown = {"name": "large.png", "width": 30, "height": 20}
    assert data["it"] == {"draft": {"cluster": {"image": shown}}, "errors": []}
    data = await client.data(
        "mutation($draft: ID!) { it: commitPictureDraft(draft: $draft)"
        f" {{ cluster {{ image {{ name width height }} wide high }} {ERRORS} }} }}",
        draft=draft,
    )
    assert data["it"] == {"cluster": {"image": shown, "wide": 30, "high": 20}, "errors": []}
