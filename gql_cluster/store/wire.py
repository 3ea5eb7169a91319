"""The scripts' arguments and replies: domain objects on this side, flat lists on the other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from gql_cluster.domain.delta import Added, Delta, Moved, Related, Removed, Updated
from gql_cluster.domain.draft import Draft, DraftState, Entry
from gql_cluster.domain.node import Node
from gql_cluster.domain.tree import Siblings, Want
from gql_cluster.store.codec import decode_draft, decode_entry, decode_node, encode_node
from gql_cluster.store.keys import gone_member, index_member, place
from gql_cluster.store.packs import ordered, unpack
from gql_cluster.store.results import Closed, Gone, Locked, Read, Seen

Stream = Sequence[tuple[bytes, Sequence[bytes]]]
Children = tuple[bytes | None, Sequence[bytes]]
Family = tuple[bytes | None, Sequence[bytes], Sequence[bytes | None]]

_IN_PACK = b"\0"
"""Stands in a base for a node that is in its pack as it was there, if it is there at all."""


def fresh_keys(entry: Entry) -> list[str]:
    """Return the keys that an entry gives out for the first time."""
    return [
        delta.node.key
        for delta in entry.deltas
        if isinstance(delta, Added) and delta.node.version == entry.version
    ]


def counted(values: Collection[str | bytes | int]) -> list[str | bytes | int]:
    """Return a list as the scripts take it: behind its length."""
    return [len(values), *values]


def node_args(nodes: Iterable[Node]) -> list[str | bytes]:
    """Return nodes as their hash takes them: key, node, key, node, …."""
    return [part for node in nodes for part in (node.key, encode_node(node))]


def base_args(base: Mapping[str, Node | None]) -> list[str | bytes]:
    """Return nodes of a base as their hash takes them; an empty value stands for none."""
    return [
        part
        for key, node in base.items()
        for part in (key, encode_node(node) if node is not None else b"")
    ]


def want_args(want: Want) -> list[str | bytes | int]:
    """Return what the read script is asked for."""
    return [
        *counted(want.keys),
        *counted([place(*where) for where in want.relations]),
        *counted([place(*where) for where in want.families]),
    ]


def index_changes(deltas: Iterable[Delta], nodes: Iterable[Node]) -> tuple[list[str], list[str]]:
    """Return the members that leave the index and those that come.

    `nodes` are those that are touched, as they are then. Each of them has a member from then on,
    also one that was removed: else it would be found in its pack.
    """
    there: dict[str, bool] = {}

    def mark(member: str | None, *, comes: bool) -> None:
        if member is not None:
            there[member] = comes

    for delta in deltas:
        match delta:
            case Added(node=node):
                mark(index_member(node.parent, node.relation, node.rank, node.key), comes=False)
            case Removed(node=node):  # perhaps to come below another node, by another delta
                mark(index_member(node.parent, node.relation, node.rank, node.key), comes=False)
                mark(gone_member(node), comes=True)
            case Moved(parent=parent, relation=relation, key=key):
                mark(index_member(parent, relation, delta.before, key), comes=False)
            case Updated() | Related():
                pass
    for node in nodes:
        member = index_member(node.parent, node.relation, node.rank, node.key)
        mark(gone_member(node) if node.removed else member, comes=True)
    leave = [member for member, comes in there.items() if not comes]
    return leave, [member for member, comes in there.items() if comes]


def pairs(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the mapping that a script replied flat."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def to_draft(flat: Sequence[bytes]) -> Draft:
    """Return the header."""
    return decode_draft(pairs(flat))


def to_read(header: Sequence[bytes], stream: Stream, after: int | None) -> Read:
    """Return header and entries; `after` is the version whose followers were asked for."""
    draft = to_draft(header)
    entries = tuple(to_entry(number, fields) for number, fields in stream)
    gap = _has_gap(draft, entries, after)
    size = sum(len(part) for _, fields in stream for part in fields)
    return Read(draft=draft, entries=() if gap else entries, gap=gap, size=size)


def with_parts(  # noqa: PLR0913, PLR0917 - what the script replied
    read: Read,
    want: Want,
    nodes: Sequence[bytes | None],
    relations: Sequence[Children],
    families: Sequence[Family],
    packs: Sequence[bytes | None],
) -> Read:
    """Return the read with what was wanted, which the script replied in the same order."""
    stored = dict(zip(want.keys, nodes, strict=True))
    siblings: dict[tuple[str, str], Siblings] = {}
    size = 0
    for where, (order, members) in zip(want.relations, relations, strict=True):
        siblings[where] = ordered(order, to_members(members))
        size += len(order or b"") + sum(map(len, members))
    for where, (order, members, children) in zip(want.families, families, strict=True):
        named = to_members(members)
        siblings[where] = ordered(order, named)
        size += len(order or b"") + sum(map(len, members))
        stored |= zip((key for _, key in named), children, strict=True)
        for _, key in siblings[where]:
            stored.setdefault(key, None)
    packed, unpacked = unpack(packs, {key for key, data in stored.items() if data is None})
    found = {
        key: packed.get(key) if data is None else decode_node(key, data)
        for key, data in stored.items()
    }
    size += sum(len(key) + len(data or b"") for key, data in stored.items())
    return replace(read, nodes=found, relations=siblings, size=read.size + size + unpacked)


def _has_gap(draft: Draft, entries: Sequence[Entry], after: int | None) -> bool:
    if after is None or after == draft.version:
        return False
    return not entries or entries[0].previous != after


def to_entry(number: bytes, fields: Sequence[bytes]) -> Entry:
    """Return an entry of the log."""
    version = int(number.partition(b"-")[0])
    stored = pairs(fields)
    # Format 1 kept no `previous`, and its numbers never skipped.
    return decode_entry(version, int(stored.get(b"previous", version - 1)), stored[b"entry"])


def to_members(members: Sequence[bytes]) -> list[tuple[str, str]]:
    """Return rank and key of each member of the index."""
    named = []
    for member in members:
        _, _, rank, key = member.decode().split("\0")
        named.append((rank, key))
    return named


def to_base(flat: Sequence[bytes], packs: Sequence[bytes | None]) -> dict[str, Node | None]:
    """Return the nodes of the base by key; an empty value stands for none."""
    texts = {key.decode(): data for key, data in pairs(flat).items()}
    packed, _ = unpack(packs, {key for key, data in texts.items() if data == _IN_PACK})
    return {
        key: packed.get(key) if data == _IN_PACK else decode_node(key, data) if data else None
        for key, data in texts.items()
    }


def to_seen(outcome: bytes) -> Seen:
    """Return what a change id came to before."""
    version, _, fingerprint = outcome.decode().partition(":")
    return Seen(version=int(version), fingerprint=fingerprint)


def to_refusal(reply: Sequence[Any]) -> Closed | Locked | Gone:
    """Return why a draft takes no change at all."""
    match reply:
        case ["closed", state, version]:
            return Closed(state=DraftState(state.decode()), version=int(version))
        case ["locked", token, left, version]:
            return Locked(
                token=token.decode(), left=timedelta(milliseconds=left), version=int(version)
            )
        case ["gone"]:
            return Gone()
        case _:
            message = f"a reply of an unknown kind: {reply[:1]}"
            raise ValueError(message)
