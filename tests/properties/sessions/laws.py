"""What has to hold of a draft as it is served, of conflicts, of merges and of what is undone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from gql_cluster.domain.delta import Added, Delta, Related, Removed, Updated, key_of
from gql_cluster.domain.error import Conflict, ConflictKind, ConflictPolicy
from gql_cluster.service.view import View
from tests.properties.sessions.plain import FIELDS, Row, State, orders, values
from tests.properties.sessions.threeway import FAIL, MINE, Merged, Told


async def read(view: View) -> State:
    """Return a draft as it is served."""
    state = State()
    for node in await view.load_all():
        instance: Any = view.instance(node)
        held: dict[str, Any] = {name: getattr(instance, name) for name in FIELDS[node.type]}
        if node.sets:
            held["genres"] = frozenset(node.sets["genres"])
        number = getattr(instance, "position", None)
        state.put(node.key, Row(node.type, node.parent, held, instance.pk, number))
    return state


def parts(delta: Delta) -> Iterator[tuple[str, str, str | None]]:
    """Yield what a delta changes but the order, as `plain.changes` does."""
    match delta:
        case Added() | Removed():
            yield type(delta).__name__, key_of(delta), None
        case Updated(after=after):
            for name in after:
                yield "Updated", delta.key, name
        case Related(set=name):
            yield "Related", delta.key, name
        case _:
            pass


def told(conflicts: Sequence[Conflict]) -> set[Told]:
    """Return conflicts as a merge tells them."""
    return {Told(c.kind, c.key, c.field, c.base, c.theirs, c.mine) for c in conflicts}


def check_conflicts(conflicts: Sequence[Conflict], expected: Merged) -> None:
    """Raise unless these are the conflicts; an order may be one where both sides touched it."""
    found = told(conflicts)
    ordered = {each for each in found if each.kind is ConflictKind.ORDER}
    assert {each.key for each in ordered} <= expected.loose
    wanted = expected.conflicts
    if ordered:
        # What only one may have is looked at last.
        wanted = {each for each in wanted if each.kind is not ConflictKind.UNIQUE}
    if expected.is_messy:
        assert found - ordered <= wanted
    else:
        assert found - ordered == wanted


def check_refused(conflicts: Sequence[Conflict], expected: Merged, policy: ConflictPolicy) -> None:
    """Raise unless a request had to be refused, and for these conflicts."""
    assert conflicts
    if policy is FAIL:
        check_conflicts(conflicts, expected)
    else:
        assert expected.is_messy or told(conflicts) == expected.conflicts


def check_merged(  # noqa: PLR0913 - the sides, and what they came to
    expected: Merged,
    state: State,
    *,
    theirs: State,
    mine: State,
    moved: Collection[str],
    policy: ConflictPolicy,
) -> None:
    """Raise unless this is what two sides had to come to.

    Where both touched an order, it has all of theirs that the draft has not moved as they have
    it; but mine as it is, perhaps, where that is the policy.
    """
    if expected.is_messy:
        return
    assert values(state) == values(expected.state)
    for key in {*state.orders, *expected.state.orders}:
        if key not in expected.loose:
            assert state.order(key) == expected.state.order(key)
            continue
        found = state.order(key)
        assert sorted(found) == sorted(expected.state.order(key))
        stay = [each for each in theirs.order(key) if each not in moved and each in found]
        ours = [each for each in mine.order(key) if each in found]
        is_theirs = [each for each in found if each in stay] == stay
        is_mine = [each for each in found if each in ours] == ours
        assert is_theirs or (policy is MINE and is_mine)


def check_stays(base: State, state: State, moved: Collection[str]) -> None:
    """Raise where siblings that are not told to be moved are not in the order of the base."""
    for parent, keys in state.orders.items():
        stay = [key for key in base.order(parent) if key in keys and key not in moved]
        assert [key for key in keys if key in stay] == stay


def check_undone(  # noqa: PLR0913 - a change set, and what is around it
    before: State,
    after: State,
    now: State,
    state: State,
    bases: Sequence[State],
    *,
    is_whole: bool,
) -> None:
    """Raise where taking back what led from `before` to `after` did more than that.

    It led from `now` to `state`. What it gave back is what was before, or what a base since has;
    unless a draft goes back as a whole, only where it is still as it was left.
    """
    gone = {key for key in before.rows if key not in after.rows}
    new = {key for key in after.rows if key not in before.rows}
    brought = {key for each in bases for key in each.rows} if is_whole else set()
    for key in state.rows:
        assert key in {*now.rows, *brought} or {key, *state.above(key)} & gone
    for key in now.rows:
        assert key in state.rows or {key, *now.above(key)} & new
    for key in state.rows.keys() & now.rows.keys():
        for name, value in state.rows[key].values.items():
            held = now.rows[key].values[name]
            if held == value or name == "genres":
                continue
            known = [each.rows[key].values[name] for each in (before, *bases) if key in each.rows]
            assert value in known
            if key in after.rows and not is_whole:
                assert held == after.rows[key].values[name]


def is_same(one: State, other: State) -> bool:
    """Tell whether two clusters hold the same, numbers and all."""
    return (one.rows, orders(one)) == (other.rows, orders(other))
