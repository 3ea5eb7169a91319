"""Who watches a draft: they come, stay, move their focus, leave, or are not heard of any more."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.client import Client
from gql_cluster.store.keys import Keys
from gql_cluster.store.presence import Editor, PresenceStore, Watcher
from tests.integration.store.band import NOW
from tests.integration.store.conftest import Server

TTL = timedelta(minutes=5)
SHORT = timedelta(milliseconds=20)


def watcher(name: str, session: str, seconds: int = 0) -> Watcher:
    """Return a watcher that came so many seconds after the first."""
    return Watcher(id=name, session=session, since=NOW + timedelta(seconds=seconds))


RINGO = watcher("r1", "ringo")
RINGO_TOO = watcher("r2", "ringo", seconds=1)
PAUL = watcher("p1", "paul", seconds=2)


@pytest.fixture
def presence(client: Client, keys: Keys) -> PresenceStore:
    """A presence store."""
    return PresenceStore(client, ttl=TTL, keys=keys)


@pytest.fixture
def hasty(client: Client, keys: Keys) -> PresenceStore:
    """One on the same keys that forgets its watchers at once."""
    return PresenceStore(client, ttl=SHORT, keys=keys)


def names(editors: tuple[Editor, ...]) -> list[str]:
    """Return the sessions."""
    return [editor.session for editor in editors]


async def pruned(presence: PresenceStore, left: list[str]) -> None:
    """Wait until these editors are left; nothing tells but the store."""
    async with asyncio.timeout(10):
        while names(await presence.editors("d")) != left:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_session_is_one_editor_however_many_watchers_it_has(
    presence: PresenceStore,
) -> None:
    """It is one since its first came, and until its last has left."""
    ringo, paul = Editor(session="ringo", since=NOW), Editor(session="paul", since=PAUL.since)
    await presence.beat("d", [PAUL, RINGO])
    assert (await presence.beat("d", [RINGO_TOO])).editors == (ringo, paul)
    await presence.beat("d", [], leave=[RINGO])
    assert await presence.editors("d") == (ringo, paul)
    await presence.beat("d", [], leave=[RINGO_TOO])
    assert await presence.editors("d") == (paul,)
    assert await presence.editors("another") == ()


async def test_a_call_tells_whether_it_made_a_difference(presence: PresenceStore) -> None:
    """So that others are told of it; a call that is repeated makes none."""
    for call, changed in (
        (presence.beat("d", [RINGO]), True),
        (presence.beat("d", [RINGO]), False),
        (presence.beat("d", [RINGO_TOO]), False),
        (presence.focus("d", "ringo", "root", "name"), True),
        (presence.focus("d", "ringo", "root", "name"), False),
        (presence.beat("d", [RINGO], leave=[RINGO_TOO]), False),
        (presence.beat("d", [], leave=[RINGO]), True),
        (presence.beat("d", [], leave=[RINGO]), False),
    ):
        assert (await call).changed is changed


async def test_a_focus_moves_and_is_cleared_and_stays_with_a_beat(
    presence: PresenceStore,
) -> None:
    """A node, a field of a node, or nothing."""
    await presence.beat("d", [RINGO, PAUL])
    for key, field in (("root", "name"), ("Song:1", None), ("Song:1", "title"), (None, None)):
        await presence.focus("d", "ringo", key, field)
        [ringo, paul] = (await presence.beat("d", [RINGO, PAUL])).editors
        assert ringo == Editor(session="ringo", since=NOW, key=key, field=field)
        assert (paul.key, paul.field) == (None, None)


async def test_no_focus_is_kept_for_one_who_does_not_watch(
    presence: PresenceStore, client: Client, keys: Keys
) -> None:
    """Not for a stranger, and not for one who comes back."""
    assert await presence.focus("d", "ringo", "root", None) == await presence.beat("d", [])
    assert await client.exists(*keys.editors("d")) == 0
    await presence.beat("d", [RINGO, PAUL])
    await presence.focus("d", "ringo", "root", None)
    await presence.beat("d", [PAUL], leave=[RINGO])
    await presence.focus("d", "ringo", "root", None)
    [ringo, _] = (await presence.beat("d", [RINGO, PAUL])).editors
    assert ringo.key is None


async def test_a_watcher_that_is_not_heard_of_is_forgotten(
    presence: PresenceStore, hasty: PresenceStore
) -> None:
    """By whoever looks next, who learns that something changed; the others stay."""
    await presence.beat("d", [RINGO])
    await hasty.beat("d", [PAUL])
    await presence.beat("d", [RINGO])
    await presence.focus("d", "paul", "root", None)
    await pruned(presence, ["ringo"])
    back = await presence.beat("d", [PAUL])
    assert (back.changed, back.editors[1]) == (True, Editor(session="paul", since=PAUL.since))


async def test_nothing_is_left_when_nobody_is_heard_of(
    hasty: PresenceStore, client: Client, keys: Keys
) -> None:
    """The keys expire by themselves, a focus that was set late too."""
    await hasty.beat("d", [RINGO])
    await hasty.focus("d", "ringo", "root", "name")
    async with asyncio.timeout(10):
        while await client.exists(*keys.editors("d")):  # noqa: ASYNC110 - nothing tells but Redis
            await asyncio.sleep(0.005)


async def test_the_keys_live_as_long_as_their_newest_watcher(
    presence: PresenceStore, client: Client, keys: Keys
) -> None:
    """Each beat renews them, and nothing else does."""
    await presence.beat("d", [RINGO, PAUL])
    for key in keys.editors("d"):
        assert 299_000 < await client.pttl(key) <= 300_000
        await client.pexpire(key, 100_000)
    await presence.focus("d", "ringo", "root", None)
    await presence.beat("d", [], leave=[RINGO])
    for key in keys.editors("d"):
        assert await client.pttl(key) <= 100_000
    await presence.beat("d", [PAUL])
    for key in keys.editors("d"):
        assert 299_000 < await client.pttl(key) <= 300_000


async def test_many_at_once_are_all_there(presence: PresenceStore) -> None:
    """Each call is atomic: one of them finds the last, and each change is told once."""
    watchers = [watcher(str(n), f"s{n % 10}", seconds=n % 10) for n in range(100)]
    come = await asyncio.gather(*(presence.beat("d", [each]) for each in watchers))
    assert sum(present.changed for present in come) == 10
    assert names(await presence.editors("d")) == [f"s{n}" for n in range(10)]
    gone = await asyncio.gather(*(presence.beat("d", [], leave=[each]) for each in watchers))
    assert sum(present.changed for present in gone) == 10
    assert await presence.editors("d") == ()


async def test_who_watches_is_known_again_after_a_loss(
    own_server: Server, own_client: Client
) -> None:
    """Redis is away, and comes back with nothing: a beat brings back who is there, since when."""
    presence = PresenceStore(own_client, ttl=TTL)
    before = await presence.beat("d", [RINGO, PAUL])
    await asyncio.to_thread(own_server.stop)
    with pytest.raises(StoreUnavailableError):
        await presence.beat("d", [RINGO, PAUL])
    with pytest.raises(StoreUnavailableError):
        await presence.focus("d", "ringo", "root", None)
    await asyncio.to_thread(own_server.start)
    assert await presence.editors("d") == ()
    assert await presence.beat("d", [PAUL, RINGO]) == before


async def test_one_call_is_one_round_trip(own_client: Client) -> None:
    """However many watchers a worker has of a draft."""
    presence = PresenceStore(own_client, ttl=TTL)
    await presence.editors("d")
    calls = (
        presence.beat("d", [watcher(str(n), f"s{n}") for n in range(50)], leave=[PAUL]),
        presence.focus("d", "s1", "root", None),
        presence.editors("d"),
    )
    for call in calls:
        await own_client.config_resetstat()
        await call
        counts = await own_client.info("commandstats")
        assert counts["cmdstat_evalsha"]["calls"] == 1
