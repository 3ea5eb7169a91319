"""Who may see a draft besides its owner: those that joined it by a link that is good still."""

from __future__ import annotations

from enum import Enum

from gql_cluster.store.client import Client, guarded
from gql_cluster.store.keys import Keys
from gql_cluster.store.scripts import Scripts


class Joining(Enum):
    """What comes of joining; `GONE` is the draft, or the link."""

    JOINED = "joined"
    FULL = "full"
    GONE = "gone"


class Sharing:
    """The nonces and the members of drafts, kept in their headers.

    A nonce stands for all links of a draft, and the members came by them. Each method is one
    round trip and atomic, and may be repeated. None makes a version or puts the expiry off.
    Raises `StoreUnavailableError`.
    """

    def __init__(self, client: Client, *, keys: Keys | None = None) -> None:
        """Take the client, which stays its owner's to close."""
        self._client = client
        self._run = Scripts(client)
        self._keys = keys or Keys()

    @guarded
    async def share(self, draft_id: str, nonce: str) -> str | None:
        """Return the draft's nonce: an earlier one, or now this one; None where no draft is.

        Of several at once one wins, and all get it.
        """
        word, *reply = await self._run("share", self._keys.draft(draft_id), nonce)
        return str(reply[0], "utf-8") if word == "shared" else None

    @guarded
    async def join(self, draft_id: str, session: str, nonce: str, *, most: int) -> Joining:
        """Let a session in under a nonce, `most` besides the owner; one that is in stays in."""
        word, *_ = await self._run("join", self._keys.draft(draft_id), session, nonce, most)
        return Joining(word)

    @guarded
    async def unshare(self, draft_id: str) -> bool:
        """Take the nonce back, and let every member out; False where no draft is."""
        word, *_ = await self._run("unshare", self._keys.draft(draft_id))
        return str(word) == "unshared"
