"""Rule 4: the database is what the acknowledged commits come to, one after the other.

Commits are replayed over the rows of before, in the order of their transactions. Each merges
three ways: what its draft began with, what is saved by then, and what the draft has made of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.e2e.chaos.database import COMPARED
from tests.e2e.chaos.following import MISFIT, Follower, Nodes, Place
from tests.e2e.chaos.record import Acknowledged, Opened, Receipt, Record, Row

EMPTY = {"joined": None}
"""What a field holds that was not told; text if it is not here."""


def check_database(record: Record) -> Iterator[str]:
    """Compare the receipts with what was acknowledged, and the rows with their replay."""
    commits = {each.change_id: each for each in record.acknowledged if each.is_commit}
    written = Counter(receipt.change_id for receipt in record.receipts)
    for change_id in commits.keys() | written.keys():
        if written[change_id] != 1:
            yield f"{change_id} was acknowledged, and has {written[change_id]} receipts"
        if change_id not in commits:
            yield f"{change_id} has a receipt, and was never acknowledged"
    if commits.keys() != written.keys():
        return
    ledger = Ledger(record)
    for receipt in record.receipts:
        yield from ledger.post(receipt, commits[receipt.change_id])
    yield from _different(ledger.rows, record.after)
    for receipt in {receipt.band: receipt for receipt in record.receipts}.values():
        yield from ledger.misplaced(receipt)


def _different(replayed: dict[str, Row], there: dict[str, Row]) -> Iterator[str]:
    for name in sorted(replayed.keys() | there.keys()):
        if replayed.get(name) != there.get(name):
            yield f"{name} is saved as {there.get(name)}, and should be {replayed.get(name)}"


@dataclass(slots=True, kw_only=True)
class State:
    """A draft right behind one version: its nodes by key, those of its base, and what is next."""

    nodes: Nodes
    base: Nodes
    orders: dict[Place, list[str]]
    next: str = ""


class Ledger:
    """The rows by name, as one commit after the other leaves them."""

    def __init__(self, record: Record) -> None:
        """Begin with the rows of before."""
        self.rows: dict[str, Row] = {name: dict(row) for name, row in record.before.items()}
        self._order = record.order
        self._states = {draft: states_of(opened, record) for draft, opened in record.opened.items()}
        self._names: dict[str, dict[str, str]] = {
            draft: _saved_names(opened) for draft, opened in record.opened.items()
        }

    def post(self, receipt: Receipt, commit: Acknowledged) -> Iterator[str]:
        """Do what a commit has done, and tell what it should not have."""
        told = {each["key"]: each["pk"] for each in commit.payload["keys"]}
        if told != receipt.keys or commit.payload["receipt"]["version"] != receipt.version:
            yield f"{receipt.change_id}: its reply and its receipt are not the same"
        state = self._states[receipt.draft].get(receipt.version)
        if state is None or receipt.change_id != state.next:
            yield f"{receipt.change_id} has saved version {receipt.version}, and does not follow it"
            return
        names = self._names[receipt.draft]
        nodes, base = state.nodes, state.base
        for key, pk in receipt.keys.items():
            if key in nodes:
                names[key] = f"{nodes[key]['typename']}:{pk}"
        for key, node in nodes.items():
            name = _name(names, key)
            if key not in base:
                self.rows[name] = self._new(node, names)
            elif name in self.rows:
                yield from self._merge(receipt, name, base[key], node)
            elif node != base[key] and receipt.policy != "THEIRS":
                yield f"{receipt.change_id}: {name} was changed, and deleted by others"
        for key in base.keys() - nodes.keys():
            self._delete(_name(names, key))

    def misplaced(self, receipt: Receipt) -> Iterator[str]:
        """Tell whether rows are in another order than in the draft that was committed last.

        Others may have added some in between, and have moved none: see `mix`.
        """
        names = self._names[receipt.draft]
        state = self._states[receipt.draft].get(receipt.version)
        for (parent, _), keys in state.orders.items() if state else ():
            mine = [name for key in keys if (name := _name(names, key)) in self.rows]
            there = [name for name in self._order.get(_name(names, parent), []) if name in mine]
            if there != mine:
                yield f"{_name(names, parent)} has {there} in this order, and should have {mine}"

    def _new(self, node: Row, names: dict[str, str]) -> Row:
        row = {name: value for name, value in node.items() if name not in {"typename", "parent"}}
        if node["parent"] is not None:
            row["parent"] = _name(names, node["parent"])
        return row

    def _merge(self, receipt: Receipt, name: str, base: Row, mine: Row) -> Iterator[str]:
        row = self.rows[name]
        if "genres" in row:
            gone, come = base["genres"] - mine["genres"], mine["genres"] - base["genres"]
            row["genres"] = row["genres"] - gone | come
        for field_name in COMPARED[mine["typename"]]:
            value = mine[field_name]
            if value == base[field_name]:
                continue
            if row[field_name] not in {base[field_name], value}:
                if receipt.policy == "FAIL":
                    yield f"{receipt.change_id} overwrote {field_name} of {name}"
                if receipt.policy == "THEIRS":
                    continue
            row[field_name] = value

    def _delete(self, name: str) -> None:
        self.rows.pop(name, None)
        for child in [child for child, row in self.rows.items() if row.get("parent") == name]:
            self._delete(child)


def states_of(opened: Opened, record: Record) -> dict[int, State]:
    """Return a draft behind each of its versions, with the base that it had by then.

    A rebase tells the base by its reply: the draft as it was then, without its changes.
    """
    follower = Follower(opened.cluster)
    base = {} if opened.band is None else nodes_of(follower)
    states = {0: State(nodes=nodes_of(follower), base=base, orders=follower.orders())}
    rebases = {
        done.payload["draft"]["version"]: (done.event["version"], done.payload["draft"]["changes"])
        for done in record.acknowledged
        if done.draft == opened.draft and done.is_rebase and done.event is not None
    }
    with suppress(*MISFIT):  # rule 2 tells
        for event in follower.follow(record.served[opened.draft].log):
            version, nodes = event["version"], nodes_of(follower)
            if event["__typename"] == "DraftCommitted":
                base = nodes
            states[max(states)].next = event["changeId"] or ""
            states[version] = State(nodes=nodes, base=base, orders=follower.orders())
            if version in rebases:
                since, changes = rebases[version]
                base = _without(nodes, changes)
                for each in (each for each in states if each >= since):
                    states[each].base = base
    return states


def nodes_of(follower: Follower) -> Nodes:
    """Return what is compared of each node, with its type and the key of its parent."""
    found: Nodes = {}
    for key, node in follower.nodes().items():
        kept = ["typename", "parent", *(["genres"] if node["typename"] == "Band" else [])]
        found[key] = {name: node[name] for name in kept} | _compared(node["typename"], node)
    return found


def _compared(typename: str, fields: Mapping[str, Any]) -> Row:
    return {name: fields.get(name) or EMPTY.get(name, "") for name in COMPARED[typename]}


def _without(nodes: Nodes, changes: list[dict[str, Any]]) -> Nodes:
    """Return the base of a draft: its nodes without its changes."""
    base = {key: dict(node) for key, node in nodes.items()}
    for change in changes:
        key = change["key"]
        match change["kind"]:
            case "ADDED":
                base.pop(key, None)
            case "REMOVED":
                before = {each["name"]: each["before"] for each in change["fields"]}
                base[key] = _compared(change["typename"], before) | {
                    "typename": change["typename"],
                    "parent": change["parentKey"],
                }
            case "UPDATED":
                for each in change["fields"]:
                    if each["name"] in base[key]:
                        base[key][each["name"]] = each["before"]
            case "RELATED":
                [sets] = change["fields"]
                base[key]["genres"] = base[key]["genres"] - set(sets["after"]) | set(sets["before"])
    return base


def _saved_names(opened: Opened) -> dict[str, str]:
    return {} if opened.band is None else {"root": f"Band:{opened.band}"}


def _name(names: dict[str, str], key: str) -> str:
    """Return the name of a node's row; the key of one that was saved before is its name."""
    return names.get(key, key)
