"""The order of siblings: laws of a merge, the fewest moves, and short ranks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.order import merge_order, out_of_order, rank_order
from gql_cluster.domain.rank import base_rank, is_base_rank, rank_between, tail_rank

FAIL, MINE, THEIRS = ConflictPolicy.FAIL, ConflictPolicy.MINE, ConflictPolicy.THEIRS
policies = st.sampled_from(ConflictPolicy)
BASE = list("abcdefg")


@st.composite
def sides(draw: st.DrawFn, *, new: str, reorder: bool) -> list[str]:
    """Draw what one side makes of the base: some keys go, some come, perhaps some move."""
    kept = [key for key in BASE if draw(st.integers(0, 5))]
    for _ in range(draw(st.integers(0, 3)) if reorder else 0):
        if kept:
            key = kept.pop(draw(st.integers(0, len(kept) - 1)))
            kept.insert(draw(st.integers(0, len(kept))), key)
    for key in new[: draw(st.integers(0, len(new)))]:
        kept.insert(draw(st.integers(0, len(kept))), key)
    return kept


def only(order: Sequence[str], side: Sequence[str]) -> list[str]:
    """Return what of an order is in a side."""
    return [key for key in order if key in side]


@settings(max_examples=500)
@given(theirs=sides(new="xyz", reorder=True), mine=sides(new="zuv", reorder=True), policy=policies)
def test_every_key_of_both_sides_comes_once(
    theirs: list[str], mine: list[str], policy: ConflictPolicy
) -> None:
    """Whatever each did; and so it does every time."""
    merged, contradicts = merge_order(BASE, theirs, mine, policy)
    assert sorted(merged) == sorted({*theirs, *mine})
    assert (merged, contradicts) == merge_order(BASE, theirs, mine, policy)


@settings(max_examples=300)
@given(theirs=sides(new="xyz", reorder=False), mine=sides(new="uvw", reorder=True), policy=policies)
def test_what_only_one_side_puts_into_another_order_is_in_its_order(
    theirs: list[str], mine: list[str], policy: ConflictPolicy
) -> None:
    """Whichever side, and whatever the other puts in and takes out."""
    merged, contradicts = merge_order(BASE, theirs, mine, policy)
    assert (only(merged, mine), contradicts) == (mine, False)
    merged, contradicts = merge_order(BASE, mine, theirs, policy)
    assert (only(merged, mine), contradicts) == (mine, False)


@settings(max_examples=300)
@given(
    theirs=sides(new="xyz", reorder=False), mine=sides(new="uvw", reorder=False), policy=policies
)
def test_what_both_put_into_one_gap_comes_theirs_first(
    theirs: list[str], mine: list[str], policy: ConflictPolicy
) -> None:
    """Where neither reorders, each side keeps its order."""
    merged, contradicts = merge_order(BASE, theirs, mine, policy)
    assert (only(merged, theirs), only(merged, mine), contradicts) == (theirs, mine, False)
    for one, two in pairwise(merged):
        assert one in theirs or two in mine


@settings(max_examples=300)
@given(theirs=sides(new="xyz", reorder=True), mine=sides(new="zuv", reorder=True), policy=policies)
def test_an_order_that_was_merged_stays_as_it_is(
    theirs: list[str], mine: list[str], policy: ConflictPolicy
) -> None:
    """Merged again with what is in it, or with itself."""
    merged, _ = merge_order(BASE, theirs, mine, policy)
    assert merge_order(theirs, theirs, merged, policy) == (merged, False)
    assert merge_order(BASE, merged, merged, policy) == (merged, False)
    assert merge_order(BASE, theirs, theirs, policy) == (theirs, False)


@settings(max_examples=500)
@given(theirs=sides(new="xyz", reorder=True), mine=sides(new="uvw", reorder=True))
def test_where_they_contradict_the_policy_says_whose_order_it_is(
    theirs: list[str], mine: list[str]
) -> None:
    """The other side's inserts come right behind what was before them."""
    for policy, order, other in ((MINE, mine, theirs), (THEIRS, theirs, mine)):
        merged, contradicts = merge_order(BASE, theirs, mine, policy)
        shared = only(BASE, only(theirs, mine))
        if not contradicts:
            continue
        assert only(theirs, shared) != only(mine, shared)
        assert shared not in (only(theirs, shared), only(mine, shared))
        assert only(merged, order) == order
        for index, key in enumerate(merged):
            if key not in order:
                before = other[other.index(key) - 1] if other.index(key) else None
                assert (merged[index - 1] if index else None) == before or before is None


@pytest.mark.parametrize(
    ("theirs", "mine", "merged"),
    [
        ("bcda", "acdb", "cdab"),  # each moved another one to the end
        ("dabc", "bcda", "dbca"),
        ("bacd", "bacd", "bacd"),
        ("bcda", "abc", "bcda"),
        ("abcxd", "abycd", "abycxd"),
        ("axbcd", "aybcd", "axybcd"),
        ("cd", "abxdc", "abxdc"),
        ("axbcd", "axbcd", "axbcd"),  # both put x at the same place
    ],
)
def test_moves_and_inserts_of_both_sides_are_kept(theirs: str, mine: str, merged: str) -> None:
    """As far as they don't contradict each other."""
    found, contradicts = merge_order("abcd", theirs, mine, FAIL)
    assert ("".join(found), contradicts) == (merged, False)


