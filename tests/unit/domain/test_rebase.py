"""Rebasing a whole draft: what comes in, what stays, and what is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gql_cluster.domain.change import AddNodes, Before, End, MoveNode, NewNode, RemoveNodes
from gql_cluster.domain.delta import Added, Moved, Related, Removed, Updated, key_of
from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.merge import Clash
from gql_cluster.domain.rank import base_rank, is_base_rank
from gql_cluster.domain.rebase import Rebased
from gql_cluster.domain.spec import ROOT_KEY
from tests.unit.domain.kit import Nodes
from tests.unit.domain.sides import (
    Edited,
    Place,
    Sides,
    State,
    begin,
    behind,
    make_base,
    plan_of,
    rebased,
    saved_node,
    state_of,
)

FAIL, MINE, THEIRS = ConflictPolicy.FAIL, ConflictPolicy.MINE, ConflictPolicy.THEIRS
ALBUMS: Place = (ROOT_KEY, "albums")
SONGS: Place = ("Album:0", "songs")


def rebase_of(sides: Sides, policy: ConflictPolicy = FAIL) -> Rebased:
    """Rebase the draft on what others saved."""
    return rebased(sides.draft, sides.theirs, policy)


def after(sides: Sides, policy: ConflictPolicy = FAIL) -> Edited:
    """Return the draft as a rebase leaves it."""
    return behind(sides.draft, rebase_of(sides, policy))


def remove(draft: Edited, key: str) -> None:
    """Remove a node from the draft."""
    node = draft.tree.nodes[key]
    draft.edit(node.parent or "", RemoveNodes(relation=node.relation or "", keys=(key,)))


def append(draft: Edited, key: str, position: int | None = None) -> None:
    """Add a song."""
    song = NewNode(key=key, position=position)
    draft.edit("Album:0", AddNodes(relation="songs", nodes=(song,)))


# What others did


def test_an_untouched_node_is_as_it_is_saved_now() -> None:
    """The draft's own changes stay on top, and the base of those is that of now."""
    sides = begin()
    sides.theirs.edit("Song:0", name="theirs")
    sides.theirs.relate("Song:1", 1, 2, 3)
    sides.draft.set("Song:1", name="mine")
    result = rebase_of(sides)
    assert sorted(map(key_of, result.deltas)) == ["Song:0", "Song:1"]
    assert {type(delta) for delta in result.deltas} == {Updated, Related}
    nodes = after(sides).tree.nodes
    assert nodes["Song:0"].fields["name"] == "theirs"
    assert (nodes["Song:1"].fields["name"], nodes["Song:1"].sets["tags"]) == ("mine", (1, 2, 3))
    assert result.base == {"Song:1": sides.theirs.nodes["Song:1"]}
    assert {node.version for node in result.nodes.values()} == {sides.draft.version + 1}
    [theirs] = result.theirs
    assert isinstance(theirs, Related)


def test_what_others_added_comes_in_parents_first_and_gives_out_no_key() -> None:
    """Its deltas are of version 0; that is how the store tells."""
    sides = begin()
    sides.theirs.put(saved_node("Album", 9, ALBUMS), 1)
    sides.theirs.put(saved_node("Song", 90, ("Album:9", "songs")))
    result = rebase_of(sides)
    added = [delta.node for delta in result.deltas if isinstance(delta, Added)]
    assert [(node.key, node.version) for node in added] == [("Album:9", 0), ("Song:90", 0)]
    assert result.nodes["Song:90"].version == 1
    assert after(sides).state.orders[ALBUMS] == ["Album:0", "Album:9", "Album:1"]
    assert (result.base, result.theirs) == ({}, ())


def test_what_others_deleted_leaves_one_tombstone() -> None:
    """What was below it is dead with it, and not written."""
    sides = begin()
    sides.theirs.remove("Album:0")
    result = rebase_of(sides)
    gone = [delta.node.key for delta in result.deltas if isinstance(delta, Removed)]
    assert gone == ["Album:0"]
    assert result.nodes["Album:0"].removed
    assert result.nodes.keys() == {"Album:0", "Album:1"}  # the other one is the first by now
    assert plan_of(after(sides)).is_empty


def test_what_others_put_back_lives_again() -> None:
    """Under its old key, with what is saved below it now."""
    sides = begin()
    base = sides.theirs.copy()
    sides.theirs.remove("Album:0")
    draft = after(sides)
    base.remove("Song:1")
    result = rebased(draft, base, FAIL)
    assert behind(draft, result).state == state_of(
        replace(base.numbered().nodes[key], version=node.version)
        for key, node in behind(draft, result).state.nodes.items()
    )
    assert plan_of(behind(draft, result)).is_empty


