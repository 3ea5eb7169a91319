"""References by key under random edits, on two workers, against a plain dictionary of them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gql_cluster.domain.change import (
    AddNodes,
    Change,
    EditNode,
    NewNode,
    RemoveNodes,
    UpdateNode,
)
from gql_cluster.domain.error import InvalidChangeError
from gql_cluster.domain.reference import reference_to
from gql_cluster.orm.codec import defaults
from gql_cluster.orm.describe import describe
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.dry_run import draft_errors
from gql_cluster.service.edit import edit
from gql_cluster.service.engine import Engine
from gql_cluster.service.open import open_saved
from gql_cluster.service.read import draft_changes, get_draft
from gql_cluster.service.revert import revert
from gql_cluster.service.undo import redo, undo
from gql_cluster.service.view import View
from tests.clusters.records import Record, Side, Track

RECORD = describe(Record)
ANN = Caller(session="ann")
DEFAULTS = defaults(Track)
NOW: Mapping[str, Any] = {"expected_version": None, "change_id": None}


@dataclass(slots=True)
class Plain:
    """The tracks of each side by title, and what each covers, alive or not."""

    sides: dict[str, list[str]] = field(default_factory=dict)
    covers: dict[str, str | None] = field(default_factory=dict)

    def alive(self) -> set[str]:
        """Return the titles of the tracks that are there."""
        return {title for titles in self.sides.values() for title in titles}

    def shown(self) -> dict[str, str | None]:
        """Return what each track that is there is shown to cover."""
        here = self.alive()
        return {t: (c if c in here else None) for t, c in self.covers.items() if t in here}

    def lost(self) -> set[str]:
        """Return the tracks that cover one that is not there any more."""
        here = self.alive()
        return {t for t, c in self.covers.items() if t in here and c is not None and c not in here}


@dataclass(slots=True)
class Both:
    """A draft at two workers, and the plain state that it has to be, with those before."""

    engines: Sequence[Engine]
    draft: str
    pk: int
    sides: Sequence[str]
    keys: dict[str, str]
    now: Plain
    undone: list[Plain] = field(default_factory=list)
    redone: list[Plain] = field(default_factory=list)
    versions: dict[int, Plain] = field(default_factory=dict)
    names: Iterator[int] = field(default_factory=lambda: count(2))

    async def stage(self, engine: Engine, *changes: Change) -> int:
        """Stage changes; return the version that they make."""
        found = await edit(engine, ANN, RECORD, self.draft, changes, **NOW)
        return found.view.draft.version

    async def run(self, name: str, one: int, two: int) -> None:
        """Take one step."""
        engine = self.engines[one % 2]
        then = copy.deepcopy(self.now)
        titles = sorted(self.keys)
        title, other = titles[one % len(titles)], titles[two % len(titles)]
        if name == "add":
            await self.add(engine, one, other)
        elif name == "refer":
            await self.refer(engine, title, other)
        elif name == "remove":
            await self.remove(engine, title)
        elif name == "undo" and self.undone:
            await undo(engine, ANN, self.draft, **NOW)
            self.redone.append(then)
            self.now = self.undone.pop()
        elif name == "redo" and self.redone:
            await redo(engine, ANN, self.draft, **NOW)
            self.undone.append(then)
            self.now = self.redone.pop()
        elif name == "revert":
            version = sorted(self.versions)[two % len(self.versions)]
            await revert(engine, ANN, self.draft, version, **NOW)
            self.now = copy.deepcopy(self.versions[version])
            self.did(then)
        elif name == "commit":
            await self.commit(engine, keep_open=True)
        await self.check()

    def did(self, then: Plain) -> None:
        """Note that something was staged on top of a state: what changes nothing is not undone."""
        if self.now != then:
            self.undone.append(then)
            self.redone = []

    async def add(self, engine: Engine, side: int, other: str) -> None:
        """Add a track that covers another, which may not be there."""
        title, then = f"t{next(self.names)}", copy.deepcopy(self.now)
        at = self.sides[side % 2]
        new = NewNode(
            key=title,
            values={"title": title, "cover_of": reference_to(self.keys[other])},
            defaults=DEFAULTS,
        )
        change = EditNode(
            relation="sides", key=at, changes=(AddNodes(relation="tracks", nodes=(new,)),)
        )
        if other not in self.now.alive():
            with pytest.raises(InvalidChangeError):
                await self.stage(engine, change)
            return
        await self.stage(engine, change)
        self.keys[title] = title
        self.now.sides[at].append(title)
        self.now.covers[title] = other
        self.did(then)

    async def refer(self, engine: Engine, title: str, other: str) -> None:
        """Let a track cover another."""
        if title == other:
            return  # the model refuses that
        then, at = copy.deepcopy(self.now), self.side_of(title)
        update = UpdateNode(
            relation="tracks",
            key=self.keys[title],
            values={"cover_of": reference_to(self.keys[other])},
        )
        change = EditNode(relation="sides", key=at or self.sides[0], changes=(update,))
        if at is None or other not in self.now.alive():
            with pytest.raises(InvalidChangeError):
                await self.stage(engine, change)
            return
        await self.stage(engine, change)
        self.now.covers[title] = other
        self.did(then)

    async def remove(self, engine: Engine, title: str) -> None:
        """Remove a track."""
        then, at = copy.deepcopy(self.now), self.side_of(title)
        if at is None:
            return
        gone = RemoveNodes(relation="tracks", keys=(self.keys[title],))
        await self.stage(engine, EditNode(relation="sides", key=at, changes=(gone,)))
        self.now.sides[at].remove(title)
        self.did(then)

    def side_of(self, title: str) -> str | None:
        """Return the side that a track is on."""
        return next((key for key, titles in self.now.sides.items() if title in titles), None)

    async def commit(self, engine: Engine, *, keep_open: bool) -> None:
        """Commit what is valid; what is saved is what is shown."""
        view = await get_draft(engine, ANN, self.draft)
        wrong = {(each.key, each.field) for each in await draft_errors(engine, view)}
        # What is saved already and removed in the draft is still there for the database to tell.
        assert {key for key, _ in wrong} <= {self.keys[title] for title in self.now.lost()}
        assert {name for _, name in wrong} <= {"cover_of"}
        if wrong:
            return
        await commit(engine, ANN, RECORD, self.draft, keep_open=keep_open, **NOW)
        tracks = Track.objects.filter(side__record__pk=self.pk)
        rows = tracks.values_list("title", "cover_of__title")
        found: dict[str, str | None] = {title: cover async for title, cover in rows}
        assert found == self.now.shown()
        # Behind it, undoing depends on what was deleted; that is for other tests.
        self.now.covers = found
        self.undone, self.redone, self.versions = [], [], {}
        self.keys = {title: self.keys[title] for title in self.now.alive()}

    async def check(self) -> None:
        """See that both workers, and one that knows nothing, show what is expected."""
        seen = []
        for engine in (*self.engines, fresh := Engine({"Record": RECORD})):
            view = await get_draft(engine, ANN, self.draft)
            seen.append(await shown(view))
            assert {repr(each) for each in await draft_changes(engine, view)} == {
                repr(each) for each in await draft_changes(self.engines[0], view)
            }
        await fresh.aclose()
        assert seen == [self.now.shown()] * 3
        self.versions[view.draft.version] = copy.deepcopy(self.now)


async def shown(view: View) -> dict[str, str | None]:
    """Return what each track of a draft covers, by title, as the model's own code sees it."""
    nodes = [node for node in await view.load_all() if node.type == "Track"]
    instances: list[Any] = [view.instance(node) for node in nodes]

    def read() -> dict[str, str | None]:
        return {
            # What has been removed is still in the database, if it was saved.
            each.title: each.cover_of.title if each.cover_of in instances else None
            for each in instances
        }

    return await sync_to_async(read)()


