"""The order of siblings: merged from two sides, and told by ranks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.rank import base_rank, is_base_rank, rank_between

T = TypeVar("T", int, str)


def merge_order(
    base: Sequence[str],
    theirs: Sequence[str],
    mine: Sequence[str],
    policy: ConflictPolicy,
    moved: Collection[str] = (),
) -> tuple[list[str], bool]:
    """Return all keys of both sides in their merged order, and whether the two contradict.

    They do where both moved keys of the base, and to different places. Then `MINE` keeps mine
    as it is, the others theirs, and what only the other side has comes right behind what is
    before it there. Else each side keeps what it moved and put in, theirs first where both did
    so in one gap. `moved` are keys that mine is known to have moved: of two that were swapped,
    an order alone doesn't tell which.
    """
    shared = set(theirs) & set(mine)
    common = [key for key in base if key in shared]
    known = set(common)
    theirs_moved = set(out_of_order([key for key in theirs if key in known], common))
    mine_moved = set(out_of_order([key for key in mine if key in known], common, moved))
    only_theirs, only_mine = theirs_moved - mine_moved, mine_moved - theirs_moved
    anchors = shared - only_theirs - only_mine
    if not _agree(theirs, mine, anchors):
        anchors &= known
        if not _agree(theirs, mine, anchors):
            one, other = (mine, theirs) if policy is ConflictPolicy.MINE else (theirs, mine)
            return _with_inserts(one, other), True
        # What both put in, and to different places, was moved by neither.
        if policy is ConflictPolicy.MINE:
            only_mine |= shared - known
        else:
            only_theirs |= shared - known
    before = _gaps((key for key in theirs if key not in only_mine), anchors)
    after = _gaps((key for key in mine if key not in only_theirs), anchors)
    merged: list[str] = []
    for anchor in (*(key for key in theirs if key in anchors), None):
        merged += before[anchor] + after[anchor]
        if anchor is not None:
            merged.append(anchor)
    return merged, False


def _agree(one: Sequence[str], other: Sequence[str], keys: Collection[str]) -> bool:
    return [key for key in one if key in keys] == [key for key in other if key in keys]


def _gaps(order: Iterable[str], anchors: Collection[str]) -> dict[str | None, list[str]]:
    """Return what stands between each anchor and the one before it; None is behind the last."""
    gaps: dict[str | None, list[str]] = {}
    gap: list[str] = []
    for key in order:
        if key in anchors:
            gaps[key] = gap
            gap = []
        else:
            gap.append(key)
    gaps[None] = gap
    return gaps


def _with_inserts(order: Sequence[str], other: Sequence[str]) -> list[str]:
    """Return an order with what only the other has put behind what is before it there."""
    here = set(order)
    behind: dict[str | None, list[str]] = {}
    place: str | None = None
    for key in other:
        if key in here:
            place = key
        else:
            behind.setdefault(place, []).append(key)
    merged = [*behind.get(None, ())]
    for key in order:
        merged += [key, *behind.get(key, ())]
    return merged


def out_of_order(order: Sequence[str], by: Sequence[str], loose: Collection[str] = ()) -> list[str]:
    """Return the keys without which an order is that of `by`, which has them all.

    They are as few as can be; keys that are not `loose` are among them only where they have to.
    """
    place = {key: number for number, key in enumerate(by)}
    kept = _rising(
        [place[key] for key in order],
        [1 if key in loose else len(order) + 1 for key in order],
    )
    return [key for index, key in enumerate(order) if index not in kept]


def rank_order(
    order: Sequence[str], fixed: Mapping[str, str], held: Mapping[str, str]
) -> dict[str, str]:
    """Return a rank for each key, rising in this order.

    Those in `fixed` keep theirs, which rise already. Of the others as many as can keep what
    they hold; none of them gets a base rank.
    """
    loose = {key: rank for key, rank in held.items() if not is_base_rank(rank)}
    known = [key for key in order if key in fixed or key in loose]
    kept = _rising(
        [fixed.get(key) or loose[key] for key in known],
        [len(order) + 1 if key in fixed else 1 for key in known],
    )
    ranks = {key: fixed.get(key) or loose[key] for i, key in enumerate(known) if i in kept}
    found: dict[str, str] = {}
    low: str | None = None
    waiting: list[str] = []
    for key in order:
        if key not in ranks:
            waiting.append(key)
            continue
        found.update(zip(waiting, _spread(low, ranks[key], len(waiting)), strict=True))
        waiting = []
        found[key] = low = ranks[key]
    # Behind the first base rank, so that none of them is one, where there is nothing else.
    last = _spread(low or base_rank(0), None, len(waiting))
    found.update(zip(waiting, last, strict=True))
    return found


def _spread(low: str | None, high: str | None, count: int) -> Iterator[str]:
    """Yield so many ranks between two, by halves, so that they stay short."""
    if count:
        middle = rank_between(low, high)
        yield from _spread(low, middle, count // 2)
        yield middle
        yield from _spread(middle, high, count - count // 2 - 1)


def _rising(values: Sequence[T], weights: Sequence[int]) -> set[int]:
    """Return the indices of the heaviest part that rises strictly; of equals the first found.

    The best part that ends at or below each value is kept in a Fenwick tree, which makes it
    O(n log n).
    """
    places = {value: number for number, value in enumerate(sorted(set(values)), start=1)}
    best: list[tuple[int, int | None]] = [(0, None)] * (len(places) + 1)
    previous: list[int | None] = []
    for index, (value, weight) in enumerate(zip(values, weights, strict=True)):
        below: tuple[int, int | None] = (0, None)
        at = places[value] - 1
        while at:
            if best[at][0] > below[0]:
                below = best[at]
            at &= at - 1
        previous.append(below[1])
        at = places[value]
        while at < len(best):
            if below[0] + weight > best[at][0]:
                best[at] = (below[0] + weight, index)
            at += at & -at
    kept: set[int] = set()
    last = max(best, key=lambda each: each[0])[1]
    while last is not None:
        kept.add(last)
        last = previous[last]
    return kept
