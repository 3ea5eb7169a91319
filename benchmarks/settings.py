"""The service's settings, with the orders besides."""

from config.settings import *  # noqa: F403 - all of them
from config.settings import GQL_CLUSTER, INSTALLED_APPS

# 500 sessions join one draft, and send as fast as they can, from one address; and a machine that is
# busy is no Redis that is away.
GQL_CLUSTER = {
    "MAX_MEMBERS": 1000,
    "MAX_SOCKETS_PER_ADDRESS": 10_000,
    "MAX_SOCKETS_PER_SESSION": 10_000,
    "MAX_DRAFTS": 100_000,
    "MUTATION_RATE": 0,
    "ADDRESS_RATE": 0,
    "OPERATION_TIMEOUT": 0,
    "STORE_TIMEOUT": 20.0,
    "STORE_CONNECT_TIMEOUT": 20.0,
    **GQL_CLUSTER,
    "ANONYMOUS_EDITING": True,
}
INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.orders"]
MIGRATION_MODULES = {"orders": None}
ROOT_URLCONF = "benchmarks.orders.urls"
ASGI_APPLICATION = "benchmarks.orders.asgi.application"
# A form with 1,000 lines, sent whole, as what the engine is compared with takes it.
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
