"""The Lua scripts: each one call, atomic, on the keys of one draft or one session."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any

from gql_cluster.store.client import Client
from gql_cluster.store.codec import FORMAT, check_format
from gql_cluster.store.node import Script


class Scripts:
    """The scripts as one client calls them: by digest, sent once where a server lacks them."""

    def __init__(self, client: Client) -> None:
        """Read the sources, the first time in a process."""
        self._client = client
        self._scripts = _sources()

    async def __call__(self, name: str, keys: Sequence[str], *args: str | bytes | int) -> list[Any]:
        """Run a script; its reply begins with a word. Raises `StoreFormatError`."""
        word, *reply = await self._client.script(self._scripts[name], keys, args)
        if word == b"newer":
            check_format(*reply)
        return [word.decode(), *reply]


@cache
def _sources() -> dict[str, Script]:
    folder = files("gql_cluster.store") / "lua"
    common = b"local FORMAT = %d\n" % FORMAT + (folder / "common.lua").read_bytes()
    names = (
        "append",
        "claim",
        "close",
        "create",
        "join",
        "list",
        "lock",
        "presence",
        "read",
        "release",
        "reserve",
        "share",
        "stamp",
        "take",
        "touched",
        "unlock",
        "unshare",
    )
    return {name: _script(common + (folder / f"{name}.lua").read_bytes()) for name in names}


def _script(text: bytes) -> Script:
    return Script(text=text, digest=sha1(text, usedforsecurity=False).hexdigest())
