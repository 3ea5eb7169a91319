"""Merging three sides: what each rule keeps, refuses, and does by policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    Before,
    End,
    MoveNode,
    NewNode,
    RemoveFromSet,
    RemoveNodes,
)
from gql_cluster.domain.error import Conflict, ConflictKind, ConflictPolicy
from gql_cluster.domain.merge import Clash, Merged
from gql_cluster.domain.spec import ROOT_KEY
from tests.unit.domain.sides import (
    Place,
    Sides,
    State,
    begin,
    behind,
    merged,
    plan_of,
    rebased,
    saved_node,
)

FAIL, MINE, THEIRS = ConflictPolicy.FAIL, ConflictPolicy.MINE, ConflictPolicy.THEIRS
ALBUMS: Place = (ROOT_KEY, "albums")
MEMBERS: Place = (ROOT_KEY, "members")
SONGS: Place = ("Album:0", "songs")


def told(found: Merged) -> list[tuple[str, str]]:
    """Return kind and key of each conflict."""
    return [(conflict.kind.value, conflict.key) for conflict in found.conflicts]


def nothing_is_left(found: Merged) -> bool:
    """Tell whether a plan does nothing, without a conflict."""
    return found.plan.is_empty and not found.plan.reordered and not found.conflicts


# Fields and sets


def test_what_one_side_alone_changed_is_no_conflict() -> None:
    """Theirs stays, mine is what is left to do."""
    sides = begin()
    sides.theirs.edit("Song:1", name="theirs")
    sides.draft.set("Song:1", code="mine")
    found = merged(sides, FAIL)
    assert found.conflicts == ()
    [(key, (now, after))] = found.plan.updated.items()
    assert (key, now.fields["name"], now.fields["code"]) == ("Song:1", "theirs", "Song:1")
    assert (after.fields["name"], after.fields["code"]) == ("theirs", "mine")
    assert found.plan.base == {"Song:1": now}
    assert found.plan.ancestors.keys() == {"Album:0", ROOT_KEY}


def test_what_both_changed_alike_is_done() -> None:
    """Nothing is left of it, nor of the nodes above."""
    sides = begin()
    sides.theirs.edit("Song:1", name="x")
    sides.draft.set("Song:1", name="x")
    found = merged(sides, FAIL)
    assert nothing_is_left(found)
    assert not found.plan.ancestors


def test_what_both_changed_differently_is_a_conflict_with_all_three_values() -> None:
    """`MINE` and `THEIRS` decide it, for that field alone."""
    sides = begin()
    sides.theirs.edit("Song:1", name="theirs", code="t")
    sides.draft.set("Song:1", name="mine")
    sides.draft.edit("Song:1", AddToSet(name="tags", pks=(3,)))
    [conflict] = merged(sides, FAIL).conflicts
    assert conflict == Conflict(
        kind=ConflictKind.FIELD,
        key="Song:1",
        path=("albums", "Album:0", "songs", "Song:1", "name"),
        type="Song",
        field="name",
        base="",
        theirs="theirs",
        mine="mine",
    )
    for policy, name in ((MINE, "mine"), (THEIRS, "theirs")):
        found = merged(sides, policy)
        after = found.plan.updated["Song:1"][1]
        assert (after.fields["name"], after.fields["code"]) == (name, "t")
        assert (after.sets["tags"], found.conflicts) == ((1, 2, 3), ())


def test_sets_are_merged_as_sets() -> None:
    """What each side added or removed is so; in no case is it a conflict."""
    sides = begin()
    sides.theirs.relate("Song:1", 2, 3, 5)
    sides.draft.edit("Song:1", AddToSet(name="tags", pks=(3, 4)))
    sides.draft.edit("Song:1", RemoveFromSet(name="tags", pks=(1, 2)))
    found = merged(sides, FAIL)
    assert found.plan.updated["Song:1"][1].sets == {"tags": (3, 5, 4)}
    assert found.plan.members("Song:1", "tags") == ((4,), (2,))


def test_an_ancestor_is_as_it_is_saved_now() -> None:
    """Though the draft has it as it was."""
    sides = begin()
    sides.theirs.edit("Album:0", name="theirs")
    sides.draft.set("Song:1", name="mine")
    assert merged(sides, FAIL).plan.ancestors["Album:0"].fields["name"] == "theirs"


# Removed nodes


def remove(sides: Sides, key: str) -> None:
    """Remove a node from the draft."""
    node = sides.draft.tree.nodes[key]
    sides.draft.edit(node.parent or "", RemoveNodes(relation=node.relation or "", keys=(key,)))


def test_what_both_removed_is_done() -> None:
    """Nothing is left to do."""
    sides = begin()
    sides.theirs.remove("Album:0")
    remove(sides, "Album:0")
    assert nothing_is_left(merged(sides, FAIL))


def other_name(state: State) -> None:
    """Change the node itself."""
    state.edit("Album:0", name="x")


def other_set(state: State) -> None:
    """Change its set."""
    state.relate("Album:0", 1)


def song_edited(state: State) -> None:
    """Change something below it."""
    state.edit("Song:1", name="x")


def song_removed(state: State) -> None:
    """Delete something below it."""
    state.remove("Song:1")


def song_added(state: State) -> None:
    """Add something below it."""
    state.put(saved_node("Song", 99, SONGS))


def song_came(state: State) -> None:
    """Move something here."""
    state.move("Song:10", 0, SONGS)


def song_moved(state: State) -> None:
    """Put what is below it into another order."""
    state.move("Song:0", 2)


@pytest.mark.parametrize(
    "change",
    [other_name, other_set, song_edited, song_removed, song_added, song_came, song_moved],
)
def test_what_is_removed_here_and_was_changed_there_is_a_conflict(change: object) -> None:
    """`MINE` removes it as it is now, `THEIRS` keeps it."""
    sides = begin()
    assert callable(change)
    change(sides.theirs)
    remove(sides, "Album:0")
    assert told(merged(sides, FAIL)) == [("CHANGED", "Album:0")]
    mine = merged(sides, MINE)
    assert mine.plan.removed.keys() == {"Album:0"}
    assert mine.plan.removed["Album:0"].fields == sides.theirs.nodes["Album:0"].fields
    assert nothing_is_left(merged(sides, THEIRS))


def test_a_removed_node_that_others_made_another_kind_is_a_conflict() -> None:
    """Though that kind has nothing of its own."""
    sides = begin()
    sides.theirs.nodes["Song:1"] = replace(sides.theirs.nodes["Song:1"], type="Member")
    remove(sides, "Song:1")
    assert told(merged(sides, FAIL)) == [("CHANGED", "Song:1")]
    assert merged(sides, MINE).plan.removed["Song:1"].type == "Member"
    assert nothing_is_left(merged(sides, THEIRS))


def test_what_others_put_before_a_removed_node_does_not_change_it() -> None:
    """Its number is that of its place among the others."""
    sides = begin()
    sides.theirs.put(saved_node("Album", 99, ALBUMS), 0)
    remove(sides, "Album:0")
    found = merged(sides, FAIL)
    assert (found.conflicts, set(found.plan.removed)) == ((), {"Album:0"})


def test_a_removed_node_that_others_moved_below_another_goes_with_that() -> None:
    """It is deleted once."""
    sides = begin()
    sides.theirs.move("Song:10", 0, SONGS)
    remove(sides, "Album:0")
    remove(sides, "Song:10")
    assert set(told(merged(sides, FAIL))) == {("CHANGED", "Album:0"), ("CHANGED", "Song:10")}
    assert merged(sides, MINE).plan.removed.keys() == {"Album:0"}


# Deleted by others, or moved elsewhere


def edited_below_deleted() -> Sides:
    """Return sides of which others deleted an album, while the draft changed what is in it."""
    sides = begin()
    sides.theirs.remove("Album:0")
    draft = sides.draft
    draft.set("Song:1", name="mine")
    draft.edit("Album:0", AddNodes(relation="songs", nodes=(NewNode(key="new"),)))
    remove(sides, "Song:2")
    draft.set("Song:10", name="mine")
    return sides


def test_what_is_changed_here_and_deleted_there_is_a_conflict_for_each() -> None:
    """The deleted ones that are above a change, too."""
    found = merged(edited_below_deleted(), FAIL)
    assert set(told(found)) == {("DELETED", "Album:0"), ("DELETED", "Song:1")}
    assert {conflict.path for conflict in found.conflicts} == {
        ("albums", "Album:0"),
        ("albums", "Album:0", "songs", "Song:1"),
    }


def test_theirs_gives_up_all_below_what_is_deleted() -> None:
    """Changes elsewhere stay."""
    found = merged(edited_below_deleted(), THEIRS)
    assert (found.conflicts, set(found.plan.updated)) == ((), {"Song:10"})
    assert not found.plan.added
    assert not found.plan.removed
    assert found.plan.ancestors.keys() == {"Album:1", ROOT_KEY}


def test_mine_brings_back_what_is_deleted_with_all_that_lives_below() -> None:
    """Under its old primary key, parents first; what the draft removed of it stays away."""
    sides = edited_below_deleted()
    found = merged(sides, MINE)
    assert list(found.plan.added) == ["Album:0", "Song:0", "Song:1", "new"]
    assert found.plan.added["Song:1"] == sides.draft.tree.nodes["Song:1"]
    assert found.plan.added["Song:0"].pk == 0
    assert (set(found.plan.updated), found.plan.removed) == ({"Song:10"}, {})
    assert found.plan.reordered == {ALBUMS, SONGS}
    assert found.orders[ALBUMS] == ("Album:0", "Album:1")


def test_what_others_saved_from_a_deleted_node_is_not_brought_back() -> None:
    """It is where they moved it; what the draft changed of it comes back from there."""
    sides = begin()
    for key in ("Song:0", "Song:1"):
        sides.theirs.move(key, 0, ("Album:1", "songs"))
    sides.theirs.remove("Album:0")
    sides.draft.set("Song:1", name="mine")
    found = merged(sides, MINE)
    assert list(found.plan.added) == ["Album:0", "Song:2"]
    now, after = found.plan.updated["Song:1"]
    assert (now.parent, after.parent, after.fields["name"]) == ("Album:1", "Album:0", "mine")


def test_what_others_moved_elsewhere_is_gone_from_here() -> None:
    """`MINE` puts it back with what they changed of it, `THEIRS` leaves it as it is."""
    sides = begin()
    sides.theirs.move("Song:1", 0, ("Album:1", "songs"))
    sides.theirs.edit("Song:1", code="theirs")
    sides.draft.set("Song:1", name="mine")
    assert told(merged(sides, FAIL)) == [("DELETED", "Song:1")]
    assert nothing_is_left(merged(sides, THEIRS))
    found = merged(sides, MINE)
    after = found.plan.updated["Song:1"][1]
    assert (after.parent, after.fields["name"], after.fields["code"]) == (
        "Album:0",
        "mine",
        "theirs",
    )
    assert found.orders == {SONGS: ("Song:0", "Song:1", "Song:2")}


def test_an_album_that_was_put_back_is_still_to_put_back() -> None:
    """Others who leave it where they moved it are no new conflict, nor if they put it back."""
    sides = begin()
    sides.theirs.move("Song:1", 0, ("Album:1", "songs"))
    sides.draft.set("Song:1", name="mine")
    after = behind(sides.draft, rebased(sides.draft, sides.theirs, MINE))
    again = Sides(sides.theirs.numbered(), sides.theirs, after)
    assert merged(again, FAIL).plan == replace(plan_of(after), base=merged(again, FAIL).plan.base)
    sides.theirs.move("Song:1", 1, SONGS)
    found = merged(again, FAIL)
    assert found.conflicts == ()
    assert found.plan.updated["Song:1"][0].parent == "Album:0"


def test_a_cluster_that_is_deleted_comes_back_only_for_mine() -> None:
    """No other policy can decide it."""
    sides = begin(songs=1, members=0)
    sides.draft.set("Song:0", name="mine")
    gone = replace(sides, theirs=State())
    assert ("DELETED", ROOT_KEY) in told(merged(gone, FAIL))
    assert told(merged(gone, THEIRS)) == [("DELETED", ROOT_KEY)]
    found = merged(gone, MINE)
    assert list(found.plan.added) == [ROOT_KEY, "Album:0", "Song:0", "Album:1", "Song:10"]
    assert (found.conflicts, found.plan.ancestors) == ((), {})


def test_what_both_brought_back_is_compared_field_by_field() -> None:
    """It isn't added twice."""
    sides = begin()
    sides.theirs.remove("Song:1")
    sides.draft.set("Song:1", name="mine")
    sides.draft.edit("Song:1", AddToSet(name="tags", pks=(3,)))
    after = behind(sides.draft, rebased(sides.draft, sides.theirs, MINE))
    assert plan_of(after).added.keys() == {"Song:1"}
    base = sides.theirs.numbered()
    sides.theirs.put(saved_node("Song", 1, SONGS, name="theirs"))
    again = Sides(base, sides.theirs, after)
    [conflict] = merged(again, FAIL).conflicts
    assert (conflict.field, conflict.base) == ("name", None)
    assert (conflict.theirs, conflict.mine) == ("theirs", "mine")
    found = merged(again, MINE)
    assert not found.plan.added
    assert found.plan.updated["Song:1"][1].fields["name"] == "mine"
    assert found.plan.members("Song:1", "tags") == ((3,), ())


