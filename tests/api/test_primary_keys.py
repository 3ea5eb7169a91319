"""Primary keys of every kind: 0, texts and UUIDs that people and models choose."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

import gql_cluster
from tests.api.schema_kit import ERRORS, Client
from tests.clusters.models import Currency
from tests.clusters.specimens import Box, Coin, Sample, Shelf, Specimen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

schema = gql_cluster.Schema(clusters=[Shelf, Specimen])

CODE = "a/b:c ü%"
SHELF = (
    "{ id pk key code title boxes { id pk key title coins { id pk key title currency { pk } } } }"
)


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of the schema."""
    yield Client(schema=schema)
    await schema.engine.aclose()


async def opened(client: Client, name: str, **arguments: Any) -> str:
    """Open a draft."""
    data = await client.data(
        f"mutation($pk: ID, $data: {name}Input) {{ it: open{name}Draft(pk: $pk, data: $data)"
        f" {{ draft {{ id }} {ERRORS} }} }}",
        **arguments,
    )
    assert data["it"]["errors"] == []
    return str(data["it"]["draft"]["id"])


async def edited(client: Client, name: str, draft: str, *changes: object) -> Any:
    """Stage changes and return the errors."""
    data = await client.data(
        f"mutation($draft: ID!, $changes: [{name}Change!]!)"
        f" {{ it: edit{name}Draft(draft: $draft, changes: $changes) {{ {ERRORS} }} }}",
        draft=draft,
        changes=list(changes),
    )
    return data["it"]["errors"]


async def committed(client: Client, name: str, draft: str) -> dict[str, str]:
    """Commit a draft and return the primary keys by key."""
    data = await client.data(
        f"mutation($draft: ID!) {{ it: commit{name}Draft(draft: $draft)"
        f" {{ keys {{ key pk }} {ERRORS} }} }}",
        draft=draft,
    )
    assert data["it"]["errors"] == []
    return {each["key"]: each["pk"] for each in data["it"]["keys"]}


async def test_keys_that_are_chosen_are_kept(client: Client) -> None:
    """A text that a person chooses, a UUID that the model makes, and the number 0."""
    coins = [{"key": "zero", "pk": "0", "title": "nil"}, {"pk": "-1", "title": "minus"}]
    boxes = [{"key": "box", "title": "one", "coins": coins}]
    draft = await opened(client, "Shelf", data={"pk": CODE, "title": "s", "boxes": boxes})
    keys = await committed(client, "Shelf", draft)
    box = await Box.objects.aget()
    assert keys.items() >= {"root": CODE, "box": str(box.pk), "zero": "0"}.items()
    assert await Shelf.objects.filter(pk=CODE).aexists()
    assert [coin.pk async for coin in Coin.objects.filter(box=box)] == [-1, 0]


async def test_a_saved_cluster_is_found_edited_and_kept_by_its_keys(client: Client) -> None:
    """What has 0 for a key is updated, and removed, as any other."""
    shelf = await Shelf.objects.acreate(code=CODE, title="old")
    box = await Box.objects.acreate(shelf=shelf, title="box")
    for number in (0, 1):
        await Coin.objects.acreate(number=number, box=box, title=f"coin {number}")
    await Currency.objects.acreate(pk=0, code="NIL")
    data = await client.data(f"query($pk: ID!) {{ shelf(pk: $pk) {SHELF} }}", pk=CODE)
    assert [coin["pk"] for coin in data["shelf"]["boxes"][0]["coins"]] == ["0", "1"]
    for found in (data["shelf"], *data["shelf"]["boxes"], *data["shelf"]["boxes"][0]["coins"]):
        again = await client.data(
            "query($id: ID!) { node(id: $id) { ... on Shelf { pk } ... on Box { pk }"
            " ... on Coin { pk } } }",
            id=found["id"],
        )
        assert again["node"] == {"pk": found["pk"]}

    draft = await opened(client, "Shelf", pk=CODE)
    change = {"update": {"key": "Coin:0", "set": {"title": "new", "currency": "0"}}}
    within = {
        "key": f"Box:{box.pk}",
        "changes": [{"coins": change}, {"coins": {"remove": ["Coin:1"]}}],
    }
    assert await edited(client, "Shelf", draft, {"boxes": {"edit": within}}) == []
    data = await client.data(
        f"query($id: ID!) {{ draft(id: $id) {{ cluster {{ ... on Shelf {SHELF} }} }} }}", id=draft
    )
    (coin,) = data["draft"]["cluster"]["boxes"][0]["coins"]
    assert (coin["pk"], coin["key"], coin["title"]) == ("0", "Coin:0", "new")
    assert coin["currency"] == {"pk": "0"}
    node = await client.data(
        "query($id: ID!) { node(id: $id) { ... on Coin { title } } }", id=coin["id"]
    )
    assert node["node"] == {"title": "new"}
    await committed(client, "Shelf", draft)
    saved = await Coin.objects.aget()
    assert (saved.pk, saved.title, saved.currency_id) == (0, "new", 0)


