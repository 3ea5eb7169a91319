"""Undo and redo where others have been at work meanwhile: each case on its own."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from gql_cluster.domain.change import (
    AddToSet,
    After,
    Before,
    Change,
    End,
    MoveNode,
    Place,
    RemoveFromSet,
    SetFields,
)
from gql_cluster.domain.delta import Added, Removed, Updated, difference
from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.rank import base_rank
from gql_cluster.domain.undo import Kept, KeptReason, undo, undo_needs
from tests.unit.domain.drafting import (
    Drafting,
    Loaded,
    add,
    name_of,
    others,
    remove,
    rename,
    shape,
    within,
)
from tests.unit.domain.kit import keys_of, saved

MINE, THEIRS = ConflictPolicy.MINE, ConflictPolicy.THEIRS


@pytest.fixture
def draft() -> Drafting:
    """A draft of three items with two leaves each."""
    return Drafting(saved(3))


def changed(key: str, field: str | None = "name") -> Kept:
    """Say that an item, or a field of it, stays because others have changed it."""
    path = ("items", key) if field is None else ("items", key, field)
    return Kept(key=key, path=path, field=field, reason=KeptReason.CHANGED)


def removed(key: str, *path: str) -> Kept:
    """Say that a node is not there any more."""
    return Kept(key=key, path=path or ("items", key), field=None, reason=KeptReason.REMOVED)


# Fields


def test_what_another_session_has_changed_since_stays(draft: Drafting) -> None:
    """And everything else of the change set is taken back."""
    draft.edit("a", rename("i0", "a"), rename("i1", "a"))
    draft.edit("b", rename("i1", "b"))
    assert draft.undo("a") == [changed("i1")]
    assert (name_of(draft, "i0"), name_of(draft, "i1")) == ("i0", "b")
    assert draft.redo("a") == []
    assert (name_of(draft, "i0"), name_of(draft, "i1")) == ("a", "b")


def test_what_another_session_has_set_anew_stays(draft: Drafting) -> None:
    """Even if it is the same value again."""
    draft.edit("a", rename("i0", "a"))
    draft.edit("b", rename("i0", "b"))
    draft.edit("b", rename("i0", "a"))
    assert draft.undo("a") == [changed("i0")]
    assert name_of(draft, "i0") == "a"


def test_what_another_session_has_taken_back_itself_is_no_change(draft: Drafting) -> None:
    """Undone, redone and undone again."""
    draft.edit("a", rename("i0", "a"))
    draft.edit("b", rename("i0", "b"))
    draft.undo("b")
    draft.redo("b")
    draft.undo("b")
    assert draft.undo("a") == []
    assert name_of(draft, "i0") == "i0"


def test_what_another_session_undoes_of_its_own_from_before_is_a_change(draft: Drafting) -> None:
    """It is later than the change set that is undone."""
    draft.edit("b", within("i0", add("l")))
    draft.edit("a", remove("i0"))
    draft.undo("a")
    draft.undo("b")
    assert draft.redo("a") == [changed("i0", None)]


def test_what_another_session_has_set_back_already_is_not_told(draft: Drafting) -> None:
    """There is nothing left to undo."""
    draft.edit("a", rename("i0", "a"))
    draft.edit("b", rename("i0", "i0"))
    assert draft.undo("a") == []
    assert name_of(draft, "i0") == "i0"


def test_a_node_that_others_removed_is_told_once(draft: Drafting) -> None:
    """It stays as it was when it went."""
    draft.edit("a", within("i0", SetFields(values={"name": "a"}), AddToSet(name="tags", pks=(1,))))
    draft.edit("b", remove("i0"))
    assert draft.undo("a") == [removed("i0")]
    draft.undo("b")
    assert name_of(draft, "i0") == "a"


def test_several_changes_of_one_field_are_taken_back_at_once(draft: Drafting) -> None:
    """What the field was between them is nobody's to find."""
    draft.edit("a", rename("i0", "between"), rename("i0", "a"))
    draft.edit("b", rename("i0", "between"))
    assert draft.undo("a") == [changed("i0")]
    assert name_of(draft, "i0") == "between"


def test_a_change_set_that_came_to_nothing_has_nothing_to_keep(draft: Drafting) -> None:
    """An item that was added and removed at once, a name that was changed and changed back."""
    draft.edit("a", add("x"), remove("x"), rename("i0", "a"), rename("i0", "i0"))
    draft.edit("b", remove("i0"))
    assert draft.undo("a") == []