def test_what_others_moved_below_another_parent_leaves_and_comes() -> None:
    """With all of its fields as they are now; a deleted album does not take it along."""
    sides = begin()
    sides.theirs.move("Song:1", 0, ("Album:1", "songs"))
    sides.theirs.edit("Song:1", name="theirs")
    sides.theirs.remove("Album:0")
    result = rebase_of(sides)
    one, two = (delta for delta in result.deltas if key_of(delta) == "Song:1")
    assert isinstance(one, Removed)
    assert isinstance(two, Added)
    assert (one.node.parent, two.node.parent) == ("Album:0", "Album:1")
    assert after(sides).state.nodes["Song:1"].fields["name"] == "theirs"


def test_a_saved_node_goes_by_the_key_that_the_draft_has_for_it() -> None:
    """So does what is below it; a tombstone of the same primary key gives way."""
    sides = begin()
    nodes = dict(sides.draft.tree.nodes)
    nodes["mine"] = replace(nodes.pop("Album:0"), key="mine")
    for key in ("Song:0", "Song:1", "Song:2"):
        nodes[key] = replace(nodes[key], parent="mine")
    nodes["old"] = replace(nodes["mine"], key="old", removed=True)
    draft = Edited(Nodes(nodes))
    sides.theirs.edit("Album:0", name="theirs", code="c")
    sides.theirs.put(saved_node("Song", 90, SONGS))
    result = rebased(draft, sides.theirs, FAIL)
    assert {key_of(delta) for delta in result.deltas} == {"mine", "Song:90"}
    assert result.nodes["Song:90"].parent == "mine"
    draft.set("Album:1", code="c")
    theirs, base = sides.theirs.nodes["Album:0"], sides.base.nodes["Album:0"]
    told = Clash(key="Album:1", fields=("code",), theirs=theirs, base=base)
    mine = rebased(draft, sides.theirs, MINE, [told])
    assert (mine.conflicts, set(mine.base)) == ((), {"Album:1", "mine"})


def test_conflicts_leave_nothing_else() -> None:
    """Nothing is to be written then."""
    sides = begin()
    sides.theirs.edit("Song:1", name="theirs")
    sides.draft.set("Song:1", name="mine")
    result = rebase_of(sides)
    [conflict] = result.conflicts
    assert (conflict.key, conflict.field) == ("Song:1", "name")
    assert result == Rebased(deltas=(), theirs=(), nodes={}, base={}, conflicts=(conflict,))


# Ranks


def test_a_relation_in_which_nothing_changed_keeps_its_ranks() -> None:
    """Even of a child that was moved there and back."""
    sides = begin()
    for place in (End.LAST, Before(key="Song:1")):
        sides.draft.edit("Album:0", MoveNode(relation="songs", key="Song:0", place=place))
    append(sides.draft, "new", 1)
    sides.theirs.edit("Song:2", name="theirs")
    sides.theirs.move("Song:10", 1)
    result = rebase_of(sides)
    assert sorted(key_of(d) for d in result.deltas if isinstance(d, Moved)) == [
        "Song:10",
        "Song:11",
    ]
    assert plan_of(after(sides)).updated.keys() == {"Song:0"}


def test_saved_siblings_have_base_ranks_in_the_order_of_now() -> None:
    """Those that the draft moved or added have ranks between them, and at the end keep theirs."""
    sides = begin()
    draft = sides.draft
    append(draft, "inner", 1)
    append(draft, "last")
    draft.edit("Album:0", MoveNode(relation="songs", key="Song:2", place=End.FIRST))
    tail = draft.tree.nodes["last"].rank
    sides.theirs.put(saved_node("Song", 90, SONGS), 0)
    sides.theirs.put(saved_node("Song", 91, SONGS))
    state = after(sides).state
    assert state.orders[SONGS] == [
        "Song:90",
        "Song:2",
        "Song:0",
        "inner",
        "Song:1",
        "Song:91",
        "last",
    ]
    ranks = {key: state.nodes[key].rank for key in state.orders[SONGS]}
    assert {key: rank for key, rank in ranks.items() if is_base_rank(rank)} == {
        "Song:90": base_rank(0),
        "Song:0": base_rank(1),
        "Song:1": base_rank(2),
        "Song:91": base_rank(4),
    }
    assert ranks["last"] == tail


