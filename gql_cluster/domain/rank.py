"""Ranks: strings that order siblings, so that a move changes one node and no other.

A rank is a letter, seven hexadecimal digits and an optional fraction. `a` counts down before
the base, `b` numbers the base, `c` counts up behind it. Comparing strings compares ranks.
Fractional indexing as described by Evan Wallace, "Realtime editing of ordered sequences".
"""

from __future__ import annotations

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_WHOLE = 8
_LAST = 0xFFFFFFF


def base_rank(index: int) -> str:
    """Return the rank of the saved sibling with this index, from 0."""
    return f"b{index:07x}"


def is_base_rank(rank: str) -> bool:
    """Tell whether a node with this rank still stands where it was saved."""
    return rank[0] == "b" and len(rank) == _WHOLE


def tail_rank(number: int) -> str:
    """Return a rank behind every other, if each draft counts `number` up and never reuses it."""
    return f"c{number:07x}"


def is_tail_rank(rank: str) -> bool:
    """Tell whether a node with this rank stands behind every saved sibling that never moved."""
    return rank[0] == "c"


def rank_between(low: str | None, high: str | None) -> str:
    """Return a rank above `low` and below `high`; None is before all, or behind all.

    `low` and `high` are neighbours, or one is None; both None is not asked.
    """
    if low is None:
        if high is None:
            msg = "two neighbours, or one, are needed"
            raise ValueError(msg)
        return _before(high)
    if high is None or low[:_WHOLE] != high[:_WHOLE]:
        return low[:_WHOLE] + _fraction(low[_WHOLE:], None)
    return low[:_WHOLE] + _fraction(low[_WHOLE:], high[_WHOLE:])


def _before(high: str) -> str:
    """Return a rank below the first; never a base rank, by which one is told that never moved."""
    whole = high[:_WHOLE]
    if whole[0] == "a" and len(high) > _WHOLE:
        return whole
    number = int(whole[1:], 16) if whole[0] == "a" else _LAST + 1
    if number == 0:
        msg = "no rank is left before the first"
        raise OverflowError(msg)
    return f"a{number - 1:07x}"


def _fraction(low: str, high: str | None) -> str:
    """Return a digit string between two, none of which ends with the lowest digit."""
    prefix = ""
    while True:
        below = _DIGITS.index(low[0]) if low else 0
        above = _DIGITS.index(high[0]) if high else len(_DIGITS)
        if above - below > 1:
            return prefix + _DIGITS[(below + above) // 2]
        prefix += _DIGITS[below]
        high = None if above > below or not high else high[1:]
        low = low[1:]
