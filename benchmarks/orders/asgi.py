"""The orders as a service: the same composition as the repository's own."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")

# First, because it loads the apps, and what follows imports models.
django_asgi_app = get_asgi_application()

from benchmarks.orders.schema import schema  # noqa: E402
from gql_cluster.transport.lifespan import lifespan_application  # noqa: E402
from gql_cluster.transport.websocket import websocket_application  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_asgi_app,
        "websocket": websocket_application(schema),
        "lifespan": lifespan_application(schema),
    },
)