# Order


def test_a_child_is_added_and_moved_among_those_that_others_added() -> None:
    """Each side's place is kept, theirs first where both are at one place."""
    sides = begin()
    sides.theirs.put(saved_node("Song", 99, SONGS))
    sides.draft.edit("Album:0", AddNodes(relation="songs", nodes=(NewNode(key="new"),)))
    move = MoveNode(relation="songs", key="Song:2", place=End.FIRST)
    sides.draft.edit("Album:0", move)
    found = merged(sides, FAIL)
    assert found.orders == {SONGS: ("Song:2", "Song:0", "Song:1", "Song:99", "new")}
    assert found.plan.reordered == {SONGS}


def test_one_child_moved_to_two_places_is_an_order_conflict() -> None:
    """The policies put it where the one or the other has it."""
    sides = begin()
    sides.theirs.move("Song:0", 1)
    sides.theirs.move("Song:2", 0)
    sides.draft.edit(
        "Album:0", MoveNode(relation="songs", key="Song:2", place=Before(key="Song:1"))
    )
    [conflict] = merged(sides, FAIL).conflicts
    assert conflict == Conflict(
        kind=ConflictKind.ORDER,
        key="Album:0",
        path=("albums", "Album:0", "songs"),
        type="Album",
        field="songs",
    )
    assert merged(sides, MINE).orders == {SONGS: ("Song:0", "Song:2", "Song:1")}
    assert nothing_is_left(merged(sides, THEIRS))


