"""What the tests of the mirror build on: a band, a draft of it, a schema that serves both."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import strawberry
from asgiref.sync import async_to_sync
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from strawberry.tools import create_type
from strawberry_django.optimizer import DjangoOptimizerExtension

from gql_cluster.api.registry import Registry
from gql_cluster.api.saved import saved_fields
from gql_cluster.domain.apply import apply
from gql_cluster.domain.change import Change
from gql_cluster.domain.copy import Copy, Snapshot
from gql_cluster.domain.draft import Cause, Draft, DraftState, Entry
from gql_cluster.domain.needs import needs
from gql_cluster.domain.node import Node
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Siblings, Want
from gql_cluster.orm.describe import Cluster, describe
from gql_cluster.orm.load import load
from gql_cluster.service.view import View
from schema.bands.models import Album, Band, BandMember, Genre, Song

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
DRAFT_ID = "d1"


def make_band() -> Band:
    """Save a band whose values tell orders, cases and nulls apart."""
    band = Band.objects.create(name="Die Ärzte", status="active", formed=1982)
    people = [
        ("Farin Urlaub", "guitar", 1982, None),
        ("bela B.", "drums", 1982, None),
        ("Sahnie", "bass", 1982, 1986),
        ("Rodrigo González", "bass", 1993, None),
        ("the Ärzte-Gast", "other", None, None),
    ]
    BandMember.objects.bulk_create(
        BandMember(
            band=band, name=name, instrument=instrument, joined=joined, left=left, position=place
        )
        for place, (name, instrument, joined, left) in enumerate(people, start=1)
    )
    albums = [
        ("Debil", dt.date(1984, 1, 1), "CBS"),
        ("13", dt.date(1998, 5, 1), ""),
        ("Planet Punk", dt.date(1995, 9, 18), "Metronome"),
        ("Le Frisur", dt.date(1996, 5, 1), "Metronome"),
    ]
    for title, released, label in albums:
        album = Album.objects.create(band=band, title=title, released=released, label=label)
        Song.objects.bulk_create(
            Song(
                album=album,
                title=f"{title} {number}",
                position=number,
                duration=dt.timedelta(seconds=90 * number) if number != 2 else None,
            )
            for number in range(1, 4)
        )
    genres = [Genre.objects.create(name=name) for name in ("Punk", "Pop", "Schlager")]
    band.genres.set([genres[0], genres[2]])
    band.save()
    return band


@dataclass(frozen=True, kw_only=True)
class Draftable:
    """A draft in memory, and what of it is not loaded yet."""

    cluster: Cluster
    copy: Copy
    nodes: Mapping[str, Node]
    relations: Mapping[tuple[str, str], Siblings]
    loads: list[Want]

    def view(self) -> View:
        """Return a view of now."""
        return View(self.cluster, self.copy, self.load)

    async def load(self, want: Want) -> Copy:
        """Bring what is wanted into the copy, as a store would."""
        self.loads.append(want)
        relations = {place: self.relations[place] for place in (*want.relations, *want.families)}
        keys = {key for place in want.families for _, key in relations[place]} | want.keys
        self.copy.learn({key: self.nodes.get(key) for key in keys}, relations, size=0)
        return self.copy

    def stage(self, *changes: Change) -> None:
        """Apply changes as the next version."""
        keys = count(1)
        header = self.copy.draft
        self.copy.learn(dict.fromkeys(needs(changes).keys), {}, size=0)  # what is there, stays
        applied = apply(
            self.cluster.spec,
            Snapshot(self.copy),
            changes,
            version=header.version + 1,
            tail=header.tail,
            new_key=lambda: f"new:{header.version}:{next(keys)}",
        )
        header = replace(header, version=header.version + 1, tail=applied.tail)
        entry = Entry(
            version=header.version,
            previous=header.version - 1,
            at=NOW,
            session="s",
            change_id=None,
            cause=Cause.EDIT,
            deltas=applied.deltas,
        )
        self.copy.advance(entry, header)


def draft_of(root: Model, *changes: Change, loaded: bool = True) -> Draftable:
    """Open a draft of a saved cluster, loaded whole or the root alone, and stage changes."""
    cluster = describe(type(root))
    nodes = load(cluster, root.pk) or []
    header = Draft(
        id=DRAFT_ID,
        cluster=cluster.name,
        pk=root.pk,
        owner="s",
        state=DraftState.OPEN,
        version=0,
        tail=0,
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW,
    )
    copy = Copy(header)
    by_key = {node.key: node for node in nodes}
    relations = _relations(cluster, nodes)
    if loaded:
        copy.learn(by_key, relations, size=0)
    else:
        copy.learn({ROOT_KEY: by_key[ROOT_KEY]}, {}, size=0)
    draft = Draftable(cluster=cluster, copy=copy, nodes=by_key, relations=relations, loads=[])
    if changes:
        draft.stage(*changes)
    return draft


def _relations(cluster: Cluster, nodes: Sequence[Node]) -> Mapping[tuple[str, str], Siblings]:
    relations: dict[tuple[str, str], Siblings] = {
        (node.key, name): [] for node in nodes for name in cluster.spec.nodes[node.type].relations
    }
    for node in nodes:
        if node.parent is not None and node.relation is not None:
            relations[node.parent, node.relation].append((node.rank, node.key))
    for siblings in relations.values():
        siblings.sort()
    return relations


def make_schema(*clusters: Any, optimized: bool = True) -> strawberry.Schema:
    """Return a schema: the saved fields, and `draftBand` and `draftNode` of the context's view."""
    registry = Registry(clusters)
    fields = []
    for cluster in registry.clusters.values():
        saved = saved_fields(registry, cluster)
        for name, field in saved.items():
            field.python_name = name
            fields.append(field)
        root = strawberry.field(resolver=_root, graphql_type=registry.type_of(cluster.model))
        root.python_name = f"draft_{next(iter(saved))}"
        fields.append(root)
    node: Any = strawberry.field(resolver=_node, graphql_type=strawberry.relay.Node)
    node.python_name = "draft_node"
    return strawberry.Schema(
        create_type("Query", [*fields, node]),
        types=registry.types,
        extensions=[DjangoOptimizerExtension] if optimized else [],
    )


