"""The settings of the engine: one dictionary, `GQL_CLUSTER`, all of it optional."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings


def _is_debug() -> bool:
    return bool(django_settings.DEBUG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `GQL_CLUSTER` may hold, with the defaults. Times are in seconds."""

    REDIS_URL: str = "redis://127.0.0.1:6379/0"
    STORE_TIMEOUT: float = 2.0
    """How long a call of the draft store may take before the store counts as away."""
    STORE_CONNECT_TIMEOUT: float = 1.0
    """How long it may take of that to connect, or to get a connection that is free."""
    KEY_PREFIX: str = "gqlc"
    """Begins every Redis key; services that share a Redis need different ones."""
    DRAFT_TTL: int = 7 * 24 * 3600
    """How long an open draft is kept after its last change."""
    CLOSED_TTL: int = 3600
    """How long a committed or discarded draft can still be read."""
    LOG_LENGTH: int = 1000
    """About how many versions of a draft can be replayed; behind that comes a snapshot."""
    POLL_INTERVAL: float = 2.0
    """How late an event is at most when the channel layer has lost its wake-up."""
    MAX_BACKLOG: int = 256
    """How many events a slow subscriber may fall behind before it gets a snapshot instead."""
    EXPIRY_NOTICE: float = 900.0
    """How long before a draft's expiry those who watch it are told."""
    PRESENCE_BEAT: float = 5.0
    """How often a worker says who watches drafts there."""
    PRESENCE_TTL: float = 15.0
    """When a watcher counts as gone whose worker says no more; three beats or so."""
    COMMIT_LEASE: float = 10
    """How long a commit whose worker died blocks its draft; a living worker renews it."""
    CACHE_BYTES: int = 64 * 1024 * 1024
    """How much of drafts a worker keeps in memory."""
    MAX_CHANGES: int = 1000
    """How many changes a request may hold, nested ones and inline children counted."""
    MAX_BYTES: int = 2 * 1024 * 1024
    """How much one request may write to a draft."""
    POLICY: str = "gql_cluster.service.policy.Policy"
    """The class that decides who may do what, by its dotted name."""
    ANONYMOUS_EDITING: bool = False
    """Whether anybody may open, edit and commit drafts, or users only, with permissions."""
    USER_TTL: float = 1.0
    """How old what a worker knows of a user may be: so late a logout is felt at most."""
    USER_RECHECK: float = 30.0
    """How long a subscription to which nothing happens may outlive a logout."""
    SESSION_AGE: int = 30 * 24 * 3600
    """How long a session token is valid."""
    SHARE_AGE: int = 7 * 24 * 3600
    """How long a link to a draft is valid."""
    MAX_MEMBERS: int = 100
    """How many sessions may join a draft besides its owner."""
    MAX_BODY_BYTES: int = 2_621_440
    """How large the body of a GraphQL request may be; Django's own limit holds besides."""
    BODY_TIMEOUT: float = 30.0
    """How long a client may take to send such a body."""
    MAX_MESSAGE_BYTES: int = 2_621_440
    """How large a message of a WebSocket may be."""
    INIT_TIMEOUT: float = 5.0
    """How long a WebSocket may stay open without its `connection_init`."""
    MAX_SUBSCRIPTIONS: int = 100
    """How many operations may run on one WebSocket at once."""
    MAX_SOCKETS_PER_SESSION: int = 50
    """How many WebSockets and event streams a session may have open at one worker."""
    MAX_SOCKETS_PER_ADDRESS: int = 1000
    """How many an address may have open at one worker; of IPv6, a network of 64 bits."""
    KEEP_ALIVE: float = 15.0
    """How often an event stream says that it is still there."""
    SEND_TIMEOUT: float = 30.0
    """How long the client of an event stream may take to read before it is cut off."""
    GRAPHIQL: bool = field(default_factory=_is_debug)
    """Whether a browser gets GraphiQL; as `DEBUG` is, if absent. Read when the URLs are made."""
    ALLOW_GET: bool = field(default_factory=_is_debug)
    """Whether `GET` takes queries; as `DEBUG` is, if absent. Read when the URLs are made."""
    INTROSPECTION: bool = field(default_factory=_is_debug)
    """Whether `__schema` and `__type` answer; as `DEBUG` is, if absent."""
    SUGGESTIONS: bool = field(default_factory=_is_debug)
    """Whether errors say “Did you mean”; as `DEBUG` is, if absent."""
    DRAIN: float = 0.0
    """How long a worker that is told to end serves on, and says at `/readyz` that it ends."""
    METRICS_PORT: int | None = None
    """Where Prometheus finds `/metrics` of a worker; nowhere if absent."""
    METRICS_HOST: str = "127.0.0.1"
    """The address of that."""
    MAX_DOCUMENT_LENGTH: int = 100_000
    """How many characters a GraphQL document may have."""
    MAX_TOKENS: int = 2000
    """How many tokens it may have, and how many comments."""
    MAX_OPERATIONS: int = 50
    """How many operations it may hold, of which one is executed."""
    MAX_DEPTH: int = 20
    """How many levels of fields an operation may have."""
    MAX_FIELDS: int = 2000
    """How many fields it may ask for, those of a fragment counted wherever it is spread."""
    MAX_ALIASES: int = 200
    """How many of them may have an alias."""
    MAX_DIRECTIVES: int = 100
    """How many directives it may have."""
    MAX_COMPARISONS: int = 10_000
    """How many pairs of fields of one name validation may compare."""
    MAX_ERRORS: int = 5
    """How many errors validation may find before it gives up."""
    MAX_INPUT_DEPTH: int = 50
    """How deep values may be nested, in a document and in variables."""
    MAX_INPUT_VALUES: int = 25_000
    """How many values the variables of a request may hold."""
    MAX_PAGE: int = 100
    """How much `first`, `last` and `limit` may ask for."""
    LIST_SIZE: int = 10
    """How long a list without a page is taken to be, when the cost is estimated."""
    MAX_COST: int = 100_000
    """How many values an operation may be estimated to answer with."""
    DOCUMENT_CACHE_BYTES: int = 32 * 1024 * 1024
    """How much of valid documents a worker keeps in memory."""
    OPERATION_TIMEOUT: float = 30.0
    """How long an operation may take, or an event of a subscription; 0: as long as it likes."""
    MAX_DRAFTS: int = 100
    """How many open drafts a session may have."""
    MAX_NODES: int = 20_000
    """How many nodes a draft may hold."""
    MAX_DRAFT_BYTES: int = 32 * 1024 * 1024
    """How much a draft may take in Redis; its log may take as much again."""
    MAX_FIELD_BYTES: int = 1024 * 1024
    """How much one field of a node may hold."""
    MUTATION_RATE: float = 50.0
    """How many mutations a second a session may send in the long run; 0: as many as it likes."""
    MUTATION_BURST: int = 200
    """How many it may send at once, when it has sent none for a while."""
    ADDRESS_RATE: float = 200.0
    """How many mutations a second may come from one address; 0: as many as it likes."""
    ADDRESS_BURST: int = 800
    """How many may come from it at once."""

    @property
    def draft_ttl(self) -> timedelta:
        """`DRAFT_TTL` as a time span."""
        return timedelta(seconds=self.DRAFT_TTL)

    @property
    def closed_ttl(self) -> timedelta:
        """`CLOSED_TTL` as a time span."""
        return timedelta(seconds=self.CLOSED_TTL)


def given() -> dict[str, Any]:
    """Return what the project's settings say."""
    return dict(getattr(django_settings, "GQL_CLUSTER", {}))


def unknown() -> list[str]:
    """Return the names that the project's settings say and the engine does not know."""
    known = {field.name for field in fields(Settings)}
    return sorted(set(given()) - known)


def load() -> Settings:
    """Return the settings as they are now; read at use, never at import."""
    known = {field.name for field in fields(Settings)}
    return Settings(**{name: value for name, value in given().items() if name in known})