def test_a_move_that_others_made_as_well_is_done() -> None:
    """Nothing is left to number."""
    sides = begin()
    sides.theirs.move("Song:2", 0)
    sides.draft.edit("Album:0", MoveNode(relation="songs", key="Song:2", place=End.FIRST))
    assert nothing_is_left(merged(sides, FAIL))


def test_a_removed_child_that_theirs_gives_back_stands_where_they_have_it() -> None:
    """Among those that the draft has moved."""
    sides = begin()
    sides.theirs.edit("Song:1", name="theirs")
    sides.theirs.move("Song:1", 0)
    sides.draft.edit(
        "Album:0", MoveNode(relation="songs", key="Song:2", place=Before(key="Song:0"))
    )
    remove(sides, "Song:1")
    assert merged(sides, THEIRS).orders == {SONGS: ("Song:1", "Song:2", "Song:0")}
    assert merged(sides, MINE).orders == {SONGS: ("Song:2", "Song:0")}


def test_a_relation_that_keeps_no_order_is_not_ordered() -> None:
    """Nor told to be."""
    sides = begin()
    sides.theirs.put(saved_node("Member", 99, MEMBERS), 0)
    sides.draft.edit(ROOT_KEY, AddNodes(relation="members", nodes=(NewNode(key="new"),)))
    found = merged(sides, FAIL)
    assert (found.orders, found.plan.reordered, found.conflicts) == ({}, frozenset(), ())


