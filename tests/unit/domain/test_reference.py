"""References by key: what an edit makes of them, and what a log tells of them behind a commit."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from gql_cluster.domain.apply import apply, create
from gql_cluster.domain.change import (
    AddNodes,
    Change,
    EditNode,
    NewNode,
    RemoveNodes,
    ReplaceNodes,
    SetFields,
    UpdateNode,
)
from gql_cluster.domain.delta import Added, Updated
from gql_cluster.domain.editor import Applied
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.needs import needs, referred
from gql_cluster.domain.node import Json
from gql_cluster.domain.reference import by_pk, carried, ends, key_in, reference_to
from gql_cluster.domain.spec import ROOT_KEY, ClusterSpec, FieldSpec
from tests.unit.domain.kit import CLUSTER, Nodes, entry, saved

ITEMS = frozenset({"Item"})
FIELDS = {
    "best": FieldSpec(name="best", nullable=True, target="app.Item", nodes=ITEMS),
    "code": FieldSpec(name="code", nullable=True, target="app.Item", nodes=ITEMS, holds_pk=False),
    "json": FieldSpec(name="json", nullable=True),
    "far": FieldSpec(name="far", nullable=True, target="app.Far"),
}
SPEC = ClusterSpec(
    root=CLUSTER.root,
    nodes={
        name: replace(spec, fields={**spec.fields, **FIELDS})
        for name, spec in CLUSTER.nodes.items()
    },
)
_KEYS = count()


def run(tree: Nodes, *changes: Change) -> Applied:
    """Apply changes to a tree."""
    return apply(
        SPEC, tree, changes, version=1, tail=0, new_key=lambda: f":{next(_KEYS)}"
    )  # fmt: skip


def refer(key: str, to: str, field: str = "best") -> Change:
    """Return the change that lets an item refer to another node."""
    return UpdateNode(relation="items", key=key, values={field: reference_to(to)})


def added(key: str, **values: Json) -> Change:
    """Return the change that adds an item."""
    new = NewNode(key=key, values={"name": key, **values})
    return AddNodes(relation="items", nodes=(new,))


def test_only_the_form_of_a_key_is_one() -> None:
    """Whatever else a foreign key may hold is no key."""
    assert key_in(reference_to("k")) == "k"
    others: list[Any] = [None, "k", 3, {}, {"key": 3}, {"key": "k", "pk": 1}, {"pk": "k"}, ["key"]]
    assert [key_in(other) for other in others] == [None] * len(others)


def test_a_saved_node_is_named_by_its_primary_key() -> None:
    """Where the foreign key holds that; else by its key."""
    tree = Nodes(saved(2))
    applied = run(tree, refer("i0", "i1"), refer("i0", "i1", "code"))
    assert applied.nodes["i0"].fields["best"] == "i1"
    assert applied.nodes["i0"].fields["code"] == {"key": "i1"}
    assert applied.by_key == {("i0", "best"), ("i0", "code")}
    # What it holds already is no change.
    assert run(Nodes({**tree.nodes, **applied.nodes}), refer("i0", "i1")).deltas == ()


def test_a_reference_may_come_before_what_it_leads_to() -> None:
    """In one change set, and in a new cluster."""
    applied = run(Nodes(saved(1)), refer("i0", "n"), added("n", best={"key": "i0"}))
    assert applied.nodes["i0"].fields["best"] == {"key": "n"}
    assert applied.nodes["n"].fields["best"] == "i0"
    root = NewNode(
        values={"name": "r", "best": {"key": "b"}},
        children={"items": (NewNode(key="a", values={"best": {"key": "b"}}), NewNode(key="b"))},
    )
    made = create(SPEC, root, new_key=str)
    assert made.nodes[ROOT_KEY].fields["best"] == made.nodes["a"].fields["best"] == {"key": "b"}


@pytest.mark.parametrize(
    ("changes", "key", "index"),
    [
        ([refer("i0", "nobody")], "i0", 0),
        ([refer("i0", ROOT_KEY)], "i0", 0),
        ([refer("i0", "i0-0")], "i0", 0),
        ([added("n"), refer("i0", "i1"), RemoveNodes(relation="items", keys=("i1",))], "i0", 1),
        ([added("n", best={"key": "m"})], "n", 0),
        ([EditNode(relation="items", key="i0", changes=(
            UpdateNode(relation="items", key="i0-0", values={"best": {"key": "x"}}),
        ))], "i0-0", 0),
        ([ReplaceNodes(relation="items", nodes=(
            NewNode(key="i0", values={"best": {"key": "i1"}}),
        ))], "i0", 0),
        ([SetFields(values={"best": {"key": "x"}})], ROOT_KEY, 0),
    ],
    ids=["unknown", "the root", "a leaf", "removed behind", "of a new one", "deep", "replaced",
         "of the root"],
)  # fmt: skip
def test_what_leads_nowhere_is_refused_at_its_place(
    changes: list[Change], key: str, index: int
) -> None:
    """With the index of the change that gave it."""
    with pytest.raises(InvalidChangeError) as caught:
        run(Nodes(saved(2)), *changes)
    [problem] = caught.value.problems
    assert (problem.key, problem.field, problem.change) == (key, "best", index)
    assert problem.path[-1] == "best"


def test_only_what_is_there_in_the_end_has_to_lead_somewhere() -> None:
    """What was given another value, or was removed, is not asked."""
    tree = Nodes(saved(2))
    other = UpdateNode(relation="items", key="i0", values={"best": None})
    assert run(tree, refer("i0", "x"), other).nodes["i0"].fields["best"] is None
    gone = RemoveNodes(relation="items", keys=("i0",))
    assert run(tree, refer("i0", "x"), gone).nodes["i0"].removed
    pk = UpdateNode(relation="items", key="i0", values={"best": "i1"})
    assert run(tree, refer("i0", "x"), pk).by_key == frozenset()


def test_json_that_looks_alike_is_no_reference() -> None:
    """Nor is a foreign key to what is in no cluster."""
    values: dict[str, Json] = {"json": {"key": "x"}}
    applied = run(Nodes(saved(1)), UpdateNode(relation="items", key="i0", values=values))
    assert applied.nodes["i0"].fields["json"] == {"key": "x"}
    spec = SPEC.nodes["Item"]
    assert by_pk(spec, {**values, "far": {"key": "i0"}}, saved(1).get) == {
        **values,
        "far": {"key": "i0"},
    }


def test_what_changes_may_refer_to_is_needed() -> None:
    """At every depth."""
    deep = NewNode(children={"items": (NewNode(values={"best": reference_to("b")}),)})
    changes = [
        refer("i0", "a"),
        EditNode(
            relation="items", key="i1", changes=(AddNodes(relation="items", nodes=(deep,)),)
        ),
        ReplaceNodes(relation="items", nodes=(NewNode(values={"best": reference_to("c")}),)),
        SetFields(values={"best": reference_to("d")}),
    ]  # fmt: skip
    assert referred(changes) == {"a", "b", "c", "d"}
    assert needs(changes).keys >= {"a", "b", "c", "d"}


def test_a_log_is_read_as_if_what_is_saved_had_been_saved_then() -> None:
    """But for nodes that hold the key to this day."""
    tree = Nodes(saved(2))
    first = run(tree, added("n"), refer("i0", "n"), refer("i1", "n"), refer("i1", "n", "code"))
    log = [entry(1, first)]
    assert ends(SPEC, log) == {"i0", "i1", "n"}
    now = {**tree.nodes, **first.nodes}
    now["n"] = replace(now["n"], pk=7)
    now["i0"] = replace(now["i0"], fields={**now["i0"].fields, "best": 7})
    [then] = carried(SPEC, log, now.get)
    found = {
        (each.key, name): value
        for each in then.deltas
        if isinstance(each, Updated)
        for name, value in each.after.items()
    }
    assert found == {
        ("i0", "best"): 7,
        ("i1", "best"): {"key": "n"},
        ("i1", "code"): {"key": "n"},
    }
    assert carried(SPEC, log, tree.nodes.get) == log
    assert isinstance(then.deltas[0], Added)