# Sets


def test_members_that_others_put_in_stay(draft: Drafting) -> None:
    """Only those are taken out that are still in by this change, and put back that are out."""
    draft.edit("b", AddToSet(name="tags", pks=(1, 2)))
    draft.edit("a", AddToSet(name="tags", pks=(3, 4)), RemoveFromSet(name="tags", pks=(1, 2)))
    draft.edit("b", AddToSet(name="tags", pks=(2, 5)), RemoveFromSet(name="tags", pks=(4,)))
    draft.edit("b", AddToSet(name="tags", pks=(4,)))
    assert draft.undo("a") == []
    assert set(draft.nodes["root"].sets["tags"]) == {1, 2, 4, 5}


# Nodes that were added


def test_an_added_node_goes_with_all_that_was_added_below(draft: Drafting) -> None:
    """One is marked; and one is brought back."""
    before = shape(draft.nodes)
    draft.edit("a", add("x", "y", "z"))
    after = shape(draft.nodes)
    draft.undo("a")
    assert [type(delta) for delta in draft.entries[-1].deltas] == [Removed]
    assert shape(draft.nodes) == before
    draft.redo("a")
    assert [type(delta) for delta in draft.entries[-1].deltas] == [Added]
    assert shape(draft.nodes) == after


@pytest.mark.parametrize(
    "change",
    [
        rename("x", "b"),
        within("x", rename("y", "b")),
        within("x", remove("y")),
        within("x", add("w")),
    ],
)
def test_an_added_node_stays_where_others_have_been(draft: Drafting, change: Change) -> None:
    """In it, or anywhere below."""
    draft.edit("a", add("x", "y"))
    draft.edit("b", change)
    assert changed("x", None) in draft.undo("a")
    assert not draft.nodes["x"].removed


def test_an_added_node_stays_where_others_have_been_deep_below(draft: Drafting) -> None:
    """However many levels there are between."""
    leaf, steps = draft.nodes["i0-0"], ["root", "x", "y", "z", "w"]
    chain = {
        key: replace(leaf, key=key, pk=None, parent=above, version=1)
        for above, key in pairwise(steps)
    }
    added = replace(draft.edit("a"), deltas=tuple(Added(node=node) for node in chain.values()))
    draft.states[-1] = {**draft.nodes, **chain}
    renamed = replace(
        draft.edit("b"), deltas=tuple(difference(leaf, others(draft, **{"i0-0": "b"})["i0-0"]))
    )
    [delta] = renamed.deltas
    assert isinstance(delta, Updated)
    later = [replace(renamed, deltas=(replace(delta, key="w", parent="z"),))]
    tree = Loaded(draft.nodes, undo_needs(added, later))
    applied, kept = undo(tree, added, later, version=3, tail=0)
    assert applied.deltas == ()
    assert {each.key for each in kept} == {"x", "y", "z", "w"}


def test_an_added_node_stays_where_others_have_moved_it(draft: Drafting) -> None:
    """Though they had brought it back to another place before."""
    draft.edit("a", add("x", position=1))
    draft.edit("b", remove("x"))
    draft.edit("c", add("y", position=1))
    draft.undo("b")
    draft.edit("b", MoveNode(relation="items", key="x", place=End.LAST))
    assert draft.undo("a") == [changed("x", None)]


def test_what_others_have_not_been_in_goes_alone(draft: Drafting) -> None:
    """Each node of a change set is judged by itself."""
    draft.edit("a", add("x", "y", "z"))
    draft.edit("b", within("x", rename("y", "b")))
    path = ("items", "x", "items", "y")
    below = Kept(key="y", path=path, field=None, reason=KeptReason.CHANGED)
    assert list(draft.undo("a")) == [below, changed("x", None)]
    assert keys_of(draft.tree, "x") == ["y"]
    draft.redo("a")
    assert keys_of(draft.tree, "x") == ["y", "z"]


def test_an_added_node_that_others_removed_is_gone_already(draft: Drafting) -> None:
    """That is no part that was not undone; below what they removed it is one."""
    draft.edit("a", add("x"), within("i0", add("y")))
    draft.edit("b", remove("x"), remove("i0"))
    assert draft.undo("a") == [removed("y", "items", "i0", "items", "y")]


# Nodes that were removed


