"""The service's settings, with the models of the tests besides."""

from config.settings import *  # noqa: F403 - all of them
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [
    *INSTALLED_APPS,
    "tests.clusters",
    "tests.festival",
    "tests.shapes",
    "tests.troupe",
]
MIGRATION_MODULES = {"clusters": None, "shapes": None}
