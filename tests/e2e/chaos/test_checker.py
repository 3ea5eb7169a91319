"""The checker can fail: a record that is as promised, damaged in one way after the other."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from tests.e2e.chaos.checker import SKIP, violations
from tests.e2e.chaos.plan import Kind
from tests.e2e.chaos.record import (
    Acknowledged,
    Delivery,
    Opened,
    Receipt,
    Record,
    Refused,
    Served,
    Subscription,
    Trouble,
)

Damage: TypeAlias = Callable[[Record], object]

LAST = 4


def row(name: str, **more: Any) -> dict[str, Any]:
    """Return a member's row."""
    return {"name": name, "joined": None, "parent": "Band:1", **more}


def band(*members: str) -> dict[str, Any]:
    """Return a band with these members."""
    nodes = [
        {"key": name, "pk": None, "name": name, "position": number}
        for number, name in enumerate(members, start=1)
    ]
    return {"key": "root", "pk": "1", "name": "Wings", "genres": [], "members": nodes, "albums": []}


def added(version: int, name: str) -> dict[str, Any]:
    """Return the event of an edit that adds a member as the next one."""
    change = {
        "kind": "ADDED",
        "key": name,
        "typename": "BandMember",
        "relation": "members",
        "parentKey": "root",
        "fields": [{"name": "name", "before": None, "after": name}],
        "node": {"position": version},
    }
    return {
        "__typename": "DraftEdited",
        "version": version,
        "changeId": f"add {name}",
        "cause": "EDIT",
        "changes": [change],
    }


@pytest.fixture
def record() -> Record:
    """Three members are added, a subscriber comes back once, and all is committed."""
    names = ["ann", "ben", "cat"]
    pks = {"ann": "11", "ben": "12", "cat": "13", "root": "1"}
    keys = [{"key": key, "pk": pk} for key, pk in pks.items()]
    events = [added(version, name) for version, name in enumerate(names, start=1)]
    committed = {
        "__typename": "DraftCommitted",
        "version": LAST,
        "changeId": "save",
        "keys": keys,
        "changes": [],
    }
    saved = {"name": "Wings", "origin": "", "biography": "", "genres": set()}
    snapshot = {
        "__typename": "DraftSnapshot",
        "version": 1,
        "changeId": None,
        "draft": {"cluster": band("ann")},
    }
    return Record(
        seed=0,
        dead_workers={"dead"},
        opened={"d": Opened(draft="d", desk="a", band="1", cluster=band())},
        acknowledged=[
            *(
                Acknowledged(
                    draft="d",
                    change_id=event["changeId"],
                    operation="add",
                    payload={"event": deepcopy(event)},
                    marks=(name,),
                )
                for name, event in zip(names, events, strict=True)
            ),
            Acknowledged(
                draft="d",
                change_id="save",
                operation="commit",
                payload={"keys": keys, "receipt": {"version": 3}},
            ),
        ],
        refused=[
            Refused(
                draft="d",
                change_id="late",
                operation="add",
                errors=("CLOSED: no",),
                is_foreseen=True,
            )
        ],
        troubles=[
            Trouble(what="Edit", worker="alive", codes=("STORE_UNAVAILABLE",)),
            Trouble(what="Edit", worker="dead", lost="ReadError"),
        ],
        subscriptions=[
            Subscription(
                subscriber="s",
                draft="d",
                after=None,
                deliveries=[
                    Delivery(connection=0, after=None, event=snapshot),
                    Delivery(connection=0, after=None, event=deepcopy(events[1])),
                    Delivery(connection=1, after=2, event=deepcopy(events[2])),
                    Delivery(connection=1, after=2, event=deepcopy(committed)),
                ],
            )
        ],
        served={
            "d": Served(
                version=LAST, state="COMMITTED", cluster=band(*names), log=(*events, committed)
            )
        },
        before={"Band:1": saved},
        after={
            "Band:1": {**saved, "genres": set()},
            **{f"BandMember:{pks[name]}": row(name) for name in names},
        },
        order={"Band:1": ["BandMember:11", "BandMember:12", "BandMember:13"]},
        receipts=[
            Receipt(
                draft="d",
                version=3,
                change_id="save",
                policy="FAIL",
                keep_open=False,
                band="1",
                keys=pks,
            )
        ],
    )


