"""Workers at fixed places: one that dies is replaced, and clients take any that is alive."""

from __future__ import annotations

import asyncio
import random
from contextlib import ExitStack
from pathlib import Path

from tests.e2e.workers import Worker, start_worker, wait_for_worker


class Fleet:
    """Some workers that share a database and a Redis, each with its own share of lost wake-ups."""

    def __init__(self, directory: Path, environ: dict[str, str]) -> None:
        """Take where the logs go, and what every worker is told."""
        self._directory = directory
        self._environ = environ | {"DJANGO_SETTINGS_MODULE": "tests.e2e.chaos.settings"}
        self._stack = ExitStack()
        self.places: dict[int, Worker] = {}
        self.logs: list[Path] = []
        self.dead: set[str] = set()

    async def start(self, place: int, *, loss: float) -> None:
        """Put a new worker at a place, and return when it answers."""
        log = self._directory / f"worker-{len(self.logs)}.log"
        self.logs.append(log)
        process = start_worker(log, self._environ | {"CHAOS_LOSS": str(loss)})
        self._stack.callback(Worker(url="", process=process, log=log).stop)
        self.places[place] = await asyncio.to_thread(wait_for_worker, process, log)

    def kill(self, place: int) -> None:
        """End the worker at a place at once."""
        worker = self._leave(place)
        worker.kill()

    async def stop(self, place: int) -> None:
        """End the worker at a place as an operator does."""
        worker = self._leave(place)
        await asyncio.to_thread(worker.stop)

    def _leave(self, place: int) -> Worker:
        worker = self.places.pop(place)
        self.dead.add(worker.url)
        return worker

    def any(self, rng: random.Random) -> Worker:
        """Return one that is alive, or should be."""
        return self.places[rng.choice(sorted(self.places))]

    def only(self, place: int) -> Fleet:
        """Return a fleet for clients that shall take this worker alone."""
        fleet = Fleet(self._directory, self._environ)
        fleet.places = {place: self.places[place]}
        return fleet

    def close(self) -> None:
        """End them all."""
        self._stack.close()
