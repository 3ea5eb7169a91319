"""A worker's copy of a draft, whose versions may leave numbers out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gql_cluster.domain.change import (
    AddNodes,
    Change,
    End,
    MoveNode,
    NewNode,
    RemoveNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.copy import Copy, NotLoadedError, Snapshot
from gql_cluster.domain.draft import Cause, Draft, Entry
from gql_cluster.domain.node import Node
from gql_cluster.domain.offspring import Offspring
from gql_cluster.domain.spec import ROOT_KEY
from tests.unit.domain.kit import NOW, PLACE, Nodes, entry, header, new, run, saved

SKIP = 10_000


def loaded(draft: Draft | None = None) -> Copy:
    """Return a copy of a list of three that knows it whole."""
    copy = Copy(header() if draft is None else draft)
    nodes = Nodes(saved(3))
    places = [PLACE, *((f"i{number}", "items") for number in range(3))]
    copy.learn(nodes.nodes, {place: nodes.siblings(*place) for place in places}, size=0)
    return copy


def rename(copy: Copy, version: int) -> Entry:
    """Name the root after a version; returns the entry, which the copy has taken."""
    made = run(Snapshot(copy), [SetFields(values={"name": str(version)})], version=version, tail=0)
    made_entry = replace(entry(version, made), previous=copy.version)
    copy.advance(made_entry, header(version))
    return made_entry


def named(copy: Copy, version: int) -> object:
    """Return the root's name at a version."""
    node = copy.node_at(version, ROOT_KEY)
    assert node is not None
    return node.fields["name"]


def known(copy: Copy, key: str) -> Node:
    """Return a node of now."""
    node = copy.node_at(copy.version, key)
    assert node is not None
    return node


@given(steps=st.lists(st.sampled_from([1, 2, SKIP]), min_size=1, max_size=6))
def test_the_entries_behind_a_version_are_told_for_those_of_the_history_alone(
    steps: list[int],
) -> None:
    """For a number that was left out there are none, and for one ahead nothing is missing."""
    copy = loaded()
    history, entries = [0], []
    for step in steps:
        entries.append(rename(copy, copy.version + step))
        history.append(copy.version)
    near = {version + around for version in history for around in (-1, 0, 1)}
    for after in near:
        if after >= copy.version:
            assert copy.entries(after) == []
        elif after in history:
            assert copy.entries(after) == entries[history.index(after) :]
        else:
            assert copy.entries(after) is None
    for version in near:
        made = {each.version: each for each in entries}
        assert copy.entry(version) == made.get(version)


def test_an_entry_that_does_not_follow_changes_nothing() -> None:
    """Neither one that comes twice, nor one behind a version that the copy has not."""
    copy = loaded()
    first = rename(copy, 1)
    across = replace(first, version=SKIP, previous=2)
    for wrong in (first, across, replace(first, version=3)):
        with pytest.raises(ValueError, match="follows"):
            copy.advance(wrong, header(wrong.version))
    assert (copy.version, named(copy, 1)) == (1, "1")
    assert copy.entries(0) == [first]


def test_older_versions_are_read_by_what_is_recalled() -> None:
    """Across a skip, and as far as the entries reach without a hole."""
    ahead = loaded()
    log = [rename(ahead, version) for version in (1, 2, SKIP, SKIP + 1, 2 * SKIP)]
    copy = loaded(header(SKIP + 1))
    copy.learn({}, {}, size=0)
    rest = [rename(copy, 2 * SKIP)]
    assert copy.entries(SKIP) is None
    for useless in ([], log[:2], log[:3], log[4:]):
        copy.recall(useless, size=7)
        assert (copy.entries(SKIP + 1), copy.entries(2), copy.size) == (rest, None, 0)
    copy.recall(log[2:], size=7)
    assert copy.entries(2) == [*log[2:4], *rest]
    assert copy.entries(SKIP) == [log[3], *rest]
    assert (copy.entries(1), copy.entries(3), copy.size) == (None, None, 7)
    copy.recall(log, size=5)
    assert copy.entries(0) == [*log[:4], *rest]
    assert copy.size == 12