def test_a_removed_node_comes_back_with_all_below(draft: Drafting) -> None:
    """Under its key, with its primary key, at its place."""
    before = shape(draft.nodes)
    draft.edit("a", rename("i1", "a"), within("i1", remove("i1-0")), remove("i1"))
    draft.undo("a")
    assert shape(draft.nodes) == before
    # A parent is told before its children.
    added = [d.node.key for d in draft.entries[-1].deltas if isinstance(d, Added)]
    assert added == ["i1", "i1-0"]
    assert draft.nodes["i1"].pk == "i1"


def test_a_removed_node_stays_away_below_another(draft: Drafting) -> None:
    """One that others have removed."""
    draft.edit("a", within("i1", remove("i1-0")))
    draft.edit("b", remove("i1"))
    assert draft.undo("a") == [removed("i1-0", "items", "i1", "items", "i1-0")]
    draft.undo("b")
    assert keys_of(draft.tree, "i1") == ["i1-1"]


def test_a_node_that_others_have_removed_too_stays_away(draft: Drafting) -> None:
    """They had brought it back before."""
    draft.edit("a", remove("i0"))
    draft.revert("b", 0)
    draft.edit("b", remove("i0"))
    assert draft.undo("a") == [removed("i0")]
    assert draft.nodes["i0"].removed


def test_a_node_that_others_have_brought_back_is_there_already(draft: Drafting) -> None:
    """Nothing is left to undo."""
    draft.edit("a", remove("i0"))
    draft.revert("b", 0)
    assert draft.undo("a") == []
    assert draft.entries[-1].deltas == ()


def test_a_node_that_was_brought_back_goes_as_it_had_gone(draft: Drafting) -> None:
    """A revert had also given it an earlier name."""
    draft.edit("b", rename("i0", "b"))
    draft.edit("b", remove("i0"))
    draft.revert("a", 0)
    draft.undo("a")
    draft.undo("b")
    assert name_of(draft, "i0") == "b"


def test_nodes_that_were_brought_back_go_one_by_one(draft: Drafting) -> None:
    """Each was removed by itself, and others may bring back one of them."""
    draft.edit("b", within("i0", remove("i0-0")))
    draft.edit("b", remove("i0"))
    draft.revert("a", 0)
    draft.undo("a")
    draft.undo("b")
    assert keys_of(draft.tree, "i0") == ["i0-1"]


# Places


def test_a_move_goes_back_unless_others_moved_the_node_since(draft: Drafting) -> None:
    """Each node by itself."""
    draft.edit(
        "a",
        MoveNode(relation="items", key="i0", place=End.LAST),
        MoveNode(relation="items", key="i1", place=End.LAST),
    )
    draft.edit("b", MoveNode(relation="items", key="i1", place=End.FIRST))
    assert draft.undo("a") == [changed("i1", None)]
    assert keys_of(draft.tree) == ["i1", "i0", "i2"]


def test_a_node_whose_place_was_taken_comes_right_behind(draft: Drafting) -> None:
    """Moved back or brought back: no two siblings have one rank."""
    draft.edit("a", add("x", position=1))
    rank = draft.nodes["x"].rank
    draft.edit("a", MoveNode(relation="items", key="x", place=End.LAST))
    draft.edit("b", add("y", position=1))
    assert draft.nodes["y"].rank == rank
    draft.undo("a")
    assert keys_of(draft.tree) == ["i0", "y", "x", "i1", "i2"]
    draft.redo("a")
    draft.edit("a", MoveNode(relation="items", key="x", place=Before(key="i1")), remove("x"))
    draft.edit("b", add("z", position=2))
    draft.undo("a")
    assert len({rank for rank, _ in draft.tree.siblings("root", "items")}) == 6


def test_a_last_node_whose_place_was_taken_comes_behind_all(draft: Drafting) -> None:
    """Where there is no next sibling."""
    draft.edit("a", MoveNode(relation="items", key="i2", place=End.FIRST))
    [before] = draft.entries
    taken = replace(draft.nodes["i1"], rank=base_rank(2))
    draft.states.append({**draft.nodes, "i1": taken})
    applied, kept = undo(draft.tree, before, [], version=2, tail=0)
    assert kept == []
    assert applied.nodes["i2"].rank > taken.rank


# Over rebases and commits


