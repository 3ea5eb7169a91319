"""Calls to a Redis that does not answer fail at once, until it answers again."""

from __future__ import annotations

import asyncio
import builtins
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.exceptions import ConnectionError, TimeoutError  # noqa: A004 - redis names them so

from gql_cluster import metrics

logger = logging.getLogger(__name__)

_HUNG = (builtins.TimeoutError, TimeoutError)


class CircuitOpenError(Exception):
    """The call was not made: there was no answer lately."""


class Circuit:
    """The circuit breaker of one client, in one event loop (Nygard, “Release It!”).

    It opens when a call hangs, or when `failures` calls in a row lose their connection; not when
    something else was answered meanwhile. `pause` seconds later it lets one call through as a
    trial, and goes on failing the others. Any answer closes it, a refusal too.

    No library does it: of those for asyncio (circuitbreaker, purgatory, hyx, aiobreaker) each
    lets every call through that comes while the trial is running, all into the same hole.
    """

    def __init__(self, *, timeout: float | None, failures: int = 3, pause: float = 1.0) -> None:
        """Take how long a call may last, waiting for a connection included; in seconds."""
        self._timeout = timeout
        self._limit = failures
        self._pause = pause
        self._failures = 0
        self._answered_at = float("-inf")
        self._open_until: float | None = None
        self._trial: object | None = None
        metrics.circuits.add(self)

    @property
    def is_open(self) -> bool:
        """Whether calls fail at once."""
        return self._open_until is not None

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Run the block as one call; within it no other may be made.

        Raises `CircuitOpenError`, and `TimeoutError` for a call that is cut short.
        """
        began, call = _now(), object()
        self._admit(call, began)
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except _HUNG:
            self._fail(call, began, self._limit)
            raise
        except ConnectionError:
            self._fail(call, began, 1)
            raise
        except Exception:
            self._answer()
            raise
        else:
            self._answer()
        finally:
            # A trial whose caller is gone says nothing: the next call is the trial then.
            if self._trial is call:
                self._trial = None

    def _admit(self, call: object, now: float) -> None:
        if self._open_until is None:
            return
        if self._trial is not None or now < self._open_until:
            raise CircuitOpenError
        self._trial = call

    def _answer(self) -> None:
        if self._open_until is not None:
            logger.info("Redis answers again.")
        self._answered_at = _now()
        self._failures = 0
        self._open_until = None

    def _fail(self, call: object, began: float, weight: int) -> None:
        if began < self._answered_at:
            return
        self._failures += weight
        # What was under way when it opened does not prolong it.
        if self._failures >= self._limit and (self._open_until is None or self._trial is call):
            if self._open_until is None:
                logger.warning("Redis does not answer: calls to it fail at once for now.")
            self._open_until = _now() + self._pause


def _now() -> float:
    return asyncio.get_running_loop().time()