def test_a_copy_without_entries_recalls_up_to_its_own_version() -> None:
    """What the log has behind that is not taken: it was made meanwhile."""
    ahead = loaded()
    log = [rename(ahead, version) for version in (1, SKIP, SKIP + 1)]
    copy = loaded(header(SKIP))
    copy.recall(log, size=0)
    assert copy.entries(0) == log[:2]
    assert copy.entries(SKIP) == []
    copy.advance(log[2], header(SKIP + 1))
    assert copy.entries(0) == log
    assert [named(copy, version) for version in (1, 5, SKIP, SKIP + 1)] == [
        "1",
        "1",
        str(SKIP),
        str(SKIP + 1),
    ]


def test_the_last_entries_are_kept_and_those_that_a_snapshot_needs() -> None:
    """However far apart the numbers are."""
    copy = loaded()
    rename(copy, 1)
    old = Snapshot(copy)
    versions = [SKIP * number for number in range(1, 401)]
    for version in versions:
        rename(copy, version)
    assert old.node(ROOT_KEY) == replace(
        known(copy, ROOT_KEY), fields={"name": "1", "position": 1}, version=1
    )
    assert len(copy.entries(1) or ()) == 400
    assert copy.entries(0) is None
    del old
    rename(copy, SKIP * 401)
    kept = copy.entries(SKIP * 145)
    assert kept is not None
    assert [kept[0].previous, len(kept)] == [SKIP * 145, 256]
    assert copy.entries(SKIP * 144) is None
    assert copy.entry(SKIP * 145) is None


def test_order_and_nodes_are_known_across_a_skip() -> None:
    """Added, moved and removed on either side of it."""
    copy = loaded()
    orders = {}
    tail = 0
    for version, change in (
        (1, AddNodes(relation="items", nodes=(new("x"),))),
        (SKIP, MoveNode(relation="items", key="i2", place=End.FIRST)),
        (SKIP + 1, RemoveNodes(relation="items", keys=("i0",))),
    ):
        orders[copy.version] = list(copy.siblings_at(copy.version, *PLACE))
        made = run(Snapshot(copy), [change], version=version, tail=tail)
        tail = made.tail
        copy.advance(replace(entry(version, made), previous=copy.version), header(version, tail))
    for version, order in orders.items():
        assert copy.siblings_at(version, *PLACE) == order
    assert copy.siblings_at(SKIP - 1, *PLACE) == orders[1]
    [added] = [key for _, key in orders[1] if key.startswith(":")]
    assert copy.node_at(0, added) is None
    assert copy.node_at(SKIP - 1, added) is not None
    assert copy.siblings_at(copy.version, added, "items") == []  # as all below it is in the log


def test_a_node_added_by_a_commit_is_loaded_where_its_number_was_skipped() -> None:
    """The entry was made before the store gave it its version: what is below is not known."""
    copy = loaded()
    made = run(Snapshot(copy), [AddNodes(relation="items", nodes=(new("x"),))], version=1, tail=0)
    commit = replace(entry(SKIP, made), previous=0, cause=Cause.COMMIT)
    copy.advance(commit, header(SKIP))
    [added] = made.nodes
    assert known(copy, added).version == SKIP
    with pytest.raises(NotLoadedError):
        copy.siblings_at(SKIP, added, "items")


def test_what_a_commit_has_saved_is_known_by_its_key() -> None:
    """Of each of several commits, in the nodes that are loaded, and in the header."""
    copy = loaded(replace(header(), pk=None))
    for version, keys in ((1, {ROOT_KEY: 5, "i0": 6}), (SKIP, {"i0": 6, "i1": 7, "far": 8})):
        commit = Entry(
            version=version,
            previous=copy.version,
            at=NOW,
            session="s",
            change_id=None,
            cause=Cause.COMMIT,
            keys=keys,
        )
        copy.advance(commit, replace(header(version), pk=None))
    assert copy.saved == {ROOT_KEY: 5, "i0": 6, "i1": 7, "far": 8}
    assert [known(copy, key).pk for key in (ROOT_KEY, "i0", "i1", "i2")] == [5, 6, 7, "i2"]


