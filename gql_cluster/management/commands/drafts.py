"""`manage.py drafts`: what is being edited, by whom, and how to get it out or to end it."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from gql_cluster.api.ids import DraftId, parse
from gql_cluster.api.registry import served_clusters
from gql_cluster.domain.draft import Draft, DraftState
from gql_cluster.domain.error import ClusterError
from gql_cluster.service.custody import Chosen, Expiry, any_view, each_draft, expire, header
from gql_cluster.service.engine import Engine
from gql_cluster.service.export import export

_SPAN = re.compile(r"(\d+)([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLUMNS = ("id", "cluster", "pk", "state", "version", "session", "updated", "expires")


class Command(BaseCommand):
    """Lists, shows, exports and expires drafts, whoever they belong to.

    It asks Redis a page at a time and holds up nobody. It fails, with 1, where something was asked
    for that can't be done; then nothing else was done either, except where it says so.
    """

    help = "List, show, export or expire drafts."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take an action, and what it is about."""
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="One line a draft, in no order.")
        _add_choice(listing)
        listing.add_argument("--json", action="store_true", help="One JSON object a line.")
        show = actions.add_parser("show", help="All that is known of one, as JSON.")
        show.add_argument("id")
        exporting = actions.add_parser("export", help="One whole, as Draft.json gives it.")
        exporting.add_argument("id")
        ending = actions.add_parser(
            "expire", help="Forget drafts at once; what was staged in them is lost."
        )
        ending.add_argument("id", nargs="*")
        _add_choice(ending)
        ending.add_argument("--all", action="store_true", help="Every draft that there is.")
        ending.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do what is asked for."""
        work: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
            "list": self._list,
            "show": self._show,
            "export": self._export,
            "expire": self._expire,
        }
        try:
            asyncio.run(self._run(work[options["action"]], options))
        except ClusterError as exc:
            raise CommandError(str(exc)) from exc

    async def _run(
        self, work: Callable[..., Coroutine[Any, Any, None]], options: dict[str, Any]
    ) -> None:
        engine = Engine(served_clusters())
        try:
            await work(engine, options)
        finally:
            await engine.aclose()

    async def _list(self, engine: Engine, options: dict[str, Any]) -> None:
        is_json = options["json"]
        if not is_json:
            self.stdout.write("\t".join(_COLUMNS))
        async for draft in each_draft(engine, _chosen(options)):
            row = _row(engine, draft)
            self.stdout.write(json.dumps(row) if is_json else "\t".join(map(str, row.values())))

    async def _show(self, engine: Engine, options: dict[str, Any]) -> None:
        draft = await _found(engine, options["id"])
        editors = await engine.parts.presence.editors(draft.id)
        more = {
            "created": draft.created_at.isoformat(),
            "members": sorted(draft.members),
            "isShared": bool(draft.share),
            "isBeingCommitted": draft.locked,
            "editors": [editor.session for editor in editors],
        }
        self.stdout.write(json.dumps(_row(engine, draft) | more, indent=2))

    async def _export(self, engine: Engine, options: dict[str, Any]) -> None:
        draft = await _found(engine, options["id"])
        if draft.cluster not in engine.clusters:
            raise CommandError(f"No schema of this project serves “{draft.cluster}”.")
        given = await export(engine, await any_view(engine, draft.id))
        self.stdout.write(json.dumps(given, cls=DjangoJSONEncoder, indent=2))

    async def _expire(self, engine: Engine, options: dict[str, Any]) -> None:
        drafts = await self._meant(engine, options)
        if drafts and not options["yes"]:
            self._confirm(len(drafts))
        expired, busy = 0, []
        for draft in drafts:
            match await expire(engine, draft):
                case Expiry.EXPIRED:
                    expired += 1
                case Expiry.COMMITTING:
                    busy.append(draft.id)
                case Expiry.GONE:
                    pass  # by itself, meanwhile
        self.stdout.write(f"{expired} expired")
        if busy:
            raise CommandError(f"Being committed, and left alone: {', '.join(busy)}")

    async def _meant(self, engine: Engine, options: dict[str, Any]) -> list[Draft]:
        chosen = _chosen(options)
        is_chosen = chosen != Chosen()
        ways = [bool(options["id"]), is_chosen, options["all"]]
        if sum(ways) != 1:
            raise CommandError("Name drafts by their ids, or by options, or take --all.")
        if options["id"]:
            return [await _found(engine, each) for each in dict.fromkeys(options["id"])]
        return [draft async for draft in each_draft(engine, chosen)]

    def _confirm(self, count: int) -> None:
        if not sys.stdin.isatty():
            raise CommandError(f"{count} to expire: say --yes, there is nobody to ask.")
        answer = input(f"Expire {count}? What was staged in them is lost. [y/N] ")
        if answer.strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was expired.")


def _add_choice(parser: ArgumentParser) -> None:
    parser.add_argument("--session", help="Those of one session, by its public id.")
    parser.add_argument("--cluster", help="Those of one type, such as Band.")
    parser.add_argument("--state", type=str.upper, choices=[each.value for each in DraftState])
    parser.add_argument(
        "--older-than", type=_span, metavar="AGE", help="Unchanged for as long: 90m, 12h, 30d, 2w."
    )


def _chosen(options: dict[str, Any]) -> Chosen:
    age: timedelta | None = options["older_than"]
    return Chosen(
        session=options["session"],
        cluster=options["cluster"],
        state=DraftState(options["state"]) if options["state"] else None,
        before=None if age is None else datetime.now(UTC) - age,
    )


def _span(text: str) -> timedelta:
    if (found := _SPAN.fullmatch(text)) is None:
        raise ArgumentTypeError(f"{text!r} is no age, such as 90m, 12h, 30d or 2w")
    try:
        return timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError as exc:
        raise ArgumentTypeError(f"{text!r} is too long") from exc


async def _found(engine: Engine, text: str) -> Draft:
    """Return the draft with an id, as clients or as the store have it."""
    names = {cluster.title for cluster in engine.clusters.values()}
    given = parse(text, names)
    draft = await header(engine, given.draft if isinstance(given, DraftId) else text)
    if draft is None:
        raise CommandError(f"There is no draft {text}.")
    return draft


def _row(engine: Engine, draft: Draft) -> dict[str, Any]:
    """Return a draft's header; its id is that of its clients, which never looks like an option."""
    cluster = engine.clusters.get(draft.cluster)
    values = (
        draft.id if cluster is None else str(DraftId(cluster=cluster.title, draft=draft.id)),
        draft.cluster,
        draft.pk,
        draft.state.value,
        draft.version,
        draft.owner,
        draft.updated_at.isoformat(timespec="seconds"),
        draft.expires_at.isoformat(timespec="seconds"),
    )
    return dict(zip(_COLUMNS, values, strict=True))
