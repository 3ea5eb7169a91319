"""The stored format of drafts: domain objects to bytes and back, exactly.

JSON arrays by position, because a draft holds thousands of nodes. A format number is kept in
the draft's header, and all that lies beside it is in that format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, assert_never

import msgspec

from gql_cluster.domain.delta import Added, Delta, Moved, Related, Removed, Updated
from gql_cluster.domain.draft import Cause, Draft, DraftState, Entry, Stack
from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.domain.node import Json, Node, Through

FORMAT = 4

_dumps = msgspec.json.Encoder().encode
_loads = msgspec.json.Decoder().decode
# The end of a node's row is left out as far as it is this.
_USUAL_END: tuple[Any, ...] = ({}, 0, False, {})
_SHORTEST = 5
# So is the end of an entry's.
_ENTRY_END: list[Any] = [[], None, None, None, [], None]


class StoreFormatError(StoreUnavailableError):
    """The draft is in a format of a newer release; a worker of that release can serve it."""


# Headers


def encode_draft(draft: Draft) -> dict[str, str | bytes | int]:
    """Return the fields of the header."""
    return {
        "format": FORMAT,
        "id": draft.id,
        "cluster": draft.cluster,
        "pk": _dumps(draft.pk),
        "owner": draft.owner,
        "state": draft.state.value,
        "version": draft.version,
        "tail": draft.tail,
        "created": draft.created_at.isoformat(),
        "updated": draft.updated_at.isoformat(),
        "expires": draft.expires_at.isoformat(),
        "members": _dumps(sorted(draft.members)),
        "share": draft.share,
        "stamp": draft.stamp,
        "stacks": encode_stacks(draft.stacks),
        "skipped": draft.skipped,
    }


def decode_draft(fields: Mapping[bytes, bytes]) -> Draft:
    """Return the header; raises `StoreFormatError`."""
    check_format(fields[b"format"])
    text = {name.decode(): value.decode() for name, value in fields.items()}
    return Draft(
        id=text["id"],
        cluster=text["cluster"],
        pk=_loads(fields[b"pk"]),
        owner=text["owner"],
        state=DraftState(text["state"]),
        version=int(text["version"]),
        tail=int(text["tail"]),
        created_at=datetime.fromisoformat(text["created"]),
        updated_at=datetime.fromisoformat(text["updated"]),
        expires_at=datetime.fromisoformat(text["expires"]),
        # Not there in the header of format 1.
        members=frozenset(_loads(fields.get(b"members", b"[]"))),
        share=text.get("share", ""),
        stamp=int(text.get("stamp", 0)),
        skipped=int(text.get("skipped", 0)),
        stacks=_stacks(_loads(fields.get(b"stacks", b"{}"))),
        locked=b"lock" in fields,
    )


def encode_stacks(stacks: Mapping[str, Stack]) -> bytes:
    """Return what each session can undo and redo."""
    return _dumps({session: [each.undo, each.redo] for session, each in stacks.items()})


def _stacks(rows: Mapping[str, list[Any]]) -> dict[str, Stack]:
    return {session: Stack(undo=undo, redo=redo) for session, (undo, redo) in rows.items()}


def encode_value(value: Json) -> bytes:
    """Return a primary key as the header holds it."""
    return _dumps(value)


def check_format(number: bytes) -> None:
    """Refuse what a newer release wrote. What an older one wrote is to be upgraded here."""
    if int(number) > FORMAT:
        message = f"The draft is in format {int(number)}; this release knows up to {FORMAT}."
        raise StoreFormatError.of(message)


# Nodes


def encode_node(node: Node) -> bytes:
    """Return a node without its key, which its place in Redis holds.

    The parent's key comes first, up to a NUL: a script can walk up without reading JSON.
    """
    return (node.parent or "").encode() + b"\0" + _dumps(_node_row(node))


def decode_node(key: str, data: bytes) -> Node:
    """Return the node with this key."""
    parent, _, row = data.partition(b"\0")
    return _node(key, parent.decode() or None, _loads(row))


def _node_row(node: Node) -> list[Any]:
    row = [node.type, node.pk, node.relation, node.rank, node.fields]
    through = {name: _through_row(rows) for name, rows in node.through.items()}
    end = [node.sets, node.version, node.removed, through]
    while end and end[-1] == _USUAL_END[len(end) - 1]:
        end.pop()
    return row + end


def _node(key: str, parent: str | None, row: list[Any]) -> Node:
    end = _USUAL_END[len(row) - _SHORTEST :]
    type_, pk, relation, rank, fields, sets, version, removed, through = (*row, *end)
    return Node(
        key=key,
        type=type_,
        pk=pk,
        parent=parent,
        relation=relation,
        rank=rank,
        fields=fields,
        sets={name: tuple(pks) for name, pks in sets.items()},
        version=version,
        removed=removed,
        through={name: _through(pairs) for name, pairs in through.items()},
    )


def _through_row(rows: Through) -> list[Any]:
    return [[pk, row] for pk, row in rows.items()]


def _through(pairs: list[Any]) -> Through:
    return dict(pairs)


# The log


def encode_entry(entry: Entry) -> bytes:
    """Return an entry without its version, which its id in the stream holds, nor `previous`."""
    row = [
        entry.at.isoformat(),
        entry.session,
        entry.change_id,
        entry.cause.value,
        [_delta_row(delta) for delta in entry.deltas],
        entry.keys,
        entry.below,
        entry.undoes,
        [_delta_row(delta) for delta in entry.theirs],
        entry.named,
    ]
    while row[-1] in (None, [], ()) and entry.keys is None:
        row.pop()
    return _dumps(row)


def decode_entry(version: int, previous: int, data: bytes) -> Entry:
    """Return the entry of a version."""
    row = _loads(data)
    at, session, change_id, cause = row[:4]
    deltas, keys, below, undoes, theirs, named = row[4:] + _ENTRY_END[len(row) - 4 :]
    return Entry(
        version=version,
        previous=previous,
        at=datetime.fromisoformat(at),
        session=session,
        change_id=change_id,
        cause=Cause(cause),
        deltas=tuple(_delta(row) for row in deltas),
        keys=keys,
        below=below,
        undoes=undoes,
        theirs=tuple(_delta(row) for row in theirs),
        # Before it was told apart, a draft had but one commit, and that was its last entry.
        named=tuple((keys or ()) if named is None else named),
    )


def _delta_row(delta: Delta) -> list[Any]:
    match delta:
        case Added(node=node, brought=brought):
            row = ["added", node.key, node.parent, _node_row(node)]
            return [*row, *([each.key, each.parent, _node_row(each)] for each in brought)]
        case Removed(node=node):
            return ["removed", node.key, node.parent, _node_row(node)]
        case Updated():
            return ["updated", *_about(delta), delta.before, delta.after]
        case Moved():
            return ["moved", *_about(delta), delta.before, delta.after]
        case Related():
            members = [delta.set, delta.added, delta.removed]
            through = (delta.added_through, delta.removed_through)
            members += [_through_row(rows) for rows in through if any(through)]
            return ["related", *_about(delta), *members]
        case _:
            assert_never(delta)


def _about(delta: Updated | Moved | Related) -> Iterable[str | None]:
    return delta.key, delta.type, delta.parent, delta.relation


def _delta(row: list[Any]) -> Delta:
    match row:
        case ["added", key, parent, node, *brought]:
            came = (_node(key, parent, node) for key, parent, node in brought)
            return Added(node=_node(key, parent, node), brought=tuple(came))
        case ["removed", key, parent, node]:
            return Removed(node=_node(key, parent, node))
        case ["related", key, type_, parent, relation, name, added, removed, *rows]:
            come, left = rows or ([], [])
            return Related(
                key=key,
                type=type_,
                parent=parent,
                relation=relation,
                set=name,
                added=tuple(added),
                removed=tuple(removed),
                added_through=_through(come),
                removed_through=_through(left),
            )
        case [("updated" | "moved") as kind, key, type_, parent, relation, before, after]:
            change: type[Updated | Moved] = Updated if kind == "updated" else Moved
            return change(
                key=key, type=type_, parent=parent, relation=relation, before=before, after=after
            )
        case _:
            message = f"a delta of an unknown kind: {row[0]}"
            raise ValueError(message)
