"""The rules: what has to hold of every round, judged by its record alone.

1. No acknowledged change is missing from its draft, and none is there twice.
2. The events of a draft, replayed in order over what was opened, are the draft as served.
3. Each subscriber got each event once and in order; a snapshot stands for what was before it.
4. The database is what the commits come to, one after the other: see `ledger`.
5. Everything was answered in the end, and errors were such as clients can act on.

Versions are consecutive. Only where Redis was restarted may they skip ahead, by `SKIP` at least:
it may have come back with older data, and no number is ever used twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from tests.e2e.chaos.following import MISFIT, Follower, differences
from tests.e2e.chaos.ledger import check_database
from tests.e2e.chaos.plan import Kind
from tests.e2e.chaos.record import Acknowledged, Record, Served, Subscription

SKIP = 10_000
RETRY = frozenset({"STORE_UNAVAILABLE", "DATABASE_UNAVAILABLE"})


def violations(record: Record) -> list[str]:
    """Return everything in which a round was not as promised."""
    return [
        *check_acknowledged(record),
        *check_versions(record),
        *check_replay(record),
        *check_subscribers(record),
        *check_database(record),
        *check_answers(record),
    ]


def check_acknowledged(record: Record) -> Iterator[str]:
    """Rule 1, by the logs and by the names that are in the drafts."""
    by_draft: defaultdict[str, list[Acknowledged]] = defaultdict(list)
    for done in record.acknowledged:
        by_draft[done.draft].append(done)
    for draft, served in record.served.items():
        known = {each.change_id for each in by_draft[draft]}
        logged = Counter(event["changeId"] for event in served.log)
        for change_id, count in logged.items():
            if count > 1:
                yield f"{draft}: {change_id} is there {count} times"
            if change_id not in known:
                yield f"{draft}: {change_id} is there, and was never acknowledged"
        for done in by_draft[draft]:
            yield from _check_kept(done, served)
        yield from _check_marks(draft, by_draft[draft], served)


def _check_kept(done: Acknowledged, served: Served) -> Iterator[str]:
    found = [event for event in served.log if event["changeId"] == done.change_id]
    if not found:
        yield f"{done.draft}: {done.change_id} was acknowledged and is missing"
    elif done.event is not None and done.event != found[0]:
        yield f"{done.draft}: {done.change_id} was acknowledged as another event than is kept"


def _check_marks(draft: str, done: list[Acknowledged], served: Served) -> Iterator[str]:
    """Each name that was added is there once, unless the last that was said of it is its end."""
    last: dict[str, tuple[int, bool]] = {}
    for each in done:
        for change in (each.event or {}).get("changes", ()):
            if change["kind"] in {"ADDED", "REMOVED"}:
                told = (each.event or {})["version"], change["kind"] == "ADDED"
                for name in _names_in(change, told[1]):
                    last[name] = max(last.get(name, told), told)
    there = Counter(_names(served.cluster))
    for mark in (mark for each in done for mark in each.marks):
        count, wanted = there[mark], int(last.get(mark, (0, True))[1])
        if count != wanted:
            yield f"{draft}: {mark} is there {count} times, and should be {wanted} times"


def _names_in(change: dict[str, Any], is_added: bool) -> list[str]:  # noqa: FBT001 - one caller
    side = "after" if is_added else "before"
    return [each[side] for each in change["fields"] if each["name"] in {"name", "title"}]


def _names(cluster: dict[str, Any]) -> Iterator[str]:
    yield from (member["name"] for member in cluster["members"])
    for album in cluster["albums"]:
        yield from (song["title"] for song in album["songs"])


def check_versions(record: Record) -> Iterator[str]:
    """The numbers of a draft's events, as replied and as logged."""
    restarts = record.count(Kind.REDIS_KILLED)
    for draft, served in record.served.items():
        versions = [event["version"] for event in served.log]
        skips = 0
        for before, after in pairwise([0, *versions]):
            if after == before + 1:
                continue
            skips += 1
            if not restarts or after < before + SKIP:
                yield f"{draft}: version {after} follows {before}"
        if skips > restarts:
            yield f"{draft}: {skips} skips of versions, and Redis was restarted {restarts} times"
        if (versions or [0])[-1] != served.version:
            yield f"{draft}: it is at version {served.version}, and its log at {versions[-1:]}"
    replied = Counter(
        (done.draft, done.event["version"]) for done in record.acknowledged if done.event
    )
    for (draft, version), count in replied.items():
        if count > 1:
            yield f"{draft}: version {version} was given to {count} change sets"


def check_replay(record: Record) -> Iterator[str]:
    """Rule 2."""
    for draft, served in record.served.items():
        yield from _replay(draft, record.opened[draft].cluster, served.log, served.cluster)


def check_subscribers(record: Record) -> Iterator[str]:
    """Rule 3."""
    for subscription in record.subscriptions:
        name = f"{subscription.subscriber} of {subscription.draft}"
        served = record.served[subscription.draft]
        yield from (f"{name} {problem}" for problem in _check_order(subscription, served))
        yield from _check_view(name, subscription, record)


def _check_order(subscription: Subscription, served: Served) -> Iterator[str]:
    log = {event["version"]: event for event in served.log}
    versions = list(log)
    seen = -1 if subscription.after is None else subscription.after
    for delivery in subscription.deliveries:
        event, version = delivery.event, delivery.event["version"]
        if event["__typename"] == "DraftSnapshot":
            if version < seen:
                yield f"got a snapshot of version {version} behind {seen}"
        elif seen < 0:
            yield f"began with version {version} and without a snapshot"
        elif version <= seen:
            yield f"got version {version} again or late, behind {seen}"
        else:
            left_out = [each for each in versions if seen < each < version]
            if left_out:
                yield f"was not told of {left_out}, before {version}"
            if log.get(version) != event:
                yield f"was told something else of version {version} than is kept"
        seen = version
    if seen != served.version:
        yield f"has seen version {seen} last, and the draft is at {served.version}"


def _check_view(name: str, subscription: Subscription, record: Record) -> Iterator[str]:
    """What a subscriber makes of what it was told is the draft."""
    served = record.served[subscription.draft]
    cluster = record.opened[subscription.draft].cluster
    events: list[dict[str, Any]] = []
    for delivery in subscription.deliveries:
        if delivery.event["__typename"] == "DraftSnapshot":
            cluster = delivery.event["draft"]["cluster"]
            events.clear()
        else:
            events.append(delivery.event)
    yield from _replay(name, cluster, events, served.cluster)


def _replay(name: str, cluster: Any, log: Iterable[Any], served: Any) -> Iterator[str]:
    follower, version = Follower(cluster), None
    try:
        for event in follower.follow(log):
            version = event["version"]
    except MISFIT as exc:
        yield f"{name}: what follows version {version} does not fit: {exc!r}"
        return
    for difference in differences(follower, served):
        yield f"{name}: {difference}"


def check_answers(record: Record) -> Iterator[str]:
    """Rule 5."""
    yield from (f"never answered: {each}" for each in record.unanswered)
    yield from (f"logged: {line}" for line in record.logged)
    for refused in record.refused:
        if not refused.is_foreseen:
            yield f"{refused.change_id} was refused: {refused.errors}"
    for trouble in record.troubles:
        if not RETRY.issuperset(trouble.codes):
            yield f"{trouble.what} came to nothing: {trouble.codes}"
        elif trouble.is_late:
            yield f"{trouble.what} came to nothing, and nothing was away: {trouble.codes}"
        if trouble.lost and trouble.worker not in record.dead_workers:
            yield f"{trouble.what} was lost, and the worker was alive: {trouble.lost}"
