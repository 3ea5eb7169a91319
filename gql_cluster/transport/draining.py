"""A worker that is told to end says so at `/readyz` first, and serves on while it is drained.

uvicorn takes no connection any more from the moment it is told: a proxy that asks every few seconds
would find out by clients that were refused. So the word is held back for `DRAIN` seconds. A second
one ends it at once.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

logger = logging.getLogger(__name__)


class Draining:
    """Whether this process is about to end; there is one of it."""

    def __init__(self) -> None:
        """Begin as one that stays."""
        self.is_draining = False

    def hold_back(self, seconds: float) -> Callable[[], None]:
        """Hold SIGTERM back for so long, from now on; what is returned leaves it as it was.

        Called in the running loop, when the server has set its own handler.
        """
        before: Any = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is not threading.main_thread() or not callable(before):
            return lambda: None  # nobody is told to end here
        loop = asyncio.get_running_loop()

        def told(number: int, frame: FrameType | None) -> None:
            if self.is_draining or not seconds:
                self.is_draining = True
                before(number, frame)
                return
            self.is_draining = True
            logger.info("Told to end: draining for %s seconds.", seconds)
            loop.call_soon_threadsafe(loop.call_later, seconds, before, number, None)

        signal.signal(signal.SIGTERM, told)

        def leave() -> None:
            self.is_draining = False
            if signal.getsignal(signal.SIGTERM) is told:
                signal.signal(signal.SIGTERM, before)

        return leave


process = Draining()