# Values that only one may have


def clash(sides: Sides, key: str, other: str, *fields: str) -> Clash:
    """Return the clash of a node of the draft with a saved one."""
    theirs = sides.theirs.numbered().nodes[other]
    return Clash(
        key=key, fields=fields or ("code",), theirs=theirs, base=sides.base.nodes.get(other)
    )


def test_a_value_that_both_took_is_a_conflict_at_the_field_that_the_draft_changed() -> None:
    """With the node's own values before and now, and theirs."""
    sides = begin()
    sides.theirs.edit("Song:10", name="x", code="c")
    sides.draft.set("Song:1", code="c")
    [conflict] = merged(sides, FAIL, [clash(sides, "Song:1", "Song:10", "name", "code")]).conflicts
    assert conflict == Conflict(
        kind=ConflictKind.UNIQUE,
        key="Song:1",
        path=("albums", "Album:0", "songs", "Song:1", "code"),
        type="Song",
        field="code",
        base="Song:1",
        theirs="c",
        mine="c",
    )
    sides.draft.edit("Album:0", AddNodes(relation="songs", nodes=(NewNode(key="new"),)))
    [conflict] = merged(sides, FAIL, [clash(sides, "new", "Song:10", "parent", "code")]).conflicts
    assert (conflict.field, conflict.base) == ("code", None)