def _root(info: strawberry.Info) -> Any:
    view: View = info.context["view"]
    root = view.snapshot.node(ROOT_KEY)
    return None if root is None else view.instance(root)


async def _node(info: strawberry.Info, key: str) -> Any:
    view: View = info.context["view"]
    node = await view.load_line(key)
    return None if node is None else view.instance(node)


def run(schema: strawberry.Schema, query: str, view: View | None = None, **variables: Any) -> Any:
    """Return the data of a query; errors are none."""
    result = execute(schema, query, view, **variables)
    assert result.errors is None, result.errors
    return result.data


def execute(
    schema: strawberry.Schema, query: str, view: View | None = None, **variables: Any
) -> Any:
    """Return the result of a query, run as a server does, in an event loop."""
    return async_to_sync(schema.execute)(
        query, variable_values=variables, context_value={"view": view}
    )


def both(schema: strawberry.Schema, root: Model, fields: str) -> tuple[Any, Any]:
    """Return the same fields of a saved cluster and of an unchanged draft of it."""
    name = type(root).__name__
    one = name[:1].lower() + name[1:]
    saved = run(schema, f"{{ it: {one}(pk: {root.pk}) {{ {fields} }} }}")
    view = draft_of(root).view()
    drafted = run(schema, f"{{ it: draft{name} {{ {fields} }} }}", view)
    return saved["it"], drafted["it"]


@contextmanager
def queries() -> Iterator[CaptureQueriesContext]:
    """Count the queries of a block."""
    with CaptureQueriesContext(connection) as captured:
        yield captured
