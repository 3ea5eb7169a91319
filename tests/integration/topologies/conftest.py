"""A Redis Cluster and a watched master for these tests, which may kill what they bring back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from channels.layers import channel_layers
from django.utils.module_loading import import_string

import gql_cluster
from tests.integration.service.conftest import engine, make_engine
from tests.topologies import Cluster, Watched, redis_cluster, redis_sentinel

__all__ = ["engine", "make_engine"]


@pytest.fixture(scope="module")
def running_cluster() -> Iterator[Cluster]:
    """Three masters, the first with a replica."""
    with (
        TemporaryDirectory(prefix="gqlc-") as folder,
        redis_cluster(Path(folder), replicas=1, patience=2) as cluster,
    ):
        yield cluster


@pytest.fixture
def cluster(running_cluster: Cluster) -> Cluster:
    """The cluster as it was at first, whoever took whose place since."""
    running_cluster.heal()
    return running_cluster


@pytest.fixture(scope="module")
def running_watched() -> Iterator[Watched]:
    """A master and its replica behind passwords, and three Sentinels behind another."""
    with TemporaryDirectory(prefix="gqlc-") as folder, redis_sentinel(Path(folder)) as watched:
        yield watched


@pytest.fixture
def watched(running_watched: Watched) -> Watched:
    """The master and all that belongs to it, with nothing in it."""
    running_watched.master.ask("FLUSHALL")
    return running_watched


def layer_of(url: str) -> Any:
    """Return a channel layer as the settings make it."""
    setting = gql_cluster.channel_layer(url)
    return import_string(setting["BACKEND"])(**setting["CONFIG"])


@pytest.fixture
def wake_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have wake-ups sent by the Redis at a URL."""

    def wake(url: str) -> None:
        monkeypatch.setitem(channel_layers.backends, "default", layer_of(url))

    return wake