def test_a_header_is_renewed_at_the_same_version() -> None:
    """Members and expiry are new; the primary key that a commit gave is not forgotten."""
    copy = loaded(replace(header(), pk=None))
    copy.settle({ROOT_KEY: 5})
    later = NOW + timedelta(days=1)
    copy.renew(replace(header(), pk=None, members=frozenset({"paul"}), share="x", expires_at=later))
    assert copy.draft == replace(
        header(), pk=5, members=frozenset({"paul"}), share="x", expires_at=later
    )
    copy.renew(replace(header(), pk=9))
    assert copy.draft.pk == 9


EDITS: list[Change] = [
    UpdateNode(relation="items", key="i1", values={"name": "other"}),
    AddNodes(relation="items", nodes=(new("x"),)),
    MoveNode(relation="items", key="i2", place=End.FIRST),
    UpdateNode(relation="items", key="i2", values={"name": "again"}),
    RemoveNodes(relation="items", keys=("i0",)),
    SetFields(values={"name": "root"}),
]


@given(order=st.permutations(EDITS), asked=st.sets(st.integers(0, len(EDITS))))
def test_the_children_of_a_version_stay_whatever_comes_later(
    order: list[Change], asked: set[int]
) -> None:
    """Asked for while it is the newest, or when others have followed."""
    copy = loaded()
    snapshots, truth = [], []
    for version in range(len(EDITS) + 1):
        snapshots.append(Snapshot(copy))
        truth.append([known(copy, key) for _, key in copy.siblings_at(version, *PLACE)])
        if version in asked:
            assert snapshots[-1].offspring(*PLACE).nodes == truth[-1]
        if version < len(EDITS):
            made = run(Snapshot(copy), [order[version]], version=version + 1, tail=version)
            copy.advance(entry(version + 1, made), header(version + 1, made.tail))
    for snapshot, nodes in zip(snapshots, truth, strict=True):
        offspring = snapshot.offspring(*PLACE)
        # An older version does not tell which version has touched a node.
        was = [replace(node, version=0) for node in nodes]
        assert [replace(node, version=0) for node in offspring.nodes] == was
        assert offspring is snapshot.offspring(*PLACE)


def counted(offspring: Offspring) -> list[int]:
    """Return how many children there are, behind how many there were when that was asked before."""

    def count(before: list[int] | None) -> list[int]:
        return [*(before or ()), len(offspring.nodes)]

    return offspring.made("count", count)


def test_what_was_made_of_children_is_at_hand_for_those_that_follow() -> None:
    """Also when a version between was not looked at; of children of other nodes it is another."""
    copy = loaded()
    first = Snapshot(copy).offspring(*PLACE)
    assert counted(first) == counted(first) == [3]
    for version in (1, 2):
        made = run(
            Snapshot(copy),
            [AddNodes(relation="items", nodes=(new("x"),))],
            version=version,
            tail=version,
        )
        copy.advance(entry(version, made), header(version, made.tail))
        assert counted(Snapshot(copy).offspring("i0", "items")) == [2]
        if version == 1:
            assert len(Snapshot(copy).offspring(*PLACE).nodes) == 4
    now = Snapshot(copy).offspring(*PLACE)
    assert now is not first
    assert counted(now) == [3, 5]


def test_children_that_a_commit_has_saved_have_their_primary_keys() -> None:
    """From its version on, and not before; the commit of a draft that stays open moves nothing."""
    copy = loaded()
    add = NewNode(key="x", values={"name": "x"})
    made = run(Snapshot(copy), [AddNodes(relation="items", nodes=(add,))], version=1, tail=0)
    copy.advance(entry(1, made), header(1, made.tail))
    before = Snapshot(copy)
    assert before.offspring(*PLACE).nodes[-1].pk is None
    nothing = run(before, [], version=2, tail=made.tail)
    commit = replace(entry(2, nothing), cause=Cause.COMMIT, keys={"x": 7}, named=("x",))
    copy.advance(commit, header(2, made.tail))
    assert Snapshot(copy).offspring(*PLACE).nodes[-1].pk == 7
    assert Snapshot(copy, 1).offspring(*PLACE).nodes[-1].pk is None
    assert before.offspring(*PLACE).nodes[-1].pk is None