def test_theirs_drops_an_added_node_and_gives_a_changed_one_its_value_back() -> None:
    """Other changes of it stay."""
    sides = begin()
    sides.theirs.edit("Album:0", code="c")
    sides.draft.set("Album:1", code="c", name="mine")
    songs = (NewNode(key="song"),)
    album = NewNode(key="new", values={"code": "c"}, children={"songs": songs})
    sides.draft.edit(ROOT_KEY, AddNodes(relation="albums", nodes=(album,)))
    clashes = [clash(sides, "Album:1", "Album:0"), clash(sides, "new", "Album:0")]
    found = merged(sides, THEIRS, clashes)
    assert (found.conflicts, found.plan.added, found.plan.reordered) == ((), {}, frozenset())
    [(key, (_, after))] = found.plan.updated.items()
    assert (key, after.fields["code"], after.fields["name"]) == ("Album:1", "Album:1", "mine")


def test_mine_removes_what_others_added_and_gives_what_they_changed_its_value_back() -> None:
    """The draft keeps its value."""
    sides = begin()
    sides.theirs.put(saved_node("Song", 99, SONGS, code="c"))
    sides.theirs.edit("Song:10", code="d", name="theirs")
    sides.draft.set("Song:1", code="c")
    sides.draft.set("Song:2", code="d")
    clashes = [clash(sides, "Song:1", "Song:99"), clash(sides, "Song:2", "Song:10")]
    found = merged(sides, MINE, clashes)
    assert (found.conflicts, set(found.plan.removed)) == ((), {"Song:99"})
    assert found.plan.updated.keys() == {"Song:1", "Song:2", "Song:10"}
    now, after = found.plan.updated["Song:10"]
    assert (now.fields["code"], after.fields["code"]) == ("d", "Song:10")
    assert after.fields["name"] == "theirs"
    assert found.plan.ancestors.keys() == {"Album:0", "Album:1", ROOT_KEY}


def test_two_clashes_of_one_node_are_settled_together() -> None:
    """The second is no conflict because the first gave the value back."""
    sides = begin()
    for key in ("Song:10", "Song:11"):
        sides.theirs.edit(key, code="c")
    sides.draft.set("Song:1", code="c")
    clashes = [clash(sides, "Song:1", "Song:10"), clash(sides, "Song:1", "Song:11", "name", "code")]
    found = merged(sides, THEIRS, clashes)
    assert nothing_is_left(found)


def test_a_clash_in_which_nobody_can_give_way_stays_a_conflict() -> None:
    """The other node is as it was, and this one clashes by what others changed of it."""
    sides = begin()
    sides.theirs.edit("Song:1", name="x")
    sides.draft.set("Song:1", code="c")
    found = merged(sides, MINE, [clash(sides, "Song:1", "Song:10", "name", "code")])
    assert told(found) == [("UNIQUE", "Song:1")]


def test_a_clash_with_what_is_removed_is_none() -> None:
    """Nor one of a node that is not changed any more."""
    sides = begin()
    sides.theirs.edit("Song:10", code="c")
    sides.draft.set("Song:1", code="c")
    remove(sides, "Album:1")
    sides.theirs.edit("Album:0", name="x")
    clashes = [clash(sides, "Song:1", "Song:10"), clash(sides, "Song:2", "Album:0", "name")]
    assert told(merged(sides, FAIL, clashes)) == [("CHANGED", "Album:1")]
    assert merged(sides, MINE, clashes).conflicts == ()