def test_a_record_that_is_as_promised_is_left_in_peace(record: Record) -> None:
    """Else every other test here would prove nothing."""
    assert violations(record) == []


def lose(record: Record) -> None:
    """An acknowledged change is nowhere; all else is as if it had never been."""
    served = record.served["d"]
    log = (*served.log[:2], {**served.log[3], "version": 3})
    record.served["d"] = replace(served, log=log, version=3, cluster=band("ann", "ben"))


def repeat(record: Record) -> None:
    """A change is done again, by a retry that is not known as one."""
    served = record.served["d"]
    again = deepcopy(added(4, "cat"))
    again["changes"][0]["key"] = "new:1"
    log = (*served.log[:3], again, {**served.log[3], "version": 5})
    record.served["d"] = replace(served, log=log, version=5)


def double(record: Record) -> None:
    """What is served has a member twice, whatever the log says."""
    record.served["d"].cluster["members"].append({"key": "new:1", "pk": None, "name": "cat"})


def forget(record: Record) -> None:
    """What is served lacks a member, whatever the log says."""
    record.served["d"].cluster["members"].pop()


def invent(record: Record) -> None:
    """There is a change that nobody has made."""
    record.served["d"].log[1]["changeId"] = "add somebody"


def reply_otherwise(record: Record) -> None:
    """An editor was told of another change than was made."""
    record.acknowledged[1].payload["event"]["changes"][0]["key"] = "bob"


def share_a_version(record: Record) -> None:
    """Two editors are told the same version."""
    record.acknowledged[2].payload["event"]["version"] = 2


def skip(record: Record, by: int = SKIP) -> None:
    """From the second event on, versions are so much higher."""
    subscription = record.subscriptions[0]
    events = [each.event for each in subscription.deliveries[1:]]
    events += [each.payload["event"] for each in record.acknowledged[1:3]]
    for event in (*events, *record.served["d"].log[1:]):
        event["version"] += by
    served = record.served["d"]
    record.served["d"] = replace(served, version=LAST + by)
    record.receipts[0] = replace(record.receipts[0], version=3 + by)
    record.acknowledged[3].payload["receipt"]["version"] += by


def restarted(damage: Damage) -> Damage:
    """Redis was restarted, besides."""

    def both(record: Record) -> None:
        record.faults.append(Kind.REDIS_KILLED)
        damage(record)

    return both


def serve_otherwise(record: Record) -> None:
    """The draft is served with another name than it was given."""
    record.served["d"].cluster["name"] = "Wigs"


def disorder(record: Record) -> None:
    """The members are served in another order."""
    record.served["d"].cluster["members"].reverse()


def deliveries(record: Record) -> list[Delivery]:
    """Return what the subscriber was told."""
    return record.subscriptions[0].deliveries


def swap(record: Record) -> None:
    """Two events come in the wrong order."""
    told = deliveries(record)
    told[1], told[2] = told[2], told[1]


def tell_otherwise(record: Record) -> None:
    """A subscriber is told of another change than was made."""
    deliveries(record)[1].event["changes"][0]["fields"][0]["after"] = "Ben"


def begin_without_a_snapshot(record: Record) -> None:
    """A subscriber who asked for a snapshot is told events instead."""
    snapshot = deliveries(record)[0]
    deliveries(record)[0] = replace(snapshot, event=deepcopy(record.served["d"].log[0]))


def show_an_old_draft(record: Record) -> None:
    """A snapshot says that it is of a version, and is not."""
    deliveries(record)[0].event["draft"]["cluster"]["members"].clear()


def post_twice(record: Record) -> None:
    """A commit has a second receipt."""
    record.receipts.append(record.receipts[0])


def save_unasked(record: Record) -> None:
    """There is a receipt of a commit that nobody was told of."""
    record.receipts.append(replace(record.receipts[0], change_id="other"))


def post_otherwise(record: Record) -> None:
    """The receipt names another key than the reply."""
    record.receipts[0].keys["cat"] = "14"


def save_too_little(record: Record) -> None:
    """A change was accepted while a commit was under way, and is not saved."""
    record.receipts[0] = replace(record.receipts[0], version=2)
    record.acknowledged[3].payload["receipt"]["version"] = 2


