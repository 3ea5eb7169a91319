"""What editors do: one entry an operation. Another kind is added by another entry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.e2e.chaos import documents
from tests.e2e.samples import in_album, member, move, nameless

if TYPE_CHECKING:
    from tests.e2e.chaos.clients import Editor


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, without its draft and change id; `marks` are the names that it brings."""

    document: str
    variables: dict[str, Any]
    marks: tuple[str, ...] = ()


Make: TypeAlias = Callable[["Editor"], Awaitable[Request | None]]
Then: TypeAlias = Callable[["Editor", Request], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One kind of request: how often it is chosen, and how it is made, if it can be now.

    `refusals` are the codes that may come back in `errors`. What is `led` is done by the first
    editor of a desk alone. `then` follows when it was accepted.
    """

    name: str
    weight: int
    make: Make
    refusals: frozenset[str] = frozenset()
    is_led: bool = False
    then: Then | None = None


def edit(*changes: Any, marks: tuple[str, ...] = (), expected: int | None = None) -> Request:
    """Return the request that stages changes."""
    variables = {"changes": list(changes), "expected": expected}
    return Request(document=documents.EDIT, variables=variables, marks=marks)


async def add_member(editor: Editor) -> Request:
    """Add a member, under a key of the client's or of the service's."""
    mark = editor.mark()
    add = member(mark, name=mark) if editor.rng.random() < 0.5 else nameless(mark)
    return edit(add, marks=(mark,))


async def add_song(editor: Editor) -> Request | None:
    """Add a song to an album; its title is not unique for the database."""
    if not editor.desk.albums:
        return None
    mark = editor.mark()
    song = {"title": mark} | ({"key": mark} if editor.rng.random() < 0.5 else {})
    album = editor.rng.choice(editor.desk.albums)
    return edit(in_album(album, {"songs": {"add": [song]}}), marks=(mark,))


async def add_several(editor: Editor) -> Request:
    """Do several things at once."""
    one, other = editor.mark(), editor.mark()
    return edit(
        member(one, name=one),
        {"members": {"update": {"key": one, "set": {"joined": editor.number()}}}},
        nameless(other),
        {"set": {"origin": editor.mark()}},
        marks=(one, other),
    )


async def rename(editor: Editor) -> Request:
    """Set a field of the root that other desks set, too."""
    name = editor.rng.choice(["name", "origin"])
    return edit({"set": {name: editor.mark()}})


async def relabel(editor: Editor) -> Request | None:
    """Set a field of an album that other desks set, too."""
    if not editor.desk.albums:
        return None
    album = editor.rng.choice(editor.desk.albums)
    return edit(in_album(album, {"set": {"label": editor.mark()}}))


async def tally(editor: Editor) -> Request:
    """Write one mark more behind all that the biography has, if nobody is faster."""
    draft = await editor.read()
    text = f"{draft['cluster']['biography']} {editor.mark()}"
    return edit({"set": {"biography": text}}, expected=draft["version"])


async def update_member(editor: Editor) -> Request | None:
    """Change a member who was added at this desk."""
    if not editor.desk.members:
        return None
    key = editor.rng.choice(editor.desk.members)
    return edit({"members": {"update": {"key": key, "set": {"joined": editor.number()}}}})


async def remove(editor: Editor) -> Request | None:
    """Remove a member or a song that was added at this desk."""
    desk = editor.desk
    if desk.songs and editor.rng.random() < 0.5:
        album, song = editor.rng.choice(desk.songs)
        return edit(in_album(album, {"songs": {"remove": [song]}}))
    if not desk.members:
        return None
    return edit({"members": {"remove": [editor.rng.choice(desk.members)]}})


async def move_member(editor: Editor) -> Request | None:
    """Give a member another place, where no other desk orders them."""
    desk = editor.desk
    if desk.is_shared or len(desk.members) < 2:
        return None
    one, other = editor.rng.sample(desk.members, 2)
    place = editor.rng.choice([{"before": other}, {"after": other}, {"to": "FIRST"}])
    return edit(move(one, **place))


async def relate(editor: Editor) -> Request:
    """Add or remove a genre that no other desk uses."""
    how = editor.rng.choice(["add", "remove"])
    return edit({"genres": {how: [editor.rng.choice(editor.desk.genres)]}})


async def undo(editor: Editor) -> Request:
    """Take back the session's last change set."""
    del editor
    return Request(document=documents.UNDO, variables={})


async def redo(editor: Editor) -> Request:
    """Take back the session's last undo."""
    del editor
    return Request(document=documents.REDO, variables={})


async def revert(editor: Editor) -> Request | None:
    """Go back some versions."""
    version = (await editor.read())["version"] - editor.rng.randint(1, 3)
    if version < 0:
        return None
    return Request(document=documents.REVERT, variables={"version": version})


async def reset(editor: Editor) -> Request | None:
    """Give a member or an album back its base state."""
    keys = editor.desk.members + editor.desk.albums
    if not keys:
        return None
    return Request(document=documents.RESET, variables={"keys": [editor.rng.choice(keys)]})


async def rebase(editor: Editor) -> Request | None:
    """Bring the base up to what is saved."""
    if editor.desk.band is None:
        return None
    policy = editor.rng.choice(["FAIL", "MINE", "THEIRS"])
    return Request(document=documents.REBASE, variables={"policy": policy})


async def commit(editor: Editor) -> Request:
    """Save the band, and close the draft or go on."""
    policy = editor.rng.choice(["FAIL", "MINE", "THEIRS"])
    keep_open = editor.rng.random() < 0.5
    variables = {"policy": policy, "keepOpen": keep_open}
    return Request(document=documents.COMMIT, variables=variables)


async def begin_anew(editor: Editor, request: Request) -> None:
    """Open another draft of the band where the last one was closed."""
    if not request.variables["keepOpen"]:
        await editor.open()


GONE = frozenset({"CLOSED", "INVALID_CHANGE"})
"""Another editor of the desk has committed, or undone what this one knows of."""
CLOSED = frozenset({"CLOSED"})

MIX = (
    Operation(name="add member", weight=6, make=add_member, refusals=CLOSED),
    Operation(name="add song", weight=4, make=add_song, refusals=GONE),
    Operation(name="add several", weight=2, make=add_several, refusals=CLOSED),
    Operation(name="rename", weight=3, make=rename, refusals=CLOSED),
    Operation(name="relabel", weight=2, make=relabel, refusals=GONE),
    Operation(name="tally", weight=3, make=tally, refusals=CLOSED | {"STALE_VERSION"}),
    Operation(name="update member", weight=3, make=update_member, refusals=GONE),
    Operation(name="remove", weight=2, make=remove, refusals=GONE),
    Operation(name="move member", weight=3, make=move_member, refusals=GONE),
    Operation(name="relate", weight=2, make=relate, refusals=CLOSED),
    Operation(name="undo", weight=3, make=undo, refusals=GONE),
    Operation(name="redo", weight=2, make=redo, refusals=GONE),
    Operation(name="revert", weight=1, make=revert, refusals=GONE),
    Operation(name="reset", weight=1, make=reset, refusals=GONE),
    Operation(name="rebase", weight=2, make=rebase, refusals=frozenset({"CONFLICT"}), is_led=True),
    Operation(
        name="commit",
        weight=4,
        make=commit,
        refusals=frozenset({"CONFLICT"}),
        is_led=True,
        then=begin_anew,
    ),
)
