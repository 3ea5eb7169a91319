"""A band as a draft, and edits of it, for the tests of the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from gql_cluster.domain.apply import apply
from gql_cluster.domain.batch import Batch
from gql_cluster.domain.change import AddNodes, Change, NewNode, SetFields
from gql_cluster.domain.copy import Copy, Snapshot
from gql_cluster.domain.delta import advance, key_of
from gql_cluster.domain.draft import Cause, Draft, DraftState, Entry, Stack
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.needs import needs
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.spec import (
    ROOT_KEY,
    ClusterSpec,
    FieldSpec,
    NodeSpec,
    RelationSpec,
    SetSpec,
)
from gql_cluster.domain.tree import Tree, Want
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.results import Accepted, Appended, Read, Rebased

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MEMBERS = (ROOT_KEY, "members")
ROOT = Want(keys=frozenset({ROOT_KEY}))
FAMILY = Want(keys=frozenset({ROOT_KEY}), families=frozenset({MEMBERS}))


def _node_spec(name: str, relation: RelationSpec | None = None) -> NodeSpec:
    return NodeSpec(
        name=name,
        label=f"bands.{name}",
        fields={"name": FieldSpec(name="name", nullable=False)},
        relations={relation.name: relation} if relation else {},
        sets={"genres": SetSpec(name="genres", target="bands.Genre")},
    )


def _relation(name: str, child: str) -> RelationSpec:
    return RelationSpec(name=name, child=child, parent_field="above", order_field="sort_order")


BAND = ClusterSpec(
    root="Band",
    nodes={
        "Band": _node_spec("Band", _relation("members", "Member")),
        "Member": _node_spec("Member", _relation("jobs", "Job")),
        "Job": _node_spec("Job"),
    },
)


def new_draft(*, pk: Json = 1) -> Draft:
    """Return a header with a fresh id."""
    return Draft(
        id=uuid4().hex,
        cluster="Band",
        pk=pk,
        owner="ringo",
        state=DraftState.OPEN,
        version=0,
        tail=0,
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW,
    )


def band_nodes(members: int = 3) -> list[Node]:
    """Return a saved band with some members, each of whom has one job."""
    nodes = [_saved(ROOT_KEY, "Band", None, None, 0)]
    for i in range(members):
        nodes.append(_saved(f"members:{i}", "Member", ROOT_KEY, "members", i))
        nodes.append(_saved(f"jobs:{i}", "Job", f"members:{i}", "jobs", 0))
    return nodes


def _saved(key: str, type_: str, parent: str | None, relation: str | None, index: int) -> Node:
    return Node(
        key=key,
        type=type_,
        pk=index + 1,
        parent=parent,
        relation=relation,
        rank=base_rank(index) if parent else "",
        fields={"name": f"{type_} {index}"},
        sets={"genres": ()},
    )


def batches_of(nodes: Iterable[Node]) -> tuple[list[Node], list[Batch]]:
    """Return nodes as opening gives them: all in batches but the root, and what is not saved."""
    apart: list[Node] = []
    batches: dict[tuple[str, str, str], Batch] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for node in nodes:
        if node.pk is None or node.parent is None or node.relation is None:
            apart.append(node)
            continue
        batch = batches.setdefault(
            (node.parent, node.relation, node.type),
            Batch(
                type=node.type,
                parent=node.parent,
                relation=node.relation,
                names=tuple(node.fields),
                sets=tuple(node.sets),
                rows=[],
            ),
        )
        index = counts[node.parent, node.relation]
        assert node.rank == base_rank(index)
        counts[node.parent, node.relation] += 1
        batch.rows.append((node.key, node.pk, index, *node.fields.values(), *node.sets.values()))
    return apart, [*batches.values()]


class OpeningStore(DraftStore):
    """A store that keeps a new draft as opening does, however its nodes are given."""

    async def create(
        self, draft: Draft, nodes: Collection[Node], batches: Iterable[Batch] = ()
    ) -> Draft:
        """Keep what is saved in batches."""
        apart, found = batches_of(nodes)
        return await super().create(draft, apart, [*batches, *found])


def staged(tree: Tree, draft: Draft, *changes: Change, version: int | None = None) -> Applied:
    """Return what changes do to a draft, as its next version or as another."""
    return apply(
        BAND,
        tree,
        changes,
        version=draft.version + 1 if version is None else version,
        tail=draft.tail,
        new_key=lambda: f"new:{uuid4().hex}",
    )


def entry_of(
    version: int,
    applied: Applied | None = None,
    *,
    previous: int | None = None,
    change_id: str | None = None,
) -> Entry:
    """Return the entry of a version, which follows the one before it if no other is given."""
    return Entry(
        version=version,
        previous=version - 1 if previous is None else previous,
        at=NOW + timedelta(seconds=version),
        session="ringo",
        change_id=change_id,
        cause=Cause.EDIT,
        deltas=applied.deltas if applied else (),
    )


async def read(store: DraftStore, draft: Draft, want: Want = FAMILY) -> Read:
    """Read what is there."""
    found = await store.read(draft.id, want)
    assert found is not None
    return found


async def loaded(store: DraftStore, draft: Draft, *changes: Change) -> Copy:
    """Return a copy with what applying the changes looks at."""
    found = await read(store, draft, needs(changes))
    copy = Copy(found.draft)
    copy.learn(found.nodes, found.relations, size=found.size)
    return copy


async def stage(store: DraftStore, draft: Draft, *changes: Change) -> tuple[Draft, Applied]:
    """Stage changes; they are accepted."""
    copy = await loaded(store, draft, *changes)
    applied = staged(Snapshot(copy), copy.draft, *changes)
    outcome = await put(store, copy.draft, applied)
    assert isinstance(outcome, Accepted)
    return outcome.draft, applied


async def put(  # noqa: PLR0913 - as the store's own
    store: DraftStore,
    draft: Draft,
    applied: Applied | None = None,
    *,
    version: int | None = None,
    change_id: str | None = None,
    expected_version: int | None = None,
    session: str = "ringo",
    stacks: Mapping[str, Stack] | None = None,
    rebased: Rebased | None = None,
) -> Appended:
    """Append what changes came to, or an empty entry, as the next version or as another."""
    entry = entry_of(
        draft.version + 1 if version is None else version,
        applied,
        previous=draft.version,
        change_id=change_id,
    )
    return await store.append(
        draft,
        replace(entry, session=session),
        list(applied.nodes.values()) if applied else (),
        tail=applied.tail if applied else draft.tail,
        stacks=draft.stacks if stacks is None else stacks,
        expected_version=expected_version,
        fingerprint="as asked",
        rebased=rebased,
    )


def rename(name: str) -> Change:
    """Return the change of the root's name."""
    return SetFields(values={"name": name})


def add_member(key: str) -> Change:
    """Return the change that adds a member."""
    return AddNodes(relation="members", nodes=(NewNode(key=key, values={"name": key}),))


def replay(nodes: Sequence[Node], entries: Sequence[Entry]) -> dict[str, Node]:
    """Return the nodes as the log makes them."""
    now: dict[str, Node] = {node.key: node for node in nodes}
    for entry in entries:
        for delta in entry.deltas:
            now[key_of(delta)] = advance(now.get(key_of(delta)), delta, entry.version)
    return now