@pytest.mark.parametrize("policy", [MINE, THEIRS])
def test_undo_gives_what_others_have_saved_and_not_what_was(
    draft: Drafting, policy: ConflictPolicy
) -> None:
    """Whoever had won; a redo sets the own value again where that had."""
    draft.edit("a", rename("i0", "a"))
    assert draft.rebase(others(draft, i0="theirs"), policy)
    assert draft.undo("a") == []
    assert name_of(draft, "i0") == "theirs"
    assert draft.redo("a") == []
    assert name_of(draft, "i0") == ("a" if policy is MINE else "theirs")


def test_a_node_comes_back_as_others_have_saved_it_meanwhile(draft: Drafting) -> None:
    """Over several rebases, those below it too."""
    draft.edit("a", rename("i1", "a"), AddToSet(name="tags", pks=(1,)), remove("i0"), remove("i1"))
    base = others(draft, i0="first", **{"i0-0": "first"})
    base["i1"] = replace(base["i1"], sets={"tags": (7,)})
    assert draft.rebase(base, MINE)
    assert draft.rebase(others(draft, i0="second", i1="second"), MINE)
    assert draft.undo("a") == []
    assert shape(draft.nodes) == shape(draft.base)
    assert name_of(draft, "i0") == name_of(draft, "i1") == "second"
    assert draft.nodes["i1"].sets == {"tags": (7,)}


def test_a_node_that_others_have_deleted_does_not_come_back(draft: Drafting) -> None:
    """Nobody asked them."""
    draft.edit("a", remove("i0"))
    base = {key: node for key, node in draft.base.items() if not key.startswith("i0")}
    assert draft.rebase(base)
    assert draft.undo("a") == [removed("i0")]


def test_a_change_that_others_have_saved_as_well_stays(draft: Drafting) -> None:
    """It is theirs by now."""
    draft.edit("a", rename("i0", "same"), AddToSet(name="tags", pks=(1, 2)), remove("i1"))
    base = others(draft, i0="same")
    base["root"] = replace(base["root"], sets={"tags": (1,)})
    del base["i1"], base["i1-0"], base["i1-1"]
    assert draft.rebase(base)
    assert draft.undo("a") == [removed("i1")]
    assert name_of(draft, "i0") == "same"
    assert draft.nodes["root"].sets["tags"] == (1,)


@pytest.mark.parametrize("place", [End.LAST, After(key="i1")])
def test_a_node_goes_back_to_where_others_have_put_it(draft: Drafting, place: Place) -> None:
    """Its place in the base is another by now, and perhaps its own has got another rank."""
    draft.edit("a", MoveNode(relation="items", key="i0", place=place))
    order = keys_of(draft.tree)
    base = dict(draft.base)
    base["i9"] = replace(base["i0"], key="i9", pk="i9", rank="a0000001")
    assert draft.rebase(base)
    assert keys_of(draft.tree) == ["i9", *order]
    assert draft.undo("a") == []
    assert shape(draft.nodes) == shape(draft.base)


def test_a_node_goes_back_though_its_siblings_were_put_into_another_order(
    draft: Drafting,
) -> None:
    """Its place in the base is what it was."""
    draft.edit("a", MoveNode(relation="items", key="i0", place=End.LAST))
    base = dict(draft.base)
    base["i1"], base["i2"] = (replace(base[f"i{n}"], rank=base_rank(3 - n)) for n in (1, 2))
    assert draft.rebase(base)
    assert draft.undo("a") == []
    assert keys_of(draft.tree) == ["i0", "i2", "i1"]


def test_a_place_from_before_a_commit_is_lost_where_that_has_numbered_anew(
    draft: Drafting,
) -> None:
    """Then the node stays where it is."""
    draft.edit("a", MoveNode(relation="items", key="i0", place=End.LAST))
    draft.commit()
    assert draft.undo("a") == [changed("i0", None)]
    assert keys_of(draft.tree) == ["i1", "i2", "i0"]


def test_an_own_place_between_others_is_lost_when_they_are_reordered(draft: Drafting) -> None:
    """Then the node stays where it is."""
    draft.edit("a", MoveNode(relation="items", key="i0", place=After(key="i1")))
    draft.edit("a", MoveNode(relation="items", key="i0", place=End.LAST))
    base = dict(draft.base)
    base["i1"], base["i2"] = (
        replace(base[key], rank=base_rank(n)) for key, n in (("i1", 2), ("i2", 1))
    )
    assert draft.rebase(base)
    order = keys_of(draft.tree)
    assert draft.undo("a") == [changed("i0", None)]
    assert keys_of(draft.tree) == order


