"""Ranks: between any two there is another, and what never moved can be told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gql_cluster.domain.rank import base_rank, is_base_rank, rank_between, tail_rank


@given(places=st.lists(st.floats(0, 1), max_size=60), base=st.integers(0, 3))
def test_there_is_a_rank_at_every_place(places: list[float], base: int) -> None:
    """However many were put in before; only the base has base ranks."""
    ranks = [base_rank(number) for number in range(base)] or [tail_rank(1)]
    for place in places:
        index = round(place * len(ranks))
        low = ranks[index - 1] if index else None
        high = ranks[index] if index < len(ranks) else None
        rank = rank_between(low, high)
        assert not is_base_rank(rank)
        assert low is None or low < rank
        assert high is None or rank < high
        ranks.insert(index, rank)
    assert ranks == sorted(set(ranks))
    assert ranks[-1] < tail_rank(2)
