"""Random edits on two sides of a cluster, and what a merge of them has to come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from gql_cluster.domain.change import (
    AddNodes,
    AddToSet,
    After,
    Before,
    ClearNodes,
    End,
    MoveNode,
    NewNode,
    Place,
    RemoveFromSet,
    RemoveNodes,
)
from gql_cluster.domain.error import ConflictPolicy
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.order import merge_order
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.spec import ROOT_KEY
from tests.unit.domain.kit import Nodes
from tests.unit.domain.sides import (
    CHILD,
    CLUSTER,
    ORDERED,
    Edited,
    Sides,
    State,
    behind,
    make_base,
    rebased,
    saved_node,
)

policies = st.sampled_from(ConflictPolicy)
bases = st.builds(
    make_base, st.integers(1, 3), st.integers(1, 4), st.integers(0, 2), st.integers(0, 1)
)

Op = tuple[str, int, int, int]
MINE = ["name", "code", "tag", "untag", "add", "remove", "move", "clear"]
THEIRS = ["name", "code", "tag", "untag", "add", "remove", "move", "elsewhere", "again", "join"]


def ops(names: list[str], at_most: int = 8) -> st.SearchStrategy[list[Op]]:
    """Draw edits of one side."""
    number = st.integers(0, 11)
    return st.lists(st.tuples(st.sampled_from(names), number, number, number), max_size=at_most)


# Theirs: saved nodes, changed right where they are


def changed_by_others(base: State, edits: Sequence[Op], *, once: State | None = None) -> State:
    """Return the saved cluster as others left it; what there was once can come again."""
    state = base.copy()
    for op in edits:
        _change_saved(state, op, once or base)
    return state.numbered()


def _change_saved(state: State, op: Op, once: State) -> None:  # noqa: C901 - one case a kind
    name, one, two, three = op
    keys = list(state.nodes)
    node = state.nodes[keys[one % len(keys)]]
    places = _places(state)
    match name:
        case "name" | "code":
            state.edit(node.key, **{name: f"v{two % 3}"})
        case "tag":
            state.relate(node.key, *{*node.sets["tags"], 3 + two % 3})
        case "untag":
            state.relate(node.key, *(pk for pk in node.sets["tags"] if pk != 1 + two % 4))
        case "add":
            place = places[one % len(places)]
            kind = CHILD[place[1]]
            # As SQLite does: the highest number, even if one that was deleted had the next.
            pk = 1 + max(each.pk for each in state.nodes.values() if isinstance(each.pk, int))
            made = saved_node(kind, pk, place, code=f"v{three % 3}")
            state.put(made, two % (len(state.orders.get(place, ())) + 1))
        case "remove" if node.parent is not None:
            state.remove(node.key)
        case "again":
            lost = [key for key in once.nodes if key not in state.nodes]
            back = once.nodes[lost[two % len(lost)]] if lost else node
            if back.key not in state.nodes and back.parent in state.nodes:
                state.put(replace(back, fields={**back.fields, "name": f"v{three % 3}"}), 0)
        case "move" | "elsewhere" if node.parent is not None and node.relation is not None:
            parent = node.parent
            if name == "elsewhere":
                kind = state.nodes[parent].type
                parents = [key for key, each in state.nodes.items() if each.type == kind]
                parent = parents[three % len(parents)]
            place = (parent, node.relation)
            state.move(node.key, two % (len(state.orders.get(place, ())) + 1), place)
        case "join" if node.type == "Album":
            songs = state.orders.get((node.key, "songs"), [])
            place = (state.orders[ROOT_KEY, "albums"][two % 2 - 1], "songs")
            if songs and place[0] != node.key:
                state.move(songs[three % len(songs)], 0, place)
                state.remove(node.key)
        case _:
            pass


def _places(state: State) -> list[tuple[str, str]]:
    return [
        (node.key, name)
        for node in state.nodes.values()
        for name in CLUSTER.nodes[node.type].relations
    ]


# Mine: a draft, changed as a client changes it


def edited(base: State, edits: Sequence[Op]) -> Edited:
    """Return a draft of the base with some edits."""
    draft = Edited(Nodes(base.nodes))
    _edit(draft, edits)
    return draft


def _edit(draft: Edited, edits: Sequence[Op]) -> None:
    for op in edits:
        _change_draft(draft, op)


def _change_draft(draft: Edited, op: Op) -> None:
    name, one, two, three = op
    state = draft.state
    keys, places = list(state.nodes), _places(state)
    node, place = state.nodes[keys[one % len(keys)]], places[one % len(places)]
    match name:
        case "name" | "code":
            draft.set(node.key, **{name: f"v{two % 3}"})
        case "tag":
            note = {"note": f"n{three % 2}"} if three % 3 else {}
            draft.edit(node.key, AddToSet(name="tags", pks=(3 + two % 3,), values=note))
        case "untag":
            draft.edit(node.key, RemoveFromSet(name="tags", pks=(1 + two % 4,)))
        case "add":
            index = two % (len(state.orders.get(place, ())) + 1)
            added = _new(f"v{three % 3}", index if place[1] in ORDERED and three % 2 else None)
            if place[1] == "albums":
                added = replace(added, children={"songs": (_new("s"), _new("t"))})
            draft.edit(place[0], AddNodes(relation=place[1], nodes=(added,)))
        case "remove" if node.parent is not None and node.relation is not None:
            draft.edit(node.parent, RemoveNodes(relation=node.relation, keys=(node.key,)))
        case "move" if node.parent is not None and node.relation in ORDERED:
            siblings = state.orders[node.parent, node.relation]
            other = siblings[two % len(siblings)]
            ends: list[Place] = [End.FIRST, End.LAST]
            beside: list[Place] = [Before(key=other), After(key=other)]
            choice = ends if other == node.key else [*ends, *beside]
            where = choice[three % len(choice)]
            draft.edit(node.parent, MoveNode(relation=node.relation, key=node.key, place=where))
        case "clear" if three < 3:
            draft.edit(place[0], ClearNodes(relation=place[1]))
        case _:
            pass


def _new(name: str, position: int | None = None) -> NewNode:
    return NewNode(values={"name": name, "code": name}, position=position)


# Both, perhaps on top of an earlier rebase


Earlier = tuple[list[Op], list[Op], ConflictPolicy]


def _make_sides(base: State, mine: list[Op], theirs: list[Op], earlier: Earlier | None) -> Sides:
    """`earlier` are edits of both and a rebase before these."""
    draft, first = edited(base, []), base
    if earlier is not None:
        _edit(draft, earlier[0])
        saved = changed_by_others(base, earlier[1])
        result = rebased(draft, saved, earlier[2])
        if not result.conflicts:
            draft, base = behind(draft, result), saved
    _edit(draft, mine)
    return Sides(base, changed_by_others(base, theirs, once=first), draft)


def sides(
    mine: list[str], theirs: list[str], base: st.SearchStrategy[State] = bases
) -> st.SearchStrategy[Sides]:
    """Draw both sides' edits, on a draft that may have been rebased before."""
    earlier = st.tuples(ops(mine, 4), ops(theirs, 4), policies)
    return st.builds(_make_sides, base, ops(mine), ops(theirs), st.none() | earlier)


