"""A draft that stays open behind its commit: it goes on from what is saved, at what that costs."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save
from redis import Redis

from gql_cluster.domain.change import UpdateNode
from gql_cluster.domain.node import Node
from gql_cluster.domain.tree import Want
from gql_cluster.service.commit import commit
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_saved
from gql_cluster.service.view import View
from tests.clusters.freights import Barrel, Freight
from tests.integration.orm.test_bulk import ANN, FREIGHT, engine, inserts, listening
from tests.integration.orm.test_queries import sent
from tests.integration.service.conftest import counted_queries

__all__ = ["engine"]


async def opened(engine: Engine, count: int) -> View:
    """Open a draft of a saved freight with so many barrels."""
    freight = await Freight.objects.acreate(name="one")
    barrels = [Barrel(freight=freight, name=f"n{i}", sort_order=i) for i in range(count)]
    await Barrel._base_manager.abulk_create(barrels)
    return await open_saved(engine, ANN, FREIGHT, str(freight.pk), resume=False)


async def barrel(view: View, place: int) -> Barrel:
    """Return a saved barrel."""
    return await Barrel.objects.aget(freight__pk=str(view.draft.pk), sort_order=place)


async def kept(engine: Engine, view: View, changed: Barrel, name: str) -> dict[str, Node]:
    """Rename a barrel, commit, and return the draft's nodes behind that."""
    key = f"Barrel:{changed.pk}"
    changes = [UpdateNode(relation="barrels", key=key, values={"name": name})]
    given: Any = {"expected_version": None, "change_id": None}
    await edit(engine, ANN, FREIGHT, view.draft.id, changes, **given)
    done = await commit(engine, ANN, FREIGHT, view.draft.id, keep_open=True, **given)
    assert done.view is not None
    await done.view.load_line(key)
    return {key: node for key in (key, "root") if (node := done.view.snapshot.node(key))}


async def test_what_saving_has_changed_is_in_the_draft(engine: Engine) -> None:
    """As a time of `auto_now`; and the draft is clean, and goes on."""
    view = await opened(engine, 3)
    for name in ("a", "b"):
        nodes = await kept(engine, view, await barrel(view, 1), name)
        saved = await barrel(view, 1)
        node = nodes[f"Barrel:{saved.pk}"]
        assert (node.fields["name"], saved.name) == (name, name)
        assert node.fields["changed_at"] == saved.changed_at.isoformat()
        assert not await engine.parts.store.touched(view.draft.id)


async def test_what_others_have_saved_meanwhile_is_in_the_draft(engine: Engine) -> None:
    """In a node that the commit does not concern."""
    view = await opened(engine, 3)
    other = await barrel(view, 2)
    other.name = "theirs"
    await other.asave()
    await kept(engine, view, await barrel(view, 1), "mine")
    copy = await engine.any_copy(view.draft.id, view_all())
    node = copy.node_at(copy.version, f"Barrel:{other.pk}")
    assert node is not None
    assert node.fields["name"] == "theirs"


def view_all() -> Any:
    """Ask for all barrels."""
    return Want(families=frozenset({("root", "barrels")}))


async def test_what_a_receiver_has_written_meanwhile_is_in_the_draft(engine: Engine) -> None:
    """Though it did so without a signal: all of the cluster is read where anybody listens."""
    view = await opened(engine, 3)
    other = await barrel(view, 2)

    def write(**_: Any) -> None:
        Barrel.objects.filter(pk=other.pk).update(name="received")

    with listening(post_save, Barrel, write):
        await kept(engine, view, await barrel(view, 1), "mine")
    copy = await engine.any_copy(view.draft.id, view_all())
    node = copy.node_at(copy.version, f"Barrel:{other.pk}")
    assert node is not None
    assert node.fields["name"] == "received"


async def test_a_small_commit_of_a_large_cluster_stays_small(
    engine: Engine, redis_client: Redis
) -> None:
    """The same queries, and about as much of the draft, among ten as among a thousand."""
    costs = []
    for count in (10, 1000):
        view = await opened(engine, count)
        await kept(engine, view, await barrel(view, 1), "first")
        changed = await barrel(view, 1)
        engine.parts.cache.forget(view.draft.id)  # as another worker begins
        before = sent(redis_client)
        async with counted_queries() as queries:
            await kept(engine, view, changed, "second")
        assert not inserts(queries, Barrel)
        costs.append((len(queries), sent(redis_client) - before))
    assert costs[0][0] == costs[1][0] < 30
    assert costs[1][1] < costs[0][1] + 40_000
