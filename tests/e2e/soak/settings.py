"""The service's settings, with an address that tells what a worker holds."""

from config.settings import *  # noqa: F403 - all of them

ROOT_URLCONF = "tests.e2e.soak.inside"