def overwrite(record: Record) -> None:
    """A commit has put its own name in the place of one that others had saved meanwhile."""
    change: dict[str, Any] = {
        "kind": "UPDATED",
        "key": "root",
        "typename": "Band",
        "relation": None,
        "parentKey": None,
        "fields": [{"name": "name", "before": "Wings", "after": "Mine"}],
        "node": {},
    }
    for event in (
        deliveries(record)[1].event,
        record.acknowledged[1].payload["event"],
        record.served["d"].log[1],
    ):
        event["changes"].append(deepcopy(change))
    record.served["d"].cluster["name"] = "Mine"
    record.before["Band:1"]["name"] = "Theirs"
    record.after["Band:1"]["name"] = "Mine"


CASES: list[tuple[Damage, str]] = [
    (lose, "add cat was acknowledged and is missing"),
    (repeat, "add cat is there 2 times"),
    (double, "cat is there 2 times, and should be 1 times"),
    (forget, "cat is there 0 times, and should be 1 times"),
    (invent, "add somebody is there, and was never acknowledged"),
    (reply_otherwise, "add ben was acknowledged as another event"),
    (share_a_version, "version 2 was given to 2 change sets"),
    (skip, "version 10002 follows 1"),
    (restarted(lambda record: skip(record, by=1)), "version 3 follows 1"),
    (serve_otherwise, "d: root is served as"),
    (disorder, "d: ('root', 'members') is served in the order"),
    (lambda record: deliveries(record).pop(1), "was not told of [2], before 3"),
    (lambda record: deliveries(record).insert(2, deliveries(record)[1]), "got version 2 again"),
    (swap, "got version 2 again or late, behind 3"),
    (lambda record: deliveries(record).pop(), "has seen version 3 last"),
    (lambda record: deliveries(record).clear(), "has seen version -1 last"),
    (lambda record: deliveries(record).append(deliveries(record)[0]), "snapshot of version 1"),
    (tell_otherwise, "was told something else of version 2"),
    (begin_without_a_snapshot, "began with version 1 and without a snapshot"),
    (show_an_old_draft, "s of d: ann is served as"),
    (lambda record: record.receipts.clear(), "save was acknowledged, and has 0 receipts"),
    (post_twice, "save was acknowledged, and has 2 receipts"),
    (save_unasked, "other has a receipt, and was never acknowledged"),
    (post_otherwise, "its reply and its receipt are not the same"),
    (lambda record: record.after.pop("BandMember:12"), "BandMember:12 is saved as None"),
    (lambda record: record.after.update({"BandMember:14": row("cat")}), "BandMember:14 is saved"),
    (lambda record: record.after["Band:1"].update(name="Wigs"), "Band:1 is saved as"),
    (lambda record: record.order["Band:1"].reverse(), "Band:1 has ['BandMember:13'"),
    (save_too_little, "save has saved version 2, and does not follow it"),
    (overwrite, "save overwrote name of Band:1"),
    (lambda record: record.unanswered.append("add dan"), "never answered: add dan"),
    (lambda record: record.logged.append("ERROR"), "logged: ERROR"),
]


@pytest.mark.parametrize(("damage", "told"), CASES)
def test_what_is_not_as_promised_is_told(record: Record, damage: Damage, told: str) -> None:
    """Each rule has a record that breaks it."""
    damage(record)
    assert [each for each in violations(record) if told in each]


def test_versions_may_skip_ahead_where_redis_was_restarted(record: Record) -> None:
    """Once a restart, and by so much that no number is used twice."""
    restarted(skip)(record)
    assert violations(record) == []


def test_errors_that_clients_can_not_act_on_are_told(record: Record) -> None:
    """An untyped one, a refusal that nothing explains, a line that broke by itself."""
    refused = record.refused[0]
    record.refused.append(replace(refused, errors=("NOT_FOUND: no",), is_foreseen=False))
    record.troubles.append(Trouble(what="Undo", worker="alive", codes=("INTERNAL",)))
    record.troubles.append(Trouble(what="Watch", worker="alive", lost="it was completed"))
    record.troubles.append(replace(record.troubles[0], is_late=True))
    assert violations(record) == [
        "late was refused: ('NOT_FOUND: no',)",
        "Undo came to nothing: ('INTERNAL',)",
        "Watch was lost, and the worker was alive: it was completed",
        "Edit came to nothing, and nothing was away: ('STORE_UNAVAILABLE',)",
    ]