def make_record() -> Record:
    """Save a record with two sides, and a track on each that covers the other."""
    record = Record.objects.create(title="R")
    a, b = (Side.objects.create(record=record, name=name) for name in "AB")
    one = Track.objects.create(side=a, title="t0", position=1)
    two = Track.objects.create(side=b, title="t1", position=1, cover_of=one)
    one.cover_of = two
    one.save()
    return record


KINDS = ["add", "add", "refer", "refer", "remove", "undo", "redo", "revert", "commit"]
STEP = st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(0, 9))


@settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, max_size=12))
@example(steps=[("add", 0, 0), ("refer", 0, 2), ("commit", 0, 0), ("remove", 2, 0), ("undo", 1, 0)])
@example(steps=[("add", 1, 1), ("refer", 0, 2), ("remove", 2, 0), ("commit", 0, 0), ("undo", 0, 0)])
@pytest.mark.usefixtures("transactional_db")
async def test_references_are_what_a_dictionary_of_them_comes_to(
    steps: list[tuple[str, int, int]],
) -> None:
    """At every version, at any worker, and in the database after each commit."""
    engines = Engine({"Record": RECORD}), Engine({"Record": RECORD})
    try:
        record = await sync_to_async(make_record)()
        view = await open_saved(engines[0], ANN, RECORD, str(record.pk), resume=False)
        nodes = await view.load_all()
        sides = [node.key for node in nodes if node.type == "Side"]
        keys = {str(n.fields["title"]): n.key for n in nodes if n.type == "Track"}
        now = Plain(
            sides={key: [f"t{number}"] for number, key in enumerate(sides)},
            covers={"t0": "t1", "t1": "t0"},
        )
        both = Both(engines, view.draft.id, record.pk, sides, keys, now)
        await both.check()
        for step in steps:
            if both.now.alive() or step[0] in {"undo", "redo", "revert", "commit"}:
                await both.run(*step)
        if not both.now.lost():
            await both.commit(engines[1], keep_open=False)
    finally:
        for engine in engines:
            await engine.aclose()
