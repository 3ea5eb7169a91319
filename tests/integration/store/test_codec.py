"""What is written comes back, exactly."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gql_cluster.domain.delta import Added, Delta, Moved, Related, Removed, Updated
from gql_cluster.domain.draft import Cause, Draft, DraftState, Entry, Stack
from gql_cluster.domain.node import Node
from gql_cluster.store.codec import (
    FORMAT,
    StoreFormatError,
    decode_draft,
    decode_entry,
    decode_node,
    encode_draft,
    encode_entry,
    encode_node,
)
from tests.integration.store.band import new_draft

# Surrogates alone are no text: no client can send them as UTF-8.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text("abcdefghij_:.0123456789é😀", min_size=1, max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VALUES = st.dictionaries(NAMES, JSON, max_size=4)
MEMBERS = st.lists(JSON, max_size=3).map(tuple)
ROWS = st.dictionaries(TEXT | st.integers(), VALUES, max_size=2)
ABOUT = {
    "key": NAMES,
    "type": NAMES,
    "parent": st.none() | NAMES,
    "relation": st.none() | NAMES,
}
NODES = st.builds(
    Node,
    **ABOUT,
    pk=JSON,
    rank=TEXT,
    fields=VALUES,
    sets=st.dictionaries(NAMES, MEMBERS, max_size=2),
    through=st.dictionaries(NAMES, ROWS, max_size=2),
    version=st.integers(min_value=0),
    removed=st.booleans(),
)
DELTAS: st.SearchStrategy[Delta] = st.one_of(
    st.builds(Added, node=NODES),
    st.builds(Removed, node=NODES),
    st.builds(Updated, **ABOUT, before=VALUES, after=VALUES),
    st.builds(Moved, **ABOUT, before=TEXT, after=TEXT),
    st.builds(
        Related,
        **ABOUT,
        set=NAMES,
        added=MEMBERS,
        removed=MEMBERS,
        added_through=ROWS,
        removed_through=ROWS,
    ),
)
VERSIONS = st.none() | st.integers(min_value=1)
TIMES = st.datetimes().map(lambda time: time.replace(tzinfo=UTC, fold=0))
ENTRIES = st.builds(
    Entry,
    version=st.integers(min_value=1),
    previous=st.integers(min_value=0),
    at=TIMES,
    session=TEXT,
    change_id=st.none() | TEXT,
    cause=st.sampled_from(Cause),
    deltas=st.lists(DELTAS, max_size=4).map(tuple),
    keys=st.none() | VALUES,
    undoes=VERSIONS,
    below=VERSIONS,
    theirs=st.lists(DELTAS, max_size=2).map(tuple),
)
DRAFTS = st.builds(
    Draft,
    id=NAMES,
    cluster=NAMES,
    pk=JSON,
    owner=TEXT,
    state=st.sampled_from(DraftState),
    version=st.integers(min_value=0),
    tail=st.integers(min_value=0),
    created_at=TIMES,
    updated_at=TIMES,
    expires_at=TIMES,
    members=st.frozensets(TEXT, max_size=3),
    share=TEXT,
    stamp=st.integers(min_value=0),
    stacks=st.dictionaries(TEXT, st.builds(Stack, undo=VERSIONS, redo=VERSIONS), max_size=3),
    skipped=st.integers(min_value=0),
)


@given(NODES)
def test_a_node_comes_back_as_it_was(node: Node) -> None:
    """Every JSON value, also integers of any size, and tuples stay what they are."""
    back = decode_node(node.key, encode_node(node))
    assert repr(back) == repr(node)  # tells 1 from 1.0 and from True, and a tuple from a list


@given(ENTRIES)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    """Each kind of delta, in its order, with the entry's time to the microsecond."""
    assert repr(decode_entry(entry.version, entry.previous, encode_entry(entry))) == repr(entry)


@given(DRAFTS)
def test_a_header_comes_back_as_it_was(draft: Draft) -> None:
    """Redis answers each field as bytes."""
    back = decode_draft(_stored(draft))
    assert back.members == draft.members  # a set is in no order
    assert repr(replace(back, members=draft.members)) == repr(draft)


def test_a_newer_format_is_refused() -> None:
    """A worker of an older release says so, and guesses nothing."""
    stored = {**_stored(new_draft()), b"format": str(FORMAT + 1).encode()}
    with pytest.raises(StoreFormatError, match=f"format {FORMAT + 1}"):
        decode_draft(stored)


def _stored(draft: Draft) -> dict[bytes, bytes]:
    return {
        name.encode(): value if isinstance(value, bytes) else str(value).encode()
        for name, value in encode_draft(draft).items()
    }
