"""The composition root: HTTP goes to Django, WebSocket and the worker's life to the engine."""

import os

import django
from channels.routing import ProtocolTypeRouter

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django.setup(set_prefix=False)  # first: what follows imports models

from django.conf import settings  # noqa: E402

from config import traces  # noqa: E402
from gql_cluster.transport.handler import Handler  # noqa: E402
from gql_cluster.transport.health import probed  # noqa: E402
from gql_cluster.transport.identified import identified  # noqa: E402
from gql_cluster.transport.lifespan import lifespan_application  # noqa: E402
from gql_cluster.transport.websocket import websocket_application  # noqa: E402
from schema import schema  # noqa: E402

if settings.OTEL:
    traces.start()

application = identified(
    ProtocolTypeRouter(
        {
            "http": probed(Handler(), schema.engine),
            "websocket": websocket_application(schema),
            "lifespan": lifespan_application(
                schema, closing=[traces.stop] if settings.OTEL else []
            ),
        },
    )
)