moving = sides(
    ["move", "move", "move", "add", "remove"],
    ["move", "move", "move", "add", "remove", "elsewhere"],
    st.builds(make_base, st.integers(1, 2), st.just(4), st.just(0)),
)
anything = sides(MINE, THEIRS) | moving


# What has to come of it


@dataclass
class Expected:
    """The conflicts of two sides, and what they come to where there are none."""

    conflicts: set[tuple[str, str, str | None]]
    state: State


def expected(base: State, theirs: State, draft: Edited, policy: ConflictPolicy) -> Expected:
    """Merge by looking at everything, node by node and field by field."""
    return _Reference(base, theirs, draft, policy).merge()


class _Reference:
    def __init__(self, base: State, theirs: State, draft: Edited, policy: ConflictPolicy) -> None:
        self.base, self.theirs, self.mine = base, theirs, draft.state
        self.policy = policy
        self.conflicts: set[tuple[str, str, str | None]] = set()
        self.moved = {
            key for key, node in self.mine.nodes.items()
            if key not in base.nodes or node.rank != base.nodes[key].rank
        }  # fmt: skip
        self.added = [key for key in self.mine.nodes if key not in base.nodes]
        self.updated = [
            key
            for key in self.mine.nodes
            if key in base.nodes and (key in self.moved or self.differs(self.mine, base, key))
        ]
        self.removed = [
            key
            for key, node in base.nodes.items()
            if key not in self.mine.nodes and (node.parent in self.mine.nodes)
        ]
        edited_ = [*self.added, *self.updated, *self.removed]
        above = {
            each
            for key in edited_
            for each in self.line_of_mine(key, self.mine if key in self.mine.nodes else base)[1:]
        }
        self.gone = {
            key
            for key in {*above, *self.updated}
            if (key in base.nodes and key not in theirs.nodes) or self.is_elsewhere(key)
        }
        self.gone |= {key for key in self.added if self.is_elsewhere(key)}

    def is_elsewhere(self, key: str) -> bool:
        known = {state.nodes[key].parent for state in (self.base, self.mine) if key in state.nodes}
        return key in self.theirs.nodes and self.theirs.nodes[key].parent not in known

    @staticmethod
    def differs(one: State, other: State, key: str) -> bool:
        a, b = one.nodes[key], other.nodes[key]
        return (
            any(a.fields[name] != b.fields[name] for name in ("name", "code"))
            or set(a.sets["tags"]) != set(b.sets["tags"])
            or a.parent != b.parent
        )

    def is_dropped(self, key: str, state: State) -> bool:
        return self.policy is ConflictPolicy.THEIRS and any(
            each in self.gone for each in self.line_of_mine(key, state)
        )

    def line_of_mine(self, key: str, state: State) -> list[str]:
        node = state.nodes[key]
        return [key, *(self.mine.line(node.parent) if node.parent else [])]

    def merge(self) -> Expected:  # noqa: C901 - all rules at one place
        policy = self.policy
        if policy is ConflictPolicy.FAIL:
            self.conflicts |= {("DELETED", key, None) for key in self.gone}
        if policy is ConflictPolicy.THEIRS and ROOT_KEY in self.gone:
            self.conflicts.add(("DELETED", ROOT_KEY, None))
        removed = self.removals()
        back = self.brought_back()
        nodes: dict[str, Node] = {}
        for key, node in self.theirs.nodes.items():
            is_mine = key in (*self.updated, *self.added) and not self.is_dropped(key, self.mine)
            nodes[key] = self.joined(node) if is_mine else node
            if is_mine or (key in self.gone and policy is ConflictPolicy.MINE):
                nodes[key] = replace(nodes[key], parent=self.mine.nodes[key].parent)
        for key in self.added:
            if not self.is_dropped(key, self.mine) and key not in self.theirs.nodes:
                nodes[key] = self.mine.nodes[key]
        for key in back:
            nodes[key] = self.mine.nodes[key]

        def lives(key: str | None) -> bool:
            if key is None:
                return True
            return key in nodes and key not in removed and lives(nodes[key].parent)

        final = State({key: node for key, node in nodes.items() if lives(key)})
        for place in dict.fromkeys((*self.theirs.orders, *self.mine.orders)):
            there = [
                key for key, node in final.nodes.items() if (node.parent, node.relation) == place
            ]
            if there:
                final.orders[place] = self.order(place, set(there))
        return Expected(self.conflicts, final)

    def removals(self) -> set[str]:
        removed = set()
        for key in self.removed:
            if key not in self.theirs.nodes or self.is_dropped(key, self.base):
                continue
            below = set(self.base.below(key))
            is_changed = (
                self.differs(self.theirs, self.base, key)
                or below != set(self.theirs.below(key))
                or any(
                    self.differs(self.theirs, self.base, each)
                    or self.theirs.nodes[each].fields != self.base.nodes[each].fields
                    for each in below
                )
            )
            if is_changed and self.policy is ConflictPolicy.FAIL:
                self.conflicts.add(("CHANGED", key, None))
            if not is_changed or self.policy is not ConflictPolicy.THEIRS:
                removed.add(key)
        return removed

    def brought_back(self) -> set[str]:
        if self.policy is not ConflictPolicy.MINE:
            return set()
        back: set[str] = set()
        for key in self.mine.nodes:  # parents first
            if key in self.theirs.nodes:
                continue
            if key in self.gone or self.mine.nodes[key].parent in back:
                back.add(key)
        return back

    def joined(self, now: Node) -> Node:
        mine = self.mine.nodes[now.key]
        base = self.base.nodes.get(now.key, replace(mine, fields={}, sets={"tags": ()}))
        fields = dict(now.fields)
        is_here = now.key not in self.gone or self.policy is not ConflictPolicy.FAIL
        for name in ("name", "code") if is_here else ():
            was, theirs, wanted = (each.fields.get(name, "-") for each in (base, now, mine))
            if wanted in (was, theirs):
                continue
            if theirs == was or self.policy is ConflictPolicy.MINE:
                fields[name] = wanted
            elif self.policy is ConflictPolicy.FAIL:
                self.conflicts.add(("FIELD", now.key, name))
        were, are, wish = (each.members("tags") for each in (base, now, mine))
        rows: dict[Json, Json] = {}
        for tag in dict.fromkeys((*are, *wish)):
            was, theirs, wanted = (each.get(tag, False) for each in (were, are, wish))
            came_meanwhile = theirs and not was
            if row := theirs if wanted == was or came_meanwhile else wanted:
                rows[tag] = row
        through = {tag: row for tag, row in rows.items() if isinstance(row, dict)}
        return replace(
            now,
            fields=fields,
            sets={"tags": tuple(rows)},
            through={"tags": through} if through else {},
        )

    def order(self, place: tuple[str, str], there: set[str]) -> list[str]:
        base = self.base.orders.get(place, [])
        theirs = [key for key in self.theirs.orders.get(place, ()) if key in there]
        mine = [key for key in self.mine.orders.get(place, ()) if key in there]
        is_mine = any(key in self.moved or key not in theirs for key in mine)
        if place[1] in ORDERED and is_mine and not self.is_dropped(place[0], self.mine):
            merged, contradicts = merge_order(base, theirs, mine, self.policy, self.moved)
            if contradicts and self.policy is ConflictPolicy.FAIL:
                self.conflicts.add(("ORDER", place[0], place[1]))
            return merged
        return [*theirs, *(key for key in mine if key not in theirs)]


def carried_out(plan: Plan, orders: Mapping[tuple[str, str], Sequence[str]], saved: State) -> State:
    """Return a saved cluster with a plan carried out."""
    nodes = {**saved.nodes, **plan.added}
    nodes.update({key: after for key, (_, after) in plan.updated.items()})

    def lives(key: str | None) -> bool:
        if key is None:
            return True
        return key in nodes and key not in plan.removed and lives(nodes[key].parent)

    state = State({key: node for key, node in nodes.items() if lives(key)})
    for node in state.nodes.values():
        if node.parent is not None and node.relation is not None:
            state.orders.setdefault((node.parent, node.relation), []).append(node.key)
    for place, keys in state.orders.items():
        known = [*orders.get(place, saved.orders.get(place, ()))]
        keys.sort(key=lambda key: known.index(key) if key in known else len(known))
    return state
