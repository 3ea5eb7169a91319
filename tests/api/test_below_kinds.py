"""What is below children of many kinds, and what others save there meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async

from tests.api.samples_kit import Desk, counted, schema_of
from tests.api.schema_kit import ERRORS, Client
from tests.shapes.models import Bird, Exhibit, Museum, Painting, Plume, Scratch, Zoo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FIELDS = "exhibits { key name scratches { key depth code } }"


@pytest.fixture
async def client(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client of a schema of museums."""
    schema = schema_of(Museum)
    yield Client(schema=schema)
    await schema.engine.aclose()


async def make() -> tuple[str, dict[str, Exhibit]]:
    """Save a museum with an exhibit of each kind, by key."""
    museum = await Museum.objects.acreate(name="Old")
    vase = await Exhibit.objects.acreate(museum=museum, name="Vase", year=1)
    view = await Painting.objects.acreate(museum=museum, name="View", year=2)
    return str(museum.pk), {f"Exhibit:{vase.pk}": vase, f"Painting:{view.pk}": view}


def depths_of(cluster: Any) -> dict[str, list[int]]:
    """Return how deep the scratches of each exhibit are."""
    return {
        each["name"]: [scratch["depth"] for scratch in each["scratches"]]
        for each in cluster["exhibits"]
    }


async def commit(client: Client, draft: str, policy: str) -> Any:
    """Commit; return the payload."""
    data = await client.data(
        "mutation($id: ID!, $policy: ConflictPolicy!)"
        " { it: commitMuseumDraft(draft: $id, onConflict: $policy)"
        f" {{ conflicts {{ kind key field }} {ERRORS} }} }}",
        id=draft,
        policy=policy,
    )
    return data["it"]


@pytest.mark.parametrize(("policy", "left"), [("MINE", 1), ("THEIRS", 2)])
@pytest.mark.parametrize(("mine", "theirs"), [(0, 1), (1, 0)])
async def test_a_value_that_others_took_below_another_kind_is_a_conflict(
    client: Client, policy: str, left: int, mine: int, theirs: int
) -> None:
    """The row that has it is known for one of this cluster's, whatever it is below."""
    pk, exhibits = await make()
    desk = Desk(client=client, cluster="Museum", fields=FIELDS)
    draft = (await desk.open(pk=pk))["id"]
    add = {"scratches": {"add": [{"key": "mine", "depth": 1, "code": 5}]}}
    edit = {"key": [*exhibits][mine], "changes": [{"exhibit": add}]}
    staged = await desk.edit(draft, {"exhibits": {"edit": edit}})
    assert staged["errors"] == []
    await Scratch.objects.acreate(thing=[*exhibits.values()][theirs], depth=2, code=5)
    refused = await commit(client, draft, "FAIL")
    assert refused["conflicts"] == [{"kind": "UNIQUE", "key": "mine", "field": "code"}]
    done = await commit(client, draft, policy)
    assert done["errors"] == []
    assert (await Scratch.objects.aget()).depth == left


@pytest.mark.parametrize(
    ("policy", "depths"),
    [("MINE", {"Vase": [3], "View": []}), ("THEIRS", {"Vase": [], "View": [2]})],
)
async def test_what_others_moved_below_another_kind_is_a_conflict(
    client: Client, policy: str, depths: dict[str, list[int]]
) -> None:
    """If the draft changed it; afterwards it is where the caller has chosen."""
    pk, exhibits = await make()
    [vase, view] = exhibits
    scratch = await Scratch.objects.acreate(thing=exhibits[vase], depth=1)
    key = f"Scratch:{scratch.pk}"
    desk = Desk(client=client, cluster="Museum", fields=FIELDS)
    draft = (await desk.open(pk=pk))["id"]
    update = {"scratches": {"update": {"key": key, "set": {"depth": 3}}}}
    staged = await desk.edit(
        draft, {"exhibits": {"edit": {"key": vase, "changes": [{"exhibit": update}]}}}
    )
    assert staged["errors"] == []
    await Scratch.objects.aupdate(thing=exhibits[view], depth=2)
    refused = await commit(client, draft, "FAIL")
    assert refused["conflicts"] == [{"kind": "DELETED", "key": key, "field": None}]
    data = await client.data(
        "mutation($id: ID!, $policy: ConflictPolicy!)"
        " { it: rebaseDraft(draft: $id, onConflict: $policy) {"
        f" draft {{ ... on MuseumDraft {{ cluster {{ {FIELDS} }} }} }} {ERRORS} }} }}",
        id=draft,
        policy=policy,
    )
    assert data["it"]["errors"] == []
    cluster = data["it"]["draft"]["cluster"]
    assert depths_of(cluster) == depths
    assert (await commit(client, draft, "FAIL"))["errors"] == []
    assert depths_of(await desk.saved(pk)) == depths


@pytest.mark.parametrize("number", [2, 6])
async def test_a_commit_reads_as_much_whatever_the_number_of_children_of_a_kind(
    transactional_db: None,  # noqa: ARG001
    number: int,
) -> None:
    """Though they refer to a column of their parent that is not its primary key."""
    zoo = await Zoo.objects.acreate(name="Old")
    bird = await Bird.objects.acreate(zoo=zoo, code="b", ring=7)
    plumes = [await Plume.objects.acreate(bird=bird, colour="red") for _ in range(number)]
    schema = schema_of(Zoo)
    client = Client(schema=schema)
    desk = Desk(client=client, cluster="Zoo", fields="name")
    draft = (await desk.open(pk=str(zoo.pk)))["id"]
    updates = [
        {"update": {"key": f"Plume:{each.pk}", "set": {"plume": {"colour": "blue"}}}}
        for each in plumes
    ]
    changes = [{"bird": {"feathers": update}} for update in updates]
    edit = {"key": f"Bird:{bird.pk}", "changes": changes}
    assert (await desk.edit(draft, {"animals": {"edit": edit}}))["errors"] == []
    mutation = f'mutation {{ commitZooDraft(draft: "{draft}") {{ {ERRORS} }} }}'
    queries = await sync_to_async(counted)(client, mutation)
    await schema.engine.aclose()
    assert await Plume.objects.filter(colour="blue").acount() == number
    read = [each for each in queries if each.startswith("SELECT")]
    # The zoo, the bird and what is unique of it, twice, and all plumes with their ring.
    assert len(read) == 5, read