async def test_a_root_and_a_child_may_have_0(client: Client) -> None:
    """As a legacy table has it."""
    await Specimen.objects.acreate(pk=0, name="root")
    await Sample.objects.acreate(pk=0, name="child", specimen_id=0)
    draft = await opened(client, "Specimen", pk="0")
    change = {"update": {"key": "Sample:0", "set": {"name": "changed"}}}
    add = {"add": [{"key": "b", "name": "brother"}]}
    assert await edited(client, "Specimen", draft, {"samples": change}, {"samples": add}) == []
    keys = await committed(client, "Specimen", draft)
    assert (keys["root"], keys["Sample:0"]) == ("0", "0")
    names = {each.name: each async for each in Sample.objects.filter(specimen_id=0)}
    assert set(names) == {"changed", "brother"}
    assert names["changed"].pk == 0
    assert await Specimen.objects.acount() == 1


async def test_a_chosen_key_is_fixed_and_unique(client: Client) -> None:
    """It can't be changed, and one that a row has is refused, naming the node."""
    taken = await Shelf.objects.acreate(code="taken", title="t")
    box = await Box.objects.acreate(pk=uuid.UUID(int=1), shelf=taken, title="box")
    await Coin.objects.acreate(number=0, box=box, title="nil")
    data = await client.data('{ __type(name: "ShelfFields") { inputFields { name } } }')
    assert [each["name"] for each in data["__type"]["inputFields"]] == ["title"]
    for new, key in (
        ({"pk": "taken", "title": "x"}, "root"),
        (
            {
                "pk": "x",
                "title": "x",
                "boxes": [{"title": "b", "coins": [{"key": "c", "pk": "0", "title": "x"}]}],
            },
            "c",
        ),
    ):
        draft = await opened(client, "Shelf", data=new)
        data = await client.data(
            f"mutation($draft: ID!) {{ it: commitShelfDraft(draft: $draft) {{ {ERRORS} }} }}",
            draft=draft,
        )
        (error,) = data["it"]["errors"]
        assert (error["code"], error["key"]) == ("VALIDATION_FAILED", key)
    assert await Shelf.objects.acount() == 1
    assert (await Coin.objects.aget()).title == "nil"


async def test_a_key_that_is_missing_is_told_at_commit(client: Client) -> None:
    """A draft may wait for it; a commit can't."""
    draft = await opened(client, "Shelf", data={"title": "x"})
    data = await client.data(
        f"mutation($draft: ID!) {{ it: commitShelfDraft(draft: $draft) {{ {ERRORS} }} }}",
        draft=draft,
    )
    (error,) = data["it"]["errors"]
    assert (error["code"], error["key"], error["field"]) == ("VALIDATION_FAILED", "root", "code")


async def test_what_can_not_be_such_a_key_is_refused(client: Client) -> None:
    """A text for a number, as a number too large."""
    for pk in ("x", "9" * 40):
        data = await client.data(
            "mutation($data: ShelfInput) { it: openShelfDraft(data: $data)"
            f" {{ draft {{ id }} {ERRORS} }} }}",
            data={"pk": "s", "boxes": [{"key": "b", "coins": [{"key": "c", "pk": pk}]}]},
        )
        assert data["it"]["draft"] is None
        (error,) = data["it"]["errors"]
        assert (error["code"], error["key"]) == ("INVALID_CHANGE", "c")