def test_a_relation_without_order_has_what_is_saved_first() -> None:
    """As it is read now, and what the draft added behind it."""
    sides = begin(members=2)
    sides.draft.edit(ROOT_KEY, AddNodes(relation="members", nodes=(NewNode(key="new"),)))
    sides.theirs.put(saved_node("Member", 9, (ROOT_KEY, "members")), 0)
    state = after(sides).state
    assert state.orders[ROOT_KEY, "members"] == ["Member:9", "Member:0", "Member:1", "new"]
    assert state.nodes["Member:1"].rank == base_rank(2)
    sides.theirs.remove("Member:0")
    sides.draft.set("Member:0", name="mine")
    back = after(sides, MINE)
    assert back.state.orders[ROOT_KEY, "members"] == ["Member:9", "Member:1", "Member:0", "new"]
    assert not is_base_rank(back.state.nodes["Member:0"].rank)


def test_what_comes_back_has_no_base_rank() -> None:
    """Neither it nor what is below it, for it is to be saved anew; its primary key stays."""
    sides = begin()
    sides.theirs.remove("Album:0")
    sides.draft.set("Song:1", name="mine")
    result = rebase_of(sides, MINE)
    keys = {"Album:0", "Song:0", "Song:1", "Song:2"}
    assert result.base == dict.fromkeys(keys)
    state = after(sides, MINE).state
    assert state.orders[SONGS] == ["Song:0", "Song:1", "Song:2"]
    assert state.orders[ALBUMS] == ["Album:0", "Album:1"]
    assert not any(is_base_rank(state.nodes[key].rank) for key in keys)
    assert state.nodes["Song:2"].pk == 2


def test_what_was_committed_by_the_draft_itself_gets_its_base_rank() -> None:
    """Though its place is the one that it was added to."""
    sides = begin()
    append(sides.draft, "new")
    nodes = dict(sides.draft.tree.nodes)
    nodes["new"] = replace(nodes["new"], pk=90)
    sides.theirs.put(saved_node("Song", 90, SONGS))
    result = rebased(Edited(Nodes(nodes)), sides.theirs, FAIL)
    assert result.nodes["new"].rank == base_rank(3)
    assert result.base == {}


# Below what the draft removed


def test_changes_below_a_removed_node_stay_with_it() -> None:
    """Were it taken back, it would be as it is saved now with the draft's changes on top."""
    sides = begin()
    draft = sides.draft
    draft.set("Song:1", name="mine")
    append(draft, "new", 0)
    remove(draft, "Song:0")
    remove(draft, "Album:0")
    sides.theirs.edit("Song:1", name="theirs", code="t")
    sides.theirs.put(saved_node("Song", 90, SONGS), 1)
    result = rebase_of(sides, MINE)
    there = behind(draft, result)
    assert plan_of(there).removed.keys() == {"Album:0"}
    assert result.base.keys() == {"Album:0", "Song:0", "Song:1", "new"}
    nodes = there.tree.nodes
    again = Edited(Nodes({**nodes, "Album:0": replace(nodes["Album:0"], removed=False)}))
    assert again.state.orders[SONGS] == ["Song:90", "new", "Song:1", "Song:2"]
    assert again.state.nodes["Song:1"].fields["name"] == "mine"
    assert again.state.nodes["Song:1"].fields["code"] == "t"


def test_a_removed_node_that_theirs_gives_back_is_as_it_is_saved() -> None:
    """What the draft did below it before does not come along."""
    sides = begin()
    draft = sides.draft
    draft.set("Song:1", name="mine")
    append(draft, "new", 0)
    remove(draft, "Song:0")
    remove(draft, "Album:0")
    sides.theirs.edit("Album:0", name="theirs")
    result = rebase_of(sides, THEIRS)
    state = behind(draft, result).state
    assert state.orders[SONGS] == ["Song:0", "Song:1", "Song:2"]
    assert state.nodes["Song:1"].fields["name"] == ""
    assert (result.base, result.nodes["new"].removed) == ({}, True)


def test_what_others_moved_out_of_a_removed_node_lives() -> None:
    """Without what the draft had done there, to it or below it."""
    sides = begin(takes=1)
    draft = sides.draft
    draft.set("Song:1", name="mine")
    draft.set("Take:10", name="mine")
    draft.edit("Song:1", AddNodes(relation="takes", nodes=(NewNode(key="new"),)))
    remove(draft, "Album:0")
    sides.theirs.move("Song:1", 0, ("Album:1", "songs"))
    result = rebase_of(sides, MINE)
    state = behind(draft, result).state
    assert "Album:0" not in state.nodes
    assert state.orders["Song:1", "takes"] == ["Take:10"]
    assert state.nodes["Song:1"].fields["name"] == state.nodes["Take:10"].fields["name"] == ""
    assert result.base.keys() == {"Album:0"}


