"""The engine: what every use case works with."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from weakref import WeakValueDictionary

from django.utils.module_loading import import_string

from gql_cluster import conf, logs
from gql_cluster.domain.copy import Copy
from gql_cluster.domain.draft import Draft
from gql_cluster.domain.error import ForbiddenError, NotFoundError
from gql_cluster.domain.node import Json
from gql_cluster.domain.tree import Want
from gql_cluster.orm.describe import Cluster
from gql_cluster.orm.load import decode_pk
from gql_cluster.service.caller import Caller
from gql_cluster.service.hub import Hub
from gql_cluster.service.limits import capacity
from gql_cluster.service.news import root_named
from gql_cluster.service.policy import Policy, Subject, require
from gql_cluster.service.rates import Rates
from gql_cluster.service.sight import can_see
from gql_cluster.service.view import View
from gql_cluster.store.buckets import Buckets
from gql_cluster.store.cache import CopyCache
from gql_cluster.store.client import make_client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.loops import PerLoop
from gql_cluster.store.presence import PresenceStore
from gql_cluster.store.sessions import SessionIndex
from gql_cluster.store.sharing import Sharing
from gql_cluster.store.stamps import Stamps

_CACHED_DRAFTS = 1000


class Parts:
    """What one event loop has of its own: the connection to Redis and all that waits on it."""

    def __init__(self) -> None:
        self.settings = settings = conf.load()
        self.client = make_client(
            settings.REDIS_URL,
            timeout=settings.STORE_TIMEOUT,
            connect_timeout=settings.STORE_CONNECT_TIMEOUT,
        )
        keys = Keys(prefix=settings.KEY_PREFIX)
        self.store = DraftStore(
            self.client,
            ttl=settings.draft_ttl,
            closed_ttl=settings.closed_ttl,
            log_length=settings.LOG_LENGTH,
            capacity=capacity(settings),
            keys=keys,
        )
        # A draft lives on with its edits, and its session as long as its token at most.
        ttl = settings.draft_ttl + timedelta(seconds=settings.SESSION_AGE)
        self.sessions = SessionIndex(self.client, ttl=ttl, keys=keys)
        self.sharing = Sharing(self.client, keys=keys)
        self.rates = Rates(Buckets(self.client, keys=keys), settings)
        self.stamps = Stamps(self.client, ttl=settings.draft_ttl, keys=keys)
        self.cache = CopyCache(self.store, max_bytes=settings.CACHE_BYTES, max_count=_CACHED_DRAFTS)
        self.presence = PresenceStore(
            self.client, ttl=timedelta(seconds=settings.PRESENCE_TTL), keys=keys
        )
        self.hub = Hub(
            self.cache,
            self.presence,
            self.stamps,
            prefix=settings.KEY_PREFIX,
            poll=settings.POLL_INTERVAL,
            beat=settings.PRESENCE_BEAT,
            notice=settings.EXPIRY_NOTICE,
        )
        policy: type[Policy] = import_string(settings.POLICY)
        self.policy = policy(anonymous_editing=settings.ANONYMOUS_EDITING)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, draft_id: str) -> asyncio.Lock:
        """Return the lock that makes this worker's changes of one draft queue up.

        Other workers are met by the store's compare-and-set alone.
        """
        return self._turns.setdefault(draft_id, asyncio.Lock())

    async def aclose(self) -> None:
        """Close the connections."""
        await self.rates.aclose()
        await self.hub.aclose()
        await self.client.aclose()


class Engine:
    """The clusters that are served, by their root's type name, and the way to their drafts."""

    def __init__(self, clusters: Mapping[str, Cluster]) -> None:
        """Connect to nothing yet."""
        self.clusters = clusters
        self._parts = PerLoop(Parts, Parts.aclose)

    @property
    def parts(self) -> Parts:
        """What belongs to the running event loop."""
        return self._parts.get()

    async def aclose(self) -> None:
        """Close what belongs to the running event loop."""
        await self._parts.close()

    async def copy(
        self, caller: Caller, draft_id: str, want: Want, *, fresh: bool, cluster: str | None = None
    ) -> Copy:
        """Return the caller's copy of a draft; `cluster` is the type it has to be of.

        Raises `NotFoundError` for a draft that has expired, never was, or is not the caller's,
        and what the policy's answer comes to.
        """
        session = caller.required_session()
        logs.note(session=session, draft=draft_id)
        copy = await self.parts.cache.get(draft_id, want, fresh=fresh)
        if copy is not None and not fresh and not copy.draft.admits(session):
            # Perhaps it was let in through another worker.
            copy = await self.parts.cache.get(draft_id, want, fresh=True)
        if (
            copy is None
            or not copy.draft.admits(session)
            or copy.draft.cluster not in self.clusters
            or cluster not in (None, copy.draft.cluster)
        ):
            raise NotFoundError.of("There is no such draft.")
        await self.require_see(caller, copy.draft)
        return copy

    async def own_copy(self, caller: Caller, draft_id: str, want: Want) -> Copy:
        """Return a fresh copy of a draft that the caller has opened itself.

        Raises `NotFoundError`, and `ForbiddenError` for one that it has only joined.
        """
        copy = await self.copy(caller, draft_id, want, fresh=True)
        if copy.draft.owner != caller.session:
            raise ForbiddenError.of("Only the session that opened the draft may do that.")
        return copy

    async def require_see(self, caller: Caller, draft: Draft) -> None:
        """Raise what the policy's answer comes to where it does not let a draft be seen."""
        subject = self.subject(draft)
        await require(caller, allowed=await self.parts.policy.may_see(caller, subject))
        if subject.pk is not None and not await can_see(caller, subject.model, subject.pk):
            raise NotFoundError.of("There is no such draft.")

    async def require_edit(self, caller: Caller, draft: Draft) -> None:
        """Raise what the policy's answer comes to where it does not let a draft be changed."""
        may_edit = await self.parts.policy.may_edit(caller, self.subject(draft))
        await require(caller, allowed=may_edit)

    async def require_open(self, caller: Caller, cluster: Cluster, pk: Json = None) -> None:
        """Raise what the policy's answer comes to where it does not let a draft be opened.

        `pk` is that of a saved root, as nodes have it; None for a new one.
        """
        caller.required_session()
        model = cluster.model
        subject = Subject(model=model, pk=None if pk is None else decode_pk(model, pk))
        await require(caller, allowed=await self.parts.policy.may_open(caller, subject))
        if subject.pk is not None and not await can_see(caller, model, subject.pk):
            raise NotFoundError.of(f"There is no {cluster.title} with the primary key {pk!r}.")

    async def any_copy(self, draft_id: str, want: Want) -> Copy:
        """Return a draft as it is now, whoever it belongs to: for what is done in its own name.

        Raises `NotFoundError`.
        """
        copy = await self.parts.cache.get(draft_id, want, fresh=True)
        if copy is None or copy.draft.cluster not in self.clusters:
            raise NotFoundError.of("There is no such draft.")
        return copy

    def subject(self, draft: Draft) -> Subject:
        """Return what the policy is asked about a draft."""
        model = self.clusters[draft.cluster].model
        pk = None if draft.pk is None else decode_pk(model, draft.pk)
        return Subject(model=model, pk=pk, draft_id=draft.id, owner=draft.owner)

    async def stamp(self, cluster: Cluster, pk: Json) -> int:
        """Return how often a saved cluster was saved; asked before it is read, never behind."""
        return await self.parts.stamps.get(root_name(cluster, pk))

    def view(self, copy: Copy, *, version: int | None = None) -> View:
        """Return a view of a copy as it is now, or as it was at an earlier version."""
        load = partial(self.parts.cache.load, copy)
        return View(self.clusters[copy.draft.cluster], copy, load, version=version)

    def view_at(self, view: View, version: int | None = None) -> View:
        """Return another view of the same draft, at the same version or an earlier one."""
        if version is None:
            version = view.snapshot.version
        return self.view(view.snapshot.copy, version=version)


def root_name(cluster: Cluster, pk: Json) -> str:
    """Return what a saved root is called in the store."""
    return root_named(cluster.label, pk)


def new_draft_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_urlsafe(16)


def new_key() -> str:
    """Return a key for a node that the client left unnamed; no client key looks like it."""
    return f"new:{secrets.token_urlsafe(9)}"
