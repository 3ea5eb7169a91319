"""The composition root: HTTP goes to Django, WebSocket and the worker's life to the engine."""

import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# First, because it loads the apps, and what follows imports models.
django_asgi_app = get_asgi_application()

from gql_cluster.transport.lifespan import lifespan_application  # noqa: E402
from gql_cluster.transport.websocket import websocket_application  # noqa: E402
from schema import schema  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": django_asgi_app,
        "websocket": websocket_application(schema),
        "lifespan": lifespan_application(schema),
    },
)
