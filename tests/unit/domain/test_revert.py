"""Revert to an earlier version, and reset to the base: each case on its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gql_cluster.domain.change import (
    AddToSet,
    After,
    Before,
    Change,
    End,
    MoveNode,
    SetFields,
)
from gql_cluster.domain.delta import Added, Removed, Updated, key_of
from gql_cluster.domain.error import ConflictPolicy, InvalidChangeError
from gql_cluster.domain.rank import base_rank
from tests.unit.domain.drafting import Drafting, add, name_of, others, remove, rename, shape, within
from tests.unit.domain.kit import keys_of, saved

MINE, THEIRS = ConflictPolicy.MINE, ConflictPolicy.THEIRS


@pytest.fixture
def draft() -> Drafting:
    """A draft of three items with two leaves each."""
    return Drafting(saved(3))


# Revert


def test_a_revert_takes_back_what_everybody_did(draft: Drafting) -> None:
    """In one change set, which its session can undo."""
    draft.edit("a", rename("i0", "first"), add("x", "y"))
    then = shape(draft.nodes)
    draft.edit("b", rename("i0", "b"), AddToSet(name="tags", pks=(1,)), remove("x"))
    draft.edit("a", within("i1", remove("i1-0")), remove("i1"), add("z", "w"))
    draft.edit("b", rename("z", "b"))
    now = shape(draft.nodes)
    deltas = draft.revert("c", 1).deltas
    assert shape(draft.nodes) == then
    # One each for what came and went with all below it.
    assert [d.node.key for d in deltas if isinstance(d, Removed)] == ["z"]
    assert [d.node.key for d in deltas if isinstance(d, Added)] == ["i1", "i1-0", "x"]
    assert [d.key for d in deltas if isinstance(d, Updated)] == ["i0"]
    assert draft.undo("c") == []
    assert shape(draft.nodes) == now


def test_a_revert_to_the_version_of_now_changes_nothing(draft: Drafting) -> None:
    """Nor is there anything to undo then."""
    draft.edit("a", rename("i0", "a"))
    assert draft.revert("b", 1).deltas == ()
    assert not draft.can_undo("b")


@pytest.mark.parametrize("policy", [MINE, THEIRS])
def test_a_revert_leaves_what_rebases_brought_in(draft: Drafting, policy: ConflictPolicy) -> None:
    """Whoever had won, in whatever was changed since."""
    draft.edit("a", rename("i0", "a"), rename("i1", "a"), remove("i2"))
    base = others(draft, i0="theirs", i2="theirs", **{"i2-0": "theirs", "i1-0": "theirs"})
    base["i9"] = replace(base["i2"], key="i9", pk="i9", rank=base_rank(3))
    assert draft.rebase(base, policy)
    draft.edit("a", rename("i9", "a"), rename("i0", "again"))
    draft.revert("b", 0)
    assert shape(draft.nodes) == shape(draft.base)
    draft.edit("a", remove("i9"))
    draft.revert("b", 0)
    assert shape(draft.nodes) == shape(draft.base)


def test_a_revert_leaves_away_what_others_have_deleted(draft: Drafting) -> None:
    """Below it too."""
    draft.edit("a", within("i1", remove("i1-0"), rename("i1-1", "a")))
    draft.edit("a", rename("i0", "a"), remove("i1"))
    base = {key: node for key, node in draft.base.items() if not key.startswith("i1")}
    assert draft.rebase(base)
    assert [key_of(delta) for delta in draft.revert("a", 0).deltas] == ["i0"]
    assert shape(draft.nodes) == shape(draft.base)


def test_a_revert_puts_a_node_where_others_have_it_now(draft: Drafting) -> None:
    """Its place in the base is another than it was then."""
    draft.edit("a", MoveNode(relation="items", key="i0", place=After(key="i1")))
    base = dict(draft.base)
    base["i9"] = replace(base["i0"], key="i9", pk="i9", rank="a0000001")
    assert draft.rebase(base)
    draft.revert("a", 0)
    assert shape(draft.nodes) == shape(draft.base)


def test_a_revert_over_a_commit_gives_the_earlier_content(draft: Drafting) -> None:
    """As it would have been saved; what was added goes, places that are lost stay."""
    draft.edit("a", rename("i0", "first"))
    draft.edit("a", rename("i1", "a"), add("x"))
    draft.edit("a", MoveNode(relation="items", key="i2", place=End.FIRST))
    draft.commit()
    draft.edit("a", MoveNode(relation="items", key="i2", place=End.LAST))
    draft.revert("a", 1)
    assert keys_of(draft.tree) == ["i0", "i1", "i2"]
    assert name_of(draft, "i0") == "FIRST"
    assert name_of(draft, "i1") == "i1"
    draft.revert("a", 3)
    assert name_of(draft, "i1") == "A"


def test_a_revert_over_a_commit_leaves_away_what_that_has_deleted(draft: Drafting) -> None:
    """What was removed since comes back."""
    draft.edit("a", remove("i1"))
    draft.undo("a")
    draft.edit("a", remove("i0"))
    draft.commit()
    draft.edit("a", remove("i1"))
    draft.revert("a", 0)
    assert keys_of(draft.tree) == ["i1", "i2"]


# Reset


def test_a_reset_gives_a_node_its_base_state(draft: Drafting) -> None:
    """Fields, sets and place, and nothing else."""
    draft.edit(
        "a",
        within("i0", SetFields(values={"name": "a"}), AddToSet(name="tags", pks=(1,))),
        within("i0", add("x"), rename("i0-0", "a")),
        MoveNode(relation="items", key="i0", place=End.LAST),
        rename("i1", "a"),
    )
    draft.reset("b", ["i0"])
    assert draft.nodes["i0"].fields == draft.base["i0"].fields
    assert draft.nodes["i0"].sets == draft.base["i0"].sets
    assert keys_of(draft.tree) == ["i0", "i1", "i2"]
    assert (name_of(draft, "i1"), name_of(draft, "i0-0")) == ("a", "a")
    assert keys_of(draft.tree, "i0") == ["i0-0", "i0-1", "x"]
    assert draft.undo("b") == []
    assert keys_of(draft.tree) == ["i1", "i2", "i0"]


def test_a_reset_of_some_fields_leaves_the_others(draft: Drafting) -> None:
    """A set can be named as a field can."""
    both = (SetFields(values={"name": "a"}), AddToSet(name="tags", pks=(1,)))
    draft.edit("a", within("i0", *both), within("i1", *both))
    draft.edit("a", MoveNode(relation="items", key="i0", place=End.LAST))
    draft.reset("a", ["i0", "i2", "i0"], ["tags"])
    assert (name_of(draft, "i0"), draft.nodes["i0"].sets["tags"]) == ("a", ())
    draft.reset("a", ["i1"], ["name"])
    assert (name_of(draft, "i1"), draft.nodes["i1"].sets["tags"]) == ("i1", (1,))
    assert keys_of(draft.tree) == ["i1", "i2", "i0"]


def test_a_reset_takes_out_what_was_added_and_brings_back_what_was_removed(
    draft: Drafting,
) -> None:
    """With all below; named together, whatever comes first."""
    draft.edit("a", within("i1", remove("i1-0")), remove("i1"), add("x", "y"), add("z"))
    draft.edit("a", remove("z"))
    deltas = draft.reset("a", ["i1-0", "i1", "y", "x", "z"]).deltas
    assert [type(delta) for delta in deltas] == [Added, Added, Removed]
    assert shape(draft.nodes) == shape(draft.base)


def test_a_reset_takes_a_tombstone_of_the_base_for_nothing(draft: Drafting) -> None:
    """The node had been there before, but not when it was added to what the draft changes."""
    draft.edit("a", add("x"))
    draft.touched["x"] = replace(draft.nodes["x"], removed=True)
    draft.reset("a", ["x"])
    assert shape(draft.nodes) == shape(draft.base)


def test_a_reset_of_what_nobody_changed_changes_nothing(draft: Drafting) -> None:
    """Nor is there anything to undo then."""
    assert draft.reset("a", ["root", "i0"]).deltas == ()
    assert draft.reset("a", ["i0"], ["name"]).deltas == ()
    assert not draft.can_undo("a")


def test_a_reset_finds_its_place_taken(draft: Drafting) -> None:
    """Then the node stands right behind the one that has it."""
    draft.edit("a", MoveNode(relation="items", key="i0", place=Before(key="i2")), remove("i2"))
    draft.states[-1] = {**draft.nodes, "i1": replace(draft.nodes["i1"], rank=base_rank(2))}
    draft.reset("a", ["i2"])
    assert keys_of(draft.tree) == ["i0", "i1", "i2"]


def test_a_reset_gives_the_base_after_a_rebase(draft: Drafting) -> None:
    """The one that the draft has now."""
    draft.edit("a", rename("i0", "a"), rename("i1", "a"))
    base = others(draft, i0="theirs")
    for key in ("i1", "i1-0", "i1-1"):
        del base[key]
    assert draft.rebase(base, MINE)
    draft.reset("a", ["i0", "i1"])
    assert shape(draft.nodes) == shape(draft.base)


REMOVED = (
    within("i1", rename("i1-0", "a")),
    remove("i1"),
)


@pytest.mark.parametrize(
    ("change", "keys", "fields", "where"),
    [
        ((), ["i0", "none"], None, ("none", None, ())),
        ((), ["i0"], ["none"], ("i0", "none", ("items", "i0", "none"))),
        ((), ["root"], ["items"], ("root", "items", ("items",))),
        ((add("x"),), ["x"], ["name"], ("x", "name", ("items", "x", "name"))),
        ((remove("i0"),), ["i0"], ["name"], ("i0", None, ("items", "i0"))),
        (REMOVED, ["i1-0"], None, ("i1-0", None, ("items", "i1", "items", "i1-0"))),
        (REMOVED, ["i1-0"], ["name"], ("i1-0", None, ("items", "i1", "items", "i1-0"))),
    ],
)
def test_a_reset_that_can_not_be_is_refused(
    draft: Drafting,
    change: tuple[Change, ...],
    keys: list[str],
    fields: list[str] | None,
    where: tuple[str, str | None, tuple[str, ...]],
) -> None:
    """And says where: no such node, no such field, no base state, or it is removed."""
    draft.edit("a", *change)
    with pytest.raises(InvalidChangeError) as caught:
        draft.reset("a", keys, fields)
    [problem] = caught.value.problems
    assert (problem.key, problem.field, problem.path) == where


def test_a_node_below_a_removed_one_is_refused_by_its_name(draft: Drafting) -> None:
    """So that the client can reset that as well."""
    draft.edit("a", *REMOVED)
    with pytest.raises(InvalidChangeError, match="below “i1”"):
        draft.reset("a", ["i1-0"])
    draft.reset("a", ["i1-0", "i1"])
    assert shape(draft.nodes) == shape(draft.base)


def test_the_root_of_a_new_cluster_can_not_be_reset() -> None:
    """There is nothing to go back to."""
    draft = Drafting(saved(1))
    draft.touched = dict.fromkeys(draft.nodes)
    with pytest.raises(InvalidChangeError, match="no base state"):
        draft.reset("a", ["root"])