@pytest.mark.parametrize(("policy", "parent"), [(MINE, "i0"), (THEIRS, "i1")])
def test_the_place_of_a_node_that_others_put_below_another_is_lost(
    draft: Drafting, policy: ConflictPolicy, parent: str
) -> None:
    """All else that was done to it is taken back, wherever it is now."""
    move = MoveNode(relation="items", key="i0-0", place=End.LAST)
    draft.edit("a", within("i0", move, rename("i0-0", "a")))
    base = dict(draft.base)
    base["i0-0"] = replace(base["i0-0"], parent="i1", rank=base_rank(2))
    assert draft.rebase(base, policy)
    here = ("items", parent, "items", "i0-0")
    kept = Kept(key="i0-0", path=here, field=None, reason=KeptReason.CHANGED)
    assert draft.undo("a") == [kept]
    assert name_of(draft, "i0-0") == "i0-0"
    assert keys_of(draft.tree, parent)[-1] == "i0-0"


def test_a_removed_node_that_others_put_below_another_comes_back_there(draft: Drafting) -> None:
    """With what they have made of it."""
    draft.edit("a", within("i0", remove("i0-0")))
    base = others(draft, **{"i0-0": "theirs"})
    base["i0-0"] = replace(base["i0-0"], parent="i1", rank=base_rank(2))
    assert draft.rebase(base, MINE)
    assert draft.undo("a") == []
    assert [type(delta) for delta in draft.entries[-1].deltas] == [Added, Updated]
    assert shape(draft.nodes) == shape(draft.base)


def test_what_comes_back_after_a_rebase_is_new_with_all_below(draft: Drafting) -> None:
    """As it was before it went: the next rebase does not take it for deleted."""
    draft.edit("a", add("x", "y"))
    draft.undo("a")
    assert draft.rebase(others(draft, i0="theirs"))
    assert draft.redo("a") == []
    assert draft.rebase(others(draft, i0="again"))
    assert keys_of(draft.tree, "x") == ["y"]
    assert draft.undo("a") == []
    assert shape(draft.nodes) == shape(draft.base)


def test_an_added_node_goes_though_it_was_saved_since(draft: Drafting) -> None:
    """A commit is nobody else's change; but what it made of a name is kept."""
    draft.edit("a", add("x", "y"))
    draft.edit("a", within("x", add("z")))
    draft.edit("a", rename("i0", "a"))
    draft.commit()
    assert (draft.nodes["x"].pk, name_of(draft, "i0")) == ("x", "A")
    assert draft.undo("a") == [changed("i0")]
    assert draft.undo("a") == []
    assert draft.undo("a") == []
    assert keys_of(draft.tree) == ["i0", "i1", "i2"]


def test_an_added_node_stays_if_others_have_saved_it_again(draft: Drafting) -> None:
    """It is theirs too since it was saved."""
    draft.edit("a", add("x"))
    draft.rebase(others(draft, i0="theirs"))
    draft.commit()
    draft.rebase(others(draft, x="theirs"))
    assert draft.undo("a") == [changed("x", None)]
    assert name_of(draft, "x") == "theirs"


def test_a_node_that_a_commit_has_deleted_does_not_come_back(draft: Drafting) -> None:
    """Nor one that was added and taken out again before; one that was removed since does."""
    draft.edit("a", add("x", "y"))
    draft.undo("a")
    draft.edit("b", remove("i1"))
    draft.commit()
    assert draft.redo("a") == [removed("x")]
    assert draft.undo("b") == [removed("i1")]
    draft.edit("a", remove("i2"))
    assert draft.undo("a") == []
    assert keys_of(draft.tree) == ["i0", "i2"]


def test_a_node_that_is_saved_again_after_a_commit_can_be_brought_back(draft: Drafting) -> None:
    """Others have given it back."""
    draft.edit("a", remove("i1"))
    before = draft.base
    draft.commit()
    assert draft.rebase({**draft.base, **{key: before[key] for key in ("i1", "i1-0", "i1-1")}})
    draft.edit("a", remove("i1"))
    assert draft.undo("a") == []
    draft.edit("a", remove("i1"))
    draft.revert("a", 0)
    assert keys_of(draft.tree) == ["i0", "i1", "i2"]
