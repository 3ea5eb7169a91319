"""The settings that mypy reads: those of the tests, with every app of this repository."""

from tests.settings import *  # noqa: F403 - all of them
from tests.settings import INSTALLED_APPS, MIGRATION_MODULES

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.orders"]
MIGRATION_MODULES = {**MIGRATION_MODULES, "orders": None}