@pytest.mark.parametrize(
    ("policy", "merged"), [(FAIL, "bcdyxa"), (THEIRS, "bcdyxa"), (MINE, "bcadxy")]
)
def test_one_key_moved_to_two_places_is_a_contradiction(
    policy: ConflictPolicy, merged: str
) -> None:
    """One order wins, with the inserts of the other where they belong there."""
    found, contradicts = merge_order("abcd", "bcdxa", "bcady", policy)
    assert ("".join(found), contradicts) == (merged, True)


def test_what_both_put_in_at_two_places_is_where_the_policy_says() -> None:
    """It has no place in the base, so that this is no contradiction."""
    assert "".join(merge_order("ab", "xab", "abx", THEIRS)[0]) == "xab"
    assert "".join(merge_order("ab", "xab", "abx", MINE)[0]) == "abx"


def test_which_of_two_was_moved_makes_a_contradiction_or_none() -> None:
    """Two that were swapped look the same whichever was moved."""
    assert merge_order("abcd", "cabd", "abdc", FAIL, {"c"})[1]
    merged, contradicts = merge_order("abcd", "cabd", "abdc", FAIL, {"d"})
    assert ("".join(merged), contradicts) == ("cabd", False)


@settings(max_examples=300)
@given(order=st.permutations("abcdef"), loose=st.sets(st.sampled_from("abcdef")))
def test_what_is_out_of_order_is_as_little_as_can_be(order: list[str], loose: set[str]) -> None:
    """Firm keys are among it only where they have to; tried against every choice."""
    found = out_of_order(order, "abcdef", loose)
    rest = [key for key in order if key not in found]
    assert rest == sorted(rest)

    def cost(keys: Sequence[str]) -> tuple[int, int]:
        return len(set(keys) - loose), len(keys)

    choices = [keys for count in range(7) for keys in combinations(order, count)]
    able = [keys for keys in choices if _is_rising([key for key in order if key not in keys])]
    assert cost(found) == min(map(cost, able))


def _is_rising(keys: Sequence[str]) -> bool:
    return list(keys) == sorted(keys)


@st.composite
def ranked(draw: st.DrawFn) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Draw an order with base ranks for some keys, and what some others hold."""
    order = [f"k{number}" for number in range(draw(st.integers(0, 9)))]
    fixed: dict[str, str] = {}
    held: dict[str, str] = {}
    between = [rank_between(None, base_rank(0)), rank_between(base_rank(1), None), tail_rank(3)]
    for key in order:
        match draw(st.integers(0, 2)):
            case 0:
                fixed[key] = base_rank(len(fixed))
            case 1:
                held[key] = draw(st.sampled_from([*between, base_rank(2), tail_rank(9)]))
            case _:
                pass
    return order, fixed, held


@settings(max_examples=500)
@given(ranked=ranked())
def test_ranks_rise_in_the_order_and_base_ranks_are_of_those_that_have_them(
    ranked: tuple[list[str], dict[str, str], dict[str, str]],
) -> None:
    """None is given twice."""
    order, fixed, held = ranked
    ranks = rank_order(order, fixed, held)
    assert list(ranks) == order
    assert list(ranks.values()) == sorted(set(ranks.values()))
    assert {key: rank for key, rank in ranks.items() if is_base_rank(rank)} == fixed


def test_ranks_that_fit_are_kept() -> None:
    """So that what was appended stays behind all that is saved, and nothing moves in vain."""
    inner = rank_between(base_rank(0), base_rank(1))
    held = {"x": inner, "y": tail_rank(4), "z": tail_rank(5)}
    fixed = {"a": base_rank(0), "b": base_rank(1)}
    assert rank_order("axbyz", fixed, held) == {**fixed, **held}
    assert rank_order("axbzy", fixed, held)["x"] == inner
    moved = rank_order("axbzy", fixed, held)
    assert len({moved["y"], moved["z"]} & {tail_rank(4), tail_rank(5)}) == 1


@pytest.mark.timeout(60)
def test_many_siblings_are_no_trouble() -> None:
    """Neither in time nor in the length of ranks."""
    keys = [f"{number:05}" for number in range(30_000)]
    backwards = keys[::-1]
    assert merge_order(keys, keys, backwards, FAIL) == (backwards, False)
    half = [*keys[1::2], *keys[::2]]
    assert merge_order(keys, half, backwards, MINE) == (backwards, True)
    ranks = rank_order(keys, {keys[0]: base_rank(0), keys[-1]: base_rank(1)}, {})
    assert max(map(len, ranks.values())) < 14