def test_a_removed_node_that_others_moved_is_removed_where_it_is() -> None:
    """Though its tombstone is where the draft had it."""
    sides = begin()
    remove(sides.draft, "Song:1")
    sides.theirs.move("Song:1", 0, ("Album:1", "songs"))
    sides.theirs.remove("Album:0")
    kept = after(sides, MINE)
    assert kept.touched["Song:1"] == sides.theirs.numbered().nodes["Song:1"]
    # Its album, of which something was removed, comes back as well.
    assert plan_of(kept).removed.keys() == {"Song:1"}
    assert plan_of(kept).added.keys() == {"Album:0", "Song:0", "Song:2"}


def test_what_was_put_back_is_removed_with_its_parent_from_where_it_is_saved() -> None:
    """Which is below another, that stays."""
    sides = begin()
    sides.theirs.move("Song:1", 0, ("Album:1", "songs"))
    sides.draft.set("Song:1", name="mine")
    draft = after(sides, MINE)
    remove(draft, "Album:0")
    plan = plan_of(draft)
    assert plan.removed.keys() == {"Album:0", "Song:1"}
    assert plan.removed["Song:1"].parent == "Album:1"
    result = rebased(draft, sides.theirs, FAIL)
    assert (result.conflicts, result.deltas, result.nodes) == ((), (), {})
    assert result.base.keys() == {"Album:0", "Song:1"}


def test_what_others_added_and_mine_removes_is_a_tombstone() -> None:
    """It was never in the draft, so that nothing tells of it."""
    sides = begin()
    sides.draft.set("Song:1", code="c")
    theirs = saved_node("Song", 90, SONGS, code="c")
    sides.theirs.put(theirs)
    told = Clash(key="Song:1", fields=("code",), theirs=theirs, base=None)
    result = rebased(sides.draft, sides.theirs, MINE, [told])
    assert result.nodes.keys() == {"Song:90"}
    assert result.nodes["Song:90"].removed
    assert (result.deltas, set(result.base)) == ((), {"Song:1", "Song:90"})
    assert plan_of(behind(sides.draft, result)).removed.keys() == {"Song:90"}
    gone = replace(told, theirs=replace(theirs, pk=91))
    assert rebased(sides.draft, sides.theirs, MINE, [gone]).nodes.keys() == {"Song:90"}


def test_a_tombstone_in_the_base_was_not_there() -> None:
    """What others deleted and the draft puts back is added, and removed again it is nothing."""
    sides = begin()
    draft = sides.draft
    song = draft.tree.nodes["Song:1"]
    draft.touched["Song:1"] = replace(song, removed=True)
    plan = plan_of(draft)
    assert (plan.added, plan.base) == ({"Song:1": song}, {})
    assert plan.reordered == {SONGS}
    draft.tree.nodes["Song:1"] = replace(song, removed=True)
    assert plan_of(draft).is_empty
    assert rebased(draft, sides.base, FAIL).base == {}


def test_a_cluster_that_is_deleted_can_be_brought_back() -> None:
    """All of it, under its old keys."""
    sides = begin()
    sides.draft.set("Song:1", name="mine")
    for policy in (FAIL, THEIRS):
        assert rebased(sides.draft, State(), policy).conflicts
    result = rebased(sides.draft, State(), MINE)
    assert result.base == dict.fromkeys(sides.base.nodes)
    there = behind(sides.draft, result)
    assert there.state.orders == sides.base.orders
    assert plan_of(there).added.keys() == sides.base.nodes.keys()


@pytest.mark.timeout(60)
def test_many_siblings_are_rebased_in_no_time() -> None:
    """Many of them moved by others, and some by the draft."""
    base = make_base(1, 10, 0)
    keys = [f"Song:{pk}" for pk in range(1000, 21_000)]
    base.nodes.update({key: saved_node("Song", int(key[5:]), SONGS) for key in keys})
    base.orders[SONGS] += keys
    sides = Sides(base.numbered(), base.copy(), Edited(Nodes(base.numbered().nodes)))
    append(sides.draft, "new", 0)
    sides.draft.edit("Album:0", MoveNode(relation="songs", key="Song:1500", place=End.FIRST))
    sides.theirs.orders[SONGS] = [*keys[-5000:], *base.orders[SONGS][:-5000]]
    order = after(sides).state.orders[SONGS]
    assert order[:5000] == keys[-5000:]
    assert order[5000:5003] == ["Song:1500", "new", "Song:0"]
    assert len(order) == 20_011
