"""The numbers of siblings, when those of an earlier version are known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gql_cluster.domain.node import Node
from gql_cluster.domain.positions import numbers, renumbered
from gql_cluster.domain.rank import base_rank, tail_rank
from gql_cluster.domain.spec import RelationSpec

ITEMS = RelationSpec(name="items", child="Item", parent_field="list", order_field="number")
KEYS = st.sampled_from("abc")
PKS = st.sampled_from([None, 1])
RANKS = st.sampled_from([base_rank(0), base_rank(1), tail_rank(0)])
FIELDS = st.sampled_from([{"number": 1}, {"number": 2}, {"number": 1, "name": "x"}])
SIBLINGS = st.lists(
    st.builds(
        Node,
        key=KEYS,
        type=st.just("Item"),
        pk=PKS,
        parent=st.just("root"),
        relation=st.just("items"),
        rank=RANKS,
        fields=FIELDS,
        sets=st.just({}),
    ),
    min_size=1,
    max_size=3,
)
CHANGES = st.one_of(
    KEYS.map(lambda key: {"key": key}),
    PKS.map(lambda pk: {"pk": pk}),
    RANKS.map(lambda rank: {"rank": rank}),
    FIELDS.map(lambda fields: {"fields": fields}),
)


@given(before=SIBLINGS, at=st.integers(0, 2), change=CHANGES)
def test_what_is_known_from_before_changes_no_number(
    before: list[Node], at: int, change: dict[str, Any]
) -> None:
    """One of the siblings is another, or one is gone."""
    known = (before, numbers(before, ITEMS))
    at %= len(before)
    for now in (
        [*before[:at], replace(before[at], **change), *before[at + 1 :]],
        [*before[:at], *before[at + 1 :]],
    ):
        assert renumbered(now, ITEMS, known) == (now, numbers(now, ITEMS))
        assert renumbered(now, ITEMS, None) == (now, numbers(now, ITEMS))
