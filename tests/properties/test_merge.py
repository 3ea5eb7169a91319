"""Three-way merges of random clusters, against a reference that looks at everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from hypothesis import assume, given, settings

from gql_cluster.domain.delta import Added, invert, key_of
from gql_cluster.domain.error import ConflictKind, ConflictPolicy
from gql_cluster.domain.merge import Clash
from gql_cluster.domain.node import Node
from gql_cluster.domain.plan import Plan
from gql_cluster.domain.rank import is_base_rank
from gql_cluster.domain.rebase import Rebased
from tests.properties.merging import (
    MINE,
    THEIRS,
    Op,
    anything,
    bases,
    carried_out,
    changed_by_others,
    edited,
    expected,
    moving,
    ops,
    policies,
    sides,
)
from tests.unit.domain.sides import (
    ORDERED,
    Edited,
    Sides,
    State,
    behind,
    follow,
    merged,
    plan_of,
    rebased,
    seen,
    state_of,
)

FAIL = ConflictPolicy.FAIL


def left(plan: Plan) -> object:
    """Return what a plan does, whatever ranks it does it with."""
    updated = {key: pair for key, pair in plan.updated.items() if not _only_moves(*pair)}
    return (
        seen(State(dict(plan.added))),
        {
            key: (seen(State({key: one})), seen(State({key: two})))
            for key, (one, two) in updated.items()
        },
        set(plan.removed),
        plan.reordered,
    )


def _only_moves(before: Node, after: Node) -> bool:
    return seen(State({before.key: before})) == seen(State({after.key: after}))


@settings(max_examples=800)
@given(sides=anything, policy=policies)
def test_a_rebase_is_what_the_reference_says(sides: Sides, policy: ConflictPolicy) -> None:
    """No change of one side is lost, conflicts are those of both and decided as asked."""
    result = rebased(sides.draft, sides.theirs, policy)
    wanted = expected(sides.base, sides.theirs, sides.draft, policy)
    assert {(c.kind.value, c.key, c.field) for c in result.conflicts} == wanted.conflicts
    if not result.conflicts:
        assert seen(behind(sides.draft, result).state) == seen(wanted.state)


@settings(max_examples=250)
@given(sides=anything, policy=policies)
def test_a_plan_carried_out_gives_the_rebased_draft(sides: Sides, policy: ConflictPolicy) -> None:
    """A merge of what the draft touches and a rebase of all of it come to the same."""
    result, found = rebased(sides.draft, sides.theirs, policy), merged(sides, policy)
    assert set(found.conflicts) == set(result.conflicts)
    assume(not result.conflicts)
    after = behind(sides.draft, result)
    assert seen(carried_out(found.plan, found.orders, sides.theirs)) == seen(after.state)
    plan = plan_of(after)
    assert left(plan) == left(found.plan)
    assert plan.ancestors.keys() >= found.plan.ancestors.keys()


@settings(max_examples=250)
@given(sides=anything, policy=policies)
def test_what_is_merged_once_is_merged(sides: Sides, policy: ConflictPolicy) -> None:
    """Rebasing again on the same saved cluster does nothing, and there is nothing to refuse."""
    result = rebased(sides.draft, sides.theirs, policy)
    assume(not result.conflicts)
    after = behind(sides.draft, result)
    again = rebased(after, sides.theirs, FAIL)
    assert again == Rebased(deltas=(), theirs=(), nodes={}, base=result.base, conflicts=())
    found = merged(Sides(sides.theirs, sides.theirs, after), FAIL)
    plan = plan_of(after)
    assert (found.plan, found.conflicts) == (replace(plan, base=found.plan.base), ())


@settings(max_examples=250)
@given(sides=anything, policy=policies)
def test_where_others_saved_nothing_all_stays_as_it_is(
    sides: Sides, policy: ConflictPolicy
) -> None:
    """The plan is the same, and no node is written."""
    base, draft = sides.base, sides.draft
    plan = plan_of(draft)
    found, result = merged(Sides(base, base, draft), policy), rebased(draft, base, policy)
    assert found.plan == replace(plan, base=found.plan.base)
    assert result == Rebased(deltas=(), theirs=(), nodes={}, base=result.base, conflicts=())
    again = plan_of(behind(draft, result))
    assert (left(again), again.updated.keys()) == (left(plan), plan.updated.keys())


@settings(max_examples=250)
@given(base=bases, theirs=ops(THEIRS), policy=policies)
def test_a_draft_without_changes_becomes_what_is_saved(
    base: State, theirs: list[Op], policy: ConflictPolicy
) -> None:
    """Down to the ranks and numbers, with no conflict and nothing left to do."""
    draft, now = edited(base, []), changed_by_others(base, theirs)
    result = rebased(draft, now, policy)
    state = behind(draft, result).state
    assert (result.base, result.conflicts) == ({}, ())
    assert (seen(state), _as_stored(state)) == (seen(now), _as_stored(now))


@settings(max_examples=250)
@given(sides=anything, policy=policies)
def test_deltas_lead_from_the_draft_before_to_the_draft_after_and_back(
    sides: Sides, policy: ConflictPolicy
) -> None:
    """Each written node is what they make of it; what comes from others is of version 0."""
    draft, result = sides.draft, rebased(sides.draft, sides.theirs, policy)
    version = draft.version + 1
    after = follow(draft.tree.nodes, result.deltas, version)
    assert state_of(after.values()) == behind(draft, result).state
    told = {key_of(delta) for delta in result.deltas}
    for key, node in result.nodes.items():
        assert node.version == version
        assert after[key] == node if key in told else node.removed
    for delta in result.deltas:
        assert not isinstance(delta, Added) or delta.node.version == 0
    back = follow(after, [invert(delta) for delta in reversed(result.deltas)], 0)
    state = state_of(back.values())
    assert (seen(state), _as_stored(state)) == (seen(draft.state), _as_stored(draft.state))


@settings(max_examples=250)
@given(sides=anything, policy=policies)
def test_their_deltas_lead_from_the_old_base_to_the_new_one(
    sides: Sides, policy: ConflictPolicy
) -> None:
    """Of all that the draft had touched, and of what it differs in now."""
    result = rebased(sides.draft, sides.theirs, policy)
    assume(not result.conflicts)
    keys = {**sides.draft.touched, **result.base}
    old = {key: node for key, node in sides.base.nodes.items() if key in keys}
    new = [node for node in follow(old, result.theirs, 0).values() if not node.removed]
    now = [node for key, node in sides.theirs.nodes.items() if key in keys]
    assert _as_stored(_loose(new)) == _as_stored(_loose(now))
    assert seen(_loose(new)) == seen(_loose(now))
    known = {key: node for key, node in result.base.items() if node is not None}
    assert known == {key: sides.theirs.nodes[key] for key in known}
    assert not (result.base.keys() - known.keys()) & sides.theirs.nodes.keys()


def _loose(nodes: Iterable[Node]) -> State:
    return State({node.key: node for node in nodes})


def _as_stored(state: State) -> object:
    return {key: (node.rank, node.fields["position"]) for key, node in state.nodes.items()}


@settings(max_examples=250)
@given(sides=moving, policy=policies)
def test_ranks_tell_the_order_and_what_the_draft_has_moved(
    sides: Sides, policy: ConflictPolicy
) -> None:
    """They are distinct; a base rank tells that a node stands where it is saved now."""
    base, now, draft = sides.base, sides.theirs, sides.draft
    result = rebased(draft, now, policy)
    assume(not result.conflicts)
    state = behind(draft, result).state
    for place, keys in state.orders.items():
        ranks = [state.nodes[key].rank for key in keys]
        assert ranks == sorted(set(ranks))
        for key, rank in zip(keys, ranks, strict=True):
            saved = now.nodes.get(key)
            if is_base_rank(rank):
                assert saved is not None
                assert rank == saved.rank
            elif saved is not None and (saved.parent, saved.relation) == place:
                was = base.nodes.get(key)
                moved = was is None or was.rank != draft.tree.nodes[key].rank
                # Mine as a whole, against what others have moved.
                assert moved or policy is ConflictPolicy.MINE


@settings(max_examples=250)
@given(base=bases, one=ops(MINE, 4), two=ops(MINE, 4))
def test_disjoint_edits_commute(base: State, one: list[Op], two: list[Op]) -> None:
    """Whoever commits first, it comes out the same; so does an order that only one has edited."""
    drafts = [edited(base, one), edited(base, two)]
    saved = [as_saved(draft, name) for draft, name in zip(drafts, "ab", strict=True)]
    results = [rebased(drafts[0], saved[1], FAIL), rebased(drafts[1], saved[0], FAIL)]
    assume(not any(result.conflicts for result in results))
    ends = [
        as_saved(behind(draft, result), name)
        for draft, result, name in zip(drafts, results, "ab", strict=True)
    ]
    assert seen(ends[0], order=False) == seen(ends[1], order=False)
    plans = [plan_of(draft) for draft in drafts]
    for place in {**ends[0].orders, **ends[1].orders}:
        if place[1] in ORDERED and not all(place in plan.reordered for plan in plans):
            assert ends[0].orders.get(place) == ends[1].orders.get(place)


def as_saved(draft: Edited, name: str) -> State:
    """Return the cluster as a commit saves it; new nodes are known by who made them."""
    state = draft.state
    keys = {
        key: key if node.pk is not None else f"{node.type}:{name}{key}"
        for key, node in state.nodes.items()
    }
    nodes = {
        keys[key]: replace(
            node,
            key=keys[key],
            pk=f"{name}{key}" if node.pk is None else node.pk,
            parent=None if node.parent is None else keys[node.parent],
            through={},
        )
        for key, node in state.nodes.items()
    }
    orders = {
        (keys[parent], relation): [keys[key] for key in order]
        for (parent, relation), order in state.orders.items()
    }
    return State(nodes, orders).numbered()


CODES = ["code", "code", "add", "remove"]


@settings(max_examples=250)
@given(sides=sides(CODES, CODES), policy=policies)
def test_a_value_that_only_one_may_have_is_as_the_policy_says(
    sides: Sides, policy: ConflictPolicy
) -> None:
    """`FAIL` tells of it; else the node of the other side goes, or gets back what it had."""
    now, draft, found = sides.theirs, sides.draft, merged(sides, policy)
    assume(not found.conflicts)
    clashes = list(_clashes(found.plan, sides.base, now))
    result = rebased(draft, now, policy, clashes)
    if policy is FAIL:
        told = {(c.kind, c.key, c.field) for c in result.conflicts}
        assert told == {(ConflictKind.UNIQUE, clash.key, "code") for clash in clashes}
        return
    assert not result.conflicts
    nodes = behind(draft, result).state.nodes
    for clash in clashes:
        if policy is ConflictPolicy.MINE:
            other = clash.theirs.key
            assert (other in nodes) == (clash.base is not None)
            if clash.base is not None:
                assert nodes[other].fields["code"] == clash.base.fields["code"]
        elif clash.key in found.plan.added:
            assert not {clash.key, *draft.state.below(clash.key)} & nodes.keys()
        else:
            assert nodes[clash.key].fields["code"] == now.nodes[clash.key].fields["code"]


def _clashes(plan: Plan, base: State, now: State) -> Iterator[Clash]:
    """Yield where the draft and others gave the same code to two nodes of a type."""
    mine = {**plan.added, **{key: after for key, (_, after) in plan.updated.items()}}
    dead = {each for key in plan.removed for each in (key, *now.below(key))}
    for key, node in mine.items():
        code = node.fields["code"]
        if key in now.nodes and now.nodes[key].fields["code"] == code:
            continue
        for other, theirs in now.nodes.items():
            was = base.nodes.get(other)
            is_same = (theirs.type, theirs.fields["code"]) == (node.type, code)
            is_new = was is None or was.fields["code"] != code
            if is_same and is_new and other not in mine and other not in dead:
                yield Clash(key=key, fields=("code",), theirs=theirs, base=was)
