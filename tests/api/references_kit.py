"""What the tests of references build on: a schema of records, and what is done to their drafts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.api.schema_kit import Client

ERRORS = "errors { code message key field path change }"
EVENT = (
    "event { ... on DraftEdited { changes { kind key fields { name before after } } }"
    " ... on DraftCommitted { keys { key pk } changes { kind key fields { name before after } } } }"
)
TRACK = "key pk title coverOf { key pk title }"
FIELDS = (
    "pk title single { key title } twin { key title }"
    " credits { key name track { key title } heir { key name } }"
    f" sides {{ key name opener {{ key title }} tracks {{ {TRACK}"
    " themeOf { key title } sameAs { key } sample { key } } }"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Drafts of one cluster, each reply with `fields` of it."""

    client: Client
    cluster: str = "Record"
    fields: str = FIELDS

    async def open(self, **arguments: Any) -> Any:
        """Open a draft and return the payload's draft."""
        it = await self.ask(
            "openXDraft(pk: $pk, data: $data, copyOf: $copyOf)",
            "$pk: ID, $data: XInput, $copyOf: ID",
            **arguments,
        )
        assert it["errors"] == [], it["errors"]
        return it["draft"]

    async def edit(self, draft: str, *changes: object) -> Any:
        """Stage changes and return the payload."""
        return await self.ask(
            "editXDraft(draft: $draft, changes: $changes)",
            "$draft: ID!, $changes: [XChange!]!",
            EVENT,
            draft=draft,
            changes=list(changes),
        )

    async def edited(self, draft: str, *changes: object) -> Any:
        """Stage changes that are accepted, and return the cluster."""
        it = await self.edit(draft, *changes)
        assert it["errors"] == [], it["errors"]
        return it["draft"]["cluster"]

    async def refused(self, draft: str, *changes: object) -> Any:
        """Stage a change set that is refused, and return the one error; nothing is staged."""
        before = await self.draft(draft)
        it = await self.edit(draft, *changes)
        [error] = it["errors"]
        assert await self.draft(draft) == before
        return error

    async def draft(self, draft: str) -> Any:
        """Return the draft as it is."""
        data = await self.client.data(
            "query($id: ID!) { it: draft(id: $id) { ... on XDraft {"
            " id version isDirty json cluster { %s }"
            " changes { kind key fields { name before after } }"
            " errors { code message key field path } } } }".replace("%s", self.fields).replace(
                "XDraft", f"{self.cluster}Draft"
            ),
            id=draft,
        )
        return data["it"]

    async def wrong(self, draft: str) -> list[tuple[str, str]]:
        """Return key and field of what a commit refuses; the dry run tells the same."""
        told = (await self.draft(draft))["errors"]
        it = await self.commit(draft, is_refused=True)
        assert it["draft"] is None
        errors = [{name: each[name] for name in told[0]} for each in it["errors"]]
        assert errors == told
        assert {each["code"] for each in told} == {"VALIDATION_FAILED"}
        return [(each["key"], each["field"]) for each in told]

    async def commit(
        self, draft: str, *, keep_open: bool = False, is_refused: bool = False, **more: Any
    ) -> Any:
        """Commit and return the payload."""
        it = await self.ask(
            "commitXDraft(draft: $draft, keepOpen: $keepOpen, onConflict: $onConflict)",
            "$draft: ID!, $keepOpen: Boolean!, $onConflict: ConflictPolicy",
            f"cluster {{ {self.fields} }} keys {{ key pk }}",
            draft=draft,
            keepOpen=keep_open,
            **more,
        )
        assert bool(it["errors"]) is is_refused, it["errors"]
        return it

    async def undo(self, draft: str, verb: str = "undo") -> Any:
        """Undo or redo, and return the cluster."""
        it = await self._any(f"{verb}Draft(draft: $draft)", "", draft=draft)
        assert it["kept"] == []
        return it["draft"]["cluster"]

    async def revert(self, draft: str, version: int) -> Any:
        """Revert to a version, and return the cluster."""
        query = "revertDraft(draft: $draft, version: $version)"
        return (await self._any(query, ", $version: Int!", draft=draft, version=version))["draft"][
            "cluster"
        ]

    async def reset(self, draft: str, *keys: str, fields: list[str] | None = None) -> Any:
        """Give nodes back their base state, and return the cluster."""
        query = "resetNodes(draft: $draft, keys: $keys, fields: $fields)"
        takes = ", $keys: [ID!]!, $fields: [String!]"
        return (await self._any(query, takes, draft=draft, keys=list(keys), fields=fields))[
            "draft"
        ]["cluster"]

    async def rebase(self, draft: str) -> Any:
        """Bring what is saved into the draft, and return the cluster."""
        return (await self._any("rebaseDraft(draft: $draft)", "", draft=draft))["draft"]["cluster"]

    async def history(self, draft: str) -> Any:
        """Return what each version did, and the draft at it."""
        data = await self.client.data(
            "query($id: ID!) { it: draft(id: $id) { history { version ... on DraftEdited {"
            " changes { kind key fields { name before after } node { ... on Track { %s } } } }"
            " ... on DraftCommitted { changes { kind key fields { name before after }"
            " node { ... on Track { %s } } } } } } }".replace("%s", TRACK),
            id=draft,
        )
        return data["it"]["history"]

    async def _any(self, call: str, takes: str, **arguments: Any) -> Any:
        query = (
            f"mutation($draft: ID!{takes}) {{ it: {call} {{ draft {{ id version"
            f" ... on {self.cluster}Draft {{ cluster {{ {self.fields} }} }} }}"
            f" {'kept { key }' if takes == '' and 'rebase' not in call else ''} {ERRORS} }} }}"
        )
        it = (await self.client.data(query, **arguments))["it"]
        assert it["errors"] == [], it["errors"]
        return it

    async def ask(self, call: str, takes: str, more: str = "", **arguments: Any) -> Any:
        """Send a mutation of the cluster, and return its payload."""
        draft = f"draft {{ id version cluster {{ {self.fields} }} }}"
        query = f"mutation({takes}) {{ it: {call} {{ {draft} {more} {ERRORS} }} }}"
        for name in ("XDraft", "XInput", "XChange"):
            query = query.replace(name, name.replace("X", self.cluster))
        return (await self.client.data(query, **arguments))["it"]

    def counted(self, draft: str, *changes: object) -> list[str]:
        """Return the queries of an edit, or of a commit without changes; to be run in a thread."""
        with CaptureQueriesContext(connection) as queries:
            if changes:
                async_to_sync(self.edit)(draft, *changes)
            else:
                async_to_sync(self.client.data)(
                    f"mutation($draft: ID!) {{ commit{self.cluster}Draft(draft: $draft)"
                    " { errors { code } } }",
                    draft=draft,
                )
        return [each["sql"] for each in queries.captured_queries]


def side(key: str, *changes: object) -> dict[str, Any]:
    """Return a change within a side."""
    return {"sides": {"edit": {"key": key, "changes": list(changes)}}}


def set_track(key: str, at: str = "a", **values: object) -> dict[str, Any]:
    """Return a change of a track of a side."""
    return side(at, {"tracks": {"update": {"key": key, "set": values}}})


def add_track(key: str, at: str = "a", **values: object) -> dict[str, Any]:
    """Return a change that adds a track to a side."""
    return side(at, {"tracks": {"add": [{"key": key, "title": key.title(), **values}]}})


def remove_track(key: str, at: str = "a") -> dict[str, Any]:
    """Return a change that removes a track of a side."""
    return side(at, {"tracks": {"remove": [key]}})


def tracks(cluster: Any) -> dict[str, Any]:
    """Return the tracks of a cluster by their keys; where it is saved, by what tests call them."""
    found = [each for one in cluster["sides"] for each in one["tracks"]]
    return {each["key"] or each["title"].lower(): each for each in found}


def covers(cluster: Any) -> dict[str, str | None]:
    """Return which track covers which, by title."""
    return {
        each["title"]: each["coverOf"] and each["coverOf"]["title"]
        for each in tracks(cluster).values()
    }
