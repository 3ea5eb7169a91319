"""One worker for all attacks, and a client of another address that has to be answered meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from tests.attacks.figures import WAITED, record
from tests.e2e.workers import Worker
from tests.served import DEADLINE, _nothing_unforeseen, http, server, token

__all__ = ["_nothing_unforeseen", "http", "server", "token"]

ELSEWHERE = "127.0.0.2"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No database decides anything here."""
    for item in items:
        if "/attacks/" in str(item.path):
            item.add_marker("once")


@dataclass(slots=True)
class Bystander:
    """Somebody else, who asks for something small all the time."""

    waited: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def longest(self) -> float:
        """The longest time that one answer took, in milliseconds."""
        return round(max(self.waited) * 1000, 1)


@pytest.fixture
def bystander(server: Worker) -> Iterator[Bystander]:
    """A client that is answered throughout the test, each time within seconds."""
    someone, begun, over = Bystander(), threading.Event(), threading.Event()

    def ask() -> None:
        transport = httpx.HTTPTransport(local_address=ELSEWHERE, verify=False)
        with httpx.Client(transport=transport, timeout=DEADLINE) as client:
            while not over.is_set():
                began = time.monotonic()
                try:
                    answer = client.post(server.graphql, json={"query": "{ __typename }"})
                    if answer.json() != {"data": {"__typename": "Query"}}:
                        someone.failed.append(answer.text)
                except (httpx.HTTPError, ValueError) as exc:
                    someone.failed.append(repr(exc))
                someone.waited.append(time.monotonic() - began)
                begun.set()
                over.wait(0.01)

    thread = threading.Thread(target=ask)
    thread.start()
    begun.wait(DEADLINE)
    try:
        yield someone
    finally:
        over.set()
        thread.join()
    assert someone.waited
    assert not someone.failed
    record(WAITED, max(someone.waited))
    assert max(someone.waited) < DEADLINE / 2
