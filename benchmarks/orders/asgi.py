"""The orders as a service: the same composition as the repository's own."""

import os

import django
from channels.routing import ProtocolTypeRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")

django.setup(set_prefix=False)  # first: what follows imports models

from benchmarks.orders.schema import schema  # noqa: E402
from gql_cluster.transport.handler import Handler  # noqa: E402
from gql_cluster.transport.lifespan import lifespan_application  # noqa: E402
from gql_cluster.transport.websocket import websocket_application  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": Handler(),
        "websocket": websocket_application(schema),
        "lifespan": lifespan_application(schema),
    },
)
