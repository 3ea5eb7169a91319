"""The servers are those of the tests of faults; nothing befalls them here."""

from tests.e2e.chaos.conftest import _quiet, copy_samples, postgres, redis

__all__ = ["_quiet", "copy_samples", "postgres", "redis"]
