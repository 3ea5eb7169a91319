"""The service's settings, with the models of the tests besides."""

from config.settings import *  # noqa: F403 - all of them
from config.settings import GQL_CLUSTER, INSTALLED_APPS

# A machine that is busy with the other tests is no Redis that is away.
GQL_CLUSTER = {
    **GQL_CLUSTER,
    "ANONYMOUS_EDITING": True,
    "MAX_DRAFTS": 1000,  # races take many rounds
    "STORE_TIMEOUT": 10.0,
    "STORE_CONNECT_TIMEOUT": 10.0,
    # pytest-django turns DEBUG off, and with it what developers have of the schema.
    "GRAPHIQL": True,
    "ALLOW_GET": True,
    "INTROSPECTION": True,
    "SUGGESTIONS": True,
}
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "tests.clusters",
    "tests.emptied",
    "tests.festival",
    "tests.shapes",
    "tests.troupe",
]
MIGRATION_MODULES = {"clusters": None, "shapes": None}
